//! Where to call: operating points.

use super::Case;
use super::ranking::roc_curve;

/// The threshold with the largest sensitivity + specificity - 1 (Youden, 1950): a score from it on is a call.
/// The threshold with the largest sensitivity and specificity together; the highest of several. `None` where only one class is there.
pub fn youden(cases: &[Case]) -> Option<f64> {
    let points = roc_curve(cases)?.into_iter().skip(1);
    let best = points.reduce(|best, point| match point.2 - point.1 > best.2 - best.1 {
        true => point,
        false => best,
    });
    best.map(|point| point.0)
}

/// The highest threshold that finds at least this share of the positives.
pub fn at_sensitivity(cases: &[Case], sensitivity: f64) -> Option<f64> {
    let mut points = roc_curve(cases)?.into_iter().skip(1);
    points
        .find(|point| point.2 >= sensitivity - 1e-12)
        .map(|point| point.0)
}

/// The share of positives called and of negatives not called; `None` where only one class is there. `calls`: whether each case is
/// called, and whether it is positive.
pub fn sensitivity_specificity(calls: &[(bool, bool)]) -> Option<(f64, f64)> {
    let share = |of: bool| {
        let class = calls.iter().filter(|(_, positive)| *positive == of);
        let count = class.clone().count();
        let right = class
            .filter(|(called, positive)| called == positive)
            .count();
        (count > 0).then(|| right as f64 / count as f64)
    };
    Some((share(true)?, share(false)?))
}
