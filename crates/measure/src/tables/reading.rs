//! A CSV of images becomes rows: what a single row cannot tell is found out here, and said.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sightline_core::finding::Finding;

use super::columns::Collector;
use super::row::{Entry, Folder, Format, Origin, Row, Sheet};
use super::table::Table;
use super::{chexpert, nih, paths};

/// Rows before their table is finished.
pub struct Reading {
    name: String,
    format: Box<dyn Format>,
    columns: Collector,
    rows: Vec<Row>,
    /// Rows of which no column and no file name tells the view.
    unseen: usize,
    /// Rows whose column says another view than the file's name.
    contradicted: usize,
}

impl Reading {
    /// Reads the labels of some findings.
    ///
    /// # Errors
    /// When the text is no table, or a row cannot be understood.
    pub fn of(text: &str, name: &str, findings: &[Finding]) -> Result<Self> {
        let mut table = Table::of(text)?;
        let format: Box<dyn Format> = match nih::DataEntry::of(&table, findings)? {
            Some(format) => Box::new(format),
            None => Box::new(chexpert::CheXpert::of(&table, findings)?),
        };
        let mut reading = Self {
            name: name.to_owned(),
            format,
            columns: Collector::of(&table),
            rows: Vec::new(),
            unseen: 0,
            contradicted: 0,
        };
        let mut words = HashSet::new();
        while let Some(line) = table.next_line()? {
            let entry = reading.format.entry(&line).with_context(|| line.place())?;
            let (number, place) = (reading.rows.len(), line.number);
            let row = reading.row(entry, number, place, &mut words)?;
            reading.columns.push(&line);
            reading.rows.push(row);
        }
        if reading.rows.is_empty() {
            bail!("the table has no rows");
        }
        Ok(reading)
    }

    fn row(
        &mut self,
        entry: Entry,
        number: usize,
        line: usize,
        words: &mut HashSet<Arc<str>>,
    ) -> Result<Row> {
        let named = paths::is_lateral(&entry.path);
        match (entry.lateral, named) {
            (None, None) => self.unseen += 1,
            (Some(said), Some(named)) if said != named => self.contradicted += 1,
            _ => {}
        }
        let (of_path, study) = match paths::patient_and_study(&entry.path) {
            Some((patient, study)) => (Some(patient), study),
            None => (None, None),
        };
        let by_column = entry.patient.is_some();
        let patient = entry.patient.or(of_path);
        let image = || paths::key(&entry.path).into_owned();
        let names_patient = patient.is_some();
        let patient = patient.unwrap_or_else(image);
        let study = match study {
            Some(study) => format!("{patient}/{study}"),
            // Every image is a study of its own.
            None => image(),
        };
        let mut once = |text: String| match words.get(text.as_str()) {
            Some(known) => known.clone(),
            None => {
                let new: Arc<str> = text.into();
                words.insert(new.clone());
                new
            }
        };
        Ok(Row {
            number,
            patient: once(patient),
            study: once(study),
            labels: entry.labels,
            lateral: entry.lateral.or(named).unwrap_or(false),
            position: entry.position,
            path: entry.path,
            origin: Origin {
                record: u32::try_from(number).context("too many rows")?,
                line: u32::try_from(line).context("too many lines")?,
                names_patient,
                by_column,
                ..Origin::default()
            },
        })
    }

    /// The rows, and what there is to say of them.
    ///
    /// # Errors
    /// When two rows contradict each other.
    pub fn finish(mut self, folder: &dyn Folder) -> Result<(Vec<Row>, Vec<String>)> {
        let mut notes = self.format.notes();
        notes.extend(self.said_views());
        notes.extend(self.said_patients());
        self.format.look(folder, &self.rows);
        let sheet = Arc::new(Sheet {
            name: self.name,
            columns: self.columns.finish(),
            format: Some(self.format),
        });
        for row in &mut self.rows {
            row.origin.sheet = sheet.clone();
        }
        notes.extend(without_repeats(&mut self.rows)?);
        name_patients_by_columns(&mut self.rows)?;
        Ok((self.rows, notes))
    }

    fn said_views(&self) -> Vec<String> {
        let all = self.rows.len();
        let mut notes = Vec::new();
        if self.unseen > 0 {
            notes.push(format!(
                "{} of {all} rows do not say the view, by a column Frontal/Lateral or in the file's name: taken as frontal",
                self.unseen
            ));
        }
        if self.contradicted > 0 {
            notes.push(format!(
                "the column says another view than the file's name in {} of {all} rows: the column is believed",
                self.contradicted
            ));
        }
        notes
    }

    fn said_patients(&self) -> Option<String> {
        let all = self.rows.len();
        let nameless = self.rows.iter().filter(|row| !row.names_patient()).count();
        if nameless > 0 {
            return Some(format!(
                "{nameless} of {all} rows name no patient, by a column Patient or a folder such as patient00001: each of these images \
                 is taken for a patient of its own, and whether a patient is in two splits cannot be checked"
            ));
        }
        let patients: BTreeSet<&str> = self.rows.iter().map(|row| row.patient.as_ref()).collect();
        match patients.first() {
            Some(patient) if patients.len() == 1 && all > 1 => Some(format!(
                "all {all} rows are of one patient, {patient}; if they are not, add a column Patient"
            )),
            _ => None,
        }
    }
}

/// Where a column names the patient of some images in a patient's folder, it is the patient of all of them.
///
/// # Errors
/// When a column names two patients in one such folder.
fn name_patients_by_columns(rows: &mut [Row]) -> Result<()> {
    if !rows.iter().any(|row| row.origin.by_column) {
        return Ok(());
    }
    let mut patients: HashMap<String, (Arc<str>, u32)> = HashMap::new();
    for row in rows.iter().filter(|row| row.origin.by_column) {
        let Some(folder) = paths::patient_folder(&row.path) else {
            continue;
        };
        let found = (row.patient.clone(), row.origin.line);
        let (patient, line) = patients.entry(folder.clone()).or_insert(found);
        if *patient != row.patient {
            bail!(
                "line {}: the patient is {}, and of another image in {folder} (line {line}) it is {patient}; \
                 mend the column, or leave it out",
                row.origin.line,
                row.patient
            );
        }
    }
    for row in rows.iter_mut().filter(|row| !row.origin.by_column) {
        let folder = paths::patient_folder(&row.path);
        if let Some((patient, _)) = folder.and_then(|folder| patients.get(&folder)) {
            row.patient = patient.clone();
            (row.origin.by_column, row.origin.names_patient) = (true, true);
        }
    }
    Ok(())
}

/// Leaves out rows that say again what a row before them says.
///
/// # Errors
/// When they say something else of the same image.
fn without_repeats(rows: &mut Vec<Row>) -> Result<Option<String>> {
    let repeats = {
        let keys = rows.iter().enumerate();
        let mut keys: Vec<(Cow<str>, usize)> = keys
            .map(|(index, row)| (paths::key(&row.path), index))
            .collect();
        keys.sort_unstable();
        let mut repeats = Vec::new();
        for same in keys.chunk_by(|a, b| a.0 == b.0) {
            let first = &rows[same[0].1];
            for (_, index) in &same[1..] {
                contradiction(first, &rows[*index])?;
                repeats.push(*index);
            }
        }
        repeats.sort_unstable();
        repeats
    };
    let Some(first) = repeats.first() else {
        return Ok(None);
    };
    let note = format!(
        "{} of {} rows repeat a row before them and are left out; the first is in line {}",
        repeats.len(),
        rows.len(),
        rows[*first].origin.line
    );
    let mut index = 0;
    rows.retain(|_| {
        index += 1;
        repeats.binary_search(&(index - 1)).is_err()
    });
    for (number, row) in rows.iter_mut().enumerate() {
        row.number = number;
    }
    Ok(Some(note))
}

/// # Errors
/// When two rows of one image do not say the same.
fn contradiction(first: &Row, second: &Row) -> Result<()> {
    let split = |row: &Row| row.column("Split").unwrap_or_default().to_lowercase();
    let what = if split(first) != split(second) {
        format!(
            "so it is in two splits, {:?} and {:?}",
            split(first),
            split(second)
        )
    } else if first.patient != second.patient {
        format!(
            "with two patients, {} and {}",
            first.patient, second.patient
        )
    } else if first.labels != second.labels || first.lateral != second.lateral {
        "with other labels".to_owned()
    } else {
        return Ok(());
    };
    bail!(
        "line {} and line {} are of one image, {}, {what}",
        first.origin.line,
        second.origin.line,
        second.path
    )
}
