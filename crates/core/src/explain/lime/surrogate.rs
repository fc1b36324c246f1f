//! The linear model that LIME fits: which regions raise a score, and how well that explains it.
//!
//! Weighted ridge regression with an unpenalised intercept, in float64, as `lime_base` does it with scikit-learn.

use super::cholesky::Cholesky;

/// The width of the kernel that weights samples by their closeness to the whole picture.
pub const KERNEL_WIDTH: f64 = 0.25;
/// The penalty of the ridge regression whose coefficients are reported.
const ALPHA: f64 = 1.0;
/// The penalty of the regression that chooses features.
const CHOICE_ALPHA: f64 = 0.01;
/// Up to so many features are chosen one by one, more by their coefficients at once.
const FORWARD_SELECTION: usize = 6;

/// The cosine distance of a sample, `true` where a region is shown, to the whole picture. 1 if nothing is shown.
pub fn cosine_distance(shown: &[bool]) -> f64 {
    let ones = shown.iter().filter(|shown| **shown).count();
    1.0 - (ones as f64 / shown.len() as f64).sqrt()
}

/// How much a sample at a distance counts.
pub fn kernel_weight(distance: f64) -> f64 {
    (-(distance / KERNEL_WIDTH).powi(2)).exp().sqrt()
}

/// Samples with their weights, and everything that is the same for each finding.
#[derive(Clone, Debug)]
pub struct Design {
    features: usize,
    /// Samples about their weighted mean, row by row.
    centred: Vec<f64>,
    weights: Vec<f64>,
    total: f64,
    mean: Vec<f64>,
    /// `centred^T W centred`, row by row.
    gram: Vec<f64>,
    /// Whether samples after the first come in pairs that depend on each other.
    paired: bool,
}

/// A fitted model of one score.
#[derive(Clone, Debug, PartialEq)]
pub struct Surrogate {
    /// In the order in which they were chosen.
    pub features: Vec<usize>,
    pub coefficients: Vec<f64>,
    /// Standard error of each coefficient: the sandwich estimate, which holds for unequal variances (White 1980) and,
    /// pair by pair, for antithetic samples.
    pub standard_errors: Vec<f64>,
    /// What the ridge took from each coefficient: about as much would come back with very many samples.
    pub shrunken_by: Vec<f64>,
    pub intercept: f64,
    /// Weighted share of the score's variance that the model explains.
    pub r_squared: f64,
    /// What the model says of the whole picture.
    pub local_prediction: f64,
}

impl Design {
    /// `paired` says that after the first sample each two belong together.
    ///
    /// # Panics
    /// If there is no sample.
    pub fn new(samples: &[Vec<bool>], paired: bool) -> Self {
        let features = samples[0].len();
        let weights: Vec<f64> = samples
            .iter()
            .map(|shown| kernel_weight(cosine_distance(shown)))
            .collect();
        let total: f64 = weights.iter().sum();
        let mut mean = vec![0.0; features];
        for (shown, weight) in samples.iter().zip(&weights) {
            for (mean, shown) in mean.iter_mut().zip(shown) {
                *mean += if *shown { *weight } else { 0.0 };
            }
        }
        for mean in &mut mean {
            *mean /= total;
        }
        let centred: Vec<f64> = samples
            .iter()
            .flat_map(|shown| {
                let values = shown.iter().zip(&mean);
                values.map(|(shown, mean)| f64::from(u8::from(*shown)) - mean)
            })
            .collect();
        let mut gram = vec![0.0; features * features];
        for (row, weight) in centred.chunks_exact(features).zip(&weights) {
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row[..=i].iter().enumerate() {
                    gram[i * features + j] += weight * a * b;
                }
            }
        }
        for i in 0..features {
            for j in 0..i {
                gram[j * features + i] = gram[i * features + j];
            }
        }
        Self {
            features,
            centred,
            weights,
            total,
            mean,
            gram,
            paired,
        }
    }

    /// The intercept that goes best with coefficients of all features, and the weighted share of the scores' variance that they explain.
    pub fn explained_by(&self, scores: &[f64], coefficients: &[f64]) -> (f64, f64) {
        let (mean, moments, spread) = self.moments(scores);
        let at_mean = self.mean.iter().zip(coefficients).map(|(m, c)| m * c);
        let intercept = mean - at_mean.sum::<f64>();
        let all: Vec<usize> = (0..self.features).collect();
        (
            intercept,
            self.explained(&moments, spread, &all, coefficients),
        )
    }

    /// The model of `scores`, one per sample, with at most `most` features.
    pub fn fit(&self, scores: &[f64], most: usize) -> Surrogate {
        let (mean, moments, spread) = self.moments(scores);
        let features = self.choose(&moments, spread, most);
        let solution = self.ridge(&moments, &features, ALPHA);
        let r_squared = self.explained(&moments, spread, &features, &solution);
        let scores: Vec<f64> = scores.iter().map(|score| score - mean).collect();
        let standard_errors = self.standard_errors(&scores, &features, &solution);
        let at_mean: f64 = features
            .iter()
            .zip(&solution)
            .map(|(feature, coefficient)| self.mean[*feature] * coefficient)
            .sum();
        let intercept = mean - at_mean;
        // Without the ridge it would be c' with G c' = (G + alpha) c; near it, c' = c + alpha (G + alpha)^-1 c, wherever G is singular too.
        let solved = self.factor(&features, ALPHA).solve(&solution);
        let shrunken_by = solved.into_iter().map(|part| ALPHA * part).collect();
        Surrogate {
            shrunken_by,
            local_prediction: intercept + solution.iter().sum::<f64>(),
            features,
            coefficients: solution,
            standard_errors,
            intercept,
            r_squared,
        }
    }

    fn rows(&self) -> impl Iterator<Item = (&[f64], f64)> {
        let rows = self.centred.chunks_exact(self.features);
        rows.zip(self.weights.iter().copied())
    }

    /// The moments of scores: their weighted mean, and about it the weighted products with each feature and the weighted sum of squares.
    fn moments(&self, scores: &[f64]) -> (f64, Vec<f64>, f64) {
        let mean = self.weighted_mean(scores);
        let mut moments = vec![0.0; self.features];
        let mut spread = 0.0;
        for ((row, weight), score) in self.rows().zip(scores) {
            let weighted = weight * (score - mean);
            for (moment, value) in moments.iter_mut().zip(row) {
                *moment += weighted * value;
            }
            spread += weighted * (score - mean);
        }
        (mean, moments, spread)
    }

    fn weighted_mean(&self, scores: &[f64]) -> f64 {
        let weighted = self.weights.iter().zip(scores);
        weighted.map(|(weight, score)| weight * score).sum::<f64>() / self.total
    }

    /// lime's "auto" choice.
    fn choose(&self, moments: &[f64], spread: f64, most: usize) -> Vec<usize> {
        let all: Vec<usize> = (0..self.features).collect();
        if most > FORWARD_SELECTION {
            let coefficients = self.ridge(moments, &all, CHOICE_ALPHA);
            let mut order = all;
            order.sort_by(|a, b| coefficients[*b].abs().total_cmp(&coefficients[*a].abs()));
            order.truncate(most);
            return order;
        }
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < most.min(self.features) {
            let mut best: Option<(f64, usize)> = None;
            for feature in all.iter().filter(|feature| !chosen.contains(feature)) {
                let candidate = [&chosen[..], &[*feature]].concat();
                let solution = self.ridge(moments, &candidate, 0.0);
                let explained = self.explained(moments, spread, &candidate, &solution);
                if best.is_none_or(|(most, _)| explained > most) {
                    best = Some((explained, *feature));
                }
            }
            chosen.extend(best.map(|(_, feature)| feature));
        }
        chosen
    }

    /// The coefficients of some features, of least weighted squares plus `alpha` times their squares.
    fn ridge(&self, moments: &[f64], features: &[usize], alpha: f64) -> Vec<f64> {
        let right: Vec<f64> = features.iter().map(|feature| moments[*feature]).collect();
        self.factor(features, alpha).solve(&right)
    }

    fn factor(&self, features: &[usize], alpha: f64) -> Cholesky {
        let matrix = features.iter().flat_map(|i| {
            let row = features.iter();
            row.map(move |j| self.gram[i * self.features + j] + if i == j { alpha } else { 0.0 })
        });
        Cholesky::new(matrix.collect(), features.len())
    }

    fn explained(&self, moments: &[f64], spread: f64, features: &[usize], solution: &[f64]) -> f64 {
        let mut residual = spread;
        for (i, a) in features.iter().zip(solution) {
            residual -= 2.0 * a * moments[*i];
            for (j, b) in features.iter().zip(solution) {
                residual += a * b * self.gram[i * self.features + j];
            }
        }
        // A score that never changes is explained by the intercept.
        if spread <= f64::EPSILON * self.total {
            return 1.0;
        }
        1.0 - residual / spread
    }

    /// How often samples tell each feature's part: both of a pair tell it once.
    fn told(&self) -> usize {
        self.weights.len() / if self.paired { 2 } else { 1 }
    }

    /// The standard errors of coefficients that were fitted to these samples: what they explain of them by chance is made up for.
    fn standard_errors(&self, scores: &[f64], features: &[usize], solution: &[f64]) -> Vec<f64> {
        let residuals = self.rows().zip(scores).map(|((row, _), score)| {
            let fitted = features.iter().zip(solution);
            score - fitted.map(|(feature, c)| row[*feature] * c).sum::<f64>()
        });
        let residuals: Vec<f64> = residuals.collect();
        let told = self.told();
        let freedom = told as f64 / told.saturating_sub(features.len() + 1).max(1) as f64;
        let variances = self.variances(&residuals, features).into_iter();
        variances.map(|v| (v * freedom).sqrt()).collect()
    }

    /// The standard errors of coefficients of all features, from what is missed of each sample by a model that knows the others. That is more
    /// than what is missed of the truth, by what the sample itself would have told: nearly all of it where samples are as few as features,
    /// little where they are many. Between, this expansion of `1 - features / told` holds (measured: `bench intervals`); but no more was told
    /// than `unlearned` leaves, the share of what is missed that the model misses still when it knows the sample.
    pub fn standard_errors_of_left_out(&self, missed: &[f64], unlearned: f64) -> Vec<f64> {
        let mean = self.weighted_mean(missed);
        let missed: Vec<f64> = missed.iter().map(|m| m - mean).collect();
        let all: Vec<usize> = (0..self.features).collect();
        let share = self.features as f64 / self.told().max(1) as f64;
        let left = 1.0 / (1.0 + share + share.powi(2) + share.powi(3));
        let left = left.max(unlearned.min(1.0));
        let variances = self.variances(&missed, &all).into_iter();
        variances.map(|v| (v * left).sqrt()).collect()
    }

    /// The sandwich estimate of the coefficients' variances.
    fn variances(&self, residuals: &[f64], features: &[usize]) -> Vec<f64> {
        let bread = self.factor(features, ALPHA);
        let mut variances = vec![0.0; features.len()];
        let mut influence = vec![0.0; features.len()];
        for (index, ((row, weight), residual)) in self.rows().zip(residuals).enumerate() {
            let values: Vec<f64> = features.iter().map(|feature| row[*feature]).collect();
            for (influence, part) in influence.iter_mut().zip(bread.solve(&values)) {
                *influence += weight * residual * part;
            }
            if self.paired && index % 2 == 1 && index + 1 < self.weights.len() {
                continue; // the other of the pair follows
            }
            for (variance, influence) in variances.iter_mut().zip(&mut influence) {
                *variance += influence.powi(2);
                *influence = 0.0;
            }
        }
        variances
    }
}
