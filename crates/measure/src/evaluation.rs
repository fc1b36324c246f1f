//! AUC and more with intervals, for all images (or studies) and for parts of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sightline_core::finding::Finding;
use sightline_core::package::{Manifest, Unit};
use sightline_core::vocabulary::{CHEXPERT, CallRule, Score, called};

use super::beside::Beside;
use super::metrics::probability::{brier, calibration_error, log_loss};
use super::metrics::ranking::average_precision;
use super::metrics::threshold::sensitivity_specificity;
use super::metrics::{Case, Estimate, Scored, auc, bootstrap, cases_of, mean_auc};

/// The seed of the bootstrap: the same figures at every run.
const SEED: u64 = 20_260_101;

/// What is the same for all images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub model: String,
    pub weights_sha256: String,
    /// Which images.
    pub set: String,
    pub unit: Unit,
    /// Views of each image whose logits were averaged.
    #[serde(default = "one")]
    pub crops: u8,
    /// The package's.
    #[serde(default = "chexperts")]
    pub findings: Vec<Finding>,
    /// By finding: whether the package was trained on it, and from which score on it calls it.
    pub trained: Vec<bool>,
    pub operating_points: Vec<Option<f64>>,
    /// Which findings are called only alone.
    #[serde(default = "chexperts_rules")]
    pub rules: Vec<CallRule>,
    /// `COLUMN=VALUE` or `COLUMN`.
    pub parts: Vec<String>,
}

/// Parts that were written before packages had findings of their own have CheXpert's.
fn chexperts() -> Vec<Finding> {
    CHEXPERT.to_vec()
}

/// CheXpert's rule, for such parts.
fn chexperts_rules() -> Vec<CallRule> {
    vec![CallRule::chexpert()]
}

impl Header {
    /// The header for a package and a set of images that are scored whole and told apart by nothing.
    pub fn of(manifest: &Manifest, set: String, unit: Unit) -> Self {
        let vocabulary = manifest.vocabulary();
        let cards = || manifest.findings.iter();
        let operating_points = cards().map(|card| card.operating_point.filter(|_| card.trained));
        Self {
            model: manifest.name.clone(),
            weights_sha256: manifest.weights.sha256.clone(),
            set,
            unit,
            crops: one(),
            findings: vocabulary.findings,
            trained: cards().map(|card| card.trained).collect(),
            operating_points: operating_points.collect(),
            rules: vocabulary.rules,
            parts: Vec::new(),
        }
    }

    /// The places of those of some findings that the package has.
    pub fn places(&self, wanted: &[Finding]) -> Vec<usize> {
        let place = |finding: &Finding| self.findings.iter().position(|known| known == finding);
        wanted.iter().filter_map(place).collect()
    }

    /// Five findings that stand for all: the competition's, or the first five that were trained where the package has others.
    pub fn five(&self) -> Vec<Finding> {
        if self.places(&Finding::COMPETITION).len() == Finding::COMPETITION.len() {
            return Finding::COMPETITION.to_vec();
        }
        let trained = self.findings.iter().zip(&self.trained);
        let trained = trained.filter(|(_, trained)| **trained);
        trained.take(5).map(|(finding, _)| *finding).collect()
    }
}

fn one() -> u8 {
    1
}

/// One image's labels and scores.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScoredRow {
    pub patient: String,
    pub study: String,
    pub labels: Vec<Option<f32>>,
    pub scores: Vec<Option<f64>>,
    /// The columns that the parts are told by.
    pub columns: BTreeMap<String, String>,
}

/// The column of a part, `COLUMN=VALUE` or `COLUMN`.
pub fn column_of(part: &str) -> &str {
    part.split_once('=').map_or(part, |(column, _)| column)
}

#[derive(Serialize)]
pub struct Report {
    pub model: String,
    pub weights_sha256: String,
    pub set: String,
    pub unit: Unit,
    /// Views of each image whose logits were averaged.
    pub crops: u8,
    /// All selected rows first, then the parts asked for.
    pub parts: Vec<Figures>,
    /// The card's comparison: another model on the same images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
}

/// Figures of a selection of images (or studies).
#[derive(Serialize)]
pub struct Figures {
    pub part: String,
    pub count: usize,
    pub patients: usize,
    pub findings: Vec<FindingResult>,
    /// AUC of the competition five; absent where one of them is undefined.
    pub mean_of_five: Option<Estimate>,
}

/// Absent figures are undefined: the finding is not trained, or the classes needed are not there.
#[derive(Serialize)]
pub struct FindingResult {
    pub name: Finding,
    pub trained: bool,
    pub positives: usize,
    pub negatives: usize,
    pub auc: Option<Estimate>,
    pub average_precision: Option<Estimate>,
    /// The mean squared difference of probability and label.
    pub brier: Option<f64>,
    /// The mean negative logarithm of the label's probability.
    pub log_loss: Option<f64>,
    /// Expected calibration error in 15 bins.
    pub calibration_error: Option<f64>,
    /// At the package's operating point, and by its rules of what is called only alone.
    pub sensitivity: Option<f64>,
    pub specificity: Option<f64>,
}

/// Measures the scores of rows.
pub fn report<'a>(header: &Header, rows: impl IntoIterator<Item = &'a ScoredRow>) -> Report {
    let rows: Vec<&ScoredRow> = rows.into_iter().collect();
    let mut selections = vec![("all".to_owned(), rows.clone())];
    for part in &header.parts {
        let (column, wanted) = match part.split_once('=') {
            Some((column, value)) => (column, Some(value)),
            None => (part.as_str(), None),
        };
        let mut values: BTreeMap<&str, Vec<&ScoredRow>> = BTreeMap::new();
        for row in &rows {
            if let Some(value) = row.columns.get(column)
                && wanted.is_none_or(|wanted| wanted == value)
            {
                values.entry(value).or_default().push(row);
            }
        }
        for (value, rows) in values {
            selections.push((format!("{column}={value}"), rows));
        }
    }
    let figures = selections
        .into_iter()
        .map(|(name, rows)| measure(name, header, &cases(&rows, header.unit)));
    Report {
        model: header.model.clone(),
        weights_sha256: header.weights_sha256.clone(),
        set: header.set.clone(),
        unit: header.unit,
        crops: header.crops,
        parts: figures.collect(),
        beside: None,
    }
}

/// All cases of scored images.
pub fn all_cases<'a>(
    header: &Header,
    rows: impl IntoIterator<Item = &'a ScoredRow>,
) -> Vec<Scored> {
    let rows: Vec<&ScoredRow> = rows.into_iter().collect();
    let cases = cases(&rows, header.unit);
    let count = header.findings.len();
    cases.iter().map(|views| scored(views, count)).collect()
}

/// The views of each case: an image, or a study's images.
fn cases<'a>(rows: &[&'a ScoredRow], unit: Unit) -> Vec<Vec<&'a ScoredRow>> {
    match unit {
        Unit::Image => rows.iter().map(|row| vec![*row]).collect(),
        Unit::Study => {
            let mut studies: BTreeMap<&str, Vec<&ScoredRow>> = BTreeMap::new();
            for row in rows {
                studies.entry(&row.study).or_default().push(row);
            }
            studies.into_values().collect()
        }
    }
}

/// A case's score of a finding: the maximum over its views.
fn score_of(views: &[&ScoredRow], finding: usize) -> Option<f64> {
    let scores = views.iter().filter_map(|view| view.scores[finding]);
    scores.reduce(f64::max)
}

/// A case's scores and labels: the maximum over its views, of labels where they are certain.
fn scored(views: &[&ScoredRow], findings: usize) -> Scored {
    let case = |finding: usize| {
        let labels = views.iter().filter_map(|view| view.labels[finding]);
        let label = labels.filter(|label| *label >= 0.0).reduce(f32::max)?;
        Some(Case::new(score_of(views, finding)?, label == 1.0))
    };
    Scored {
        patient: views[0].patient.clone(),
        cases: (0..findings).map(case).collect(),
    }
}

/// Which findings a case is called with.
fn calls(views: &[&ScoredRow], header: &Header) -> Vec<bool> {
    let score = |(place, finding): (usize, &Finding)| Score {
        finding: *finding,
        probability: score_of(views, place),
        operating_point: header.operating_points[place],
    };
    let scores: Vec<Score> = header.findings.iter().enumerate().map(score).collect();
    called(&scores, &header.rules)
}

fn measure(part: String, header: &Header, groups: &[Vec<&ScoredRow>]) -> Figures {
    let scored: Vec<Scored> = groups
        .iter()
        .map(|views| scored(views, header.findings.len()))
        .collect();
    let calls: Vec<Vec<bool>> = groups.iter().map(|views| calls(views, header)).collect();
    let everyone: Vec<&Scored> = scored.iter().collect();
    let findings = header.findings.iter().enumerate().map(|(index, finding)| {
        let cases = cases_of(&everyone, index);
        let labels = everyone.iter().filter(|s| s.cases[index].is_some());
        let positives = cases.iter().filter(|case| case.positive).count();
        let right = header.operating_points[index].and_then(|_| {
            let pairs = calls.iter().zip(&scored);
            let pairs =
                pairs.filter_map(|(calls, s)| Some((calls[index], s.cases[index]?.positive)));
            sensitivity_specificity(&pairs.collect::<Vec<_>>())
        });
        let estimate = |of: fn(&[Case]) -> Option<f64>| {
            bootstrap(&scored, SEED, |drawn| of(&cases_of(drawn, index)))
        };
        FindingResult {
            name: *finding,
            trained: header.trained[index],
            positives,
            negatives: labels.count() - positives,
            auc: estimate(auc),
            average_precision: estimate(average_precision),
            brier: brier(&cases),
            log_loss: log_loss(&cases),
            calibration_error: calibration_error(&cases),
            sensitivity: right.map(|right| right.0),
            specificity: right.map(|right| right.1),
        }
    });
    let five = header.places(&Finding::COMPETITION);
    let has_five = five.len() == Finding::COMPETITION.len();
    let patients: BTreeSet<&str> = scored.iter().map(|s| s.patient.as_str()).collect();
    Figures {
        part,
        count: scored.len(),
        patients: patients.len(),
        findings: findings.collect(),
        mean_of_five: bootstrap(&scored, SEED, |drawn| {
            mean_auc(drawn, &five).filter(|_| has_five)
        }),
    }
}

impl Report {
    /// Tables for people.
    pub fn tables(&self) -> String {
        let tables = self.parts.iter().map(|part| part.table(self.unit) + "\n");
        tables.collect()
    }
}

impl Figures {
    fn table(&self, unit: Unit) -> String {
        let unit = match unit {
            Unit::Image => "images",
            Unit::Study => "studies",
        };
        let mut text = format!(
            "{}: {} {unit} of {} patients\n{:28} {:>9} {:>9}  {:24} {:24} {:>6} {:>6} {:>6}\n",
            self.part,
            self.count,
            self.patients,
            "",
            "positive",
            "negative",
            "AUC (95%, by patient)",
            "average precision",
            "ECE",
            "sens.",
            "spec."
        );
        let share = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.2}"));
        for finding in &self.findings {
            let auc = match (&finding.auc, finding.trained) {
                (_, false) => "not trained".to_owned(),
                (Some(auc), true) => auc.to_string(),
                (None, true) => "undefined: one class".to_owned(),
            };
            let precision = finding.average_precision;
            let line = format!(
                "{:28} {:>9} {:>9}  {auc:24} {:24} {:>6} {:>6} {:>6}",
                finding.name.name(),
                finding.positives,
                finding.negatives,
                precision.map_or(String::new(), |p| p.to_string()),
                share(finding.calibration_error),
                share(finding.sensitivity),
                share(finding.specificity),
            );
            text += line.trim_end();
            text += "\n";
        }
        let mean = self
            .mean_of_five
            .map_or("undefined".to_owned(), |m| m.to_string());
        text += &format!("{:48}  {mean}\n", "Mean of the competition five");
        text
    }
}
