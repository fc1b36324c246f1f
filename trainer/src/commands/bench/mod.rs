//! `bench`: how fast training is, and whether what is said of maps holds, for `cargo xtask bench`.

mod data;
mod intervals;
mod lime;
mod train;
mod verdicts;

use anyhow::{Result, bail};
use sightline::finding::called;
use sightline::radiograph::GreyImage;
use sightline::reader::Reader;

use super::options::{Images, Model};
use crate::data::Views;
use crate::measure::score::Package;

#[derive(clap::Subcommand)]
pub enum What {
    /// Training steps (forward, backward, AdamW) on random pictures.
    Train(train::Options),
    /// Pictures read, decoded, resized, changed at random and normalised.
    Data(Box<data::Options>),
    /// How many samples LIME needs until its map is close to the map of very many.
    Lime(Box<lime::Options>),
    /// How often LIME's 95% intervals hold what very many samples say.
    Intervals(Box<intervals::Options>),
    /// How often maps, also random ones, get the verdict that the score rests on them.
    Verdicts(Box<verdicts::Options>),
}

/// Prints what was timed as JSON.
pub fn run(what: &What) -> Result<()> {
    match what {
        What::Train(options) => train::run(options),
        What::Data(options) => data::run(options),
        What::Lime(options) => lime::run(options),
        What::Intervals(options) => intervals::run(options),
        What::Verdicts(options) => verdicts::run(options),
    }
}

/// Does something with the first images that have a finding above its operating point: the image's number, from 1, and which findings,
/// the highest score first. Gives how many there were.
///
/// # Errors
/// When there is none, or an image cannot be read, or the work fails.
fn called_images(
    model: &Model,
    images: &Images,
    count: usize,
    mut work: impl FnMut(u64, &Reader, &GreyImage, &[usize]) -> Result<()>,
) -> Result<usize> {
    let package = Package::open(&model.model, model.device.device()?)?;
    let reader = Reader::new(package.manifest, package.network, package.device);
    let (data, _) = images.rows(Views::Frontal, model.depth)?;
    let mut found = 0;
    for row in &data.rows {
        if found == count {
            break;
        }
        let image = data.radiograph(row)?.image;
        let probabilities = pollster::block_on(reader.read(&reader.view(&image)))?.probabilities;
        let calls = called(&reader.manifest.scores(&probabilities));
        let mut called: Vec<usize> = (0..calls.len()).filter(|index| calls[*index]).collect();
        let score = |finding: usize| probabilities[finding].unwrap_or_default();
        called.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
        if !called.is_empty() {
            found += 1;
            work(found as u64, &reader, &image, &called)?;
            eprintln!("{found} of {count} images");
        }
    }
    if found == 0 {
        bail!("no image has a score above its operating point");
    }
    Ok(found)
}
