//! `card`: measures a package anew.

use anyhow::{Context, Result, bail};
use sightline::package::Unit;

use super::options::{Images, Model};
use crate::data::{Views, probabilities};
use crate::history::Epoch;
use crate::measure::comparison::beside;
use crate::measure::evaluation::{report, score};
use crate::measure::score::{Augmented, Package};
use crate::publish::card::{HISTORY, Measured, evaluated, parts, write};
use crate::storage::Location;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    images: Images,
    /// Show pictures of the worst errors in the card too. They become part of the package, so use images that may be published.
    #[arg(long)]
    pictures: bool,
    /// COLUMN=VALUE: the part of the images that nobody chose by class. The card has its figures beside those of all images.
    /// Another model is compared on this part.
    #[arg(long, value_parser = column_and_value)]
    unselected: Option<String>,
    /// A CSV of another model's probabilities, to compare with: `Path` and a column for each finding, as `predict` writes them,
    /// or `prob_` before each of ChestX-ray14's labels.
    #[arg(long)]
    beside: Option<Location>,
    /// The other model's name in the card (by default the file's name).
    #[arg(long, requires = "beside")]
    beside_name: Option<String>,
}

/// `COLUMN=VALUE`, as it is.
fn column_and_value(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((column, _)) if !column.is_empty() => Ok(text.to_owned()),
        _ => Err("must be COLUMN=VALUE".to_owned()),
    }
}

/// Measures a package on images and writes its figures: manifest, `evaluation.json` and card. Thresholds and calibration stay.
pub fn run(options: &Options) -> Result<()> {
    options.images.needs_labels("card")?;
    let folder = &options.model.model;
    let device = options.model.device.device()?;
    let mut package = Package::open(folder, device)?;
    let findings = package.manifest.vocabulary().findings;
    let decoding = options.model.decoding(&package.manifest);
    let (data, shard) = options.images.rows(&findings, Views::Frontal, decoding)?;
    if !shard.is_whole() {
        bail!("a card needs all images: leave out --shard");
    }
    let sets = options.images.sets(&findings)?;
    if options.images.split.is_none() && sets.len() > 1 {
        bail!(
            "{} has training images too: say with --split which images to measure",
            options.images.set_name(None)
        );
    }
    let set = options.images.set_name(options.model.depth);
    let unselected = options.unselected.as_deref();
    let parts = parts(unselected);
    let scores = score(
        &package,
        data.clone(),
        shard,
        Unit::Image,
        &parts,
        set,
        Augmented::NONE,
    )?;
    let mut report = report(&scores);
    if let Some(csv) = &options.beside {
        let name = options.beside_name.clone().unwrap_or_else(|| csv.name());
        let theirs = probabilities(csv, &findings)?;
        report.beside = Some(beside(&name, &theirs, &scores, &data, unselected)?);
    }
    let history = folder.join(HISTORY).read();
    let history = history.context("the package has no training.json: `export` writes it")?;
    let history: Vec<Epoch> =
        serde_json::from_slice(&history).context("training.json is damaged")?;
    evaluated(
        &mut package.manifest,
        &report,
        options.images.split.as_deref(),
    );
    let measured = Measured {
        scores: &scores,
        report: &report,
        history: &history,
        sets: &sets,
        unselected,
        pictures: options.pictures.then_some(&data),
    };
    write(folder, package, None, &measured)?;
    print!("{}", report.tables());
    Ok(())
}
