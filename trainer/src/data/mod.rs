//! Images and their labels: CSV files of radiographs, and the pictures they name.
//!
//! `crates/measure` reads tables; `files` has them from files. `dataset` holds rows and splits them by patient, `same_image` asks whether a
//! picture is in two splits. `labels` turns labels into targets, `probabilities` reads what a model predicts, `readings` what a person said. `square` decodes, `pictures` holds pictures, `pack` keeps what was decoded, `augment` changes.
//! `stream` decodes images shortly before they are needed; `notes` names those that cannot be read, and what to
//! know of the others. `weights` reads what other tools trained, also from several files.

pub mod augment;
mod dataset;
mod files;
mod labels;
mod notes;
pub mod odd;
mod pack;
mod pictures;
mod probabilities;
mod readings;
mod same_image;
mod square;
mod stream;
#[cfg(test)]
mod tests;
pub mod weights;

pub use dataset::{Dataset, Selection, Splits, Views};
pub use files::{boxes, columns};
pub use labels::{Blank, LabelPolicy, Uncertain};
pub use notes::{Notes, said};
pub use pack::Pack;
pub use pictures::{Pictures, load_pictures, load_squares};
pub use probabilities::{Probabilities, read as probabilities};
pub use readings::Readings;
pub use same_image::{refuse_same_files, refuse_same_pixels};
pub use sightline_measure::tables::paths::key;
#[cfg(test)]
pub use sightline_measure::tables::paths::patient_and_study;
pub use sightline_measure::tables::{Boxes, Label, Rectangle, Row, Table, text};
pub use square::read_square;
pub use stream::stream;

use std::path::Path;

use sightline::vocabulary::{CHEXPERT, NIH};
use sightline_measure::tables::Reading;

use crate::storage::Location;

/// Reads bytes as every kind of table that a command takes: images with labels, boxes, probabilities, readings. For `fuzz/`: what comes of it
/// is forgotten.
pub fn read_as_tables(bytes: Vec<u8>) {
    let Ok(text) = text(bytes) else {
        return;
    };
    let root = Location::from(Path::new("nowhere"));
    let reading = Reading::of(&text, "a table", &CHEXPERT);
    if let Ok((rows, _)) = reading.and_then(|reading| reading.finish(&root)) {
        let data = Dataset::new(root, rows);
        for row in &data.rows {
            let _ = (
                data.file(row),
                row.place(),
                row.column("Split"),
                key(&row.path),
            );
        }
    }
    let _ = Boxes::parse(&text, &CHEXPERT);
    let _ = probabilities::parse(&text, &NIH);
    let _ = Readings::parse(&text, None);
}
