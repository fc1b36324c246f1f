//! What another model said of the images, to learn from beside their labels (distillation).

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sightline::finding::Finding;
use sightline::package::{Calibration, sha256};

use super::table::{Table, number, text_of};
use super::{Dataset, nih, paths};
use crate::metrics::Case;
use crate::metrics::probability::platt;
use crate::storage::Location;

/// In a recipe: whom to learn from, and how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Teacher {
    /// In the data folder: `Path` and a column for each finding (what `predict` writes), or `prob_` before each of
    /// ChestX-ray14's labels.
    pub csv: PathBuf,
    /// The teacher's share in the target where there is a label; where there is none, it is the target.
    pub weight: f32,
}

/// A teacher's probabilities of the training images, as good as the training labels can make them.
#[derive(Clone, Debug, Default)]
pub struct Lessons {
    weight: f32,
    /// By image ([`paths::key`]).
    probabilities: BTreeMap<String, [Option<f32>; 14]>,
}

impl Lessons {
    /// Reads a teacher's probabilities and fits them, finding by finding, to the labels of the training images (Platt's
    /// scaling): its idea of how rare a finding is comes from other images. Images beyond `train` are not looked at.
    ///
    /// # Errors
    /// When the file cannot be read, or says nothing of the training images.
    pub fn read(teacher: &Teacher, folder: &Location, train: &Dataset) -> Result<Self> {
        let csv = folder.join(&teacher.csv.to_string_lossy());
        let raw = probabilities(&csv)?;
        let rows = train.rows.iter().map(|row| (paths::key(&row.path), row));
        let rows: Vec<_> = rows
            .filter(|(image, _)| raw.contains_key(image.as_ref()))
            .collect();
        if rows.is_empty() {
            bail!("{csv} says nothing of the training images");
        }
        let mut probabilities = BTreeMap::new();
        for (image, _) in &rows {
            probabilities.insert(image.to_string(), [None; 14]);
        }
        for finding in Finding::ALL {
            let index = finding.index();
            let logit = |image: &str| {
                let p = raw[image][index]?.clamp(1e-6, 1.0 - 1e-6);
                Some((p / (1.0 - p)).ln())
            };
            let cases = rows.iter().filter_map(|(image, row)| {
                let positive = row.labels[index].certain()?;
                Some(Case::new(logit(image)?, positive))
            });
            let Some(Calibration::Platt { scale, offset }) = platt(&cases.collect::<Vec<_>>())
            else {
                continue;
            };
            for (image, _) in &rows {
                let taught = probabilities.get_mut(image.as_ref());
                if let (Some(logit), Some(taught)) = (logit(image), taught) {
                    let p = 1.0 / (1.0 + (-(scale * logit + offset)).exp());
                    taught[index] = Some(p as f32);
                }
            }
        }
        Ok(Self {
            weight: teacher.weight,
            probabilities,
        })
    }

    /// How many images there is a lesson for.
    pub fn len(&self) -> usize {
        self.probabilities.len()
    }

    /// A hash of all that it says.
    pub fn sha256(&self) -> String {
        sha256(format!("{:?}", self.probabilities).as_bytes())
    }

    /// Brings the teacher's word into targets and mask.
    pub fn teach(&self, path: &str, targets: &mut [f32; 14], mask: &mut [f32; 14]) {
        let Some(taught) = self.probabilities.get(paths::key(path).as_ref()) else {
            return;
        };
        for (index, taught) in taught.iter().enumerate() {
            if let Some(taught) = taught {
                let weight = if mask[index] == 1.0 { self.weight } else { 1.0 };
                targets[index] += weight * (taught - targets[index]);
                mask[index] = 1.0;
            }
        }
    }
}

/// What a model said of images, by their [`paths::key`].
pub type Probabilities = BTreeMap<String, [Option<f64>; 14]>;

/// Reads `Path` and a column for each finding, or `prob_` before each of ChestX-ray14's labels; of several columns for one
/// finding, the highest counts.
///
/// # Errors
/// When that cannot be read.
pub fn probabilities(csv: &Location) -> Result<Probabilities> {
    parse(&text_of(csv)?).with_context(|| csv.to_string())
}

pub(super) fn parse(text: &str) -> Result<Probabilities> {
    let mut table = Table::of(text)?;
    let path = table.needed("Path")?;
    let columns: Vec<Vec<Finding>> = table
        .header()
        .iter()
        .map(|name| match name.strip_prefix("prob_") {
            Some(label) => nih::findings_of(label),
            None => Finding::from_name(name).into_iter().collect(),
        })
        .collect();
    if columns.iter().all(Vec::is_empty) {
        bail!("no column is named after a finding");
    }
    let mut rows = BTreeMap::new();
    while let Some(line) = table.next()? {
        let mut row = [None; 14];
        for (text, findings) in line.cells().zip(&columns) {
            if text.is_empty() || findings.is_empty() {
                continue;
            }
            let p = number(text).filter(|p| (0.0..=1.0).contains(p));
            let p = p.with_context(|| format!("{}: {text:?} is no probability", line.place()))?;
            for finding in findings {
                let best = &mut row[finding.index()];
                *best = Some(best.map_or(p, |best: f64| best.max(p)));
            }
        }
        let image = paths::key(line.cell(path)).into_owned();
        if let Some(before) = rows.insert(image, row)
            && before != row
        {
            bail!(
                "{}: its image is there before, with other scores",
                line.place()
            );
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Label, Row};

    #[test]
    fn a_teacher_is_fitted_to_the_training_labels_and_seen_on_training_rows_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut text = "Path,prob_Effusion,prob_Mass,prob_Nodule".to_owned();
        let mut rows = Vec::new();
        for i in 0..40 {
            // Right in its order, but ten times too low.
            let p = f64::from(i) / 400.0;
            text += &format!("\ntrain{i}.png,{p},0.1,0.2");
            let mut row = Row {
                path: format!("train{i}.png"),
                ..Row::default()
            };
            let positive = i >= 20;
            row.labels[Finding::PleuralEffusion.index()] = match positive {
                true => Label::Present,
                false => Label::Absent,
            };
            rows.push(row);
        }
        text += "\ntest.png,0.9,0.1,0.2";
        std::fs::write(folder.path().join("teacher.csv"), text).expect("written");
        let train = Dataset::new(Location::Local(".".into()), rows);
        let teacher = Teacher {
            csv: "teacher.csv".into(),
            weight: 0.5,
        };
        let lessons = Lessons::read(&teacher, &folder.path().into(), &train).expect("a teacher");
        assert_eq!(lessons.len(), 40);
        let target = |path: &str, label: Option<f32>| {
            let (mut targets, mut mask) = ([0.0; 14], [0.0; 14]);
            let index = Finding::PleuralEffusion.index();
            if let Some(label) = label {
                (targets[index], mask[index]) = (label, 1.0);
            }
            lessons.teach(path, &mut targets, &mut mask);
            // No label tells what its Lung Lesion is worth.
            assert_eq!(mask[Finding::LungLesion.index()], 0.0);
            (targets[index], mask[index])
        };
        let (blank, mask) = target("train39.png", None);
        assert!(blank > 0.9 && mask == 1.0, "{blank}");
        assert!(target("train0.png", None).0 < 0.1);
        let (half, _) = target("train39.png", Some(0.0));
        assert!((half - blank / 2.0).abs() < 1e-6);
        assert_eq!(target("test.png", Some(0.0)), (0.0, 1.0));
    }

    #[test]
    fn scores_are_read_as_excel_writes_them_and_what_is_no_score_is_named_by_its_line() {
        let text = "sep=;\nPath;Edema;prob_Effusion\nimages\\a.png;0,25;NA\nimages/b.png;1;0\n";
        let scores = parse(text).expect("scores");
        let edema = Finding::Edema.index();
        assert_eq!(scores["images/a.png"][edema], Some(0.25));
        assert_eq!(
            scores["images/a.png"][Finding::PleuralEffusion.index()],
            None
        );
        assert_eq!(scores["images/b.png"][edema], Some(1.0));
        for (wrong, why) in [
            (
                text.replace("0,25", "2,5"),
                "line 3: \"2,5\" is no probability",
            ),
            (
                text.replace("b.png", "a.png"),
                "line 4: its image is there before",
            ),
        ] {
            let error = parse(&wrong).expect_err("no scores").to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
