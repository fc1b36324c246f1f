//! `bench float16`: what a model says of pictures on a graphics card that computes in float16, beside what it says there in float32.

use std::time::Instant;

use anyhow::{Result, bail};
use sightline::reader::Reader;
use sightline::reading::Reading;
use sightline::view::View;

use crate::commands::options::Model;
use crate::measure::score::Package;
use crate::storage::Location;

/// Readings of a picture, after one that is not timed.
const READINGS: usize = 5;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: Model,
    /// A picture; can be given several times.
    #[arg(long, required = true)]
    image: Vec<Location>,
}

pub fn run(options: &Options) -> Result<()> {
    let package = Package::open(&options.model.model, options.model.device.device()?)?;
    let mut reader = Reader::new(package.manifest, package.network, package.device);
    if !reader.can_halve() {
        bail!("the device does not compute in float16");
    }
    let (mut logits, mut probabilities) = (0.0_f64, 0.0_f64);
    let (mut float32_ms, mut float16_ms) = (Vec::new(), Vec::new());
    for image in &options.image {
        let radiograph = reader.decode(&image.read()?, options.model.depth)?;
        let view = reader.view(&radiograph.image);
        let float32 = timed(&reader, &view, &mut float32_ms)?;
        reader.halve();
        let float16 = timed(&reader, &view, &mut float16_ms)?;
        reader.unhalve();
        for (a, b) in float32.logits.iter().zip(&float16.logits) {
            logits = logits.max(f64::from(a - b).abs());
        }
        for (a, b) in float32.probabilities.iter().zip(&float16.probabilities) {
            let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
            probabilities = probabilities.max((a - b).abs());
        }
    }
    println!(
        "{}",
        serde_json::json!({
            "pictures": options.image.len(), "logits": logits, "probabilities": probabilities,
            "float32_ms": float32_ms, "float16_ms": float16_ms,
        })
    );
    Ok(())
}

/// Reads a picture several times, and adds how many milliseconds each took.
fn timed(reader: &Reader, view: &View, milliseconds: &mut Vec<f64>) -> Result<Reading> {
    let mut read = pollster::block_on(reader.read(view))?;
    for _ in 0..READINGS {
        let start = Instant::now();
        read = pollster::block_on(reader.read(view))?;
        milliseconds.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(read)
}
