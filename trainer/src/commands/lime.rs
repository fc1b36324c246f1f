//! How LIME is made: the options of the commands that make it.

use serde::de::{DeserializeOwned, IntoDeserializer};
use sightline::explain::fill::Fill;
use sightline::explain::lime::{self, Estimator, Sampling, Segmentation};

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
