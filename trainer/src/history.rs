//! What a training did, epoch by epoch: for its folder, its package and its card.

use serde::{Deserialize, Serialize};

/// One epoch's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: usize,
    pub train_loss: f64,
    /// Mean over all findings that are defined on the validation images, of the averaged weights.
    pub valid_auc: f64,
    pub seconds: f64,
}
