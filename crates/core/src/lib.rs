//! What a radiograph, a model's manifest, a map and a report are, and everything of explanations that needs no tensors. No neural network,
//! no browser, no files: it is built in seconds and tested natively.
//!
//! | module | what it is for |
//! |---|---|
//! | [`finding`] | the 14 CheXpert observations |
//! | [`radiograph`] | bytes of a picture file to a grey picture, and what a network is given of it |
//! | [`architecture`] | the names of networks |
//! | [`package`] | a model's manifest |
//! | [`reading`] | what a model says of a radiograph |
//! | [`explain`] | maps: which parts of a radiograph a score came from |
//! | [`trust`] | whether a map can be trusted |
//! | [`report`] | the replayable record of a reading |
//! | [`rank`] | ranks of values |

pub mod architecture;
pub mod explain;
pub mod finding;
pub mod package;
pub mod radiograph;
pub mod rank;
pub mod reading;
pub mod report;
pub mod trust;
