//! LIME for pictures (Ribeiro et al., KDD 2016): hide regions at random, watch the scores, and fit a linear model of
//! which regions raise them.
//!
//! [`Lime`] is asked for pictures to score and told the scores, batch by batch, so whoever drives it can show what is
//! known so far, stop, or spread the work. All findings are explained by the same samples.

mod cholesky;
pub mod emulator;
mod explanation;
pub mod lab;
mod quickshift;
mod sampling;
mod segments;
mod slic;
pub mod surrogate;

pub use explanation::{Estimator, Explanation, FindingLime, Options, Segmentation};
pub use quickshift::Quickshift;
pub use sampling::{Sampler, Sampling};
pub use segments::Segments;
pub use slic::Slic;
pub use surrogate::{Design, Surrogate};

use std::sync::Arc;

use emulator::{Coverage, Emulator, Prior};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::Explain;
use super::account::Account;
use crate::asked::{Asked, Progress, Scored, Step, Wants};
use crate::heat_map::HeatMap;
use crate::output::Output;
use crate::pictures::{Pictures, Regions};
use crate::radiograph::{GreyImage, Input, resize};
use crate::statistics;
use crate::statistics::sigmoid;
use crate::view::View;

/// Regions are found on a picture of this side, whatever the network's: their size is the reader's, not the network's.
const SEGMENTED_SIDE: usize = 224;
/// How much each density is moved at most, so that no two are equal.
const DENSITY_NOISE: f64 = 1e-5;
/// Maps are compared each so many samples to tell whether they are stable.
const CHECK_EVERY: usize = 100;
/// Stable: the rank correlation of the maps of the highest scores with those of `CHECK_EVERY` samples before.
const STABLE: f64 = 0.98;
/// Differences below this share of the largest coefficient are none: nobody sees them, and what is exactly 0 has no order.
const STEP: f64 = 1e-3;
/// The number of findings whose maps are compared: those with the highest scores.
const JUDGED: usize = 3;
/// Samples that an emulator learns from, at most: its work grows with their cube.
pub const TRAINED_ON: usize = 256;
/// Samples that it predicts.
pub const PREDICTED: usize = 2048;

/// More samples than anyone waits for: more than the page lets anyone have.
const MOST_SAMPLES: usize = 10_000;

/// Half the width of a 95% interval, in standard errors, which are themselves estimated.
const ERRORS: f64 = 2.0;

impl Explain for Explanation {
    const NAME: &'static str = "lime";
    const TITLE: &'static str = "LIME";
    const SHOWS: &'static str = "which regions raise the score of";
    const UNIT: &'static str = "added to the score by showing one region";
    const COUNTS: &'static str = "samples";

    type Options = Options;
    type Job = Lime;

    fn start(view: &View, input: &Input, options: Options) -> Lime {
        Lime::new(&view.square, input, options)
    }

    fn start_again(&self, view: &View, input: &Input) -> Result<Lime, String> {
        let most = self.options.samples;
        if most > MOST_SAMPLES {
            return Err(format!(
                "{most} samples are more than a report has ({MOST_SAMPLES} at most)"
            ));
        }
        if self.samples == 0 || self.samples > most {
            return Err(format!(
                "it contradicts itself: {} samples of at most {most}",
                self.samples
            ));
        }
        let mut lime = Lime::new(&view.square, input, self.options.clone());
        // As many samples as were scored then, whether it had stopped by itself or was stopped.
        lime.ends_at = Some(self.samples);
        Ok(lime)
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn is_complete(&self, options: &Options) -> bool {
        self.samples == options.samples || (options.until_stable && self.stable)
    }

    fn map(&self, output: Output) -> Option<HeatMap> {
        self.painted(output)
    }

    fn said(&self, output: Output) -> String {
        self.described(output)
    }

    fn account(&self, output: Output) -> Option<Account> {
        self.summed(output)
    }
}

/// Splits a probability's log-odds over the cells of the grid. `cells`: what each adds to the logit, of which calibration makes `scale` times as
/// much. What no cell adds, and what else calibration does, is every cell's in equal parts.
pub fn split_log_odds(probability: f64, scale: f64, cells: &mut [f32]) {
    let probability = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    let log_odds = statistics::log_odds(probability);
    let sum: f64 = cells.iter().map(|cell| scale * f64::from(*cell)).sum();
    let rest = (log_odds - sum) / cells.len() as f64;
    for cell in cells {
        *cell = (scale * f64::from(*cell) + rest) as f32;
    }
}

/// A LIME explanation that is being made.
#[derive(Debug)]
pub struct Lime {
    options: Options,
    /// At the side of [`SEGMENTED_SIDE`].
    segments: Segments,
    /// The regions of the network's input, and what hides them.
    regions: Arc<Regions>,
    sampler: Sampler,
    /// The samples that were given to score.
    samples: Vec<Vec<bool>>,
    /// Sample by sample, finding by finding.
    scores: Vec<Vec<Option<f64>>>,
    /// The evidence of the first [`TRAINED_ON`] samples.
    evidence: Vec<Vec<f32>>,
    coverage: Coverage,
    /// From [`emulator::LEARNT`] samples on.
    priors: Option<Vec<Prior>>,
    /// The emulation at the last check of stability, or of the first [`TRAINED_ON`] samples.
    emulation: Option<Emulation>,
    last_maps: Vec<Vec<f64>>,
    stable: bool,
    /// Where it ends, whatever its options say: an explanation that is made again.
    ends_at: Option<usize>,
}

/// What an emulator that learned from the first samples says.
#[derive(Clone, Debug)]
struct Emulation {
    /// The coefficients of each finding, region by region.
    coefficients: Vec<Vec<f64>>,
    /// The standard errors of these, since [`PREDICTED`] samples are not infinitely many.
    standard_errors: Vec<Vec<f64>>,
    /// Sample by sample, of each finding: the probability it expects, without having seen that sample.
    expected: Vec<Vec<f64>>,
    emulator: Emulator,
}

impl Emulation {
    /// From how many samples.
    fn learned(&self) -> usize {
        self.emulator.left_out().len()
    }
}

impl Lime {
    /// Cuts a picture into regions. `square` is what [`Input::square`] made.
    pub fn new(square: &GreyImage, input: &Input, options: Options) -> Self {
        let small = resize(square, SEGMENTED_SIDE, SEGMENTED_SIDE);
        let segments = match options.segmentation {
            Segmentation::Quickshift => {
                // Always the same: another seed draws other samples of the same regions.
                let mut ties = ChaCha8Rng::seed_from_u64(0);
                let noise = || DENSITY_NOISE * (ties.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
                Quickshift::default().segment(&small, noise)
            }
            Segmentation::Slic => Slic::default().segment(&small),
        };
        let labels = segments.scaled(square.width, square.height).labels;
        let region = |pixel: usize| usize::from(labels[pixel]);
        let filled = options.fill.levels(square, region, segments.count);
        Self {
            regions: Arc::new(Regions {
                picture: input.normalise(square),
                hidden: input.normalise_levels(&filled),
                labels,
            }),
            sampler: Sampler::new(options.sampling, segments.count, options.seed),
            coverage: Coverage::of(&segments),
            segments,
            options,
            samples: Vec::new(),
            scores: Vec::new(),
            evidence: Vec::new(),
            priors: None,
            emulation: None,
            last_maps: Vec::new(),
            stable: false,
            ends_at: None,
        }
    }

    /// How many samples were scored.
    pub fn scored(&self) -> usize {
        self.scores.len()
    }

    fn take(&mut self, answers: Vec<Scored>) {
        let before = self.scores.len();
        for answer in answers.into_iter().take(self.samples.len() - before) {
            self.scores.push(answer.probabilities);
            if self.evidence.len() < TRAINED_ON && !answer.evidence.is_empty() {
                self.evidence.push(answer.evidence);
            }
        }
        let checked = before / CHECK_EVERY < self.scores.len() / CHECK_EVERY;
        if self.emulates() {
            // Of as many samples as there are now, however they were batched.
            if self.priors.is_none() && self.scores.len() >= emulator::LEARNT {
                self.priors = Some(self.priors_of(emulator::LEARNT));
            }
            let learned = self.emulation.as_ref().map_or(0, Emulation::learned);
            if learned < TRAINED_ON && (checked || self.evidence.len() == TRAINED_ON) {
                self.emulation = self.emulate();
            }
            let learned = self.emulation.as_mut();
            if let Some(emulation) = learned.filter(|e| e.learned() == TRAINED_ON) {
                let unseen = &self.samples[emulation.expected.len()..self.scores.len()];
                // One by one: in pairs the last digits would depend on the batches.
                let expected = unseen.chunks(1).map(|s| emulation.emulator.log_odds(s));
                emulation
                    .expected
                    .extend(expected.flatten().map(probabilities));
            }
        }
        if checked {
            let maps = self.judged_maps();
            self.stable = !self.last_maps.is_empty()
                && maps
                    .iter()
                    .zip(&self.last_maps)
                    .all(|(now, then)| rank_correlation(now, then) >= STABLE);
            self.last_maps = maps;
        }
    }

    fn findings(&self) -> Option<Vec<Option<FindingLime>>> {
        let samples = &self.samples[..self.scores.len()];
        let findings = 0..self.scores.first()?.len();
        let design = Design::new(samples, self.options.sampling.is_paired());
        let made;
        let emulation = match &self.emulation {
            Some(there) if there.expected.len() == samples.len() => Some(there),
            _ if self.emulates() => {
                made = self.emulate();
                made.as_ref()
            }
            _ => None,
        };
        let finding = |finding: usize| {
            let scores = self.scores_of(finding)?;
            Some(match emulation {
                None => self.regressed(&design, &scores),
                Some(emulation) => self.emulated(&design, &scores, emulation, finding),
            })
        };
        Some(findings.map(finding).collect())
    }

    fn regressed(&self, design: &Design, scores: &[f64]) -> FindingLime {
        let fitted = design.fit(scores, usize::MAX);
        let errors = fitted.standard_errors.iter().zip(&fitted.shrunken_by);
        let margins: Vec<f64> = errors.map(|(e, bias)| ERRORS * e + bias.abs()).collect();
        FindingLime {
            coefficients: self.by_region(&fitted.features, &fitted.coefficients),
            margins: self.by_region(&fitted.features, &margins),
            intercept: fitted.intercept,
            r_squared: fitted.r_squared,
        }
    }

    fn emulated(
        &self,
        design: &Design,
        scores: &[f64],
        emulation: &Emulation,
        finding: usize,
    ) -> FindingLime {
        let expected = emulation.expected.iter().map(|expected| expected[finding]);
        let errors: Vec<f64> = scores.iter().zip(expected).map(|(s, e)| s - e).collect();
        let mut coefficients = emulation.coefficients[finding].clone();
        let missed = design.fit(&errors, usize::MAX);
        // As much of what was missed as is more than chance: the positive part of James and Stein's estimator (1961).
        let chance: f64 = missed.standard_errors.iter().map(|e| e * e).sum();
        let found: f64 = missed.coefficients.iter().map(|c| c * c).sum();
        let share = (1.0 - chance / found.max(f64::MIN_POSITIVE)).max(0.0);
        for (region, coefficient) in missed.features.iter().zip(&missed.coefficients) {
            coefficients[*region] += share * coefficient;
        }
        let corrected = self.by_region(&missed.features, &missed.standard_errors);
        // What was predicted of samples that the emulator never saw is wrong by what it does not know; of those that it learned from, and
        // left out in turn, by more.
        let (share, left_out) = if scores.len() > TRAINED_ON {
            (1.0, vec![0.0; corrected.len()])
        } else {
            let fitted = emulation.emulator.fitted().iter();
            let fitted = fitted.map(|log_odds| sigmoid(log_odds[finding]));
            let squares = scores.iter().zip(fitted).map(|(s, f)| (s - f).powi(2));
            let missed: f64 = errors.iter().map(|e| e * e).sum();
            let unlearned = squares.sum::<f64>() / missed.max(f64::MIN_POSITIVE);
            let left_out = design.standard_errors_of_left_out(&errors, unlearned);
            (share, left_out)
        };
        let sampled = emulation.standard_errors[finding].iter();
        let errors = corrected.iter().zip(&left_out).zip(sampled);
        let margins = errors.map(|((corrected, left_out), sampled)| {
            let known = share * corrected.powi(2) + (1.0 - share) * left_out.powi(2);
            ERRORS * (known + sampled.powi(2)).sqrt()
        });
        let (intercept, r_squared) = design.explained_by(scores, &coefficients);
        FindingLime {
            margins: margins.collect(),
            coefficients,
            intercept,
            r_squared,
        }
    }

    fn emulates(&self) -> bool {
        let answered = self.scores.len().min(TRAINED_ON);
        self.options.estimator == Estimator::Emulation
            && answered > 0
            && self.evidence.len() == answered
    }

    fn priors_of(&self, samples: usize) -> Vec<Prior> {
        let (samples, evidence) = (&self.samples[..samples], &self.evidence[..samples]);
        emulator::priors(samples, evidence, &self.coverage)
    }

    /// What is predicted from the samples that are scored; `None` if that is not even three.
    fn emulate(&self) -> Option<Emulation> {
        let taught = self.evidence.len();
        if taught < 3 {
            return None;
        }
        let priors = match &self.priors {
            Some(priors) => priors.clone(),
            None => self.priors_of(taught),
        };
        let emulator = Emulator::new(&priors, &self.samples[..taught], &self.evidence);
        let regions = self.segments.count;
        let more = Sampler::new(Sampling::Orthogonal, regions, !self.options.seed);
        let more: Vec<Vec<bool>> = more.take(PREDICTED).collect();
        let predicted = emulator.log_odds(&more).into_iter();
        let predicted: Vec<Vec<f64>> = predicted.map(probabilities).collect();
        let design = Design::new(&more, true);
        let findings = 0..predicted[0].len();
        let fitted = findings.map(|finding| {
            let scores: Vec<f64> = predicted.iter().map(|scores| scores[finding]).collect();
            let fitted = design.fit(&scores, usize::MAX);
            let whole = fitted.coefficients.iter().zip(&fitted.shrunken_by);
            let whole: Vec<f64> = whole.map(|(c, shrunken_by)| c + shrunken_by).collect();
            (
                self.by_region(&fitted.features, &whole),
                self.by_region(&fitted.features, &fitted.standard_errors),
            )
        });
        let (coefficients, standard_errors) = fitted.unzip();
        Some(Emulation {
            coefficients,
            standard_errors,
            expected: emulator
                .left_out()
                .iter()
                .cloned()
                .map(probabilities)
                .collect(),
            emulator,
        })
    }

    /// A finding's score of each sample, if it was trained.
    fn scores_of(&self, finding: usize) -> Option<Vec<f64>> {
        self.scores.iter().map(|scores| scores[finding]).collect()
    }

    /// Values of the regions that were chosen, region by region; 0 for the others.
    fn by_region(&self, chosen: &[usize], values: &[f64]) -> Vec<f64> {
        let mut all = vec![0.0; self.segments.count];
        for (region, value) in chosen.iter().zip(values) {
            all[*region] = *value;
        }
        all
    }

    /// The coefficients of the findings with the highest scores, in steps that matter.
    fn judged_maps(&self) -> Vec<Vec<f64>> {
        let (Some(findings), Some(whole)) = (self.findings(), self.scores.first()) else {
            return Vec::new();
        };
        let mut order: Vec<usize> = (0..whole.len()).collect();
        order.retain(|finding| whole[*finding].is_some());
        order.sort_by(|a, b| {
            whole[*b]
                .partial_cmp(&whole[*a])
                .expect("scores are numbers")
        });
        order.truncate(JUDGED);
        let maps = order.into_iter().filter_map(|finding| {
            let coefficients = &findings[finding].as_ref()?.coefficients;
            let largest = coefficients.iter().map(|c| c.abs()).fold(0.0, f64::max);
            let step = (STEP * largest).max(f64::MIN_POSITIVE);
            Some(coefficients.iter().map(|c| (c / step).round()).collect())
        });
        maps.collect()
    }
}

impl Asked for Lime {
    type Outcome = Explanation;

    fn wants(&self) -> Wants {
        match self.options.estimator {
            Estimator::Emulation if self.samples.len() < TRAINED_ON => Wants::Evidence,
            _ => Wants::Scores,
        }
    }

    /// The next pictures to score, at most `most` of them; none if all were given. More may be asked for before the last ones are scored. Whether the
    /// map is stable by then is not waited for: what is scored beyond the end is not looked at.
    fn next_pictures(&mut self, most: usize) -> Pictures {
        let given = self.samples.len();
        let end = self.ends_at.unwrap_or(self.options.samples);
        let most = most.min(end.saturating_sub(given));
        self.samples.extend(self.sampler.by_ref().take(most));
        Pictures::Hidden {
            regions: self.regions.clone(),
            shown: self.samples[given..].to_vec(),
        }
    }

    /// Takes what the network says of pictures that [`Lime::next_pictures`] gave: of each batch, in their order. What comes after the end is
    /// not looked at.
    fn push(&mut self, answers: Vec<Scored>) {
        let mut answers = answers.into_iter();
        while answers.len() > 0 && !self.is_done() {
            // Up to the next check: whether it is stable does not depend on batches.
            let most = CHECK_EVERY - self.scores.len() % CHECK_EVERY;
            self.take(answers.by_ref().take(most).collect());
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            step: Step::Explain,
            done: self.scores.len() as u64,
            total: self.options.samples as u64,
        }
    }

    fn is_done(&self) -> bool {
        match self.ends_at {
            Some(end) => self.scores.len() >= end,
            None => {
                self.scores.len() >= self.options.samples
                    || (self.options.until_stable && self.stable)
            }
        }
    }

    /// What is known so far; `None` before the first sample is scored.
    fn outcome(&self) -> Option<Explanation> {
        Some(Explanation {
            findings: self.findings()?,
            options: self.options.clone(),
            samples: self.scores.len(),
            stable: self.stable,
            segments: self.segments.clone(),
        })
    }
}

fn probabilities(log_odds: Vec<f64>) -> Vec<f64> {
    log_odds.into_iter().map(sigmoid).collect()
}

/// Spearman's rank correlation; 1 where either is the same everywhere.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    statistics::correlation(a, b).unwrap_or(1.0)
}
