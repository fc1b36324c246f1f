//! Images and their labels: CSV files in CheXpert's format, and the pictures they name.

pub mod augment;
mod labels;
mod pictures;

pub use labels::{Dataset, Row, UncertainPolicy};
pub use pictures::load_pictures;
