//! `explain`: a picture with a map on it, and the reading's report.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use sightline::explain::colormap::Colormap;
use sightline::explain::heat_map::{HeatMap, normalise};
use sightline::finding::Finding;
use sightline::package::sha256;
use sightline::radiograph::{GreyImage, Radiograph, Region};
use sightline::reading::Reader;
use sightline::report::{Report, Timings};

use crate::score::Package;

/// How much of the colour covers the picture where the map is at its highest.
const OPACITY: f32 = 0.6;

/// Explains one finding of one image; writes the overlay as PNG and the report as JSON where asked.
pub fn explain(
    package: Package,
    finding: Finding,
    image: &Path,
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

    if let Some(out) = out {
        overlay(&radiograph.image, &reading.evidence[output], reading.region)
            .save(out)
            .with_context(|| format!("cannot write {}", out.display()))?;
    }
    if let Some(json) = json {
        let file = image.file_name().unwrap_or_default().to_string_lossy();
        let timings = Timings { decode, read };
        let report = Report::new(
            &reader.manifest,
            &radiograph,
            &file,
            sha256(&bytes),
            &reading,
            "CPU",
            timings,
        );
        std::fs::write(json, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("cannot write {}", json.display()))?;
    }
    Ok(())
}

fn overlay(image: &GreyImage, evidence: &HeatMap, region: Region) -> image::RgbImage {
    let (width, height) = (image.width as f64, image.height as f64);
    let across = ((region.width * width).round() as usize).max(1);
    let down = ((region.height * height).round() as usize).max(1);
    let (left, top) = (
        (region.x * width).round() as usize,
        (region.y * height).round() as usize,
    );
    let map = normalise(&evidence.positive()).upsample(across, down);
    image::RgbImage::from_fn(image.width as u32, image.height as u32, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let grey = f32::from(image.pixels[y * image.width + x]);
        let inside = x >= left && y >= top && x < left + across && y < top + down;
        let heat = if inside {
            map.values[(y - top) * across + x - left]
        } else {
            0.0
        };
        let color = Colormap::Inferno.rgb(heat);
        let cover = OPACITY * heat;
        image::Rgb(color.map(|c| (grey * (1.0 - cover) + f32::from(c) * cover).round() as u8))
    })
}
