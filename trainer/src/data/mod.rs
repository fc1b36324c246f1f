//! Images and their labels: CSV files of radiographs, and the pictures they name.
//!
//! `dataset` holds rows and splits them by patient, `chexpert` and `nih` read the two formats of CSV, `labels` and
//! `teacher` turn them into targets, `boxes` reads what radiologists marked, `pictures` decodes and `pack` keeps what was decoded,
//! `augment` changes.
//! `stream` decodes images shortly before they are needed; `left_out` names those that cannot be read.

pub mod augment;
mod boxes;
mod chexpert;
mod dataset;
mod labels;
mod left_out;
mod nih;
mod pack;
mod pictures;
mod stream;
mod teacher;

pub use boxes::{Boxes, Rectangle, columns};
#[cfg(test)]
pub use chexpert::patient_and_study;
pub use dataset::{Dataset, Row, Selection, Splits, Views};
pub use labels::{Blank, LabelPolicy, Uncertain};
pub use left_out::LeftOut;
pub use pack::Pack;
pub use pictures::{Pictures, load_pictures, load_squares, read_square};
pub use stream::stream;
pub use teacher::{Lessons, Probabilities, Teacher, probabilities};
