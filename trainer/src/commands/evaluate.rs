//! `evaluate`: AUC and more with intervals, for all images (or studies) and for parts of them.

use std::io::Write;

use anyhow::{Context, Result, bail};
use sightline::package::Unit;

use super::crops::Crops;
use super::options::{Images, Model};
use super::reader;
use super::values::unit;
use crate::data::Views;
use crate::measure::comparison::comparison;
use crate::measure::evaluation::{column_of, report, score};
use crate::measure::score::Package;
use crate::storage::{Draft, Location};

#[derive(clap::Args)]
#[command(mut_arg("model", |model| model.required(false).required_unless_present("reader")))]
pub struct Options {
    #[command(flatten)]
    model: Option<Model>,
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    augmented: Crops,
    /// What counts as one case: an image, or a study (the highest score of its views), as in CheXpert's competition.
    #[arg(long, default_value = "image", value_parser = unit())]
    unit: Unit,
    /// Report figures of the rows with COLUMN=VALUE too, or of each value of COLUMN. May be repeated.
    #[arg(long = "part")]
    parts: Vec<String>,
    /// Another package: test whether its AUC on these images differs (DeLong's test, by image and not by patient).
    #[arg(long, conflicts_with = "shard")]
    against: Option<Location>,
    /// A person's readings, as the page's teaching mode saves them: the reader's AUC beside the model's. The model is the one that is in
    /// the table, or that of --model.
    #[arg(long, value_name = "CSV", conflicts_with_all = ["against", "parts", "unit", "crops"])]
    reader: Option<Location>,
    /// Write the figures to this JSON file too. With --shard, it holds what `merge` needs.
    #[arg(long)]
    json: Option<Location>,
}

pub fn run(options: &Options) -> Result<()> {
    options.images.needs_labels("evaluate")?;
    if let Some(csv) = &options.reader {
        let (model, json) = (options.model.as_ref(), options.json.as_ref());
        return reader::run(csv, &options.images, model, json);
    }
    let model = options.model.as_ref().context("--model is needed")?;
    let package = Package::open(&model.model, model.device.device()?)?;
    let rows = |package: &Package| {
        let findings = package.manifest.vocabulary().findings;
        let decoding = model.decoding(&package.manifest);
        options.images.rows(&findings, Views::Frontal, decoding)
    };
    let (data, shard) = rows(&package)?;
    let unit = options.unit;
    let set = options.images.set_name(model.depth);
    let (parts, augmented) = (&options.parts, options.augmented.augmented());
    for part in parts {
        let column = column_of(part);
        if !data.has_column(column)? {
            bail!("--part {part}: the CSV has no column {column}");
        }
    }
    // Where nothing can be written, it is known before the work is done.
    let out = options.json.as_ref().map(Draft::begin).transpose()?;
    let scores = score(&package, data, shard, unit, parts, set, augmented)?;
    let json = if shard.is_whole() {
        let report = report(&scores);
        print!("{}", report.tables());
        if let Some(other) = &options.against {
            let package = Package::open(other, model.device.device()?)?;
            let (data, _) = rows(&package)?;
            let set = scores.header.set.clone();
            let others = score(&package, data, shard, unit, parts, set, augmented)?;
            print!("{}", comparison(&scores, &others)?);
        }
        serde_json::to_vec_pretty(&report)?
    } else {
        println!("{} images scored; merge joins the parts", scores.rows.len());
        serde_json::to_vec(&scores)?
    };
    match out {
        Some(mut draft) => {
            draft.write_all(&json)?;
            draft.finish()
        }
        None => Ok(()),
    }
}
