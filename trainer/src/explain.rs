//! `explain`: a picture with a map on it, and the reading's report.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use sightline::explain::colormap::Colormap;
use sightline::explain::lime::{self, Lime};
use sightline::explain::overlay::overlay;
use sightline::finding::Finding;
use sightline::package::sha256;
use sightline::radiograph::{GreyImage, Radiograph};
use sightline::reading::Reader;
use sightline::report::{Report, Timings};

use crate::score::Package;

/// How much of the colour covers the picture where the map is at its highest.
const OPACITY: f32 = 0.6;

/// Pictures that LIME scores at once.
const BATCH: usize = 8;

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
        lime.push(pollster::block_on(reader.probabilities_of(values))?);
        bar.set_position(lime.scored() as u64);
    }
    lime.explanation().context("no sample was scored")
}

fn say(explanation: &lime::Explanation) {
    println!(
        "LIME: {} regions, {} samples, {}",
        explanation.segments.count,
        explanation.samples,
        if explanation.stable {
            "stable"
        } else {
            "not stable yet"
        }
    );
}

/// Explains one finding of one image, by Grad-CAM or by LIME; writes the overlay as PNG and the report as JSON where asked.
pub fn explain(
    package: Package,
    finding: Finding,
    image: &Path,
    lime: Option<lime::Options>,
    out: Option<&Path>,
    json: Option<&Path>,
) -> Result<()> {
    let output = package
        .manifest
        .findings
        .iter()
        .position(|card| card.name == finding);
    let Some(output) = output.filter(|index| package.manifest.findings[*index].trained) else {
        bail!(
            "{} was not trained on {finding}: there is nothing to explain",
            package.manifest.name
        );
    };
    let bytes = std::fs::read(image).with_context(|| format!("cannot open {}", image.display()))?;
    let start = Instant::now();
    let radiograph = Radiograph::decode(&bytes).with_context(|| image.display().to_string())?;
    let decode = start.elapsed().as_secs_f64() * 1e3;
    let reader = Reader::new(package.manifest, package.network, package.device);
    let start = Instant::now();
    let reading = pollster::block_on(reader.read(&radiograph.image))?;
    let read = start.elapsed().as_secs_f64() * 1e3;
    let probability =
        reading.probabilities[output].context("a trained finding has a probability")?;
    println!("{finding}: {probability:.3}");
    let lime = match lime {
        Some(options) => {
            let style = "LIME {bar:40} {pos}/{len} samples ({eta} left)";
            let style = ProgressStyle::with_template(style)?;
            let bar = ProgressBar::new(options.samples as u64).with_style(style);
            let explanation = explain_by_lime(&reader, &radiograph.image, options, &bar)?;
            bar.finish_and_clear();
            say(&explanation);
            Some(explanation)
        }
        None => None,
    };
    let map = match &lime {
        Some(lime) => lime
            .map(output)
            .context("a trained finding has an explanation")?,
        None => reading.evidence[output].clone(),
    };

    if let Some(out) = out {
        let image = &radiograph.image;
        let rgba = overlay(image, &map, reading.region, Colormap::Inferno, OPACITY);
        image::RgbaImage::from_raw(image.width as u32, image.height as u32, rgba)
            .context("an overlay has its picture's size")?
            .save(out)
            .with_context(|| format!("cannot write {}", out.display()))?;
    }
    if let Some(json) = json {
        let file = image.file_name().unwrap_or_default().to_string_lossy();
        let timings = Timings { decode, read };
        let mut report = Report::new(
            &reader.manifest,
            &radiograph,
            &file,
            sha256(&bytes),
            &reading,
            "CPU",
            timings,
        );
        report.lime = lime;
        std::fs::write(json, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("cannot write {}", json.display()))?;
    }
    Ok(())
}
