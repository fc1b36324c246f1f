//! `Data_Entry_2017.csv` of NIH ChestX-ray14 (Wang et al., CVPR 2017), in any of its headers, and where its images are.

use anyhow::{Result, bail};
use sightline::finding::Finding;

use super::labels::Label;
use super::paths;
use super::row::{Entry, Format, Position};
use super::table::{Line, Table, plain};
use crate::storage::Location;

/// Where the columns are.
#[derive(Debug)]
pub struct DataEntry {
    image: usize,
    /// Without it nothing is labelled.
    labels: Option<usize>,
    /// Without it, the file's name tells the patient.
    patient: Option<usize>,
    position: Option<usize>,
    findings: Vec<Finding>,
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

/// One of ChestX-ray14's labels as [`LABELS`] writes it. The list of boxes says `Infiltrate`; copies have spaces for underscores.
fn label(name: &str) -> Option<&'static (&'static str, Option<Finding>)> {
    let name = match plain(name) {
        name if name == "infiltrate" => "infiltration".to_owned(),
        name => name,
    };
    LABELS.iter().find(|(label, _)| plain(label) == name)
}

/// The findings that one of ChestX-ray14's labels stands for or implies.
pub fn findings_of(name: &str) -> Vec<Finding> {
    let Some((name, finding)) = label(name) else {
        return Vec::new();
    };
    let opacity = OPACITIES.contains(name).then_some(Finding::LungOpacity);
    finding.iter().copied().chain(opacity).collect()
}

/// The finding, of those of a package, that is one of ChestX-ray14's labels by name, in any of the label's spellings.
pub fn own(findings: &[Finding], name: &str) -> Option<Finding> {
    let wanted = label(name)?;
    let mut findings = findings.iter().filter(|finding| finding.place().is_none());
    findings
        .find(|finding| own_label(**finding) == Some(wanted))
        .copied()
}

/// The finding that a box of one of ChestX-ray14's labels is around.
pub fn marked(name: &str) -> Option<Finding> {
    match label(name)? {
        ("Infiltration", _) => Some(Finding::LungOpacity),
        (_, finding) => *finding,
    }
}

/// The file of an image: ChestX-ray14 as it is distributed, in twelve folders; as others unpack it, in one.
pub fn file(root: &Location, name: &str) -> Location {
    let plain = root.join(name);
    if name.contains('/') || plain.exists() {
        return plain;
    }
    let folders = (1..=12).map(|n| format!("images_{n:03}/images"));
    let folders = std::iter::once("images".to_owned()).chain(folders);
    let mut places = folders.map(|folder| root.join(&folder).join(name));
    places.find(Location::exists).unwrap_or(plain)
}

impl DataEntry {
    /// `None` if the table is in another format.
    ///
    /// # Errors
    /// When a column is there twice.
    pub fn of(table: &Table, findings: &[Finding]) -> Result<Option<Self>> {
        let Some(image) = table.column("Image Index")? else {
            return Ok(None);
        };
        let labels = table.column("Finding Labels")?;
        let known: Vec<&Finding> = findings.iter().chain(&Finding::ALL).collect();
        let other = |name: &String| known.iter().any(|f| plain(f.name()) == plain(name));
        if labels.is_none() && table.header().iter().any(other) {
            return Ok(None);
        }
        Ok(Some(Self {
            image,
            labels,
            patient: table.column("Patient ID")?,
            position: table.column("View Position")?,
            findings: findings.to_vec(),
        }))
    }
}

impl Format for DataEntry {
    /// A named finding is present, any other absent; CheXpert's Lung Opacity is unlabelled where a label leaves it open.
    fn entry(&self, line: &Line) -> Result<Entry> {
        let path = line.cell(self.image);
        if path.is_empty() {
            bail!("there is no image's name");
        }
        let said = self.labels.map_or("", |column| line.cell(column));
        let chexpert = chexpert_of(said)?;
        let own = |finding: &Finding| match (finding.place(), own_label(*finding)) {
            (Some(place), _) => chexpert[place],
            // ChestX-ray14's own, where a package has them.
            (None, Some(_)) if said.is_empty() => Label::Unlabelled,
            (None, Some(own)) => match names(said).any(|name| label(name) == Some(own)) {
                true => Label::Present,
                false => Label::Absent,
            },
            (None, None) => Label::Unlabelled,
        };
        Ok(Entry {
            path: path.to_owned(),
            patient: paths::patient_in(self.patient.map(|column| line.cell(column))),
            labels: self.findings.iter().map(own).collect(),
            // All of them are frontal.
            lateral: Some(false),
            position: self.position.and_then(|c| Position::of(line.cell(c))),
        })
    }

    fn file(&self, root: &Location, path: &str) -> Location {
        file(root, &paths::plain(path))
    }
}

/// The label of ChestX-ray14 that a package's finding has the name of.
fn own_label(finding: Finding) -> Option<&'static (&'static str, Option<Finding>)> {
    label(finding.name())
}

/// The labels of an image.
fn names(said: &str) -> impl Iterator<Item = &str> {
    let names = said.split('|').map(str::trim);
    names.filter(|name| !name.is_empty())
}

/// CheXpert's labels of an image.
fn chexpert_of(said: &str) -> Result<[Label; Finding::COUNT]> {
    let mut labels = match said {
        "" => [Label::Unlabelled; Finding::COUNT],
        _ => [Label::Absent; Finding::COUNT],
    };
    for finding in UNLABELLED {
        labels[finding.index()] = Label::Unlabelled;
    }
    labels[Finding::LungOpacity.index()] = Label::Unlabelled;
    for name in names(said) {
        if label(name).is_none() {
            bail!("{name:?} is none of ChestX-ray14's labels");
        }
        for finding in findings_of(name) {
            labels[finding.index()] = Label::Present;
        }
    }
    let opacity = &mut labels[Finding::LungOpacity.index()];
    if *opacity == Label::Unlabelled && said.eq_ignore_ascii_case("No Finding") {
        *opacity = Label::Absent;
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use sightline::vocabulary::NIH;

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
        let (present, absent, unlabelled) = (Label::Present, Label::Absent, Label::Unlabelled);
        assert_eq!(label(0, Finding::Cardiomegaly), present);
        assert_eq!(label(0, Finding::PleuralEffusion), present);
        assert_eq!(label(0, Finding::Edema), absent);
        assert_eq!(label(0, Finding::LungOpacity), unlabelled);
        assert_eq!(label(0, Finding::Fracture), unlabelled);
        assert_eq!(label(1, Finding::NoFinding), present);
        assert_eq!(label(1, Finding::LungOpacity), absent);
        assert_eq!(label(2, Finding::LungLesion), present);
        assert_eq!(label(2, Finding::LungOpacity), present);
        assert_eq!(label(3, Finding::LungOpacity), unlabelled);
        assert_eq!(data.rows[1].position, Some(Position::Ap));

        // A package with ChestX-ray14's own findings keeps them apart.
        let data = Dataset::read_of(&csv.as_path().into(), None, &NIH).expect("its own labels");
        let label = |row: usize, name: &str| {
            let finding = Finding::named(name).expect("a name");
            data.rows[row].labels[data.place(finding).expect("it is there")]
        };
        assert_eq!(label(0, "Effusion"), present);
        assert_eq!(label(0, "Nodule"), absent);
        assert_eq!(label(2, "Nodule"), present);
        assert_eq!(label(2, "Mass"), absent);
        assert_eq!(label(3, "Emphysema"), present);
        assert_eq!(label(3, "Cardiomegaly"), absent);
        assert_eq!(data.place(Finding::PleuralEffusion), None);
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

    #[test]
    fn headers_of_2017_and_2020_are_read_and_copies_without_the_patient() {
        let folder = tempfile::tempdir().expect("a folder");
        let csv = folder.path().join("Data_Entry_2017.csv");
        let read = |text: &str| {
            std::fs::write(&csv, text).expect("written");
            Dataset::read(&csv.as_path().into(), None).expect("ChestX-ray14's format")
        };
        let size = "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]";
        for text in [
            format!(
                "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,{size},\n\
                 00000012_001.png,Pleural_Thickening|Infiltration,1,12,058Y,M,PA,2682,2749,0.143,0.143,\n"
            ),
            format!(
                "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Sex,View Position,{size}\r\n\
                 00000012_001.png,Infiltration|Pleural Thickening,1,12,58,M,PA,2682,2749,0.143,0.143\r\n"
            ),
            "Image Index,Finding Labels,Patient Age,Patient Gender,View Position\n\
             00000012_001.png,Infiltration|Pleural_Thickening,58,M,PA\n"
                .to_owned(),
        ] {
            let data = read(&text);
            let row = &data.rows[0];
            let label = |finding: Finding| row.labels[finding.index()];
            assert_eq!(label(Finding::PleuralOther), Label::Present);
            assert_eq!(label(Finding::LungOpacity), Label::Present);
            assert_eq!(label(Finding::NoFinding), Label::Absent);
            assert_eq!(row.patient.as_ref(), "12");
            assert_eq!(row.column("Sex"), Some("M"));
            assert_eq!(row.column("AP/PA"), Some("PA"));
            assert_eq!(row.column("Age group"), Some("40 to 59"));
        }
    }
}
