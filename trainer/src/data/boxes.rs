//! Where radiologists saw findings: boxes on images.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use sightline::finding::Finding;
use sightline::package::sha256;

use crate::storage::Location;

/// A box on an image, in shares of its width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rectangle {
    pub fn contains(&self, x: f64, y: f64) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }
}

/// The boxes of a file.
#[derive(Clone, Debug, Default)]
pub struct Boxes {
    /// By image path and finding (its place in `Finding::ALL`).
    by_path: BTreeMap<String, BTreeMap<usize, Vec<Rectangle>>>,
    /// Of all of them, in their order.
    pub sha256: String,
}

impl Boxes {
    /// Reads a CSV with Path, Class, X, Y, W, H, the last four as shares of the image. Classes that are no finding are left
    /// out.
    ///
    /// # Errors
    /// When the file cannot be read, a column is missing, or a box is none.
    pub fn read(path: &Location) -> Result<Self> {
        let mut boxes = Self::default();
        let rows = columns(path, ["Path", "Class", "X", "Y", "W", "H"])?;
        for (number, [file, class, sides @ ..]) in rows.into_iter().enumerate() {
            let Some(finding) = Finding::from_name(&class) else {
                continue;
            };
            let sides = sides.map(|side| side.parse::<f64>().unwrap_or(f64::NAN));
            if !sides.iter().all(|side| (0.0..=1.0).contains(side)) {
                bail!("{path} row {}: X, Y, W, H must be in 0..1", number + 2);
            }
            let [x, y, width, height] = sides;
            let findings = boxes.by_path.entry(file).or_default();
            findings
                .entry(finding.index())
                .or_default()
                .push(Rectangle {
                    left: x,
                    top: y,
                    right: x + width,
                    bottom: y + height,
                });
        }
        boxes.sha256 = sha256(format!("{:?}", boxes.by_path).as_bytes());
        Ok(boxes)
    }

    /// An image's boxes, finding by finding.
    pub fn of(&self, path: &str) -> impl Iterator<Item = (usize, &[Rectangle])> {
        let findings = self.by_path.get(path).into_iter().flatten();
        findings.map(|(finding, rectangles)| (*finding, rectangles.as_slice()))
    }
}

/// The rows of a CSV file, and some of its columns in each.
///
/// # Errors
/// When the file cannot be read, or a column is missing.
pub fn columns<const N: usize>(path: &Location, names: [&str; N]) -> Result<Vec<[String; N]>> {
    let bytes = path.read()?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes.as_slice());
    let header = reader.headers()?.clone();
    let mut places = [0; N];
    for (place, name) in places.iter_mut().zip(names) {
        let found = header.iter().position(|h| h.eq_ignore_ascii_case(name));
        *place = found.with_context(|| format!("{path} has no column {name}"))?;
    }
    let rows = reader.records().map(|record| {
        let record = record.with_context(|| path.to_string())?;
        Ok(places.map(|place| record[place].to_owned()))
    });
    rows.collect()
}
