//! One image of a table, and what a format of table has to say of it.

use std::sync::Arc;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::labels::Labels;
use super::paths;
use super::table::Line;

/// One image.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// In the CSV, from 0.
    pub number: usize,
    /// As the CSV writes it; [`Row::file`] is where the image is, [`paths::key`] what to look it up by in another table.
    pub path: String,
    /// Where nobody names the patient, the image itself.
    pub patient: Arc<str>,
    pub study: Arc<str>,
    /// In the order of the findings that the table was read for.
    pub labels: Labels,
    pub lateral: bool,
    /// The position of a frontal image, where it is known.
    pub position: Option<Position>,
    pub origin: Origin,
}

/// Where a row is from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub(super) sheet: Arc<Sheet>,
    /// The row's place in the sheet's columns.
    pub(super) record: u32,
    pub(super) line: u32,
    pub(super) names_patient: bool,
    /// By a column, and not by the path.
    pub(super) by_column: bool,
}

/// What the rows of one CSV share.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) columns: Columns,
    pub(super) format: Option<Box<dyn Format>>,
}

impl Row {
    /// What a column says of this row, by the name that CheXpert's header has for it; `None` where the cell is blank.
    /// `Age group` is made of the age.
    pub fn column(&self, name: &str) -> Option<&str> {
        let columns = &self.origin.sheet.columns;
        columns.value(name, self.origin.record as usize)
    }

    /// Whether rows of this CSV can be told apart by a column.
    ///
    /// # Errors
    /// When it has too many different values for that.
    pub fn has_column(&self, name: &str) -> Result<bool> {
        self.origin.sheet.columns.has(name)
    }

    /// Where the image is.
    pub fn file(&self, folder: &dyn Folder) -> Place {
        self.file_at(folder, &self.path)
    }

    /// Where the file of another path is that is written as those of the images are.
    pub fn file_at(&self, folder: &dyn Folder, path: &str) -> Place {
        match &self.origin.sheet.format {
            Some(format) => format.file(folder, path),
            None => Place::below(path),
        }
    }

    /// Whether a column, and not the path, says whose image this is.
    pub fn names_patient_by_column(&self) -> bool {
        self.origin.by_column
    }

    /// Whether the CSV says whose image this is.
    pub fn names_patient(&self) -> bool {
        self.origin.names_patient
    }

    /// Every name that the patient may have in another table: the column's and the path's, the latter also as a bare number.
    pub fn other_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.origin.by_column {
            names.push(paths::same_patient(&self.patient));
        }
        if let Some((of_path, _)) = paths::patient_and_study(&self.path) {
            names.extend(paths::patient_number(&of_path));
            names.push(of_path);
        }
        names
    }

    /// The row in an error: its CSV and line.
    pub fn place(&self) -> String {
        format!("{}, line {}", self.origin.sheet.name, self.origin.line)
    }
}

/// Which side of the patient faced the X-ray source: posterior-anterior (standing) or anterior-posterior (often in bed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Position {
    Ap,
    Pa,
}

impl Position {
    /// `AP` and `PA` in any case; CheXpert's `LL` and `RL` (decubitus) and blanks are neither.
    pub fn of(text: &str) -> Option<Self> {
        match text.trim().to_uppercase().as_str() {
            "AP" => Some(Position::Ap),
            "PA" => Some(Position::Pa),
            _ => None,
        }
    }
}

/// Where an image is, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Below the folder above that of the images, where there is one.
    pub above: bool,
    pub path: String,
}

impl Place {
    /// Below the folder of the images.
    pub fn below(path: &str) -> Self {
        Self {
            above: false,
            path: path.to_owned(),
        }
    }
}

/// A folder of images, as far as a table has to know it.
pub trait Folder {
    /// Whether a file is there.
    fn has(&self, place: &Place) -> bool;
}

/// A format of CSV.
pub trait Format: std::fmt::Debug + Send + Sync {
    fn entry(&self, line: &Line) -> Result<Entry>;

    /// Finds out where the images are, from the first of them.
    fn look(&mut self, _folder: &dyn Folder, _rows: &[Row]) {}

    /// The file of an image by its path.
    fn file(&self, folder: &dyn Folder, path: &str) -> Place;

    /// What there is to say of the table as a whole.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What one row of a CSV says.
pub struct Entry {
    pub path: String,
    /// As a column names the patient.
    pub patient: Option<String>,
    pub labels: Labels,
    /// As a column says it.
    pub lateral: Option<bool>,
    pub position: Option<Position>,
}
