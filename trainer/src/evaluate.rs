//! `evaluate`: AUC with intervals, for all images and for parts of them.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use sightline::finding::Finding;
use sightline::package::Unit;

use crate::data::{Dataset, load_pictures};
use crate::metrics::{Case, Estimate, Scored, auc, bootstrap, cases_of, mean_auc};
use crate::score::{Package, label_scores};

/// The seed of the bootstrap: the same figures at every run.
const SEED: u64 = 20_260_101;

#[derive(Serialize)]
pub struct Report {
    pub model: String,
    pub weights_sha256: String,
    /// Which images.
    pub set: String,
    pub unit: Unit,
    /// All selected rows first, then the parts asked for.
    pub parts: Vec<Part>,
}

/// Figures of a selection of images (or studies).
#[derive(Serialize)]
pub struct Part {
    pub part: String,
    pub count: usize,
    pub patients: usize,
    pub findings: Vec<FindingResult>,
    /// Of the competition five; absent where one of them is undefined.
    pub mean_of_five: Option<Estimate>,
}

#[derive(Serialize)]
pub struct FindingResult {
    pub name: Finding,
    pub trained: bool,
    pub positives: usize,
    pub negatives: usize,
    /// Absent where the finding is not trained, or only one class is there.
    pub auc: Option<Estimate>,
}

/// Scores the selected rows of a CSV and measures.
pub fn evaluate(
    package: &Package,
    data: Dataset,
    unit: Unit,
    parts: &[(String, String)],
    set: &str,
) -> Result<Report> {
    let (data, squares) = load_pictures(data, |image| package.manifest.input.square(&image))?;
    let scores = package.probabilities(&squares)?;
    let mut selections = vec![("all".to_owned(), vec![true; data.rows.len()])];
    for (column, value) in parts {
        let has = |row: &crate::data::Row| row.columns.get(column).is_some_and(|v| v == value);
        let chosen: Vec<bool> = data.rows.iter().map(has).collect();
        if chosen.contains(&true) {
            selections.push((format!("{column}={value}"), chosen));
        }
    }
    let parts = selections.into_iter().map(|(name, chosen)| {
        let keep = |index: &usize| chosen[*index];
        let indices: Vec<usize> = (0..data.rows.len()).filter(keep).collect();
        let part = Dataset {
            root: data.root.clone(),
            rows: indices.iter().map(|i| data.rows[*i].clone()).collect(),
        };
        let scores: Vec<_> = indices.iter().map(|i| scores[*i].clone()).collect();
        let scored = match unit {
            Unit::Image => label_scores(&part, &scores),
            Unit::Study => studies(&part, &scores),
        };
        measure(name, package, &scored)
    });
    Ok(Report {
        model: package.manifest.name.clone(),
        weights_sha256: package.manifest.weights.sha256.clone(),
        set: set.to_owned(),
        unit,
        parts: parts.collect(),
    })
}

/// One case a study: the maximum of its views' scores and labels, as CheXpert's competition does.
fn studies(data: &Dataset, scores: &[Vec<Option<f64>>]) -> Vec<Scored> {
    let mut studies: BTreeMap<&str, Scored> = BTreeMap::new();
    for (view, row) in label_scores(data, scores).into_iter().zip(&data.rows) {
        match studies.get_mut(row.study.as_str()) {
            None => {
                studies.insert(&row.study, view);
            }
            Some(study) => {
                for (all, one) in study.cases.iter_mut().zip(view.cases) {
                    *all = match (*all, one) {
                        (Some(a), Some(b)) => {
                            Some(Case::new(a.score.max(b.score), a.positive || b.positive))
                        }
                        (a, b) => a.or(b),
                    };
                }
            }
        }
    }
    studies.into_values().collect()
}

fn measure(part: String, package: &Package, scored: &[Scored]) -> Part {
    let everyone: Vec<&Scored> = scored.iter().collect();
    let trained = |finding: Finding| {
        package
            .manifest
            .findings
            .iter()
            .any(|card| card.name == finding && card.trained)
    };
    let findings = Finding::ALL.into_iter().map(|finding| {
        let cases = cases_of(&everyone, finding.index());
        let positives = cases.iter().filter(|case| case.positive).count();
        FindingResult {
            name: finding,
            trained: trained(finding),
            positives,
            negatives: cases.len() - positives,
            auc: bootstrap(scored, SEED, |drawn| auc(&cases_of(drawn, finding.index()))),
        }
    });
    let five: Vec<usize> = Finding::COMPETITION.iter().map(|f| f.index()).collect();
    let patients: std::collections::BTreeSet<&str> =
        scored.iter().map(|s| s.patient.as_str()).collect();
    Part {
        part,
        count: scored.len(),
        patients: patients.len(),
        findings: findings.collect(),
        mean_of_five: bootstrap(scored, SEED, |drawn| mean_auc(drawn, &five)),
    }
}

impl Part {
    /// A table for people.
    pub fn table(&self, unit: Unit) -> String {
        let unit = match unit {
            Unit::Image => "images",
            Unit::Study => "studies",
        };
        let mut text = format!(
            "{}: {} {unit} of {} patients\n",
            self.part, self.count, self.patients
        );
        text += &format!(
            "{:28} {:>9} {:>9}  AUC (95% interval by patient)\n",
            "", "positive", "negative"
        );
        for finding in &self.findings {
            let auc = match (&finding.auc, finding.trained) {
                (Some(auc), _) => show(auc),
                (None, false) => "not trained".to_owned(),
                (None, true) => "undefined: only one class".to_owned(),
            };
            text += &format!(
                "{:28} {:>9} {:>9}  {auc}\n",
                finding.name.name(),
                finding.positives,
                finding.negatives
            );
        }
        let mean = self
            .mean_of_five
            .as_ref()
            .map_or("undefined".to_owned(), show);
        text += &format!(
            "{:28} {:>9} {:>9}  {mean}\n",
            "Mean of the competition five", "", ""
        );
        text
    }
}

fn show(estimate: &Estimate) -> String {
    format!(
        "{:.3} ({:.3} to {:.3})",
        estimate.value, estimate.ci95[0], estimate.ci95[1]
    )
}
