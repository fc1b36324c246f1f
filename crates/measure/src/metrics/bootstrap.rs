//! How sure one can be: intervals by drawing patients anew.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::Scored;

/// An estimate with its 95% bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub value: f64,
    pub ci95: [f64; 2],
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] = self.ci95;
        write!(f, "{:.3} ({low:.3} to {high:.3})", self.value)
    }
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
