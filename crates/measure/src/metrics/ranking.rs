//! Whether positives score higher than negatives: ROC and precision-recall.

use super::{Case, totals};

/// The weights of positives and negatives that a threshold calls, for each different score, the highest first.
fn called(cases: &[Case]) -> Vec<(f64, f64, f64)> {
    let mut sorted: Vec<&Case> = cases.iter().collect();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let (mut positives, mut negatives) = (0.0, 0.0);
    let groups = sorted.chunk_by(|a, b| a.score == b.score);
    let groups = groups.map(|group| {
        for case in group {
            match case.positive {
                true => positives += case.weight,
                false => negatives += case.weight,
            }
        }
        (group[0].score, positives, negatives)
    });
    groups.collect()
}

/// Area under the ROC curve: the chance that a positive scores higher than a negative, ties counted half
/// (Mann-Whitney). `None` where only one class is there.
pub fn auc(cases: &[Case]) -> Option<f64> {
    let (positives, negatives) = totals(cases);
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let mut area = 0.0;
    let mut before = (0.0, 0.0);
    for (_, p, n) in called(cases) {
        area += (n - before.1) * (p + before.0) / 2.0;
        before = (p, n);
    }
    Some(area / (positives * negatives))
}

/// The ROC curve as (threshold, false positive rate, true positive rate), from "nothing is called" on.
pub fn roc_curve(cases: &[Case]) -> Option<Vec<(f64, f64, f64)>> {
    let (positives, negatives) = totals(cases);
    if positives <= 0.0 || negatives <= 0.0 {
        return None;
    }
    let points = called(cases).into_iter();
    let points = points.map(|(score, p, n)| (score, n / negatives, p / positives));
    Some(
        std::iter::once((f64::INFINITY, 0.0, 0.0))
            .chain(points)
            .collect(),
    )
}

/// The precision-recall curve as (threshold, precision, recall), the highest threshold first. `None` without positives.
pub fn precision_recall_curve(cases: &[Case]) -> Option<Vec<(f64, f64, f64)>> {
    let (positives, _) = totals(cases);
    if positives <= 0.0 {
        return None;
    }
    let points = called(cases).into_iter().filter(|(_, p, n)| p + n > 0.0);
    Some(
        points
            .map(|(score, p, n)| (score, p / (p + n), p / positives))
            .collect(),
    )
}

/// Average precision: the precision-recall curve summed in steps, not interpolated. `None` without positives.
pub fn average_precision(cases: &[Case]) -> Option<f64> {
    let mut recall_before = 0.0;
    let mut sum = 0.0;
    for (_, precision, recall) in precision_recall_curve(cases)? {
        sum += (recall - recall_before) * precision;
        recall_before = recall;
    }
    Some(sum)
}

/// DeLong's variance of the AUC (DeLong 1988, by the mid-ranks of Sun and Xu, 2014); all cases count alike.
pub fn auc_variance(cases: &[Case]) -> Option<f64> {
    let (of_positives, of_negatives) = placements(cases)?;
    let share = |values: &[f64]| covariance(values, values) / values.len() as f64;
    Some(share(&of_positives) + share(&of_negatives))
}

/// Two scores of the same cases, by DeLong: the difference of their AUCs and its variance. The cases come in the same order.
pub fn auc_difference(a: &[Case], b: &[Case]) -> Option<(f64, f64)> {
    let difference = auc(a)? - auc(b)?;
    let ((positives_a, negatives_a), (positives_b, negatives_b)) = (placements(a)?, placements(b)?);
    let both = covariance(&positives_a, &positives_b) / positives_a.len() as f64
        + covariance(&negatives_a, &negatives_b) / negatives_a.len() as f64;
    let variance = auc_variance(a)? + auc_variance(b)? - 2.0 * both;
    Some((difference, variance.max(0.0)))
}

/// For each positive the share of negatives below it, and for each negative the share of positives above it.
fn placements(cases: &[Case]) -> Option<(Vec<f64>, Vec<f64>)> {
    let side = |positive| -> Vec<f64> {
        let scores = cases.iter().filter(|case| case.positive == positive);
        scores.map(|case| case.score).collect()
    };
    let (positives, negatives) = (side(true), side(false));
    if positives.len() < 2 || negatives.len() < 2 {
        return None;
    }
    let below = |score: f64, others: &[f64]| {
        // `others` is sorted: those below, and half of the ties.
        let less = others.partition_point(|other| *other < score);
        let up_to = others.partition_point(|other| *other <= score);
        (less + up_to) as f64 / 2.0 / others.len() as f64
    };
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (sorted_positives, sorted_negatives) = (sorted(&positives), sorted(&negatives));
    let of_positives = positives.iter().map(|s| below(*s, &sorted_negatives));
    let of_negatives = negatives.iter().map(|s| 1.0 - below(*s, &sorted_positives));
    Some((of_positives.collect(), of_negatives.collect()))
}

fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let products = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b));
    products.sum::<f64>() / (a.len() as f64 - 1.0)
}
