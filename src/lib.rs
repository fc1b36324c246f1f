//! The engine of Sightline: bytes of a chest radiograph in; findings, scores and explanations out.
//!
//! It runs natively and in the browser (`wasm32`), and knows no files, no network and no user interface. What needs no tensors is in the
//! crate `sightline-core`, and is found here too.
//!
//! | module | what it is for |
//! |---|---|
//! | [`finding`] | the name of what an output stands for |
//! | [`vocabulary`] | lists of findings, and which scores count as called |
//! | [`radiograph`] | bytes of a picture file to a grey picture, and from there to a network's input |
//! | [`network`] | the neural networks: feature maps, and a classifier on top of them |
//! | [`package`] | a trained model on disk or over the wire: manifest and weights |
//! | [`reader`] | a package on a device, which reads radiographs |
//! | [`reading`] | what it says of one |
//! | [`features`] | what the gate's detector is given of a picture |
//! | [`grad_cam`] | Grad-CAM of all findings from one forward pass |
//! | [`described`](mod@described) | a network and its evidence, operation by operation |
//! | [`explain`] | which pixels a score came from |
//! | [`trust`] | whether an explanation can be trusted |
//! | [`report`] | the replayable record of a reading |

#[cfg(not(target_arch = "wasm32"))]
pub mod described;
pub mod features;
pub mod grad_cam;
pub mod input;
pub mod network;
pub mod reader;
mod weights;

pub use sightline_core::{
    architecture, asked, batch_size, explain, families, finding, gate, heat_map, pictures,
    radiograph, reading, report, statistics, trust, view, vocabulary,
};

/// The model package: a folder with `manifest.json` and `weights.bpk`, or the same over the wire.
pub mod package {
    pub use crate::weights::{Loader, load, save, save_exactly};
    pub use sightline_core::package::*;
}
