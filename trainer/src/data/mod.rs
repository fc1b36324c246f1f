//! Images and their labels: CSV files of radiographs, and the pictures they name.
//!
//! `dataset` holds rows and splits them by patient, `chexpert` and `nih` read the two formats of CSV, `labels` and
//! `teacher` turn them into targets, `pictures` decodes, `augment` changes.

pub mod augment;
mod chexpert;
mod dataset;
mod labels;
mod nih;
mod pictures;
mod teacher;

pub use dataset::{Dataset, Row, Selection, Splits, Views};
pub use labels::LabelPolicy;
pub use pictures::load_pictures;
pub use teacher::{Lessons, Teacher};
