//! Images and their labels: CSV files of radiographs, and the pictures they name.
//!
//! `table` reads every CSV, whatever program wrote it (`text` its encoding). `row` is an image, `dataset` holds rows and splits them by patient;
//! `reading` makes them of a CSV, `chexpert` and `nih` know the two formats, `paths` what a path tells of patient, study and view,
//! `columns` what else rows are told apart by, `same_image` whether a picture is in two splits. `labels` turns labels
//! into targets, `probabilities` reads what a model predicts, `readings` what a person said, `boxes` reads what radiologists marked. `square` decodes, `pictures` holds pictures, `pack` keeps what was decoded, `augment` changes.
//! `stream` decodes images shortly before they are needed; `notes` names those that cannot be read, and what to
//! know of the others. `weights` reads what other tools trained, also from several files.

pub mod augment;
mod boxes;
mod chexpert;
mod columns;
mod dataset;
mod labels;
mod nih;
mod notes;
pub mod odd;
mod pack;
mod paths;
mod pictures;
mod probabilities;
mod reading;
mod readings;
mod row;
mod same_image;
mod square;
mod stream;
mod table;
mod text;
pub mod weights;

pub use boxes::{Boxes, Rectangle};
pub use dataset::{Dataset, Selection, Splits, Views};
pub use labels::{Blank, Label, LabelPolicy, Uncertain};
pub use notes::{Notes, said};
pub use pack::Pack;
pub use paths::key;
#[cfg(test)]
pub use paths::patient_and_study;
pub use pictures::{Pictures, load_pictures, load_squares};
pub use probabilities::{Probabilities, read as probabilities};
pub use readings::Readings;
pub use row::Row;
pub use same_image::{refuse_same_files, refuse_same_pixels};
pub use square::read_square;
pub use stream::stream;
pub use table::{Table, columns};
pub use text::decode as text;

use std::path::Path;

use sightline::vocabulary::{CHEXPERT, NIH};

use crate::storage::Location;

/// Reads bytes as every kind of table that a command takes: images with labels, boxes, probabilities, readings. For `fuzz/`: what comes of it
/// is forgotten.
pub fn read_as_tables(bytes: Vec<u8>) {
    let Ok(text) = text::decode(bytes) else {
        return;
    };
    let root = Location::from(Path::new("nowhere"));
    let reading = reading::Reading::of(&text, "a table", &CHEXPERT);
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
