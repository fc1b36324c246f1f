//! Tables in files, and the files that they name.

use anyhow::{Context, Result};
use sightline::finding::Finding;
use sightline_measure::tables::{Boxes, Folder, Place, Table, text};

use crate::storage::Location;

impl Folder for Location {
    fn has(&self, place: &Place) -> bool {
        at(self, place).exists()
    }
}

/// The file at a place below a folder of images.
pub fn at(folder: &Location, place: &Place) -> Location {
    let above = place.above.then(|| folder.parent()).flatten();
    above.unwrap_or_else(|| folder.clone()).join(&place.path)
}

/// The text of a table's file.
///
/// # Errors
/// When the file cannot be read, or is no text.
pub fn text_of(file: &Location) -> Result<String> {
    text(file.read()?).with_context(|| file.to_string())
}

/// Some columns of a table, in each row.
///
/// # Errors
/// When the file cannot be read, or a column is missing.
pub fn columns<const N: usize>(file: &Location, names: [&str; N]) -> Result<Vec<[String; N]>> {
    let text = text_of(file)?;
    let read = || -> Result<Vec<[String; N]>> {
        let mut table = Table::of(&text)?;
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(names) {
            *place = table.needed(name)?;
        }
        let mut rows = Vec::new();
        while let Some(line) = table.next_line()? {
            rows.push(places.map(|place| line.cell(place).to_owned()));
        }
        Ok(rows)
    };
    read().with_context(|| file.to_string())
}

/// The boxes of some findings. Classes that are none of the findings are left out, and said on stderr.
///
/// # Errors
/// When the file cannot be read, a column is missing, or a box is none.
pub fn boxes(file: &Location, findings: &[Finding]) -> Result<Boxes> {
    let boxes = Boxes::parse(&text_of(file)?, findings);
    let (boxes, others) = boxes.with_context(|| file.to_string())?;
    if !others.is_empty() {
        let others: Vec<String> = others.into_iter().collect();
        eprintln!(
            "{file}: boxes of what is no finding are left out: {}",
            others.join(", ")
        );
    }
    Ok(boxes)
}
