//! A run's folder: what is needed to go on after a stop, and the best weights so far.
//!
//! `state.json` names the epoch folder it belongs to and is replaced in one step after that folder is
//! complete, so a stop at any moment leaves either the old state or the new one, never a mixture.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use sightline::network::Network;

use super::Recipe;

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub epochs_done: usize,
    /// The best epoch (from 1) and its validation AUC.
    pub best: Option<(usize, f64)>,
    pub history: Vec<Epoch>,
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
    /// The data folder.
    pub data: PathBuf,
    pub train_images: usize,
    pub train_patients: usize,
    /// By finding, in the order of the network's outputs: whether any training image is labelled.
    pub trained: Vec<bool>,
    pub commit: String,
    /// `YYYY-MM-DD`.
    pub started: String,
}

/// The weights that are trained, their average, and the optimiser's memory.
pub struct Weights {
    pub network: Network,
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

    pub fn epoch(&self, epoch: usize) -> PathBuf {
        self.0.join(format!("epoch-{epoch}"))
    }

    /// Saves an epoch, then makes it the run's state, then removes epochs that are neither last nor best.
    pub fn save(&self, state: &State, weights: &Weights) -> Result<()> {
        let folder = self.epoch(state.epochs_done);
        std::fs::create_dir_all(&folder)?;
        weights
            .network
            .clone()
            .into_record()
            .save(folder.join("network.bpk"))?;
        weights
            .average
            .clone()
            .into_record()
            .save(folder.join("average.bpk"))?;
        weights.optimizer.save(folder.join("optimizer.bpk"))?;
        replace(
            &self.0.join("state.json"),
            &serde_json::to_vec_pretty(state)?,
        )?;
        for old in 1..state.epochs_done {
            let keep = state.best.is_some_and(|(best, _)| best == old);
            if !keep && self.epoch(old).exists() {
                std::fs::remove_dir_all(self.epoch(old))?;
            }
        }
        Ok(())
    }

    pub fn load(&self, epoch: usize, weights: Weights) -> Result<Weights> {
        let folder = self.epoch(epoch);
        Ok(Weights {
            network: load_network(&folder.join("network.bpk"), weights.network)?,
            average: load_network(&folder.join("average.bpk"), weights.average)?,
            optimizer: weights.optimizer.load(folder.join("optimizer.bpk"))?,
        })
    }
}

pub fn load_network(path: &Path, network: Network) -> Result<Network> {
    let record =
        ModuleRecord::load(path).with_context(|| format!("cannot read {}", path.display()))?;
    network
        .try_load_record(record)
        .with_context(|| format!("{} is of another network", path.display()))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot open {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
}

/// Writes a file beside the old one, to the disk, and puts it in its place in one step.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        std::fs::write(&new, bytes)?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
