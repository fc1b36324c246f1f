//! What several commands take from the command line.

use anyhow::Result;
use serde::de::{DeserializeOwned, IntoDeserializer};
use sightline::explain::fill::Fill;
use sightline::explain::lime::{self, Estimator, Sampling, Segmentation};

use crate::data::{Dataset, Selection, Views};
use crate::device::DeviceName;
use crate::measure::parts::Shard;
use crate::storage::Location;

/// Which images: a CSV and what of it.
#[derive(clap::Args)]
pub struct Images {
    /// Labels in CheXpert's format, or ChestX-ray14's Data_Entry.
    #[arg(long)]
    pub csv: Location,
    /// Where the CSV's paths begin; the CSV's own folder if not given.
    #[arg(long)]
    pub root: Option<Location>,
    /// Only rows whose Split column says this.
    #[arg(long)]
    pub split: Option<String>,
    /// Only images that this file names, one in a line, as ChestX-ray14's test_list.txt does.
    #[arg(long)]
    pub list: Option<Location>,
    /// Which views; laterals that are left out are counted.
    #[arg(long)]
    pub views: Option<Views>,
    /// Only the i-th of n equal parts of these rows, for `merge` to join: i/n, from 0 or from 1. In a Slurm array or a Kubernetes
    /// indexed job (with JOB_COMPLETIONS set) it is taken from the environment.
    #[arg(long)]
    pub shard: Option<Shard>,
}

impl Images {
    /// All rows of the CSV, or those of the list.
    pub fn all(&self) -> Result<Dataset> {
        if let Some(root) = &self.root {
            root.refuse_file("--root", "the folder where the CSV's paths begin")?;
        }
        let data = Dataset::read(&self.csv, self.root.as_ref())?;
        match &self.list {
            Some(list) => data.listed(list),
            None => Ok(data),
        }
    }

    /// The rows, with their numbers in the selection, and the part of them that is wanted. `depth`: [`Model::depth`].
    pub fn rows(&self, views: Views, depth: Option<u8>) -> Result<(Dataset, Shard)> {
        let mut data = self.all()?;
        data.depth = depth;
        let data = data.select(&Selection {
            views: self.views.unwrap_or(views),
            split: self.split.clone(),
        })?;
        let shard = match self.shard {
            Some(shard) => shard,
            None => Shard::from_environment(|name| std::env::var(name).ok())?,
        };
        Ok((shard.of_rows(data)?, shard))
    }
}

impl Images {
    /// What the selection is called in figures. `depth`: [`Model::depth`].
    pub fn set_name(&self, depth: Option<u8>) -> String {
        let mut name = self.csv.name();
        if let Some(list) = &self.list {
            name += &format!(", {}", list.name());
        }
        if let Some(split) = &self.split {
            name += &format!(", Split={split}");
        }
        if let Some(depth) = depth {
            name += &format!(", 16-bit pictures read as {depth} bits");
        }
        name
    }
}

/// Which package, where it computes, and how it is given pictures.
#[derive(clap::Args)]
pub struct Model {
    /// The package's folder.
    #[arg(long)]
    pub model: Location,
    /// flex (the CPU), cuda, cuda:1, or wgpu.
    #[arg(long, default_value = "flex")]
    pub device: DeviceName,
    /// How many bits of 16-bit pictures are used (white is 2^N - 1). If not given, the file says it, or else its largest sample.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(8..=16))]
    pub depth: Option<u8>,
}

/// How LIME is made.
#[derive(clap::Args)]
pub struct LimeOptions {
    /// Of LIME: pictures to score for each image, at most; it stops when the maps no longer change.
    #[arg(long, default_value_t = 1000)]
    samples: usize,
    /// Of LIME's samples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of LIME: how the picture is cut into regions, "quickshift" or "slic".
    #[arg(long, default_value = "quickshift", value_parser = named::<Segmentation>)]
    segmentation: Segmentation,
    /// Of LIME: what hidden regions become, "mean" (each region's own), "picture-mean", "blur", or a grey level of 0..=255.
    #[arg(long, default_value = "mean", value_parser = fill)]
    fill: Fill,
    /// Of LIME: how its coefficients are made of the scores, "emulation" (needs few samples) or "regression" (LIME's own).
    #[arg(long, default_value = "emulation", value_parser = named::<Estimator>)]
    estimator: Estimator,
    /// Of LIME: how samples are drawn, "orthogonal" (needs few), "antithetic" (in opposite pairs) or "bernoulli" (LIME's own).
    #[arg(long, default_value = "orthogonal", value_parser = named::<Sampling>)]
    sampling: Sampling,
}

impl LimeOptions {
    pub fn options(&self) -> lime::Options {
        lime::Options {
            samples: self.samples,
            seed: self.seed,
            segmentation: self.segmentation,
            fill: self.fill,
            estimator: self.estimator,
            sampling: self.sampling,
            ..lime::Options::default()
        }
    }
}

/// A variant by its name in reports.
fn named<T: DeserializeOwned>(name: &str) -> Result<T, serde::de::value::Error> {
    T::deserialize(name.into_deserializer())
}

fn fill(name: &str) -> Result<Fill, String> {
    match (name, name.parse()) {
        ("mean", _) => Ok(Fill::Mean),
        ("picture-mean", _) => Ok(Fill::PictureMean),
        ("blur", _) => Ok(Fill::Blur),
        (_, Ok(level)) => Ok(Fill::Grey(level)),
        _ => Err(
            "must be \"mean\", \"picture-mean\", \"blur\" or a grey level of 0..=255".to_owned(),
        ),
    }
}
