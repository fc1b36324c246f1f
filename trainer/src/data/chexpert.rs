//! CSV files in CheXpert's format.

use anyhow::{Context, Result, bail};
use csv::StringRecord;
use sightline::finding::Finding;

use super::dataset::{Format, Position, Row};
use crate::storage::Location;

/// Where CheXpert's columns are; headers may have underscores, and any order.
pub struct CheXpert {
    path: usize,
    findings: [usize; 14],
    frontal: Option<usize>,
    position: Option<usize>,
    /// Not CheXpert's: the patient, where the path does not say.
    patient: Option<usize>,
}

impl CheXpert {
    pub fn of(header: &StringRecord) -> Result<Self> {
        let plain = |name: &str| name.trim().replace(['_', '/'], " ").to_lowercase();
        let column = |name: &str| header.iter().position(|h| plain(h) == plain(name));
        let mut findings = [0; 14];
        for finding in Finding::ALL {
            findings[finding.index()] =
                column(finding.name()).with_context(|| format!("there is no column {finding}"))?;
        }
        Ok(Self {
            path: column("Path").context("there is no column Path")?,
            findings,
            frontal: column("Frontal/Lateral"),
            position: column("AP/PA"),
            patient: column("Patient"),
        })
    }
}

impl Format for CheXpert {
    fn row(&self, record: &StringRecord) -> Result<Row> {
        let path = record[self.path].to_owned();
        let mut labels = [None; 14];
        for finding in Finding::ALL {
            let text = &record[self.findings[finding.index()]];
            labels[finding.index()] = label(text).with_context(|| finding.name())?;
        }
        let (patient, study) = patient_and_study(&path);
        Ok(Row {
            patient: self
                .patient
                .map_or(patient, |column| record[column].to_owned()),
            study,
            labels,
            lateral: self
                .frontal
                .is_some_and(|c| record[c].eq_ignore_ascii_case("lateral")),
            position: self.position.and_then(|c| Position::of(&record[c])),
            path,
            ..Row::default()
        })
    }

    /// CheXpert's paths begin with its own folder's name, whether one points at that folder or at the one above.
    fn root(&self, root: Location, first: &str) -> Location {
        match root.parent() {
            Some(above) if !root.join(first).exists() && above.join(first).exists() => above,
            _ => root,
        }
    }
}

/// `1`, `1.0`, ` 0 `, `-1.0`, or blank.
fn label(text: &str) -> Result<Option<f32>> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<f32>() {
        Ok(value) if [1.0, 0.0, -1.0].contains(&value) => Ok(Some(value)),
        _ => bail!("{text:?} is no label; labels are 1, 0, -1 (uncertain) and blank"),
    }
}

/// `.../patient00001/study1/view1_frontal.jpg`: the patient, and the study with its patient. The folders `train`, `valid`
/// and `test` do not tell patients apart: one in two of them is one patient.
pub fn patient_and_study(path: &str) -> (String, String) {
    let is_split = |part: &&str| ["train", "valid", "val", "test"].contains(part);
    let parts: Vec<&str> = path.split('/').filter(|part| !is_split(part)).collect();
    match parts.iter().position(|part| part.starts_with("patient")) {
        Some(at) if at + 1 < parts.len() => (parts[..=at].join("/"), parts[..=at + 1].join("/")),
        _ => (path.to_owned(), path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Selection};
    use crate::golden;

    #[test]
    fn labels_are_one_zero_uncertain_or_blank_and_nothing_else() {
        assert_eq!(label("1.00").expect("a label"), Some(1.0));
        assert_eq!(label("-1").expect("a label"), Some(-1.0));
        assert_eq!(label("").expect("blank"), None);
        assert!(label("2").is_err());
        assert!(label("yes").is_err());
    }

    #[test]
    fn patients_and_studies_come_from_the_path_and_splits_do_not_tell_them_apart() {
        let (patient, study) =
            patient_and_study("CheXpert-v1.0/train/patient00001/study2/view1_frontal.jpg");
        assert_eq!(patient, "CheXpert-v1.0/patient00001");
        assert_eq!(study, "CheXpert-v1.0/patient00001/study2");
        let (again, _) =
            patient_and_study("CheXpert-v1.0/valid/patient00001/study1/view1_frontal.jpg");
        assert_eq!(again, patient);
    }

    #[test]
    fn golden_rows_are_read_from_either_spelling_of_the_header() {
        let expected = golden::json("labels/expected.json");
        for file in ["labels/chexpert.csv", "labels/chexpert_underscores.csv"] {
            let data = Dataset::read(&golden::path(file).as_path().into(), None)
                .expect("CheXpert's format");
            assert_eq!(
                data.rows.len() as u64,
                expected["rows_total"].as_u64().expect("a count")
            );
            let data = data.select(&Selection::default()).expect("frontal rows");
            let rows = expected["rows"].as_array().expect("rows");
            assert_eq!(data.rows.len(), rows.len());
            for (row, expected) in data.rows.iter().zip(rows) {
                assert_eq!(row.path, expected["path"].as_str().expect("a path"));
                let last = |text: &str| text.rsplit('/').next().map(str::to_owned);
                assert_eq!(last(&row.patient).as_deref(), expected["patient"].as_str());
                assert_eq!(last(&row.study).as_deref(), expected["study"].as_str());
                let position = match row.position {
                    Some(Position::Ap) => Some("AP"),
                    Some(Position::Pa) => Some("PA"),
                    None => None,
                };
                assert_eq!(position, expected["view_position"].as_str(), "{}", row.path);
                let raw = expected["raw"].as_array().expect("labels").iter();
                let raw: Vec<Option<f32>> = raw.map(|v| v.as_f64().map(|v| v as f32)).collect();
                assert_eq!(row.labels.to_vec(), raw, "{}", row.path);
            }
        }
    }
}
