//! Rows of images, chosen and split by patient.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sightline::package::sha256;

use super::{chexpert, nih};
use crate::storage::Location;

/// One image.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// In the CSV, from 0.
    pub number: usize,
    /// As the CSV writes it.
    pub path: String,
    pub patient: String,
    pub study: String,
    /// CheXpert's labels: 1, 0, -1 (uncertain) or `None` (not labelled), in the order of `Finding::ALL`.
    pub labels: [Option<f32>; 14],
    pub lateral: bool,
    /// Of a frontal image, where it is known.
    pub position: Option<Position>,
    /// All columns by their name, for selections such as `Split=test`.
    pub columns: BTreeMap<String, String>,
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

/// Which views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Views {
    #[default]
    Frontal,
    Lateral,
    All,
    /// Frontal, and known to be anterior-posterior.
    Ap,
    /// Frontal, and known to be posterior-anterior.
    Pa,
}

impl Views {
    fn has(self, row: &Row) -> bool {
        match self {
            Views::Frontal => !row.lateral,
            Views::Lateral => row.lateral,
            Views::All => true,
            Views::Ap => !row.lateral && row.position == Some(Position::Ap),
            Views::Pa => !row.lateral && row.position == Some(Position::Pa),
        }
    }
}

/// Which rows of a CSV.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub views: Views,
    /// What the column `Split` says.
    pub split: Option<String>,
}

/// The rows of a CSV file and where its images are.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub root: Location,
    pub rows: Vec<Row>,
}

/// Of a row that tells the patient's age, in CheXpert's or ChestX-ray14's column.
fn age_group(columns: &BTreeMap<String, String>) -> Option<&'static str> {
    let age = columns.get("Age").or_else(|| columns.get("Patient Age"))?;
    // ChestX-ray14 wrote "058Y" once.
    let age: f64 = age.trim_end_matches('Y').parse().ok()?;
    Some(match age {
        age if age < 40.0 => "under 40",
        age if age < 60.0 => "40 to 59",
        _ => "60 and over",
    })
}

impl Dataset {
    /// Reads a CSV in CheXpert's format or ChestX-ray14's `Data_Entry`; image paths are under `root`, or beside the
    /// CSV if there is none.
    ///
    /// # Errors
    /// When the file cannot be read, a column is missing, or a label is none of the format's.
    pub fn read(csv: &Location, root: Option<&Location>) -> Result<Self> {
        let root = match root {
            Some(root) => root.clone(),
            None => csv.parent().context("the CSV is in no folder")?,
        };
        let bytes = csv.read()?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes.as_slice());
        let header = reader.headers()?.clone();
        let format: Box<dyn Format> = match nih::DataEntry::of(&header) {
            Some(format) => Box::new(format),
            None => Box::new(chexpert::CheXpert::of(&header)?),
        };
        let mut rows = Vec::new();
        for (number, record) in reader.records().enumerate() {
            let place = || format!("{csv} row {}", number + 2);
            let record = record.with_context(place)?;
            let mut row = format.row(&record).with_context(place)?;
            row.number = number;
            let names = header.iter().map(str::to_owned);
            row.columns = names.zip(record.iter().map(str::to_owned)).collect();
            if let Some(group) = age_group(&row.columns) {
                row.columns.insert("Age group".to_owned(), group.to_owned());
            }
            rows.push(row);
        }
        let Some(first) = rows.first() else {
            bail!("{csv} has no rows");
        };
        let root = format.root(root, &first.path);
        Ok(Self { root, rows })
    }

    /// The rows that are wanted.
    ///
    /// # Errors
    /// When a column is missing, or no row is left.
    pub fn select(mut self, selection: &Selection) -> Result<Self> {
        if let Some(split) = &selection.split {
            if !self.rows.iter().any(|r| r.columns.contains_key("Split")) {
                bail!("the CSV has no column Split");
            }
            let wanted = |row: &Row| row.columns.get("Split") == Some(split);
            self.rows.retain(wanted);
            if self.rows.is_empty() {
                bail!("no row has Split={split}");
            }
        }
        self.rows.retain(|row| selection.views.has(row));
        if self.rows.is_empty() {
            let split = selection
                .split
                .as_deref()
                .map_or(String::new(), |s| format!(" with Split={s}"));
            bail!(
                "no row{split} is of the views asked for ({:?})",
                selection.views
            );
        }
        Ok(self)
    }

    /// The file of a row's image.
    pub fn file(&self, row: &Row) -> Location {
        let plain = self.root.join(&row.path);
        // ChestX-ray14 as it is distributed, in twelve folders; as others unpack it, in one.
        if row.path.contains('/') || plain.exists() {
            return plain;
        }
        let folders = (1..=12).map(|n| format!("images_{n:03}/images"));
        let folders = std::iter::once("images".to_owned()).chain(folders);
        let mut places = folders.map(|folder| self.root.join(&folder).join(&row.path));
        places.find(|place| place.exists()).unwrap_or(plain)
    }

    pub fn patients(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.patient.as_str()).collect()
    }

    /// A hash of what a training takes of the rows: paths, patients and labels, in their order.
    pub fn sha256(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let Row {
                path,
                patient,
                labels,
                ..
            } = row;
            text += &format!("{path:?} {patient:?} {labels:?}\n");
        }
        sha256(text.as_bytes())
    }

    /// # Errors
    /// When a patient is in both: a model must never be tested on a patient it was trained on.
    pub fn refuse_shared_patients(&self, other: &Dataset) -> Result<()> {
        let (ours, theirs) = (self.patients(), other.patients());
        if let Some(patient) = ours.intersection(&theirs).next() {
            bail!("patient {patient} is in two splits; splits must be by patient");
        }
        Ok(())
    }
}

/// A format of CSV.
pub trait Format {
    fn row(&self, record: &csv::StringRecord) -> Result<Row>;

    /// Where paths like `first` begin, if not at `root` itself.
    fn root(&self, root: Location, first: &str) -> Location;
}

/// Training, validation and test images, no patient in two of them.
#[derive(Clone, Debug)]
pub struct Splits {
    pub train: Dataset,
    pub valid: Dataset,
    pub test: Option<Dataset>,
    /// By CSV and split, a hash of the rows that are trained and validated on: [`Dataset::sha256`].
    pub rows_sha256: BTreeMap<String, String>,
}

impl Splits {
    /// # Errors
    /// When a patient is in two of them.
    pub fn checked(self) -> Result<Self> {
        self.train.refuse_shared_patients(&self.valid)?;
        if let Some(test) = &self.test {
            self.train.refuse_shared_patients(test)?;
            self.valid.refuse_shared_patients(test)?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_in_any_case_and_only_where_they_are_known() {
        assert_eq!(Position::of(" ap"), Some(Position::Ap));
        assert_eq!(Position::of("PA"), Some(Position::Pa));
        assert_eq!(Position::of("LL"), None);
        assert_eq!(Position::of(""), None);
    }

    #[test]
    fn views_choose_rows() {
        let row = |lateral, position| Row {
            lateral,
            position,
            ..Row::default()
        };
        let rows = [
            row(false, Some(Position::Ap)),
            row(false, Some(Position::Pa)),
            row(false, None),
            row(true, None),
        ];
        let counts = [
            Views::Frontal,
            Views::Lateral,
            Views::All,
            Views::Ap,
            Views::Pa,
        ];
        let counts = counts.map(|views| rows.iter().filter(|row| views.has(row)).count());
        assert_eq!(counts, [3, 1, 4, 1, 1]);
    }

    #[test]
    fn a_patient_in_two_splits_is_refused() {
        let dataset = |patient: &str| Dataset {
            root: Location::Local(".".into()),
            rows: vec![Row {
                patient: patient.to_owned(),
                ..Row::default()
            }],
        };
        let splits = |train, valid, test| Splits {
            train: dataset(train),
            valid: dataset(valid),
            test: Some(dataset(test)),
            rows_sha256: BTreeMap::new(),
        };
        assert!(splits("a", "b", "c").checked().is_ok());
        for mixed in [
            splits("a", "a", "c"),
            splits("a", "b", "a"),
            splits("a", "b", "b"),
        ] {
            let error = mixed.checked().expect_err("a shared patient");
            assert!(error.to_string().contains("is in two splits"), "{error}");
        }
    }
}
