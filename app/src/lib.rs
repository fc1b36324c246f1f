//! The page of Sightline, and the engine worker it talks to. Two programs (`src/bin/`) share this library:
//!
//! | module | runs in | what it is for |
//! |---|---|---|
//! | [`wire`] | both | how messages get from one to the other |
//! | [`engine`] | the worker | the device, the model, all computing |
//! | [`page`] | the page | what a person sees and does; owns no tensors |
//!
//! What they say, and what the page does next, is `session/`, a crate without a browser.

pub mod engine;
pub mod page;
pub mod wire;
