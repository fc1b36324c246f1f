//! How good scores are. Everything is exact, in float64, and undefined (`None`) where it is undefined.
//!
//! `ranking` asks whether positives score higher than negatives, `probability` whether a score of 0.3 means 30%,
//! `threshold` where to call, `bootstrap` how sure one can be, `paired` what is better on the same patients.

pub mod bootstrap;
pub mod paired;
pub mod probability;
pub mod ranking;
pub mod threshold;

pub use bootstrap::{Estimate, bootstrap};
pub use paired::sign_flip;
pub use ranking::auc;

/// One labelled score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// A probability, or (where only its order counts) a logit.
    pub score: f64,
    pub positive: bool,
    pub weight: f64,
}

impl Case {
    pub fn new(score: f64, positive: bool) -> Self {
        Self {
            score,
            positive,
            weight: 1.0,
        }
    }
}

/// One scored image or study.
#[derive(Clone, Debug)]
pub struct Scored {
    pub patient: String,
    /// By finding; `None` where it is not scored or not labelled.
    pub cases: Vec<Option<Case>>,
}

/// The cases of one finding.
pub fn cases_of(scored: &[&Scored], finding: usize) -> Vec<Case> {
    let cases = scored.iter();
    cases.filter_map(|case| case.cases[finding]).collect()
}

/// The mean AUC of some findings; `None` where one of them is undefined.
pub fn mean_auc(scored: &[&Scored], findings: &[usize]) -> Option<f64> {
    let aucs = findings.iter().map(|f| auc(&cases_of(scored, *f)));
    mean(aucs.collect::<Option<Vec<f64>>>()?)
}

/// The mean AUC of those findings of which it is defined.
pub fn mean_defined_auc(scored: &[&Scored], findings: &[usize]) -> Option<f64> {
    let aucs = findings.iter();
    mean(aucs.filter_map(|f| auc(&cases_of(scored, *f))).collect())
}

fn mean(values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The total weight of the positives and of the negatives.
fn totals(cases: &[Case]) -> (f64, f64) {
    let mut totals = (0.0, 0.0);
    for case in cases {
        match case.positive {
            true => totals.0 += case.weight,
            false => totals.1 += case.weight,
        }
    }
    totals
}

#[cfg(test)]
mod tests;
