//! The engine of Sightline: bytes of a chest radiograph in; findings, scores and explanations out.
//!
//! It runs natively and in the browser (`wasm32`), and knows no files, no network and no user interface.
//!
//! | module | what it is for |
//! |---|---|
//! | [`finding`] | the 14 CheXpert observations |
//! | [`radiograph`] | JPEG and PNG bytes to a grey picture, and from there to a network's input |
//! | [`network`] | the neural networks: feature maps, and a classifier on top of them |
//! | [`package`] | a trained model on disk or over the wire: manifest and weights |
//! | [`explain`] | which pixels a score came from |
//! | [`reading`] | one radiograph read by one model |
//! | [`report`] | the replayable record of a reading |

pub mod explain;
pub mod finding;
pub mod network;
pub mod package;
pub mod radiograph;
pub mod reading;
pub mod report;
