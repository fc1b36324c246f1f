//! A run's folder: what is needed to go on after a stop, and the best weights so far.
//!
//! A checkpoint is a folder that is written under another name, brought to the disk (its files, then its names), and renamed;
//! `state.json` names the checkpoint it belongs to and is replaced in one step after that name is on the disk; older checkpoints
//! go last. So a stop at any moment (a killed process, a full disk, no more power) leaves either the old state or the new one, never
//! a mixture.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sightline::network::Network;

use super::Recipe;
use super::step::Precision;
use super::student::Student;
use crate::history::Epoch;
use crate::storage::{Location, Lock, durable, is_draft};

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

/// What the run was started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub recipe: Recipe,
    /// The data folder, or its URL.
    pub data: String,
    /// By CSV and split: paths, patients and labels of the rows that are trained and validated on.
    #[serde(default)]
    pub rows_sha256: BTreeMap<String, String>,
    pub train_images: usize,
    /// The patients of the training images; `None` where nobody names them.
    pub train_patients: Option<usize>,
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
    /// The hash of what a teacher's CSV says of the training images.
    #[serde(default)]
    #[serde(rename = "lessons_sha256")]
    pub soft_labels_sha256: Option<String>,
    /// The hash of the boxes that maps learn from.
    #[serde(default)]
    pub boxes_sha256: Option<String>,
    /// Whether boxes taught a network that this one starts from or imitates, or teach this one.
    #[serde(default)]
    pub taught_with_boxes: bool,
    pub commit: String,
    /// `YYYY-MM-DD`.
    pub started: String,
}

impl Plan {
    /// # Errors
    /// When the recipe is another than the run's; says in what.
    pub fn check_recipe(&self, now: &Recipe) -> Result<()> {
        if self.recipe == *now {
            return Ok(());
        }
        let fields = |recipe: &Recipe| match serde_json::to_value(recipe) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let (before, now) = (fields(&self.recipe), fields(now));
        let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let differ = names
            .into_iter()
            .filter(|name| before.get(*name) != now.get(*name));
        let differ: Vec<&str> = differ.map(String::as_str).collect();
        bail!(
            "it was started with another recipe: {} changed since. Go on with the recipe in plan.json, or give the new one another --out",
            differ.join(", ")
        );
    }

    /// # Errors
    /// When going on by another plan would be another training.
    pub fn check_same(&self, now: &Plan) -> Result<()> {
        for (csv, before) in &self.rows_sha256 {
            if now.rows_sha256.get(csv) != Some(before) {
                bail!(
                    "{csv} has other rows or labels than when the run was started; bring it back as it was, or start another run"
                );
            }
        }
        let images = |plan: &Plan| format!("{} images that can be read", plan.train_images);
        let how = |plan: &Plan| format!("{:?} on {} devices", plan.precision, plan.devices);
        for (before, now) in [(images(self), images(now)), (how(self), how(now))] {
            if before != now {
                bail!("the run was started with {before}, and would go on with {now}");
            }
        }
        if self.teacher_sha256.is_some() && self.teacher_sha256 != now.teacher_sha256 {
            bail!("the run was started with another teacher: the package has other weights now");
        }
        if self.soft_labels_sha256.is_some() && self.soft_labels_sha256 != now.soft_labels_sha256 {
            bail!("the run was started with another teacher: its CSV has other scores now");
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
    /// Whether a run was begun here.
    pub fn is_begun(&self) -> bool {
        self.0.join("plan.json").exists() || self.0.join("state.json").exists()
    }

    /// Makes the folder, and keeps other processes from training in it.
    ///
    /// # Errors
    /// When it cannot be made or written to, or another process trains in it.
    pub fn lock(&self) -> Result<Lock> {
        durable::create_folder(&self.0)?;
        let lock = Lock::try_take(&self.0.join("lock"));
        lock.with_context(|| format!("cannot train in {}", self.0.display()))
    }

    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        self.file("plan.json")
            .write(&serde_json::to_vec_pretty(plan)?)
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
        self.keep(state, name, |folder| {
            let student = weights.student.clone().into_record();
            student.save(folder.join("student.bpk"))?;
            let average = weights.average.clone().into_record();
            average.save(folder.join("average.bpk"))?;
            Ok(weights.optimizer.save(folder.join("optimizer.bpk"))?)
        })
    }

    /// [`Self::save`], of whatever `write` writes into a folder.
    fn keep(
        &self,
        state: &mut State,
        name: String,
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let place = self.0.join(&name);
        let new = self.0.join(format!("{name}{NEW}"));
        let written = || -> Result<()> {
            durable::remove_folder(&new)?;
            durable::remove_folder(&place)?;
            std::fs::create_dir(&new)?;
            write(&new)?;
            for file in std::fs::read_dir(&new)? {
                durable::sync_file(&file?.path())?;
            }
            durable::sync_folder(&new)?;
            durable::rename(&new, &place)?;
            durable::sync_folder(&self.0)?;
            state.checkpoint = Some(name);
            let json = serde_json::to_vec_pretty(state)?;
            self.file("state.json").write(&json)
        };
        written()
            .inspect_err(|_| {
                // Of a full disk, above all: half a checkpoint is in the way of the next.
                let _ = durable::remove_folder(&new);
            })
            .with_context(|| {
                format!(
                    "cannot write the checkpoint {}; the one before is whole",
                    place.display()
                )
            })?;
        self.clean(state)
    }

    /// Removes checkpoints that no state names, and what a killed process left half written.
    fn clean(&self, state: &State) -> Result<()> {
        let best = state.best.as_ref().map(|best| &best.checkpoint);
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kept = [state.checkpoint.as_ref(), best].contains(&Some(&name));
            if is_checkpoint(&name) && !kept {
                durable::remove_folder(&entry.path())?;
            }
            if is_draft(&name) && entry.path().is_file() {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn file(&self, name: &str) -> Location {
        Location::Local(self.0.join(name))
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

/// The ending of a checkpoint that is being written.
const NEW: &str = ".new";

/// `epoch-3` or `epoch-3-step-20`, whole or not: a folder that somebody else called `epoch-best` is left alone.
fn is_checkpoint(name: &str) -> bool {
    let name = name.strip_suffix(NEW).unwrap_or(name);
    let Some(epoch) = name.strip_prefix("epoch-") else {
        return false;
    };
    let (epoch, step) = epoch.split_once("-step-").unwrap_or((epoch, "0"));
    let is_number = |text: &str| text.parse::<usize>().is_ok();
    is_number(epoch) && is_number(step)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::durable::steps::{self, Step};

    /// Saves a checkpoint of two small files.
    fn save(run: &RunFolder, state: &mut State, name: &str) {
        let saved = run.keep(state, name.to_owned(), |folder| {
            for file in ["student.bpk", "average.bpk"] {
                std::fs::write(folder.join(file), name)?;
            }
            Ok(())
        });
        saved.expect("saved");
    }

    /// What a power cut can undo is a name whose folder was not brought to the disk since, and bytes that were not.
    #[test]
    fn each_step_of_a_save_is_on_the_disk_before_one_that_relies_on_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunFolder(folder.path().to_owned());
        let mut state = State::default();
        save(&run, &mut state, "epoch-1");
        let steps = steps::of(|| save(&run, &mut state, "epoch-2"));
        let first = |wanted: &dyn Fn(&Step) -> bool| {
            let place = steps.iter().position(wanted);
            place.unwrap_or_else(|| panic!("a step is missing: {steps:?}"))
        };
        let (new, place) = (run.0.join("epoch-2.new"), run.0.join("epoch-2"));
        let synced = |path: PathBuf| first(&move |step| *step == Step::Synced(path.clone()));
        let named = |to: PathBuf| {
            first(&move |step| matches!(step, Step::Renamed(_, place) if *place == to))
        };
        let (checkpoint, current) = (named(place.clone()), named(run.0.join("state.json")));
        let removed = first(&|step| *step == Step::Removed(run.0.join("epoch-1")));
        let folder_synced = |from: usize, to: usize| {
            let between = &steps[from..to];
            between.contains(&Step::Synced(run.0.clone()))
        };
        for file in ["student.bpk", "average.bpk"] {
            assert!(synced(new.join(file)) < checkpoint, "bytes before the name");
        }
        assert!(
            synced(new.clone()) < checkpoint,
            "files' names before the checkpoint's"
        );
        assert!(
            folder_synced(checkpoint, current),
            "the checkpoint's name before the state that names it"
        );
        assert!(
            folder_synced(current, removed),
            "the new state before the old checkpoint is gone"
        );
    }

    #[test]
    fn a_save_removes_older_checkpoints_and_half_files_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunFolder(folder.path().to_owned());
        let mut state = State::default();
        for left in ["epoch-1-step-8.new", "epoch-7", "epoch-best", "epochs"] {
            std::fs::create_dir(run.0.join(left)).expect("a folder");
        }
        for left in ["state.json.aB3xYz.new", "what is new", "notes.new"] {
            std::fs::write(run.0.join(left), "").expect("written");
        }
        save(&run, &mut state, "epoch-2-step-4");
        let mut names: Vec<String> = std::fs::read_dir(&run.0)
            .expect("the folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into()
            })
            .collect();
        names.sort();
        let kept = [
            "epoch-2-step-4",
            "epoch-best",
            "epochs",
            "notes.new",
            "state.json",
            "what is new",
        ];
        assert_eq!(names, kept);
    }
}
