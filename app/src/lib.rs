//! The page of Sightline, and the engine worker it talks to. Two programs (`src/bin/`) share this library:
//!
//! | module | runs in | what it is for |
//! |---|---|---|
//! | [`messages`] | both | what they say to each other |
//! | [`engine`] | the worker | the device, the model, all computing |
//! | [`page`] | the page | what a person sees and does; owns no tensors |

pub mod engine;
pub mod messages;
pub mod page;
