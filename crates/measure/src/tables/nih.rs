//! `Data_Entry_2017.csv` of NIH ChestX-ray14 (Wang et al., CVPR 2017), in any of its headers, and where its images are.

use anyhow::{Result, bail};
use sightline_core::finding::Finding;

use super::labels::Label;
use super::paths;
use super::row::{Entry, Folder, Format, Place, Position};
use super::table::{Line, Table, plain};

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
pub fn file(folder: &dyn Folder, name: &str) -> Place {
    let plain = Place::below(name);
    if name.contains('/') || folder.has(&plain) {
        return plain;
    }
    let folders = (1..=12).map(|n| format!("images_{n:03}/images"));
    let folders = std::iter::once("images".to_owned()).chain(folders);
    let mut places = folders.map(|below| Place::below(&format!("{below}/{name}")));
    places.find(|place| folder.has(place)).unwrap_or(plain)
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

    fn file(&self, folder: &dyn Folder, path: &str) -> Place {
        file(folder, &paths::plain(path))
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
