//! What is asked of a network picture by picture, driven to its end.

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::lime::{self, Lime};
use sightline::radiograph::GreyImage;
use sightline::reader::Reader;
use sightline::trust::faithfulness::{self, Curves, Faithfulness};

/// Pictures that are scored at once.
const BATCH: usize = 8;

/// Deletion and insertion of a map for a finding (its place in the manifest); `square` is what the network sees.
pub fn faithfulness_of(
    reader: &Reader,
    square: &GreyImage,
    map: &HeatMap,
    finding: usize,
    options: faithfulness::Options,
) -> Result<Faithfulness> {
    let mut curves = Curves::new(square, &reader.manifest.input, map, options)?;
    while !curves.is_done() {
        let scored = pollster::block_on(reader.score(curves.next_batch(BATCH)))?;
        let scores = scored.into_iter().map(|s| s.probabilities[finding]);
        let scores: Option<Vec<f64>> = scores.collect();
        curves.push(scores.context("the finding was not trained")?);
    }
    curves.result().context("nothing was measured")
}

/// LIME of one picture; the bar shows how many samples are scored.
pub fn explain_by_lime(
    reader: &Reader,
    image: &GreyImage,
    options: lime::Options,
    bar: &ProgressBar,
) -> Result<lime::Explanation> {
    let input = &reader.manifest.input;
    let mut lime = Lime::new(&input.square(image), input, options);
    while !lime.is_done() {
        let values = lime.next_batch(BATCH);
        lime.push(pollster::block_on(reader.score(values))?);
        bar.set_position(lime.scored() as u64);
    }
    lime.explanation().context("no sample was scored")
}
