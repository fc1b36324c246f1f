//! `bench verdicts`: how often maps are said to be what a score rests on, maps that know nothing among them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use sightline::explain::Explain;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::lime::{self, Lime};
use sightline::package::Output;
use sightline::trust::faithfulness::{self, Curves, LEVEL, Verdict};

use super::called::CalledImages;
use crate::measure::asking::ask;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    images: CalledImages,
    /// Random maps for each image.
    #[arg(long, default_value_t = 2)]
    random: usize,
    /// Samples of LIME's maps.
    #[arg(long, default_value_t = 200)]
    samples: usize,
}

/// Cells along a side of the random maps and of the blot: as of most networks at 224 pixels.
const CELLS: usize = 7;
/// The standard deviation of the blot in the middle, as a share of the picture's side.
const WIDTH: f32 = 0.25;

/// What is said of maps of one kind.
#[derive(Default, Serialize)]
struct Rates {
    maps: usize,
    /// Said to be what the score rests on.
    rests: usize,
    /// Better than the same map laid elsewhere, whether better than the middle or not.
    beats_elsewhere: usize,
    /// Better than blots about the middle.
    beats_middle: usize,
}

pub fn run(options: &Options) -> Result<()> {
    let mut rates: BTreeMap<&str, Rates> = BTreeMap::new();
    let images = options.images.each(30, |seed, reader, image, called| {
        let finding = called[0];
        let mut random = StdRng::seed_from_u64(seed);
        let mut cells = |_| {
            let values = (0..CELLS * CELLS).map(|_| random.random::<f32>());
            ("random", HeatMap::new(CELLS, CELLS, values.collect()))
        };
        let mut maps: Vec<(&str, HeatMap)> = (0..options.random).map(&mut cells).collect();
        maps.push(("blot in the middle", blot()));
        let reading = pollster::block_on(reader.read(&reader.view(image)))?;
        maps.push(("grad-cam", reading.evidence[finding].clone()));
        let settings = lime::Options {
            samples: options.samples,
            until_stable: false,
            ..lime::Options::default()
        };
        let (input, square) = (&reader.manifest.input, reader.manifest.input.square(image));
        let explanation = Lime::new(&square, input, settings);
        let explanation = ask(reader, explanation, &ProgressBar::hidden())?;
        maps.push((
            "lime",
            explanation
                .map(Output(finding))
                .context("a trained finding")?,
        ));
        for (kind, map) in maps {
            // Each image draws its own baselines.
            let settings = faithfulness::Options {
                seed,
                ..faithfulness::Options::default()
            };
            let curves = Curves::new(&square, input, &map, Output(finding), settings)?;
            let measured = ask(reader, curves, &ProgressBar::hidden())?;
            let rates = rates.entry(kind).or_default();
            rates.maps += 1;
            rates.rests += usize::from(measured.verdict() == Verdict::Rests);
            rates.beats_elsewhere += usize::from(measured.p_moved() <= LEVEL);
            rates.beats_middle += usize::from(measured.p_middle() <= LEVEL);
        }
        Ok(())
    })?;
    println!(
        "{}",
        serde_json::json!({ "images": images, "rates": rates })
    );
    Ok(())
}

/// A Gaussian in the middle.
fn blot() -> HeatMap {
    let middle = |index: usize| ((index as f32 + 0.5) / CELLS as f32 - 0.5) / WIDTH;
    let value = |cell: usize| {
        let (x, y) = (middle(cell % CELLS), middle(cell / CELLS));
        (-(x * x + y * y) / 2.0).exp()
    };
    HeatMap::new(CELLS, CELLS, (0..CELLS * CELLS).map(value).collect())
}
