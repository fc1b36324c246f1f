//! `explain`: pictures with a map on them, and the readings' reports.

mod many;
mod names;
mod one;
mod picture;

use anyhow::{Context, Result, bail};
use clap::builder::TypedValueParser;
use sightline::explain::method::{Method, Settings};
use sightline::finding::Finding;
use sightline::reader::Reader;

use super::lime::LimeOptions;
use super::options::{Images, Model};
use super::values::one_of;
use crate::measure::replay;
use crate::measure::score::Package;
use crate::storage::Location;
use one::HowTo;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: Model,
    /// How the map is made.
    #[arg(long, default_value = "grad-cam", value_parser = methods())]
    method: Method,
    #[command(flatten)]
    lime: LimeOptions,
    /// The finding to explain, for example "Pleural Effusion" (by default the one with the highest score).
    #[arg(long, value_parser = finding)]
    finding: Option<Finding>,
    /// The images to explain; or use --csv.
    #[arg(required_unless_present = "csv", conflicts_with = "csv")]
    image: Vec<Location>,
    #[command(flatten)]
    images: Option<Images>,
    /// Repeat the reading of this report and compare. Scores and maps may differ by 1e-3 of their size.
    #[arg(long, conflicts_with_all = ["csv", "finding", "json"])]
    replay: Option<Location>,
    /// Write the picture with the map on it to this PNG file; for several images, to this folder.
    #[arg(long)]
    out: Option<Location>,
    /// Write the report to this JSON file; for several images, to this folder.
    #[arg(long)]
    json: Option<Location>,
}

/// The methods by their names, for `--help`.
fn methods() -> impl TypedValueParser<Value = Method> {
    one_of(Method::ALL, Method::name, Method::title)
}

fn finding(name: &str) -> Result<Finding, String> {
    Finding::from_name(name).ok_or_else(|| {
        let names = Finding::ALL.map(Finding::name).join(", ");
        format!("there is no finding {name:?}; there are {names}")
    })
}

/// Explains one finding of each image, by one of the methods.
pub fn run(options: &Options) -> Result<()> {
    let package = Package::open(&options.model.model, options.model.device.device()?)?;
    if let Some(finding) = options.finding
        && package.manifest.trained_output(finding).is_none()
    {
        bail!(
            "{} was not trained on {finding}: there is nothing to explain",
            package.manifest.name
        );
    }
    let reader = Reader::new(package.manifest, package.network, package.device);
    if let Some(report) = &options.replay {
        let [image] = options.image.as_slice() else {
            bail!("a report is of one image");
        };
        let replayed = replay::replay(&reader, &report.read()?, &image.read()?);
        replayed.with_context(|| format!("{report} and {image}"))?;
        println!(
            "the report can be repeated: it is within {:.0e} of what comes out now",
            replay::TOLERANCE
        );
        return Ok(());
    }
    let how = HowTo {
        reader: &reader,
        method: options.method,
        settings: Settings {
            lime: options.lime.options(),
            ..Settings::default()
        },
        finding: options.finding,
        depth: options.model.depth,
        device: options.model.device.to_string(),
    };
    if let ([image], None) = (options.image.as_slice(), &options.images) {
        return how.explain(image, options.out.as_ref(), options.json.as_ref());
    }
    many::explain(&how, options)
}
