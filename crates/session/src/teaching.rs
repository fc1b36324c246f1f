//! A person's readings of radiographs, made before any score of the model was to be seen, and the table of them.

use std::collections::BTreeSet;

use sightline_core::finding::Finding;

use crate::table::cell;

/// What a confidence is called, from 0 up: the five-point scale of reader studies with ROC curves.
pub const SCALE: [&str; 5] = [
    "definitely absent",
    "probably absent",
    "possibly present",
    "probably present",
    "definitely present",
];

/// How sure the reader is of the findings that were read: each has a place in [`SCALE`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confidences(Vec<(Finding, u8)>);

impl Confidences {
    /// The confidence of a finding; `None`: the reader did not say.
    pub fn of(&self, finding: Finding) -> Option<u8> {
        let mut said = self.0.iter();
        said.find(|(known, _)| *known == finding)
            .map(|(_, confidence)| *confidence)
    }

    /// Notes what the reader says of a finding, or that nothing is said any more.
    pub(crate) fn say(&mut self, finding: Finding, confidence: Option<u8>) {
        self.0.retain(|(known, _)| *known != finding);
        self.0
            .extend(confidence.map(|confidence| (finding, confidence)));
    }
}

/// What follows a finding's name in the column of the model's scores.
const OF_MODEL: &str = " (model)";

/// One radiograph that was read by a person before any score of it was to be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadFirst {
    /// The case's file, or a running number: the name of a person's own file may be somebody's name.
    pub path: String,
    pub confidences: Confidences,
    /// The model's of all its findings, in its order; `None` where there is none.
    pub scores: Vec<(Finding, Option<f64>)>,
    pub model: String,
    /// From the picture's appearance to the commitment.
    pub seconds: f64,
}

/// The teaching mode: whether it is on, and the radiograph that is being read.
#[derive(Clone, Debug, Default)]
pub struct Teaching {
    pub on: bool,
    pub confidences: Confidences,
    /// The reader has ended the reading of this radiograph.
    pub committed: bool,
    /// Whether its scores were in view before: then it is not read first.
    pub seen: bool,
    /// The name of the library's case or sample that it is.
    pub case: Option<String>,
    /// What the committed reading is called in the table, if it is there.
    pub recorded_as: Option<String>,
    /// Changes with each radiograph.
    pub study: u32,
    /// What was read first, in order.
    pub readings: Vec<ReadFirst>,
    /// Cases whose scores were in view.
    seen_cases: BTreeSet<String>,
}

impl Teaching {
    /// Another radiograph is to be read.
    pub(crate) fn begin(&mut self) {
        self.confidences = Confidences::default();
        self.committed = false;
        self.seen = false;
        self.case = None;
        self.recorded_as = None;
        self.study += 1;
    }

    /// Says which case the radiograph is.
    pub(crate) fn is_case(&mut self, case: Option<String>) {
        self.seen |= case
            .as_ref()
            .is_some_and(|case| self.seen_cases.contains(case));
        self.case = case;
    }

    /// Scores of the radiograph are in view.
    pub(crate) fn see(&mut self) {
        self.seen = true;
        self.seen_cases.extend(self.case.clone());
    }

    /// By what the radiograph is called in the table.
    pub(crate) fn path(&self) -> String {
        let own = |reading: &&ReadFirst| is_own(&reading.path);
        let next = 1 + self.readings.iter().filter(own).count();
        self.case.clone().unwrap_or_else(|| format!("{OWN}{next}"))
    }
}

/// What a person's own files are called, with a number behind.
const OWN: &str = "own-";

fn is_own(path: &str) -> bool {
    let number = path.strip_prefix(OWN);
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

/// The findings of all readings: the models' in their order, then what else the reader marked.
fn findings(readings: &[ReadFirst]) -> Vec<Finding> {
    let mut all: Vec<Finding> = Vec::new();
    let mut add = |finding: Finding| {
        if !all.contains(&finding) {
            all.push(finding);
        }
    };
    for reading in readings {
        reading.scores.iter().for_each(|(finding, _)| add(*finding));
    }
    for reading in readings {
        let said = reading.confidences.0.iter();
        said.for_each(|(finding, _)| add(*finding));
    }
    all
}

/// The readings as CSV, for `sightline-trainer evaluate --reader`: the reader's confidences and the model's scores, from 0 to 1.
pub fn csv(readings: &[ReadFirst]) -> String {
    let findings = findings(readings);
    let mut text = "Path".to_owned();
    for of in ["", OF_MODEL] {
        for finding in &findings {
            text.push(',');
            text += &cell(&format!("{finding}{of}"));
        }
    }
    text += ",Model,Seconds\n";
    for reading in readings {
        text += &cell(&reading.path);
        for finding in &findings {
            text.push(',');
            if let Some(confidence) = reading.confidences.of(*finding) {
                text += &(f32::from(confidence) / (SCALE.len() - 1) as f32).to_string();
            }
        }
        for finding in &findings {
            text.push(',');
            let mut scores = reading.scores.iter();
            let score = scores.find(|(known, _)| known == finding);
            if let Some(score) = score.and_then(|(_, score)| *score) {
                text += &format!("{score:.6}");
            }
        }
        text += &format!(",{},{:.1}\n", cell(&reading.model), reading.seconds);
    }
    text
}
