//! CSV files in CheXpert's format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sightline::finding::Finding;

/// One image.
#[derive(Clone, Debug)]
pub struct Row {
    /// As the CSV writes it.
    pub path: String,
    pub patient: String,
    pub study: String,
    /// CheXpert's labels: 1, 0, -1 (uncertain) or `None` (not labelled), in the order of [`Finding::ALL`].
    pub labels: [Option<f32>; 14],
    pub frontal: bool,
    /// All columns by their name, for selections such as `Split=test`.
    pub columns: BTreeMap<String, String>,
}

/// The rows of a CSV file and where its images are.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub root: PathBuf,
    pub rows: Vec<Row>,
}

/// What an uncertain label (-1) becomes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UncertainPolicy {
    Zeros,
    Ones,
    /// Left out of the loss.
    Ignore,
    /// Drawn anew at every epoch (Pham et al., arXiv 1911.06475).
    Uniform(f32, f32),
}

impl Dataset {
    /// Reads a CSV; image paths are under `root`, or beside the CSV if there is none.
    ///
    /// # Errors
    /// When the file cannot be read, a column is missing, or a label is none of 1, 0, -1 and blank.
    pub fn read(csv: &Path, root: Option<&Path>) -> Result<Self> {
        let root = match root {
            Some(root) => root.to_owned(),
            None => csv.parent().unwrap_or(Path::new(".")).to_owned(),
        };
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_path(csv)
            .with_context(|| format!("cannot open {}", csv.display()))?;
        let header = reader.headers()?.clone();
        let plain = |name: &str| name.trim().replace(['_', '/'], " ").to_lowercase();
        let column = |name: &str| header.iter().position(|h| plain(h) == plain(name));
        let path_column = column("Path").context("there is no column Path")?;
        let frontal_column = column("Frontal/Lateral");
        let patient_column = column("Patient");
        let mut finding_columns = [0; 14];
        for finding in Finding::ALL {
            finding_columns[finding.index()] =
                column(finding.name()).with_context(|| format!("there is no column {finding}"))?;
        }
        let mut rows = Vec::new();
        for (number, record) in reader.records().enumerate() {
            let record = record.with_context(|| format!("{} row {}", csv.display(), number + 2))?;
            let path = record[path_column].to_owned();
            let mut labels = [None; 14];
            for finding in Finding::ALL {
                let text = &record[finding_columns[finding.index()]];
                labels[finding.index()] = label(text)
                    .with_context(|| format!("{} row {}: {finding}", csv.display(), number + 2))?;
            }
            let (patient, study) = patient_and_study(&path);
            rows.push(Row {
                patient: patient_column.map_or(patient, |column| record[column].to_owned()),
                study,
                labels,
                frontal: frontal_column.is_none_or(|c| !record[c].eq_ignore_ascii_case("lateral")),
                columns: header
                    .iter()
                    .map(str::to_owned)
                    .zip(record.iter().map(str::to_owned))
                    .collect(),
                path,
            });
        }
        if rows.is_empty() {
            bail!("{} has no rows", csv.display());
        }
        Ok(Self { root, rows })
    }

    /// The frontal rows whose column `column` says `value`.
    ///
    /// # Errors
    /// When there is no such column, or no row is left.
    pub fn select(&self, column: &str, value: &str) -> Result<Self> {
        if !self.rows.iter().any(|row| row.columns.contains_key(column)) {
            bail!("the CSV has no column {column}");
        }
        let wanted =
            |row: &&Row| row.frontal && row.columns.get(column).is_some_and(|v| v == value);
        let rows: Vec<Row> = self.rows.iter().filter(wanted).cloned().collect();
        if rows.is_empty() {
            bail!("no frontal row has {column}={value}");
        }
        Ok(Self {
            root: self.root.clone(),
            rows,
        })
    }

    pub fn patients(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.patient.as_str()).collect()
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

/// `.../patient00001/study1/view1_frontal.jpg`: the patient, and the study with its patient.
fn patient_and_study(path: &str) -> (String, String) {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.iter().position(|part| part.starts_with("patient")) {
        Some(at) if at + 1 < parts.len() => (parts[..=at].join("/"), parts[..=at + 1].join("/")),
        _ => (path.to_owned(), path.to_owned()),
    }
}

impl Row {
    /// Targets in 0..1 and their weights in the loss (0 or 1).
    pub fn targets(&self, policy: UncertainPolicy, rng: &mut impl Rng) -> ([f32; 14], [f32; 14]) {
        let mut targets = [0.0; 14];
        let mut mask = [0.0; 14];
        for (index, label) in self.labels.iter().enumerate() {
            let target = match (label, policy) {
                (None, _) | (Some(-1.0), UncertainPolicy::Ignore) => continue,
                (Some(-1.0), UncertainPolicy::Zeros) => 0.0,
                (Some(-1.0), UncertainPolicy::Ones) => 1.0,
                (Some(-1.0), UncertainPolicy::Uniform(low, high)) => rng.random_range(low..=high),
                (Some(label), _) => *label,
            };
            targets[index] = target;
            mask[index] = 1.0;
        }
        (targets, mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn labels_are_one_zero_uncertain_or_blank_and_nothing_else() {
        assert_eq!(label("1.00").unwrap(), Some(1.0));
        assert_eq!(label("-1").unwrap(), Some(-1.0));
        assert_eq!(label("").unwrap(), None);
        assert!(label("2").is_err());
        assert!(label("yes").is_err());
    }

    #[test]
    fn patients_and_studies_come_from_the_path() {
        let (patient, study) =
            patient_and_study("CheXpert-v1.0/train/patient00001/study2/view1_frontal.jpg");
        assert_eq!(patient, "CheXpert-v1.0/train/patient00001");
        assert_eq!(study, "CheXpert-v1.0/train/patient00001/study2");
    }

    #[test]
    fn uncertain_labels_follow_the_policy_and_blank_ones_are_masked() {
        let mut labels = [None; 14];
        labels[0] = Some(-1.0);
        labels[1] = Some(1.0);
        let row = Row {
            path: String::new(),
            patient: String::new(),
            study: String::new(),
            labels,
            frontal: true,
            columns: BTreeMap::new(),
        };
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let mut first = |policy| {
            let (targets, mask) = row.targets(policy, &mut rng);
            assert_eq!((targets[1], mask[1], mask[2]), (1.0, 1.0, 0.0));
            (targets[0], mask[0])
        };
        assert_eq!(first(UncertainPolicy::Zeros), (0.0, 1.0));
        assert_eq!(first(UncertainPolicy::Ones), (1.0, 1.0));
        assert_eq!(first(UncertainPolicy::Ignore).1, 0.0);
        let (a, b) = (
            first(UncertainPolicy::Uniform(0.55, 0.85)).0,
            first(UncertainPolicy::Uniform(0.55, 0.85)).0,
        );
        assert!((0.55..=0.85).contains(&a) && a != b);
    }
}
