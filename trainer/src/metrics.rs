//! How good scores are: area under the ROC curve, its uncertainty, operating points.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// Area under the ROC curve, ties counted half (Mann-Whitney); `None` where only one class is there.
pub fn auc(cases: &[(f64, bool)]) -> Option<f64> {
    let positives = cases.iter().filter(|case| case.1).count() as f64;
    let negatives = cases.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let mut sorted: Vec<&(f64, bool)> = cases.iter().collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rank_sum = 0.0;
    let mut below = 0;
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let mid_rank = below as f64 + (group.len() as f64 + 1.0) / 2.0;
        rank_sum += mid_rank * group.iter().filter(|case| case.1).count() as f64;
        below += group.len();
    }
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// The threshold with the largest sensitivity + specificity - 1 (Youden, 1950): a score from it on is a call.
pub fn youden(cases: &[(f64, bool)]) -> Option<f64> {
    let positives = cases.iter().filter(|case| case.1).count() as f64;
    let negatives = cases.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let mut sorted: Vec<&(f64, bool)> = cases.iter().collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut called_positives, mut called_negatives) = (0.0, 0.0);
    let mut best = (f64::NEG_INFINITY, 0.5);
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let of_group = group.iter().filter(|case| case.1).count() as f64;
        called_positives += of_group;
        called_negatives += group.len() as f64 - of_group;
        let youden = called_positives / positives - called_negatives / negatives;
        if youden > best.0 {
            best = (youden, group[0].0);
        }
    }
    Some(best.1)
}

/// An estimate with its 95% bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    pub ci95: [f64; 2],
}

/// One scored image or study, for one finding.
#[derive(Clone, Debug)]
pub struct Scored {
    pub patient: String,
    /// By finding: the score and whether it is there; `None` where it is not scored or not labelled.
    pub cases: Vec<Option<(f64, bool)>>,
}

/// How often patients are drawn anew for an interval.
pub const BOOTSTRAP_DRAWS: usize = 1000;

/// A statistic of scored cases with its 95% interval: patients are drawn with replacement, each with all
/// cases, and draws where the statistic is undefined are left out. `None` where it is undefined on all cases.
pub fn bootstrap(
    scored: &[Scored],
    seed: u64,
    statistic: impl Fn(&[&Scored]) -> Option<f64>,
) -> Option<Estimate> {
    let everyone: Vec<&Scored> = scored.iter().collect();
    let value = statistic(&everyone)?;
    let mut patients: BTreeMap<&str, Vec<&Scored>> = BTreeMap::new();
    for case in scored {
        patients.entry(&case.patient).or_default().push(case);
    }
    let patients: Vec<Vec<&Scored>> = patients.into_values().collect();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut draws: Vec<f64> = (0..BOOTSTRAP_DRAWS)
        .filter_map(|_| {
            let drawn: Vec<&Scored> = (0..patients.len())
                .flat_map(|_| {
                    patients[rng.random_range(0..patients.len())]
                        .iter()
                        .copied()
                })
                .collect();
            statistic(&drawn)
        })
        .collect();
    draws.sort_by(f64::total_cmp);
    Some(Estimate {
        value,
        ci95: [quantile(&draws, 0.025), quantile(&draws, 0.975)],
    })
}

/// Linear interpolation between order statistics (numpy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() as f64 - 1.0);
    let low = sorted[at.floor() as usize];
    let high = sorted[at.ceil() as usize];
    low + (high - low) * at.fract()
}

/// The cases of one finding.
pub fn cases_of(scored: &[&Scored], finding: usize) -> Vec<(f64, bool)> {
    scored
        .iter()
        .filter_map(|case| case.cases[finding])
        .collect()
}

/// The mean AUC of some findings; `None` where one of them is undefined.
pub fn mean_auc(scored: &[&Scored], findings: &[usize]) -> Option<f64> {
    let aucs: Option<Vec<f64>> = findings
        .iter()
        .map(|f| auc(&cases_of(scored, *f)))
        .collect();
    let aucs = aucs?;
    (!aucs.is_empty()).then(|| aucs.iter().sum::<f64>() / aucs.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_ties_half_and_is_undefined_with_one_class() {
        assert_eq!(
            auc(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]),
            Some(0.75)
        );
        assert_eq!(auc(&[(0.5, false), (0.5, true)]), Some(0.5));
        assert_eq!(auc(&[(0.5, true)]), None);
    }

    #[test]
    fn youden_is_the_threshold_that_separates() {
        assert_eq!(
            youden(&[(0.1, false), (0.2, false), (0.7, true), (0.9, true)]),
            Some(0.7)
        );
        assert_eq!(youden(&[(0.1, false)]), None);
    }

    #[test]
    fn bootstrap_draws_patients_and_holds_its_estimate() {
        let scored: Vec<Scored> = (0..200)
            .map(|i| Scored {
                patient: format!("p{}", i / 2),
                cases: vec![Some((
                    f64::from(i % 7) + f64::from(i % 2) * 2.0,
                    i % 2 == 1,
                ))],
            })
            .collect();
        let estimate = bootstrap(&scored, 1, |s| auc(&cases_of(s, 0))).unwrap();
        let again = bootstrap(&scored, 1, |s| auc(&cases_of(s, 0))).unwrap();
        assert_eq!(estimate, again);
        let [low, high] = estimate.ci95;
        assert!(low < estimate.value && estimate.value < high && high - low < 0.2);
    }
}
