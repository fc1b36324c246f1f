//! Whether one thing is better than another on the same patients.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Up to so many patients that differ, every way to give them signs is tried.
const ALL_SIGNS: usize = 15;
/// Signs that are drawn where there are more patients.
const DRAWS: usize = 32_768;
/// Sums that are this near are the same: they were added up in another order.
const SAME: f64 = 1e-9;

/// The two-sided p-value of differences, each with its patient: if neither were better, a patient's differences would as likely have
/// the other sign. With a hit or a miss for each patient that is McNemar's exact test (1947). 1 where nothing differs.
pub fn sign_flip<'a>(differences: impl IntoIterator<Item = (&'a str, f64)>, seed: u64) -> f64 {
    let mut patients: BTreeMap<&str, f64> = BTreeMap::new();
    for (patient, difference) in differences {
        *patients.entry(patient).or_default() += difference;
    }
    let sums: Vec<f64> = patients.into_values().filter(|s| s.abs() > SAME).collect();
    let far = sums.iter().sum::<f64>().abs() - SAME;
    if sums.len() <= ALL_SIGNS {
        let ways = 1u32 << sums.len();
        let as_far = (0..ways).filter(|signs| {
            let signed = sums.iter().enumerate();
            let total: f64 = signed
                .map(|(place, sum)| if signs >> place & 1 == 1 { -sum } else { *sum })
                .sum();
            total.abs() >= far
        });
        return as_far.count() as f64 / f64::from(ways);
    }
    let mut random = StdRng::seed_from_u64(seed);
    let as_far = (0..DRAWS).filter(|_| {
        let signed = sums.iter();
        let total: f64 = signed
            .map(|sum| if random.random::<bool>() { -sum } else { *sum })
            .sum();
        total.abs() >= far
    });
    // What was found is one of the ways.
    (1 + as_far.count()) as f64 / (1 + DRAWS) as f64
}
