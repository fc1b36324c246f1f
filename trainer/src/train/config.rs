//! A recipe: everything a training needs but the images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer};
use serde::{Deserialize, Serialize};
use sightline::network::Architecture;
use sightline::radiograph::Input;

use super::loss::Loss;
use super::pointing::Pointing;
use super::soft_labels::SoftLabels;
use super::student::{Distillation, manifest_of};
use crate::data::augment::Augmentation;
use crate::data::{Dataset, LabelPolicy, Selection, Splits, Views};
use crate::storage::Location;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The name of the package that comes out.
    pub name: String,
    pub title: String,
    pub architecture: Architecture,
    pub input: Input,
    /// Pretrained weights to start from; without them every weight is drawn at random.
    pub start: Option<Start>,
    pub data: Data,
    pub labels: LabelPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<SoftLabels>,
    /// A network to imitate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<Distillation>,
    /// Boxes that the maps shall point at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointing: Option<Pointing>,
    #[serde(default)]
    pub trains: Trains,
    #[serde(default)]
    pub loss: Loss,
    /// Positives of a finding count for more where they are rarer than negatives: as much as they are rarer, but at most this.
    #[serde(default = "one")]
    pub positive_weight: f32,
    pub epochs: usize,
    pub batch: usize,
    /// Batches whose gradients are added up for one step.
    #[serde(default = "one_batch")]
    pub accumulate: usize,
    pub optimizer: Optimizer,
    /// At its highest.
    pub learning_rate: f64,
    pub schedule: Schedule,
    /// The weights that are validated and shipped are an exponential moving average over the steps, with this decay; 0 for
    /// none.
    #[serde(default)]
    pub average_decay: f64,
    #[serde(default)]
    pub keeps: Keeps,
    /// Epochs without a better validation AUC until training stops; of no effect where the last epoch is kept.
    pub patience: usize,
    pub seed: u64,
    pub augmentation: Augmentation,
    pub licence: String,
    pub attribution: String,
    pub intended_use: String,
    pub limits: Vec<String>,
}

/// The weights to begin with; paths are relative to the working directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// A file that `import` reads. Its classifier is not used.
    File(PathBuf),
    /// Packages with the network's backbones, in its order. The classifier says the mean of what theirs say.
    Packages(Vec<PathBuf>),
}

/// Which epoch's weights are shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeps {
    /// With the best validation AUC.
    #[default]
    Best,
    /// The AUC says nothing of maps, and averaged weights at the end of a cosine need no choosing.
    Last,
}

/// What of the network is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trains {
    #[default]
    All,
    /// The backbones stay as they are, batch statistics and all.
    Classifier,
}

/// Where images and labels are: one CSV with a `Split` column, one CSV that is split here by patient, or a CSV for each part.
/// All are in the data folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// With a column `Split` that says `train`, `valid` and `test`, or to be split by `hold_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<PathBuf>,
    /// Shares of the patients, chosen by a hash of their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_out: Option<HoldOut>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Other CSVs with a column `Split`: their training images are trained on, too. Nothing is validated or tested on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<PathBuf>,
    #[serde(default)]
    pub views: Views,
    /// `COLUMN=VALUE`: the part of the images that nobody chose by class. The card has its figures beside those of all images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unselected: Option<String>,
    /// For the model card.
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldOut {
    pub valid: f64,
    pub test: f64,
}

impl Data {
    /// Reads the CSVs of a data folder and splits them.
    ///
    /// # Errors
    /// When the recipe names too little or too much, a file cannot be read, or a patient is in two splits.
    pub fn splits(&self, folder: &Location) -> Result<Splits> {
        folder.refuse_file("--data", "the folder with the recipe's CSV")?;
        let read = |file: &Path| Dataset::read(&folder.join(&file.to_string_lossy()), Some(folder));
        let selection = |split: Option<&str>| Selection {
            views: self.views,
            split: split.map(str::to_owned),
        };
        let all = |file: &Path| read(file)?.select(&selection(None));
        let mut splits = match (&self.csv, &self.hold_out, &self.train, &self.valid) {
            (Some(csv), None, None, None) => {
                let rows = read(csv)?;
                let part = |split| rows.part(&selection(Some(split)));
                Splits {
                    train: part("train")?,
                    valid: part("valid")?,
                    test: match rows.has_split("test") {
                        true => Some(part("test")?),
                        false => None,
                    },
                    rows_sha256: BTreeMap::new(),
                }
            }
            (Some(csv), Some(shares), None, None) => shares.split(all(csv)?)?,
            (None, None, Some(train), Some(valid)) => Splits {
                train: all(train)?,
                valid: all(valid)?,
                test: self.test.as_deref().map(all).transpose()?,
                rows_sha256: BTreeMap::new(),
            },
            _ => bail!(
                "the recipe's data needs either csv (with a Split column, or hold_out) or train and valid"
            ),
        };
        let named = |csv: &Option<PathBuf>, split: &str| {
            let csv = csv.as_ref().or(self.csv.as_ref());
            csv.map_or(String::new(), |csv| format!("{} ({split})", csv.display()))
        };
        splits.rows_sha256 = [
            (named(&self.train, "train"), splits.train.sha256()),
            (named(&self.valid, "valid"), splits.valid.sha256()),
        ]
        .into();
        for csv in &self.also {
            let more = read(csv)?.select(&selection(Some("train")))?;
            let name = format!("{} (train)", csv.display());
            splits.rows_sha256.insert(name, more.sha256());
            splits.train.rows.extend(more.rows);
        }
        splits.checked()
    }

    /// What the measured images are called in a package: the test images or, where there are none, the validation images, and
    /// that they are those.
    pub fn set_name(&self, tested: bool) -> String {
        let name = |file: &Option<PathBuf>, split: &str, share: fn(HoldOut) -> f64| match (
            &self.csv,
            self.hold_out,
            file,
        ) {
            (Some(csv), None, _) => format!("{}, Split={split}", csv.display()),
            (Some(csv), Some(shares), _) => {
                let share = share(shares);
                format!("{}, {share} of the patients held out", csv.display())
            }
            (None, _, Some(file)) => file.display().to_string(),
            (None, _, None) => split.to_owned(),
        };
        if tested {
            return name(&self.test, "test", |shares| shares.test);
        }
        let valid = name(&self.valid, "valid", |shares| shares.valid);
        format!(
            "{valid} (validation images, which also chose the epoch, calibration and operating points; no test images)"
        )
    }
}

impl HoldOut {
    fn split(self, all: Dataset) -> Result<Splits> {
        if let Some(row) = all.rows.iter().find(|row| !row.names_patient()) {
            bail!(
                "{} names no patient, and hold_out splits by patient: add a column Patient",
                row.place()
            );
        }
        let (mut train, mut valid, mut test) = (Vec::new(), Vec::new(), Vec::new());
        for row in all.rows {
            match share_of(&row.patient) {
                at if at < self.test => test.push(row),
                at if at < self.test + self.valid => valid.push(row),
                _ => train.push(row),
            }
        }
        let part = |rows| Dataset::new(all.root.clone(), rows);
        let splits = Splits {
            train: part(train),
            valid: part(valid),
            test: (self.test > 0.0).then(|| part(test)),
            rows_sha256: BTreeMap::new(),
        };
        let parts = [
            Some(&splits.train),
            Some(&splits.valid),
            splits.test.as_ref(),
        ];
        if parts.into_iter().flatten().any(|part| part.rows.is_empty()) {
            bail!("there are too few patients to hold any out");
        }
        Ok(splits)
    }
}

/// A number in 0..1 that is a patient's own, at every run and on every machine.
fn share_of(patient: &str) -> f64 {
    let hash = sightline::package::sha256(patient.as_bytes());
    let first = u32::from_str_radix(&hash[..8], 16).expect("a hash is hexadecimal");
    f64::from(first) / 2f64.powi(32)
}

impl Recipe {
    /// Whether radiologists' boxes teach the network, or taught one that it starts from or imitates.
    ///
    /// # Errors
    /// When such a package cannot be read.
    pub fn taught_with_boxes(&self) -> Result<bool> {
        let started_from = match &self.start {
            Some(Start::Packages(packages)) => packages.as_slice(),
            Some(Start::File(_)) | None => &[],
        };
        let imitated = self.distillation.iter().map(|imitated| &imitated.package);
        let mut taught = self.pointing.is_some();
        for package in started_from.iter().chain(imitated) {
            taught |= manifest_of(package)?.training.taught_with_boxes;
        }
        Ok(taught)
    }

    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read(path).with_context(|| format!("cannot open {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no recipe", path.display()))
    }

    /// The learning rate at a step, of so many in an epoch.
    pub fn learning_rate_at(&self, step: usize, steps_per_epoch: usize) -> f64 {
        let epoch = step as f64 / steps_per_epoch as f64;
        match self.schedule {
            Schedule::Cosine { warmup_epochs } => {
                if epoch < warmup_epochs {
                    let step = 1.0 / steps_per_epoch as f64;
                    return self.learning_rate * (epoch + step) / (warmup_epochs + step);
                }
                let rest = (self.epochs as f64 - warmup_epochs).max(f64::MIN_POSITIVE);
                let share = (epoch - warmup_epochs) / rest;
                self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
            Schedule::Step { gamma } => self.learning_rate * gamma.powf(epoch.floor()),
        }
    }
}

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Rises linearly over the warm-up, then falls as a cosine to nothing.
    Cosine { warmup_epochs: f64 },
    /// Multiplied by `gamma` after each epoch.
    Step { gamma: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    Adam,
    AdamW { weight_decay: f32 },
}

impl Optimizer {
    /// With PyTorch's defaults: betas 0.9 and 0.999, epsilon 1e-8.
    pub fn init(self) -> ModuleOptimizer {
        match self {
            Optimizer::Adam => AdamConfig::new().with_epsilon(1e-8).init(),
            Optimizer::AdamW { weight_decay } => AdamWConfig::new()
                .with_weight_decay(weight_decay)
                .with_epsilon(1e-8)
                .init(),
        }
    }
}

fn one() -> f32 {
    1.0
}

fn one_batch() -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline::finding::Finding;

    fn recipe(schedule: &str) -> Recipe {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("configs/efficientnet-lite0-nih-labels.json");
        let mut recipe = Recipe::read(&path).expect("a recipe");
        recipe.schedule = serde_json::from_str(schedule).expect("a schedule");
        (recipe.epochs, recipe.learning_rate) = (5, 1.0);
        recipe
    }

    #[test]
    fn the_learning_rate_warms_up_and_falls_to_nothing() {
        let recipe = recipe(r#"{ "cosine": { "warmup_epochs": 1 } }"#);
        let at = |step| recipe.learning_rate_at(step, 10);
        assert!(at(0) > 0.0 && at(0) < at(5) && at(5) < at(10));
        assert!((at(10) - 1.0).abs() < 1e-9 && (at(30) - 0.5).abs() < 1e-9 && at(49) < 0.01);
    }

    #[test]
    fn the_origins_schedule_halves_it_every_epoch() {
        let recipe = recipe(r#"{ "step": { "gamma": 0.5 } }"#);
        let at = |step| recipe.learning_rate_at(step, 10);
        assert_eq!((at(0), at(9), at(10), at(25)), (1.0, 1.0, 0.5, 0.25));
    }

    #[test]
    fn other_csvs_are_trained_on_and_neither_validated_nor_tested_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let header = std::iter::once("Path,Sex,Age,Frontal/Lateral,AP/PA".to_owned())
            .chain(Finding::ALL.map(|finding| finding.name().to_owned()));
        let header = header.collect::<Vec<_>>().join(",") + ",Split\n";
        let write = |name: &str, rows: &[(&str, &str)]| {
            let row = |(path, split): &(&str, &str)| {
                format!("{path},Female,60,Frontal,PA,{}{split}\n", "0,".repeat(14))
            };
            let text = header.clone() + &rows.iter().map(row).collect::<String>();
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        let own = [("a.png", "train"), ("b.png", "valid"), ("c.png", "test")];
        write("own.csv", &own);
        write(
            "more.csv",
            &[("d.png", "train"), ("e.png", "valid"), ("f.png", "test")],
        );
        let data = r#"{ "csv": "own.csv", "also": ["more.csv"], "description": "" }"#;
        let data: Data = serde_json::from_str(data).expect("data");
        let splits = data.splits(&folder.path().into()).expect("splits");
        let paths = |data: &Dataset| data.rows.iter().map(|r| r.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&splits.train), ["a.png", "d.png"]);
        assert_eq!(paths(&splits.valid), ["b.png"]);
        assert_eq!(paths(&splits.test.expect("a test set")), ["c.png"]);
        // What is tested on must not come in by another CSV.
        write("more.csv", &[("c.png", "train")]);
        assert!(data.splits(&folder.path().into()).is_err());
    }

    #[test]
    fn every_recipe_in_the_folder_is_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        let mut recipes = 0;
        for file in std::fs::read_dir(folder).expect("recipes") {
            let path = file.expect("a recipe").path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let recipe = Recipe::read(&path).unwrap_or_else(|error| panic!("{error:#}"));
            assert_eq!(
                path.file_stem().and_then(|s| s.to_str()),
                Some(recipe.name.as_str())
            );
            recipe.check().unwrap_or_else(|error| panic!("{error:#}"));
            recipes += 1;
        }
        assert!(recipes > 0);
    }
}
