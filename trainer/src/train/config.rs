//! A recipe: everything a training needs but the images.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sightline::network::Architecture;
use sightline::radiograph::Input;

use crate::data::UncertainPolicy;
use crate::data::augment::Augmentation;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Of the package that comes out.
    pub name: String,
    pub title: String,
    pub architecture: Architecture,
    pub input: Input,
    /// Pretrained weights to start from; without them every weight is drawn at random.
    pub start: Option<Start>,
    pub data: Data,
    pub uncertain: UncertainPolicy,
    pub epochs: usize,
    pub batch: usize,
    /// Of AdamW, at its highest; rises linearly over the warm-up, then falls as a cosine to nothing.
    pub learning_rate: f64,
    pub warmup_epochs: f64,
    pub weight_decay: f32,
    /// The shipped weights are an exponential moving average over the steps, with this decay.
    pub average_decay: f64,
    /// Epochs without a better validation AUC until training stops.
    pub patience: usize,
    pub seed: u64,
    pub augmentation: Augmentation,
    pub licence: String,
    pub attribution: String,
    pub intended_use: String,
    pub limits: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// A file that `import` reads; relative to the working directory. Its classifier is not used.
    pub file: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// In the data folder; its `Split` column says `train`, `valid` and `test`, by patient.
    pub csv: PathBuf,
    /// For the model card.
    pub description: String,
}

impl Recipe {
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read(path).with_context(|| format!("cannot open {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no recipe", path.display()))
    }

    /// The learning rate at a step.
    pub fn learning_rate_at(&self, step: usize, steps_per_epoch: usize) -> f64 {
        let warmup = self.warmup_epochs * steps_per_epoch as f64;
        let total = (self.epochs * steps_per_epoch) as f64;
        let step = step as f64;
        if step < warmup {
            return self.learning_rate * (step + 1.0) / (warmup + 1.0);
        }
        let share = (step - warmup) / (total - warmup).max(1.0);
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
    }
}
