//! Fits the gate's detector: multinomial logistic regression on features, by Adam, with weights that are kept small.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use sightline::gate::detector::Head;

/// A picture's features, and which row of the head it belongs to: 0 is a frontal chest radiograph.
pub struct Example {
    pub features: Vec<f32>,
    pub row: usize,
}

const EPOCHS: usize = 60;
const BATCH: usize = 128;
const RATE: f32 = 2e-3;
/// How much of each weight is taken off in a step, times the rate (AdamW).
const DECAY: f32 = 5.0;

/// Fits a head. Frontal chest radiographs count as much as all kinds together, and each kind as much as any other.
pub fn fit(kinds: usize, examples: &[Example], seed: u64) -> Head {
    let rows = kinds + 1;
    let width = examples[0].features.len();
    let (mean, deviation) = moments(examples, width);
    let standard: Vec<Vec<f32>> = examples
        .par_iter()
        .map(|example| {
            let moments = mean.iter().zip(&deviation);
            let features = example.features.iter().zip(moments);
            features
                .map(|(v, (mean, deviation))| (v - mean) / deviation)
                .collect()
        })
        .collect();
    let mut counts = vec![0usize; rows];
    examples.iter().for_each(|example| counts[example.row] += 1);
    let present = counts[1..]
        .iter()
        .filter(|count| **count > 0)
        .count()
        .max(1);
    let all = examples.len() as f32;
    let importance = |row: usize| match row {
        0 => all / 2.0 / counts[0] as f32,
        row => all / 2.0 / present as f32 / counts[row] as f32,
    };
    // One feature more, always 1, is the bias.
    let mut weights = vec![vec![0.0f32; width + 1]; rows];
    let mut first = vec![vec![0.0f32; width + 1]; rows];
    let mut second = first.clone();
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut rng = StdRng::seed_from_u64(seed);
    let steps = EPOCHS * examples.len().div_ceil(BATCH);
    let mut step = 0;
    for _ in 0..EPOCHS {
        order.shuffle(&mut rng);
        for batch in order.chunks(BATCH) {
            step += 1;
            let errors: Vec<Vec<f32>> = batch
                .par_iter()
                .map(|index| {
                    let mut error = softmax(&weights, &standard[*index]);
                    let row = examples[*index].row;
                    error[row] -= 1.0;
                    let scale = importance(row) / batch.len() as f32;
                    error.iter().map(|error| error * scale).collect()
                })
                .collect();
            let rate =
                RATE * 0.5 * (1.0 + (std::f32::consts::PI * step as f32 / steps as f32).cos());
            let (slow, fast) = (1.0 - 0.9f32.powi(step), 1.0 - 0.999f32.powi(step));
            let rows = weights
                .par_iter_mut()
                .zip(&mut first)
                .zip(&mut second)
                .enumerate();
            rows.for_each(|(row, ((weights, first), second))| {
                let mut gradient = vec![0.0f32; width + 1];
                for (index, errors) in batch.iter().zip(&errors) {
                    let error = errors[row];
                    for (gradient, feature) in gradient.iter_mut().zip(&standard[*index]) {
                        *gradient += error * feature;
                    }
                    gradient[width] += error;
                }
                for (place, gradient) in gradient.iter().enumerate() {
                    first[place] = 0.9 * first[place] + 0.1 * gradient;
                    second[place] = 0.999 * second[place] + 0.001 * gradient * gradient;
                    if place < width {
                        weights[place] *= 1.0 - rate * DECAY;
                    }
                    weights[place] -=
                        rate * (first[place] / slow) / ((second[place] / fast).sqrt() + 1e-8);
                }
            });
        }
    }
    // On features as they are: what they were divided by goes into the weights, what was taken off into the bias.
    let bias = weights.iter().map(|row| {
        let moved = row.iter().zip(mean.iter().zip(&deviation));
        let moved = moved.map(|(weight, (mean, deviation))| f64::from(weight * mean / deviation));
        row[width] - moved.sum::<f64>() as f32
    });
    let bias = bias.collect();
    let weights = weights.iter().map(|row| {
        let divided = row.iter().zip(&deviation);
        divided
            .map(|(weight, deviation)| weight / deviation)
            .collect()
    });
    let weights: Vec<Vec<f32>> = weights.collect();
    rounded(&weights, bias)
}

/// Mean and standard deviation of each feature; 1 for one that is always the same.
fn moments(examples: &[Example], width: usize) -> (Vec<f32>, Vec<f32>) {
    let count = examples.len() as f64;
    let (mut sums, mut squares) = (vec![0.0f64; width], vec![0.0f64; width]);
    for example in examples {
        for (place, value) in example.features.iter().enumerate() {
            sums[place] += f64::from(*value);
            squares[place] += f64::from(*value).powi(2);
        }
    }
    let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let deviation = squares.iter().zip(&mean).map(|(square, mean)| {
        let variance = (square / count - mean * mean).max(0.0);
        if variance > 1e-12 {
            variance.sqrt() as f32
        } else {
            1.0
        }
    });
    let deviation = deviation.collect();
    (mean.iter().map(|mean| *mean as f32).collect(), deviation)
}

fn softmax(weights: &[Vec<f32>], features: &[f32]) -> Vec<f32> {
    let logits = weights.iter().map(|row| {
        let products = row.iter().zip(features).map(|(w, x)| w * x);
        products.sum::<f32>() + row[features.len()]
    });
    let logits: Vec<f32> = logits.collect();
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f32 = parts.iter().sum();
    parts.iter().map(|part| part / sum).collect()
}

/// Weights from -127 to 127 and, for each feature, by what they are multiplied.
fn rounded(weights: &[Vec<f32>], bias: Vec<f32>) -> Head {
    let width = weights[0].len();
    let scale = |place: usize| {
        let column = weights.iter().map(|row| row[place].abs());
        column.fold(0.0, f32::max) / 127.0
    };
    let scales: Vec<f32> = (0..width).map(scale).collect();
    let rows = weights.iter().flat_map(|row| row.iter().zip(&scales));
    let weights = rows.map(|(weight, scale)| match *scale {
        0.0 => 0,
        scale => (weight / scale).round() as i8,
    });
    Head {
        weights: weights.collect(),
        scales,
        bias,
    }
}

#[cfg(test)]
mod tests {
    use sightline::gate::Kind;

    use super::*;

    #[test]
    fn kinds_that_can_be_told_are_told_after_rounding_too() {
        let kinds = [Kind::Turned, Kind::Inverted];
        let mut examples = Vec::new();
        for number in 0..300usize {
            let noise = (number * 37 % 100) as f32 / 100.0;
            let row = number % 3;
            let mut features = [noise, 1.0 - noise, 0.5, 1000.0];
            features[row] += 2.0;
            // Weights are kept small: as in a network many features tell the same.
            let features = features.repeat(100);
            examples.push(Example { features, row });
        }
        let head = fit(kinds.len(), &examples, 1);
        for example in &examples {
            let shares = head.shares(&example.features).expect("as many features");
            let most = shares.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            assert_eq!(most.expect("shares").0, example.row);
        }
    }
}
