//! A person's AUC beside a model's on the same images.

use std::collections::BTreeSet;

use serde::Serialize;
use sightline::finding::Finding;

use super::metrics::{Case, Estimate, Scored, auc, bootstrap, cases_of};
use crate::data::{Dataset, Readings};

/// The seed of the bootstrap: the same figures at every run.
const SEED: u64 = 20_260_104;

/// A person and a model on the same images, with the same labels.
#[derive(Serialize)]
pub struct Report {
    /// The table of readings.
    pub reader: String,
    /// Whose scores are beside them.
    pub model: String,
    /// Where the labels are from.
    pub set: String,
    pub images: usize,
    pub patients: usize,
    pub findings: Vec<FindingResult>,
}

/// Absent figures are undefined: one of the two classes is not there, or nobody scored the finding.
#[derive(Serialize)]
pub struct FindingResult {
    pub name: Finding,
    pub positives: usize,
    pub negatives: usize,
    pub reader: Option<Estimate>,
    pub model: Option<Estimate>,
    /// The reader's less the model's; the interval is of the same draws of patients for both.
    pub difference: Option<Estimate>,
}

/// Compares a person's readings with a model's scores. Where the model scored a finding on some of the images, both are measured on those.
pub fn report(readings: &Readings, data: &Dataset, [reader, model, set]: [String; 3]) -> Report {
    let findings = readings.findings();
    let count = findings.len();
    // The table may have been read for other findings too.
    let places = findings.iter().map(|finding| data.place(*finding));
    let places: Vec<Option<usize>> = places.collect();
    let rows = data.rows.iter().map(|row| {
        let (confidences, scores) = (readings.confidences(&row.path), readings.scores(&row.path));
        let case = |finding: usize, values: &[Option<f64>]| {
            confidences[finding]?;
            let label = row.labels[places[finding]?].certain()?;
            Some(Case::new(values[finding]?, label))
        };
        // The reader's, then the model's.
        let ours = (0..count).map(|finding| case(finding, &confidences));
        let theirs = (0..count).map(|finding| case(finding, &scores));
        Scored {
            patient: row.patient.to_string(),
            cases: ours.chain(theirs).collect(),
        }
    });
    let mut rows: Vec<Scored> = rows.collect();
    for finding in 0..count {
        let theirs = finding + count;
        if rows.iter().any(|row| row.cases[theirs].is_some()) {
            let alone = rows.iter_mut().filter(|row| row.cases[theirs].is_none());
            alone.for_each(|row| row.cases[finding] = None);
        }
    }
    let patients: BTreeSet<&str> = rows.iter().map(|row| row.patient.as_str()).collect();
    let patients = patients.len();
    let findings = findings.iter().enumerate();
    let findings =
        findings.map(|(place, finding)| measure(*finding, [place, place + count], &rows));
    Report {
        reader,
        model,
        set,
        images: rows.len(),
        patients,
        findings: findings.collect(),
    }
}

fn measure(finding: Finding, [ours, theirs]: [usize; 2], rows: &[Scored]) -> FindingResult {
    let everyone: Vec<&Scored> = rows.iter().collect();
    let cases = cases_of(&everyone, ours);
    let positives = cases.iter().filter(|case| case.positive).count();
    let of = |which: usize| bootstrap(rows, SEED, |drawn| auc(&cases_of(drawn, which)));
    FindingResult {
        name: finding,
        positives,
        negatives: cases.len() - positives,
        reader: of(ours),
        model: of(theirs),
        difference: bootstrap(rows, SEED, |drawn| {
            Some(auc(&cases_of(drawn, ours))? - auc(&cases_of(drawn, theirs))?)
        }),
    }
}

impl Report {
    /// A table for people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} against {}, on {}: {} images of {} patients\nAUC (95%, by patient)\n{:28} {:>9} {:>9}  {:24} {:24} difference\n",
            self.reader,
            self.model,
            self.set,
            self.images,
            self.patients,
            "",
            "positive",
            "negative",
            "reader",
            "model"
        );
        for finding in &self.findings {
            let reader = match (finding.positives, finding.negatives, finding.reader) {
                (0, 0, _) => "not read, or not labelled".to_owned(),
                (_, _, None) => "undefined: one class".to_owned(),
                (_, _, Some(auc)) => auc.to_string(),
            };
            let model = finding.model.map_or(String::new(), |auc| auc.to_string());
            let difference = finding.difference.map_or(String::new(), |difference| {
                let [low, high] = difference.ci95;
                format!("{:+.3} ({low:+.3} to {high:+.3})", difference.value)
            });
            let line = format!(
                "{:28} {:>9} {:>9}  {reader:24} {model:24} {difference}",
                finding.name.name(),
                finding.positives,
                finding.negatives
            );
            text += line.trim_end();
            text += "\n";
        }
        text
    }
}
