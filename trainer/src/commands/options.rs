//! What several commands take from the command line.

use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
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
    /// The table of images and labels, in CheXpert's format or ChestX-ray14's Data_Entry.
    #[arg(long)]
    pub csv: Location,
    /// The folder that the CSV's paths start from (by default the CSV's own folder).
    #[arg(long)]
    pub root: Option<Location>,
    /// Only rows with this value in the column Split, for example test.
    #[arg(long)]
    pub split: Option<String>,
    /// Only images that this file names, one per line, as ChestX-ray14's test_list.txt does.
    #[arg(long)]
    pub list: Option<Location>,
    /// Which views to use (by default frontal). Views that are left out are counted.
    #[arg(long)]
    pub views: Option<Views>,
    /// Only one of n equal parts of these rows: 0/4 to 3/4, or 1/4 to 4/4. `merge` joins the parts. In a Slurm array or a
    /// Kubernetes indexed job (with JOB_COMPLETIONS set) the part is read from the environment.
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
    /// The device to compute on: flex (the CPU), cuda, cuda:1, or wgpu.
    #[arg(long, default_value = "flex")]
    pub device: DeviceName,
    /// Read 16-bit pictures as pictures of N bits (white is 2^N - 1). By default the file states N, or else its largest sample tells it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(8..=16))]
    pub depth: Option<u8>,
}

/// How LIME is made.
#[derive(clap::Args)]
pub struct LimeOptions {
    /// LIME: the most samples (pictures to score) for each image. It stops earlier when the maps no longer change.
    #[arg(long, default_value_t = 1000)]
    samples: usize,
    /// LIME: the seed of its random samples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// LIME: how the picture is cut into regions, "quickshift" or "slic".
    #[arg(long, default_value = "quickshift", value_parser = named::<Segmentation>)]
    segmentation: Segmentation,
    /// LIME: what hidden regions become, "mean" (each region's own), "picture-mean", "blur", or a grey level from 0 to 255.
    #[arg(long, default_value = "mean", value_parser = fill)]
    fill: Fill,
    /// LIME: how coefficients are computed from the scores, "emulation" (needs few samples) or "regression" (LIME's own).
    #[arg(long, default_value = "emulation", value_parser = named::<Estimator>)]
    estimator: Estimator,
    /// LIME: how samples are drawn, "orthogonal" (needs few), "antithetic" (in opposite pairs) or "bernoulli" (LIME's own).
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

/// One of some values by its name; `--help` lists them with what they are.
pub fn one_of<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
    about: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let values = all
        .iter()
        .map(move |value| PossibleValue::new(name(*value)).help(about(*value)));
    PossibleValuesParser::new(values).map(move |chosen| {
        let mut all = all.iter().copied();
        all.find(|value| name(*value) == chosen)
            .expect("one of the values that are possible")
    })
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
            "must be \"mean\", \"picture-mean\", \"blur\" or a grey level from 0 to 255".to_owned(),
        ),
    }
}
