//! What a model made of a radiograph.

use crate::heat_map::HeatMap;
use crate::radiograph::Region;

/// What a model made of a radiograph. All lists follow the manifest's findings.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub logits: Vec<f32>,
    /// `None` where the finding was not trained.
    pub probabilities: Vec<Option<f64>>,
    /// Signed evidence in logits (Grad-CAM before its ReLU): cells and bias add up to the logit.
    pub evidence: Vec<HeatMap>,
    /// The parts of the evidence that each branch of a network with several gives: for each finding a
    /// map per branch. Empty for a network with one.
    pub branches: Vec<Vec<HeatMap>>,
    pub bias: Vec<f32>,
    /// What the package's detector makes of the picture (see [`crate::gate`]): a share for frontal chest radiographs, then one for each kind.
    pub odd: Option<Vec<f64>>,
    /// The part of the picture that the maps cover.
    pub region: Region,
    /// Whether the model computes feature maps in float16, which has three digits, where their values are not too large for it.
    pub float16: bool,
}

/// The device could not finish a computation: lost, or out of memory.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the device could not finish the computation: {0}")]
    Device(String),
    #[error("the model's answer is not a number; its weights or the device are at fault")]
    NotANumber,
}
