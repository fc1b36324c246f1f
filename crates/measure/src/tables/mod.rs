//! Tables of images, their labels and what radiologists marked: from the bytes of a CSV to rows.
//!
//! `table` reads every CSV, whatever program wrote it (`text` its encoding). `row` is an image; `reading` makes rows of a CSV, `chexpert` and
//! `nih` know the two formats, `labels` what a cell says, `paths` what a path tells of patient, study and view, `columns` what else rows
//! are told apart by. `boxes` reads what radiologists marked. Where images lie is asked of a [`Folder`].

mod boxes;
mod chexpert;
mod columns;
mod labels;
pub mod nih;
pub mod paths;
mod reading;
mod row;
mod table;
mod text;

pub use boxes::{Boxes, Rectangle};
pub use labels::{Label, Labels};
pub use reading::Reading;
pub use row::{Folder, Place, Position, Row};
pub use table::{Table, number};
pub use text::decode as text;
