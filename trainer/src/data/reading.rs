//! A CSV of images becomes rows: what a single row cannot tell is found out here, and said.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sightline::finding::Finding;

use super::columns::Collector;
use super::row::{Entry, Format, Origin, Row, Sheet};
use super::table::Table;
use super::{chexpert, nih, paths};
use crate::storage::Location;

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
        while let Some(line) = table.next()? {
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
    pub fn finish(mut self, root: &Location) -> Result<(Vec<Row>, Vec<String>)> {
        let mut notes = self.format.notes();
        notes.extend(self.said_views());
        notes.extend(self.said_patients());
        self.format.look(root, &self.rows);
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::data::labels::Labels;
    use crate::data::{Dataset, Label};

    fn cases(folder: &str) -> PathBuf {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
        cases.join(folder)
    }

    fn rows(text: &str) -> Result<(Vec<Row>, Vec<String>)> {
        Reading::of(text, "a.csv", &Finding::ALL)?.finish(&Location::Local("nowhere".into()))
    }

    /// What a table says of each image.
    fn says(data: &Dataset) -> Vec<(String, String, Labels, bool)> {
        let rows = data.rows.iter();
        rows.map(|row| {
            let (path, patient) = (row.path.clone(), row.patient.to_string());
            (path, patient, row.labels.clone(), row.lateral)
        })
        .collect()
    }

    #[test]
    fn every_table_that_a_program_wrote_says_what_its_control_says() {
        let folder = cases("written-by-programs");
        let read = |name: &str| Dataset::read(&folder.join(name).as_path().into(), None);
        let control = says(&read("control.csv").expect("the control"));
        assert_eq!(control.len(), 6);
        let mut tables = 0;
        for file in std::fs::read_dir(&folder).expect("cases") {
            let path = file.expect("a case").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            if !name.ends_with(".csv") {
                continue;
            }
            tables += 1;
            if name == "one_row_short.csv" {
                let error = read(&name).expect_err("a short row");
                assert!(
                    format!("{error:#}").contains("line 5 has 18 cells"),
                    "{error:#}"
                );
                continue;
            }
            let data = read(&name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            let mut found = says(&data);
            if name == "missing_images.csv" {
                let missing = found.pop().expect("a row");
                assert!(missing.0.contains("patient99999"), "{missing:?}");
            }
            assert_eq!(found, control, "{name}");
            for row in data.rows.iter().take(6) {
                assert!(data.file(row).exists(), "{name}: {}", row.path);
            }
        }
        assert_eq!(tables, 26);
    }

    #[test]
    fn rows_that_are_there_twice_are_said() {
        let text = std::fs::read_to_string(cases("written-by-programs/rows_twice.csv"));
        let (rows, notes) = rows(&text.expect("a table")).expect("rows");
        assert_eq!(rows.len(), 6);
        let twice = notes
            .iter()
            .any(|note| note.contains("6 of 12 rows repeat"));
        assert!(twice && notes[0].contains("line 8"), "{notes:?}");
    }

    #[test]
    fn rows_of_one_image_that_contradict_each_other_are_refused() {
        let header =
            "Path,Edema,Patient,Split\nCheXpert-v1.0/train/patient1/study1/a.jpg,1,p,train\n";
        let again = "D:\\CheXpert-v1.0-small\\train\\patient1\\study1\\a.jpg";
        for (second, why) in [
            ("1,p,valid", "so it is in two splits"),
            ("1,q,train", "two patients, p and q"),
            ("0,p,train", "other labels"),
        ] {
            let error = rows(&format!("{header}{again},{second}\n")).expect_err(why);
            let said = error.to_string();
            assert!(
                said.contains("line 2 and line 3") && said.contains(why),
                "{said}"
            );
        }
        let (kept, _) = rows(&format!("{header}{again},1.0,P,Train\n")).expect("the same");
        assert_eq!(kept.len(), 1);
    }

    #[test]
    fn images_are_found_whichever_folders_their_paths_begin_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let small = folder.path().join("CheXpert-v1.0-small");
        let place = small.join("valid/patient1/study1");
        std::fs::create_dir_all(&place).expect("a folder");
        std::fs::write(place.join("a.jpg"), "").expect("written");
        for root in [folder.path(), small.as_path()] {
            for lead in [
                "CheXpert-v1.0-small/",
                "CheXpert-v1.0/",
                "D:\\data\\CheXpert-v1.0-small\\",
                "\\\\server\\share\\CheXpert-v1.0\\",
                "/elsewhere/chexpert-v1.0-small/",
                "./CheXpert-v1.0//",
            ] {
                let text = format!("Path,Edema\n{lead}valid\\patient1\\study1\\a.jpg,1\n");
                let reading = Reading::of(&text, "a.csv", &Finding::ALL).expect("a table");
                let root = Location::from(root);
                let (rows, _) = reading.finish(&root).expect("rows");
                let data = Dataset::new(root, rows);
                assert!(
                    data.file(&data.rows[0]).exists(),
                    "{lead} below {}",
                    data.root
                );
            }
        }
        // Below a drive and folders that are not here.
        let text = "Path,Edema\nE:\\my\\cxr\\valid\\patient1\\study1\\a.jpg,1\nE:\\my\\cxr\\test\\patient2\\study1\\a.jpg,1\n";
        let root = Location::from(small.as_path());
        let (rows, _) = Reading::of(text, "a.csv", &Finding::ALL)
            .expect("a table")
            .finish(&root)
            .expect("rows");
        let data = Dataset::new(root, rows);
        assert!(data.file(&data.rows[0]).exists());
        assert!(
            data.file(&data.rows[1])
                .to_string()
                .ends_with("test/patient2/study1/a.jpg")
        );
    }

    #[test]
    fn views_come_from_columns_then_from_names() {
        let lateral = |text: &str| -> Vec<bool> {
            let (rows, _) = rows(text).expect("rows");
            rows.iter().map(|row| row.lateral).collect()
        };
        let names = "Path\npatient1/study1/view1_frontal.jpg\npatient1/study1/view2_lateral.jpg\n";
        assert_eq!(lateral(names), [false, true]);
        let blank = "Path,Frontal/Lateral\npatient1/study1/view2_lateral.jpg,NaN\npatient1/study1/b.jpg,Lateral\n";
        assert_eq!(lateral(blank), [true, true]);
        let mimic = "Path,ViewPosition\np10000032/s1/a.jpg,PA\np10000032/s1/b.jpg,LATERAL\np10000032/s1/c.jpg,LL\n";
        assert_eq!(lateral(mimic), [false, true, true]);
        // CheXpert's decubitus pictures are frontal.
        let decubitus = "Path,Frontal/Lateral,AP/PA\npatient1/study1/a.jpg,Frontal,LL\n";
        assert_eq!(lateral(decubitus), [false]);
        let (_, notes) = rows("Path\npatient1/a.jpg\npatient2/b.jpg\n").expect("rows");
        let told = notes
            .iter()
            .any(|note| note.contains("2 of 2 rows do not say the view"));
        assert!(told, "{notes:?}");
        let against = "Path,Frontal/Lateral\npatient1/study1/view2_lateral.jpg,Frontal\n";
        let (_, notes) = rows(against).expect("rows");
        assert!(
            notes
                .iter()
                .any(|note| note.contains("the column is believed")),
            "{notes:?}"
        );
        assert!(rows("Path,Frontal/Lateral\na.jpg,Oblique\n").is_err());
    }

    #[test]
    fn a_finding_without_a_column_is_not_labelled() {
        let (found, notes) = rows("Path,Airspace_Opacity\npatient1/a.jpg,1\n").expect("rows");
        let opacity = Finding::LungOpacity.index();
        for (index, label) in found[0].labels.iter().enumerate() {
            let expected = if index == opacity {
                Label::Present
            } else {
                Label::Unlabelled
            };
            assert_eq!(*label, expected);
        }
        let note = notes.iter().find(|note| note.contains("no column for"));
        let note = note.expect("said");
        assert!(
            note.contains("Fracture") && !note.contains("Opacity"),
            "{note}"
        );
        // Two columns for one finding: which?
        assert!(rows("Path,Airspace Opacity,Lung Opacity\na.jpg,1,0\n").is_err());
    }

    #[test]
    fn patients_that_nobody_names_and_one_patient_for_all_are_said() {
        let note = |text: &str| -> String {
            let (_, notes) = rows(text).expect("rows");
            notes.join("; ")
        };
        let nobody = note("Path\npatients/1/a.jpg\npatients/2/b.jpg\n");
        assert!(nobody.contains("2 of 2 rows name no patient"), "{nobody}");
        let one = note("Path\npatient2019/1/a.jpg\npatient2019/2/b.jpg\n");
        assert!(
            one.contains("all 2 rows are of one patient, patient2019"),
            "{one}"
        );
        let (found, _) =
            rows("Path,Patient ID\npatients/1/a.jpg,007\npatients/2/b.jpg,7.0\n").expect("rows");
        assert_eq!(found[0].patient, found[1].patient);
    }
}
