//! Another model's predictions of the training images as soft labels, beside the labels of the CSV (distillation).

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use sightline::finding::Finding;
use sightline::package::{Calibration, sha256, sigmoid};

use crate::data::{Dataset, key, probabilities};
use crate::measure::metrics::Case;
use crate::measure::metrics::probability::platt;
use crate::storage::Location;

/// In a recipe: whom to learn from, and how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftLabels {
    /// In the data folder: `Path` and a column for each finding (what `predict` writes), or `prob_` before each of
    /// ChestX-ray14's labels.
    pub csv: PathBuf,
    /// The teacher's share in the target where there is a label; where there is none, it is the target.
    pub weight: f32,
}

/// The soft labels of the training images: a teacher's probabilities, calibrated on the training labels.
#[derive(Clone, Debug, Default)]
pub struct SoftTargets {
    weight: f32,
    /// By image ([`key`]).
    probabilities: BTreeMap<String, [Option<f32>; Finding::COUNT]>,
}

impl SoftTargets {
    /// Reads a teacher's probabilities and fits them, finding by finding, to the labels of the training images (Platt's
    /// scaling): its idea of how rare a finding is comes from other images. Images beyond `train` are not looked at.
    ///
    /// # Errors
    /// When the file cannot be read, or says nothing of the training images.
    pub fn read(labels: &SoftLabels, folder: &Location, train: &Dataset) -> Result<Self> {
        let csv = folder.join(&labels.csv.to_string_lossy());
        let raw = probabilities(&csv, &Finding::ALL)?;
        let rows = train.rows.iter().map(|row| (key(&row.path), row));
        let rows: Vec<_> = rows
            .filter(|(image, _)| raw.contains_key(image.as_ref()))
            .collect();
        if rows.is_empty() {
            bail!("{csv} says nothing of the training images");
        }
        let mut probabilities = BTreeMap::new();
        for (image, _) in &rows {
            probabilities.insert(image.to_string(), [None; Finding::COUNT]);
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
                    taught[index] = Some(sigmoid(scale * logit + offset) as f32);
                }
            }
        }
        Ok(Self {
            weight: labels.weight,
            probabilities,
        })
    }

    /// How many images have soft labels.
    pub fn len(&self) -> usize {
        self.probabilities.len()
    }

    /// A hash of all that it says.
    pub fn sha256(&self) -> String {
        sha256(format!("{:?}", self.probabilities).as_bytes())
    }

    /// Blends the soft labels of an image into its targets and mask.
    pub fn blend(
        &self,
        path: &str,
        targets: &mut [f32; Finding::COUNT],
        mask: &mut [f32; Finding::COUNT],
    ) {
        let Some(taught) = self.probabilities.get(key(path).as_ref()) else {
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
        let labels = SoftLabels {
            csv: "teacher.csv".into(),
            weight: 0.5,
        };
        let soft = SoftTargets::read(&labels, &folder.path().into(), &train).expect("a teacher");
        assert_eq!(soft.len(), 40);
        let target = |path: &str, label: Option<f32>| {
            let (mut targets, mut mask) = ([0.0; 14], [0.0; 14]);
            let index = Finding::PleuralEffusion.index();
            if let Some(label) = label {
                (targets[index], mask[index]) = (label, 1.0);
            }
            soft.blend(path, &mut targets, &mut mask);
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
}
