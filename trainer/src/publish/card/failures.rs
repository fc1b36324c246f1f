//! A model's gravest errors on its test images, with the maps that go with them.

use anyhow::{Context, Result};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{ExtendedColorType, RgbImage, RgbaImage};
use sightline::explain::colormap::Colormap;
use sightline::explain::overlay::overlay;
use sightline::finding::Finding;
use sightline::reader::Reader;

use crate::data::Dataset;
use crate::measure::evaluation::Scores;

/// Pixels of a picture on the sheet.
const SIDE: u32 = 176;
const OPACITY: f32 = 0.55;
const QUALITY: u8 = 80;

/// An image that was scored as what it is not.
pub struct Failure {
    pub finding: Finding,
    /// Where the image is in the dataset.
    row: usize,
    pub path: String,
    pub score: f64,
    pub positive: bool,
}

/// The gravest errors: for each of five findings ([`Header::five`](crate::measure::evaluation::Header::five)), the image without it that has the highest score, and the image with it that
/// has the lowest. Those without come first.
pub fn gravest(data: &Dataset, scores: &Scores) -> Vec<Failure> {
    let mut failures = Vec::new();
    for positive in [false, true] {
        for finding in scores.header.five() {
            let Some(index) = scores.header.places(&[finding]).first().copied() else {
                continue;
            };
            let cases = scores.rows.iter().filter_map(|(number, row)| {
                let label = row.labels[index].filter(|label| *label >= 0.0)?;
                let score = row.scores[index]?;
                ((label == 1.0) == positive).then_some((*number, score))
            });
            let worst = match positive {
                false => cases.max_by(|a, b| a.1.total_cmp(&b.1)),
                true => cases.min_by(|a, b| a.1.total_cmp(&b.1)),
            };
            let found = worst.and_then(|(number, score)| {
                let row = data.rows.iter().position(|row| row.number == number)?;
                Some(Failure {
                    finding,
                    row,
                    path: data.rows[row].path.clone(),
                    score,
                    positive,
                })
            });
            failures.extend(found);
        }
    }
    failures
}

/// The pictures of the failures with the map of the finding, as a JPEG: a row of those without it, and one of those with it.
pub fn sheet(reader: &Reader, data: &Dataset, failures: &[Failure]) -> Result<Vec<u8>> {
    let without = failures.iter().filter(|failure| !failure.positive).count();
    let columns = without.max(failures.len() - without) as u32;
    let mut sheet = RgbImage::new(columns * SIDE, 2 * SIDE);
    let mut next = [0, 0];
    for failure in failures {
        let image = data.radiograph(&data.rows[failure.row])?.image;
        let reading = pollster::block_on(reader.read(&reader.view(&image)))?;
        let output = reader.manifest.output(failure.finding);
        let map = &reading.evidence[output.context("a finding of the package")?.0];
        let rgba = overlay(&image, map, reading.region, Colormap::Inferno, OPACITY);
        let picture = RgbaImage::from_raw(image.width as u32, image.height as u32, rgba);
        let picture = picture.context("an overlay has its picture's size")?;
        // The whole picture, in its proportions.
        let scale = f64::from(SIDE) / image.width.max(image.height) as f64;
        let [width, height] =
            [image.width, image.height].map(|side| ((side as f64 * scale) as u32).max(1));
        let small = imageops::resize(&picture, width, height, FilterType::Triangle);
        let small = image::DynamicImage::from(small).into_rgb8();
        let row = usize::from(failure.positive);
        let (left, top) = (next[row] * SIDE, row as u32 * SIDE);
        next[row] += 1;
        imageops::replace(&mut sheet, &small, i64::from(left), i64::from(top));
    }
    let mut jpeg = Vec::new();
    let (width, height) = sheet.dimensions();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode(
        sheet.as_raw(),
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(jpeg)
}
