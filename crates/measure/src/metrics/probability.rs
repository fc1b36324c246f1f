//! Whether a score of 0.3 means 30%: proper scores, calibration error, and Platt's correction.

use sightline_core::package::{Calibration, sigmoid};

use super::{Case, totals};

/// Bins of the calibration error.
pub const BINS: usize = 15;

/// The mean squared difference of probability and outcome. `None` without cases.
pub fn brier(cases: &[Case]) -> Option<f64> {
    weighted_mean(cases, |case| {
        let outcome = if case.positive { 1.0 } else { 0.0 };
        (case.score - outcome).powi(2)
    })
}

/// The mean negative logarithm (natural) of the outcome's probability, clipped by float64's epsilon.
pub fn log_loss(cases: &[Case]) -> Option<f64> {
    weighted_mean(cases, |case| {
        let p = case.score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        -(if case.positive { p } else { 1.0 - p }).ln()
    })
}

fn weighted_mean(cases: &[Case], value: impl Fn(&Case) -> f64) -> Option<f64> {
    let (positives, negatives) = totals(cases);
    let total = positives + negatives;
    let sum: f64 = cases.iter().map(|case| case.weight * value(case)).sum();
    (total > 0.0).then(|| sum / total)
}

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    pub count: usize,
    pub mean_probability: f64,
    pub share_positive: f64,
}

/// The reliability diagram in [`BINS`] bins of equal width; weights do not count.
pub fn reliability(cases: &[Case]) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for case in cases {
        let index = ((BINS as f64 * case.score) as usize).min(BINS - 1);
        bins[index].count += 1;
        bins[index].mean_probability += case.score;
        bins[index].share_positive += f64::from(u8::from(case.positive));
    }
    for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
        bin.mean_probability /= bin.count as f64;
        bin.share_positive /= bin.count as f64;
    }
    bins
}

/// Expected calibration error: the gap between probability and outcome, weighted by the bins' counts.
pub fn calibration_error(cases: &[Case]) -> Option<f64> {
    let gap = |bin: &Bin| bin.count as f64 * (bin.share_positive - bin.mean_probability).abs();
    let total: f64 = reliability(cases).iter().map(gap).sum();
    (!cases.is_empty()).then(|| total / cases.len() as f64)
}

/// Platt's scaling of logits, `p = sigmoid(slope * logit + intercept)`, with his targets that keep a small set from
/// becoming certain (Platt 1999; Newton's method as in Lin, Lin and Weng 2007). `None` where only one class is there,
/// or where the higher logit would become the lower probability.
pub fn platt(cases: &[Case]) -> Option<Calibration> {
    let (positives, negatives) = totals(cases);
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let target = |case: &Case| match case.positive {
        true => (positives + 1.0) / (positives + 2.0),
        false => 1.0 / (negatives + 2.0),
    };
    let loss = |slope: f64, intercept: f64| -> f64 {
        let term = |case: &Case| {
            let z = slope * case.score + intercept;
            // softplus(z) - t z, without overflow.
            case.weight * (z.max(0.0) + (-z.abs()).exp().ln_1p() - target(case) * z)
        };
        cases.iter().map(term).sum()
    };
    let (mut slope, mut intercept) = (0.0, ((positives + 1.0) / (negatives + 1.0)).ln());
    for _ in 0..100 {
        let (mut g, mut h) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
        for case in cases {
            let p = sigmoid(slope * case.score + intercept);
            let (first, second) = (
                case.weight * (p - target(case)),
                case.weight * p * (1.0 - p),
            );
            g[0] += first * case.score;
            g[1] += first;
            h[0] += second * case.score * case.score;
            h[1] += second * case.score;
            h[2] += second;
        }
        if g[0].abs() < 1e-9 && g[1].abs() < 1e-9 {
            break;
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        let step = [
            -(h[2] * g[0] - h[1] * g[1]) / determinant,
            -(h[0] * g[1] - h[1] * g[0]) / determinant,
        ];
        let before = loss(slope, intercept);
        let mut size = 1.0;
        while size > 1e-10 && loss(slope + size * step[0], intercept + size * step[1]) > before {
            size /= 2.0;
        }
        slope += size * step[0];
        intercept += size * step[1];
    }
    (slope > 0.0 && slope.is_finite() && intercept.is_finite()).then_some(Calibration::Platt {
        scale: slope,
        offset: intercept,
    })
}

/// Temperature scaling of logits (Guo et al., ICML 2017), `p = sigmoid(logit / temperature)`: what makes the labels
/// likeliest. It moves no score across 0.5. `None` where only one class is there, or no temperature is best.
pub fn temperature(cases: &[Case]) -> Option<Calibration> {
    let (positives, negatives) = totals(cases);
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    // The loss is convex in the factor on the logits: its derivative changes sign once.
    let derivative = |scale: f64| -> f64 {
        let term = |case: &Case| {
            let p = sigmoid(scale * case.score);
            case.weight * case.score * (p - f64::from(u8::from(case.positive)))
        };
        cases.iter().map(term).sum()
    };
    let (mut low, mut high) = (1e-3, 1e3);
    if derivative(low) >= 0.0 || derivative(high) <= 0.0 {
        return None;
    }
    for _ in 0..100 {
        let middle = f64::sqrt(low * high);
        match derivative(middle) > 0.0 {
            true => high = middle,
            false => low = middle,
        }
    }
    Some(Calibration::Platt {
        scale: f64::sqrt(low * high),
        offset: 0.0,
    })
}
