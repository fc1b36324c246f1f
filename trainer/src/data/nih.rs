//! `Data_Entry_2017.csv` of NIH ChestX-ray14 (Wang et al., CVPR 2017), in either of its two headers.

use anyhow::{Result, bail};
use csv::StringRecord;
use sightline::finding::Finding;

use super::dataset::{Format, Position, Row};
use crate::storage::Location;

/// Where the columns are.
pub struct DataEntry {
    image: usize,
    labels: usize,
    patient: usize,
    position: Option<usize>,
}

/// Labels of the file, and the finding each stands for, if any.
const LABELS: [(&str, Option<Finding>); 15] = [
    ("No Finding", Some(Finding::NoFinding)),
    ("Atelectasis", Some(Finding::Atelectasis)),
    ("Cardiomegaly", Some(Finding::Cardiomegaly)),
    ("Consolidation", Some(Finding::Consolidation)),
    ("Edema", Some(Finding::Edema)),
    ("Effusion", Some(Finding::PleuralEffusion)),
    ("Emphysema", None),
    ("Fibrosis", None),
    ("Hernia", None),
    ("Infiltration", None),
    ("Mass", Some(Finding::LungLesion)),
    ("Nodule", Some(Finding::LungLesion)),
    ("Pleural_Thickening", Some(Finding::PleuralOther)),
    ("Pneumonia", Some(Finding::Pneumonia)),
    ("Pneumothorax", Some(Finding::Pneumothorax)),
];

/// What makes the lung denser, and so is a Lung Opacity.
const OPACITIES: [&str; 7] = [
    "Infiltration",
    "Consolidation",
    "Edema",
    "Pneumonia",
    "Atelectasis",
    "Mass",
    "Nodule",
];

/// Findings that ChestX-ray14 never labels.
const UNLABELLED: [Finding; 3] = [
    Finding::EnlargedCardiomediastinum,
    Finding::Fracture,
    Finding::SupportDevices,
];

/// The findings that one of ChestX-ray14's labels stands for or implies.
pub fn findings_of(label: &str) -> Vec<Finding> {
    let own = LABELS.iter().find(|(name, _)| *name == label);
    let opacity = OPACITIES.contains(&label).then_some(Finding::LungOpacity);
    own.and_then(|(_, finding)| *finding)
        .into_iter()
        .chain(opacity)
        .collect()
}

impl DataEntry {
    /// `None` if the header is of another format.
    pub fn of(header: &StringRecord) -> Option<Self> {
        let column = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
        Some(Self {
            image: column("Image Index")?,
            labels: column("Finding Labels")?,
            patient: column("Patient ID")?,
            position: column("View Position"),
        })
    }
}

impl Format for DataEntry {
    /// A named finding is 1, any other 0; Lung Opacity is blank where a label leaves it open.
    fn row(&self, record: &StringRecord) -> Result<Row> {
        let mut labels = [Some(0.0); 14];
        for finding in UNLABELLED {
            labels[finding.index()] = None;
        }
        let named: Vec<&str> = record[self.labels].split('|').map(str::trim).collect();
        for name in &named {
            match LABELS
                .iter()
                .find(|(label, _)| label.eq_ignore_ascii_case(name))
            {
                Some((_, Some(finding))) => labels[finding.index()] = Some(1.0),
                Some((_, None)) => {}
                None => bail!("{name:?} is none of ChestX-ray14's labels"),
            }
        }
        labels[Finding::LungOpacity.index()] = if OPACITIES.iter().any(|o| named.contains(o)) {
            Some(1.0)
        } else if labels[Finding::NoFinding.index()] == Some(1.0) {
            Some(0.0)
        } else {
            None
        };
        let path = record[self.image].to_owned();
        Ok(Row {
            patient: record[self.patient].to_owned(),
            // The file names follow-ups, not studies: every image is one.
            study: path.clone(),
            labels,
            lateral: false,
            position: self.position.and_then(|c| Position::of(&record[c])),
            path,
            ..Row::default()
        })
    }

    fn root(&self, root: Location, _first: &str) -> Location {
        root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;

    #[test]
    fn data_entry_is_read_and_its_images_are_found_where_they_are_unpacked() {
        let folder = tempfile::tempdir().expect("a folder");
        let csv = folder.path().join("Data_Entry_2017_v2020.csv");
        let text = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n\
                    00000001_000.png,Cardiomegaly|Effusion,0,1,57,M,PA\n\
                    00000002_000.png,No Finding,0,2,57,F,AP\n\
                    00000003_000.png,Nodule,0,3,57,F,AP\n\
                    00000003_001.png,Emphysema,1,3,57,F,AP\n";
        std::fs::write(&csv, text).expect("written");
        let place = folder.path().join("images_002/images");
        std::fs::create_dir_all(&place).expect("a folder");
        std::fs::write(place.join("00000002_000.png"), "").expect("written");

        let data = Dataset::read(&csv.as_path().into(), None).expect("ChestX-ray14's format");
        let label = |row: usize, finding: Finding| data.rows[row].labels[finding.index()];
        assert_eq!(label(0, Finding::Cardiomegaly), Some(1.0));
        assert_eq!(label(0, Finding::PleuralEffusion), Some(1.0));
        assert_eq!(label(0, Finding::Edema), Some(0.0));
        assert_eq!(label(0, Finding::LungOpacity), None);
        assert_eq!(label(0, Finding::Fracture), None);
        assert_eq!(label(1, Finding::NoFinding), Some(1.0));
        assert_eq!(label(1, Finding::LungOpacity), Some(0.0));
        assert_eq!(label(2, Finding::LungLesion), Some(1.0));
        assert_eq!(label(2, Finding::LungOpacity), Some(1.0));
        assert_eq!(label(3, Finding::LungOpacity), None);
        assert_eq!(data.rows[1].position, Some(Position::Ap));
        assert_eq!(data.patients().len(), 3);
        assert!(
            data.file(&data.rows[1])
                .to_string()
                .ends_with("images_002/images/00000002_000.png")
        );

        std::fs::write(&csv, text.replace("Nodule", "Gout")).expect("written");
        let error = Dataset::read(&csv.as_path().into(), None).expect_err("no label of the set");
        assert!(format!("{error:#}").contains("\"Gout\""), "{error:#}");
    }
}
