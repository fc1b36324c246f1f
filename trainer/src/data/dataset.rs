//! Rows of images, chosen and split by patient.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sightline::finding::Finding;
use sightline::package::sha256;
use sightline::radiograph::levels::Rule;
use sightline::radiograph::{Options, Radiograph};
use sightline::vocabulary::CHEXPERT;
use sightline_measure::tables::{Labels, Place, Position, Reading, Row, paths};

use super::files::{at, text_of};
use crate::storage::{Fetching, Location};

/// Which views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What the column `Split` says, in any case.
    pub split: Option<String>,
}

impl Selection {
    fn has_split(&self, row: &Row) -> bool {
        self.split.as_ref().is_none_or(|split| {
            let said = row.column("Split");
            said.is_some_and(|said| said.eq_ignore_ascii_case(split))
        })
    }
}

/// The rows of a CSV file and where its images are.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub root: Location,
    pub rows: Vec<Row>,
    /// What the rows have labels of.
    pub findings: Vec<Finding>,
    /// How pictures are read: of which depth, if someone has chosen, and in which levels.
    pub decoding: Options,
}

impl Dataset {
    /// Images below a folder, each read as it says itself, with CheXpert's labels.
    pub fn new(root: Location, rows: Vec<Row>) -> Self {
        Self {
            root,
            rows,
            findings: CHEXPERT.to_vec(),
            decoding: Options::default(),
        }
    }

    /// Reads a CSV with CheXpert's labels: see [`Dataset::read_of`].
    ///
    /// # Errors
    /// As there.
    pub fn read(csv: &Location, root: Option<&Location>) -> Result<Self> {
        Self::read_of(csv, root, &CHEXPERT)
    }

    /// Reads a CSV in CheXpert's format, with a column for each of the findings, or ChestX-ray14's `Data_Entry`; image paths are under
    /// `root`, or beside the CSV if there is none. What may be wrong with it and is no error is said on stderr.
    ///
    /// # Errors
    /// When the file cannot be read, a column is missing that must be there, a label is none of the format's, or rows contradict
    /// each other.
    pub fn read_of(csv: &Location, root: Option<&Location>, findings: &[Finding]) -> Result<Self> {
        let root = match root {
            Some(root) => root.clone(),
            None => csv.parent().context("the CSV is in no folder")?,
        };
        let text = text_of(csv)?;
        let reading = Reading::of(&text, &csv.name(), findings);
        let (rows, notes) = reading
            .and_then(|reading| reading.finish(&root))
            .with_context(|| csv.to_string())?;
        for note in notes {
            eprintln!("{csv}: {note}");
        }
        Ok(Self {
            findings: findings.to_vec(),
            ..Self::new(root, rows)
        })
    }

    /// All files below a folder, of which nothing but the name is known.
    ///
    /// # Errors
    /// When the folder cannot be read, or has no file.
    pub fn folder(root: &Location, findings: &[Finding]) -> Result<Self> {
        let paths = root.files()?;
        if paths.is_empty() {
            bail!("{root} has no file");
        }
        let rows = paths.into_iter().enumerate().map(|(number, path)| Row {
            number,
            patient: path.as_str().into(),
            study: path.as_str().into(),
            lateral: paths::is_lateral(&path) == Some(true),
            path,
            labels: Labels::none(findings.len()),
            ..Row::default()
        });
        Ok(Self {
            findings: findings.to_vec(),
            ..Self::new(root.clone(), rows.collect())
        })
    }

    /// The rows that are wanted; how many are of other views is said on stderr.
    ///
    /// # Errors
    /// When a column is missing, or no row is left.
    pub fn select(mut self, selection: &Selection) -> Result<Self> {
        self.keep(selection)?;
        Ok(self)
    }

    /// The rows that are wanted, of a dataset of which other parts are wanted too; see [`Dataset::select`].
    pub fn part(&self, selection: &Selection) -> Result<Self> {
        self.check_split(selection)?;
        let rows = self.rows.iter().filter(|row| selection.has_split(row));
        let mut part = Self {
            root: self.root.clone(),
            rows: rows.cloned().collect(),
            findings: self.findings.clone(),
            decoding: self.decoding,
        };
        part.keep(selection)?;
        Ok(part)
    }

    fn keep(&mut self, selection: &Selection) -> Result<()> {
        self.check_split(selection)?;
        self.rows.retain(|row| selection.has_split(row));
        let of = self.rows.len();
        let laterals = self.rows.iter().filter(|row| row.lateral).count();
        self.rows.retain(|row| selection.views.has(row));
        let split = selection.split.as_deref();
        let split = split.map_or(String::new(), |split| format!(" with Split={split}"));
        if self.rows.is_empty() {
            bail!(
                "no row{split} is of the views asked for ({:?})",
                selection.views
            );
        }
        match self.rows.iter().filter(|row| row.lateral).count() {
            0 if laterals > 0 => eprintln!(
                "{laterals} of {of} images{split} are lateral views and are left out; views `all` takes them in"
            ),
            0 => {}
            taken => eprintln!("{taken} of {of} images{split} are lateral views, and taken in"),
        }
        Ok(())
    }

    fn check_split(&self, selection: &Selection) -> Result<()> {
        let Some(split) = &selection.split else {
            return Ok(());
        };
        if !self.has_column("Split")? {
            bail!("the CSV has no column Split");
        }
        if !self.rows.iter().any(|row| selection.has_split(row)) {
            let values = self.rows.iter().filter_map(|row| row.column("Split"));
            let values: BTreeSet<&str> = values.collect();
            let values: Vec<&str> = values.into_iter().collect();
            bail!(
                "no row has Split={split}; the column says: {}",
                values.join(", ")
            );
        }
        Ok(())
    }

    pub fn has_split(&self, split: &str) -> bool {
        let selection = Selection {
            split: Some(split.to_owned()),
            ..Selection::default()
        };
        self.rows.iter().any(|row| selection.has_split(row))
    }

    /// The rows whose image a list names, one in a line, as ChestX-ray14's `test_list.txt` does.
    ///
    /// # Errors
    /// When the list cannot be read, or names none of the images.
    pub fn listed(mut self, list: &Location) -> Result<Self> {
        let text = text_of(list)?;
        let lines = text
            .lines()
            .map(|line| line.trim_matches([' ', '\t', '\r', '"', ',']));
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let Some(first) = lines.first() else {
            bail!("{list} names no image");
        };
        let key = |path: &str| paths::key(path).into_owned();
        let mut wanted: HashMap<String, bool> =
            lines.iter().map(|line| (key(line), false)).collect();
        self.rows.retain(|row| {
            let found = wanted.get_mut(paths::key(&row.path).as_ref());
            found.map(|found| *found = true).is_some()
        });
        let missing = lines.iter().filter(|line| !wanted[&key(line)]);
        let missing: Vec<&&str> = missing.collect();
        if self.rows.is_empty() {
            bail!("{list} names none of the CSV's images; it begins with {first:?}");
        }
        if let Some(first) = missing.first() {
            eprintln!(
                "{list}: {} of {} images are in no row of the CSV, {first} first",
                missing.len(),
                lines.len()
            );
        }
        Ok(self)
    }

    /// Whether rows can be told apart by a column.
    ///
    /// # Errors
    /// When it has too many different values for that.
    pub fn has_column(&self, name: &str) -> Result<bool> {
        let first = self.rows.first();
        first.map_or(Ok(false), |row| row.has_column(name))
    }

    /// The file of a row's image.
    pub fn file(&self, row: &Row) -> Location {
        at(&self.root, &row.file(&self.root))
    }

    /// A row's image, decoded in full.
    ///
    /// # Errors
    /// When its file cannot be read, or holds no picture that can.
    pub fn radiograph(&self, row: &Row) -> Result<Radiograph> {
        self.decoded(self.file(row).begin())
    }

    /// [`Dataset::radiograph`] of a file that is being fetched.
    ///
    /// # Errors
    /// As there.
    pub fn decoded(&self, fetching: Fetching) -> Result<Radiograph> {
        let name = fetching.file().to_string();
        Radiograph::decode_with(&fetching.finish()?, self.decoding).with_context(|| name)
    }

    /// The file of another path that is written as those of the images are: a mask's, for example.
    pub fn file_at(&self, path: &str) -> Location {
        let place = match self.rows.first() {
            Some(row) => row.file_at(&self.root, path),
            None => Place::below(path),
        };
        at(&self.root, &place)
    }

    /// Where rows have their label of a finding; `None` where they have none.
    pub fn place(&self, finding: Finding) -> Option<usize> {
        self.findings.iter().position(|known| *known == finding)
    }

    pub fn patients(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.patient.as_ref()).collect()
    }

    /// A hash of what a training takes of the rows: paths, patients and labels, in their order.
    pub fn sha256(&self) -> String {
        let mut bytes = Vec::new();
        for row in &self.rows {
            for text in [row.path.as_str(), &row.patient] {
                bytes.extend_from_slice(text.as_bytes());
                bytes.push(0);
            }
            bytes.extend(row.labels.iter().map(|label| *label as u8));
        }
        sha256(&bytes)
    }

    /// # Errors
    /// When a patient is in both: a model must never be tested on a patient it was trained on.
    pub fn refuse_shared_patients(&self, other: &Dataset) -> Result<()> {
        let refuse = |ours: &Row, theirs: &Row| {
            bail!(
                "patient {} is in two splits ({}; {}); splits must be by patient",
                ours.patient,
                ours.place(),
                theirs.place()
            )
        };
        let by_name = other.rows.iter().map(|row| (row.patient.as_ref(), row));
        let by_name: HashMap<&str, &Row> = by_name.collect();
        let shared = |row: &&Row| by_name.contains_key(row.patient.as_ref());
        if let Some(ours) = self.rows.iter().find(shared) {
            return refuse(ours, by_name[ours.patient.as_ref()]);
        }
        // Where only one of two tables has a column, the other's paths may name the same patient.
        let columns = |data: &Dataset| data.rows.iter().any(|row| row.names_patient_by_column());
        if !columns(self) && !columns(other) {
            return Ok(());
        }
        let mut by_path: HashMap<String, &Row> = HashMap::new();
        for row in &other.rows {
            for name in row.other_names() {
                by_path.entry(name).or_insert(row);
            }
        }
        for ours in &self.rows {
            for name in ours.other_names() {
                if let Some(theirs) = by_path.get(&name)
                    && !(ours.names_patient_by_column() && theirs.names_patient_by_column())
                {
                    return refuse(ours, theirs);
                }
            }
        }
        Ok(())
    }

    /// # Errors
    /// When an image is in both, by its path; [`super::refuse_same_files`] looks into the files.
    pub fn refuse_shared_images(&self, other: &Dataset) -> Result<()> {
        let ours = self.rows.iter().map(|row| (paths::key(&row.path), row));
        let ours: HashMap<_, _> = ours.collect();
        let shared = other.rows.iter().find_map(|row| {
            let same = ours.get(&paths::key(&row.path))?;
            Some((*same, row))
        });
        if let Some((one, two)) = shared {
            bail!(
                "the image {} is in two splits ({}; {})",
                two.path,
                one.place(),
                two.place()
            );
        }
        Ok(())
    }

    /// Whether anything says whose images these are.
    pub fn names_patients(&self) -> bool {
        self.rows.iter().any(Row::names_patient)
    }

    /// How many patients the images are of, for people.
    pub fn said_patients(&self) -> String {
        if self.names_patients() {
            format!("{} patients", self.patients().len())
        } else {
            "an unknown number of patients".to_owned()
        }
    }
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
    /// With pictures in the levels that a model asks for.
    pub fn read_in(mut self, levels: Rule) -> Self {
        let others = [&mut self.train, &mut self.valid];
        for data in others.into_iter().chain(&mut self.test) {
            data.decoding.levels = levels;
        }
        self
    }

    /// # Errors
    /// When a patient or an image is in two of them.
    pub fn checked(self) -> Result<Self> {
        let mut pairs = vec![(&self.train, &self.valid)];
        if let Some(test) = &self.test {
            pairs.extend([(&self.train, test), (&self.valid, test)]);
        }
        for (one, other) in pairs {
            one.refuse_shared_patients(other)?;
            one.refuse_shared_images(other)?;
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
        let dataset = |path: &str, patient: &str| {
            let row = Row {
                path: path.to_owned(),
                patient: patient.into(),
                ..Row::default()
            };
            Dataset::new(Location::Local(".".into()), vec![row])
        };
        let splits = |train, valid, test| Splits {
            train: dataset("1.png", train),
            valid: dataset("2.png", valid),
            test: Some(dataset("3.png", test)),
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
        // One image of two patients.
        let splits = Splits {
            train: dataset("D:\\cxr\\CheXpert-v1.0\\train\\a.png", "a"),
            valid: dataset("CheXpert-v1.0-small/train/a.png", "b"),
            test: None,
            rows_sha256: BTreeMap::new(),
        };
        let error = splits.checked().expect_err("a shared image").to_string();
        assert!(error.contains("the image CheXpert-v1.0-small/train/a.png is in two splits"));
    }
}
