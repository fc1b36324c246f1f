//! A run's folder: what is needed to go on after a stop, and the best weights so far.
//!
//! A checkpoint is a folder that is written under another name, brought to the disk, and renamed; `state.json` names the
//! checkpoint it belongs to and is replaced in one step after that. So a stop at any moment (a killed process, a full disk,
//! no more power) leaves either the old state or the new one, never a mixture.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use sightline::network::Network;

use super::Recipe;
use super::step::Precision;
use super::student::Student;
use crate::storage::replace;

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub epochs_done: usize,
    /// Steps of the epoch that is under way, and the sum of their losses.
    pub steps_done: usize,
    pub loss_sum: f64,
    /// The folder of the weights to go on with; none before the first.
    pub checkpoint: Option<String>,
    pub best: Option<Best>,
    pub history: Vec<Epoch>,
}

/// The epoch that is kept: the best so far, or the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// From 1.
    pub epoch: usize,
    pub valid_auc: f64,
    /// The folder of its weights.
    pub checkpoint: String,
}

/// One epoch's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: usize,
    pub train_loss: f64,
    /// Mean over all findings that are defined on the validation images, of the averaged weights.
    pub valid_auc: f64,
    pub seconds: f64,
}

/// What the run was started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub recipe: Recipe,
    /// The data folder, or its URL.
    pub data: String,
    pub train_images: usize,
    pub train_patients: usize,
    /// By finding, in the order of the network's outputs: whether the training images teach it.
    pub trained: Vec<bool>,
    #[serde(default)]
    pub precision: Precision,
    /// That share each batch.
    #[serde(default = "one")]
    pub devices: usize,
    /// The weights of the network that is imitated.
    #[serde(default)]
    pub teacher_sha256: Option<String>,
    /// Of the boxes that maps learn from.
    #[serde(default)]
    pub boxes_sha256: Option<String>,
    pub commit: String,
    /// `YYYY-MM-DD`.
    pub started: String,
}

impl Plan {
    /// # Errors
    /// When going on by another plan would be another training.
    pub fn check_same(&self, now: &Plan) -> Result<()> {
        let images = |plan: &Plan| format!("{} images", plan.train_images);
        let how = |plan: &Plan| format!("{:?} on {} devices", plan.precision, plan.devices);
        for (before, now) in [(images(self), images(now)), (how(self), how(now))] {
            if before != now {
                bail!("the run was started with {before}, and would go on with {now}");
            }
        }
        if self.teacher_sha256.is_some() && self.teacher_sha256 != now.teacher_sha256 {
            bail!("the run was started with another teacher: the package has other weights now");
        }
        if self.boxes_sha256.is_some() && self.boxes_sha256 != now.boxes_sha256 {
            bail!("the run was started with other boxes");
        }
        Ok(())
    }
}

fn one() -> usize {
    1
}

/// The weights that are trained, their average, and the optimiser's memory.
pub struct Weights {
    pub student: Student,
    pub average: Network,
    pub optimizer: ModuleOptimizer,
}

pub struct RunFolder(pub PathBuf);

impl RunFolder {
    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        std::fs::create_dir_all(&self.0)
            .with_context(|| format!("cannot make the folder {}", self.0.display()))?;
        replace(&self.0.join("plan.json"), &serde_json::to_vec_pretty(plan)?)
    }

    pub fn plan(&self) -> Result<Plan> {
        read_json(&self.0.join("plan.json"))
    }

    pub fn state(&self) -> Result<Option<State>> {
        let path = self.0.join("state.json");
        if path.exists() {
            read_json(&path).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Saves the weights as a checkpoint of that name, makes it the run's state, and removes those that are neither the
    /// state's nor the best.
    pub fn save(&self, state: &mut State, name: String, weights: &Weights) -> Result<()> {
        let place = self.0.join(&name);
        let new = self.0.join(format!("{name}.new"));
        let write = || -> Result<()> {
            for folder in [&new, &place] {
                if folder.exists() {
                    std::fs::remove_dir_all(folder)?;
                }
            }
            std::fs::create_dir_all(&new)?;
            let student = weights.student.clone().into_record();
            student.save(new.join("student.bpk"))?;
            let average = weights.average.clone().into_record();
            average.save(new.join("average.bpk"))?;
            weights.optimizer.save(new.join("optimizer.bpk"))?;
            for file in std::fs::read_dir(&new)? {
                std::fs::File::open(file?.path())?.sync_all()?;
            }
            Ok(std::fs::rename(&new, &place)?)
        };
        write()
            .inspect_err(|_| {
                // Of a full disk, above all: half a checkpoint is in the way of the next.
                let _ = std::fs::remove_dir_all(&new);
            })
            .with_context(|| {
                format!(
                    "cannot write the checkpoint {}; the one before is whole",
                    place.display()
                )
            })?;
        state.checkpoint = Some(name);
        let json = serde_json::to_vec_pretty(state)?;
        replace(&self.0.join("state.json"), &json)?;
        self.clean(state)
    }

    /// Removes checkpoints that no state names.
    fn clean(&self, state: &State) -> Result<()> {
        let best = state.best.as_ref().map(|best| &best.checkpoint);
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kept = [state.checkpoint.as_ref(), best].contains(&Some(&name));
            if name.starts_with("epoch-") && !kept {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    pub fn load(&self, checkpoint: &str, weights: Weights) -> Result<Weights> {
        let folder = self.0.join(checkpoint);
        Ok(Weights {
            student: load(&folder.join("student.bpk"), weights.student)?,
            average: load(&folder.join("average.bpk"), weights.average)?,
            optimizer: weights.optimizer.load(folder.join("optimizer.bpk"))?,
        })
    }
}

pub fn load<M: Module>(path: &Path, module: M) -> Result<M> {
    let record =
        ModuleRecord::load(path).with_context(|| format!("cannot read {}", path.display()))?;
    module
        .try_load_record(record)
        .with_context(|| format!("{} is of another network", path.display()))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot open {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
}
