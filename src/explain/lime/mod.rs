//! LIME for pictures (Ribeiro et al., KDD 2016): hide regions at random, watch the scores, and fit a linear model of
//! which regions raise them.
//!
//! [`Lime`] is asked for pictures to score and told the scores, batch by batch, so whoever drives it can show what is
//! known so far, stop, or spread the work. All findings are explained by the same samples.

pub mod lab;
mod quickshift;
mod segments;
mod slic;
pub mod surrogate;

pub use quickshift::Quickshift;
pub use segments::Segments;
pub use slic::Slic;
pub use surrogate::{Design, Surrogate};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::explain::agreement;
use crate::explain::heat_map::HeatMap;
use crate::radiograph::{GreyImage, Input, resize};

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
/// Of these many highest scores.
const JUDGED: usize = 3;

/// What a hidden region is filled with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// Each region's own mean.
    #[default]
    Mean,
    /// A grey level of 0..=255 (0 as the project's origin has it).
    Grey(u8),
    /// The picture without detail: shrunk to 1/16 and scaled up again.
    Blur,
}

/// How the picture is cut into regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segmentation {
    /// Regions follow edges and have any size, as in LIME's own code.
    #[default]
    Quickshift,
    /// About fifty regions of about one size.
    Slic,
}

/// How samples are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Each region is shown with probability 1/2.
    Bernoulli,
    /// The same in pairs: what one sample shows the next hides. What two regions do only together then adds nothing to
    /// the coefficient of either.
    Antithetic,
    /// Such pairs from the rows of a Hadamard matrix with random columns and signs, block after block: within a block every two
    /// regions are shown and hidden in all combinations equally often (the fold-over of Plackett and Burman's designs, 1946), so
    /// that few samples tell regions apart. A single sample is as random as before.
    #[default]
    Orthogonal,
}

impl Sampling {
    /// Whether samples after the first come in pairs.
    pub fn is_paired(self) -> bool {
        self != Sampling::Bernoulli
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// At most; the whole picture is the first.
    pub samples: usize,
    /// Whether to stop before that when the maps no longer change.
    pub until_stable: bool,
    pub seed: u64,
    #[serde(default)]
    pub segmentation: Segmentation,
    pub fill: Fill,
    pub sampling: Sampling,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            samples: 1000,
            until_stable: true,
            seed: 1,
            segmentation: Segmentation::default(),
            fill: Fill::default(),
            sampling: Sampling::default(),
        }
    }
}

/// What LIME says of one finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingLime {
    /// What showing each region adds to the score.
    pub coefficients: Vec<f64>,
    /// Half the width of each coefficient's 95% interval.
    pub margins: Vec<f64>,
    pub intercept: f64,
    /// Share of the scores' variance, near the whole picture, that the regions explain.
    pub r_squared: f64,
}

/// LIME's explanation of every finding, as far as it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub options: Options,
    /// Scored so far.
    pub samples: usize,
    /// Whether the maps had stopped changing.
    pub stable: bool,
    pub segments: Segments,
    /// In the order of the manifest's findings; `None` for those that were not trained.
    pub findings: Vec<Option<FindingLime>>,
}

impl Explanation {
    /// What each pixel's region adds to the score of a finding.
    pub fn map(&self, finding: usize) -> Option<HeatMap> {
        let finding = self.findings.get(finding)?.as_ref()?;
        Some(self.segments.paint(&finding.coefficients))
    }
}

/// A LIME explanation that is being made.
#[derive(Debug)]
pub struct Lime {
    options: Options,
    input: Input,
    /// At the side of [`SEGMENTED_SIDE`].
    segments: Segments,
    /// Region of each pixel of the network's input.
    labels: Vec<u16>,
    /// The whole picture, and the picture with all regions hidden, as the network takes them.
    shown: Vec<f32>,
    hidden: Vec<f32>,
    random: ChaCha8Rng,
    /// Of the block that is under way: rows still to come, and each region's column and sign.
    rows: Vec<usize>,
    columns: Vec<(usize, bool)>,
    samples: Vec<Vec<bool>>,
    /// Sample by sample, finding by finding.
    scores: Vec<Vec<Option<f64>>>,
    last_maps: Vec<Vec<f64>>,
    stable: bool,
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
        let filled = hidden(square, &labels, segments.count, options.fill);
        Self {
            input: input.clone(),
            shown: input.normalise(square),
            hidden: normalise_levels(input, &filled),
            labels,
            segments,
            random: ChaCha8Rng::seed_from_u64(options.seed),
            rows: Vec::new(),
            columns: Vec::new(),
            options,
            samples: Vec::new(),
            scores: Vec::new(),
            last_maps: Vec::new(),
            stable: false,
        }
    }

    /// Whether all samples are scored, or enough of them.
    pub fn is_done(&self) -> bool {
        self.scores.len() >= self.options.samples || (self.options.until_stable && self.stable)
    }

    /// How many samples were scored.
    pub fn scored(&self) -> usize {
        self.scores.len()
    }

    /// The next pictures to score, at most `most` of them, as values for [`Input::tensor_of`].
    pub fn next_batch(&mut self, most: usize) -> Vec<f32> {
        let scored = self.scores.len();
        let wanted = scored + most.min(self.options.samples.saturating_sub(scored));
        while self.samples.len() < wanted {
            let sample = self.draw();
            self.samples.push(sample);
        }
        let mut values = Vec::new();
        for sample in &self.samples[scored..wanted] {
            let pixels = self.labels.len();
            for channel in 0..self.input.channels {
                let channel = channel * pixels..(channel + 1) * pixels;
                let both = self.shown[channel.clone()]
                    .iter()
                    .zip(&self.hidden[channel]);
                values.extend(both.zip(&self.labels).map(|((shown, hidden), label)| {
                    if sample[usize::from(*label)] {
                        *shown
                    } else {
                        *hidden
                    }
                }));
            }
        }
        values
    }

    /// Takes the scores of the pictures that [`Lime::next_batch`] gave last: a list of findings for each.
    pub fn push(&mut self, scores: Vec<Vec<Option<f64>>>) {
        let before = self.scores.len();
        self.scores.extend(scores);
        self.scores.truncate(self.samples.len());
        if before / CHECK_EVERY < self.scores.len() / CHECK_EVERY {
            let maps = self.judged_maps();
            self.stable = !self.last_maps.is_empty()
                && maps
                    .iter()
                    .zip(&self.last_maps)
                    .all(|(now, then)| rank_correlation(now, then) >= STABLE);
            self.last_maps = maps;
        }
    }

    /// What is known so far; `None` before the first sample is scored.
    pub fn explanation(&self) -> Option<Explanation> {
        let design = self.design()?;
        let findings = 0..self.scores[0].len();
        let findings = findings.map(|finding| {
            let fitted = design.fit(&self.scores_of(finding)?, usize::MAX);
            let margins: Vec<f64> = fitted.standard_errors.iter().map(|e| 1.96 * e).collect();
            Some(FindingLime {
                coefficients: self.by_region(&fitted.features, &fitted.coefficients),
                margins: self.by_region(&fitted.features, &margins),
                intercept: fitted.intercept,
                r_squared: fitted.r_squared,
            })
        });
        Some(Explanation {
            findings: findings.collect(),
            options: self.options.clone(),
            samples: self.scores.len(),
            stable: self.stable,
            segments: self.segments.clone(),
        })
    }

    fn design(&self) -> Option<Design> {
        let samples = &self.samples[..self.scores.len()];
        let paired = self.options.sampling.is_paired();
        (!samples.is_empty()).then(|| Design::new(samples, paired))
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
        let (Some(design), Some(whole)) = (self.design(), self.scores.first()) else {
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
            let fitted = design.fit(&self.scores_of(finding)?, usize::MAX);
            let largest = fitted
                .coefficients
                .iter()
                .fold(0.0, |most: f64, c| most.max(c.abs()));
            let step = (STEP * largest).max(f64::MIN_POSITIVE);
            let steps: Vec<f64> = fitted
                .coefficients
                .iter()
                .map(|c| (c / step).round())
                .collect();
            Some(self.by_region(&fitted.features, &steps))
        });
        maps.collect()
    }

    /// The next sample: the whole picture first, then by the seed, however they are batched.
    fn draw(&mut self) -> Vec<bool> {
        let index = self.samples.len();
        if index == 0 {
            return vec![true; self.segments.count];
        }
        if self.options.sampling.is_paired() && index.is_multiple_of(2) {
            return self.samples[index - 1].iter().map(|shown| !shown).collect();
        }
        if self.options.sampling == Sampling::Orthogonal {
            return self.draw_row();
        }
        (0..self.segments.count)
            .map(|_| self.random.next_u32() & 1 == 1)
            .collect()
    }

    /// A row of a Hadamard matrix (Sylvester's: the parity of the bits that row and column share), of a new block after the last.
    fn draw_row(&mut self) -> Vec<bool> {
        if self.rows.is_empty() {
            // Column 0 is the same in every row: no region's.
            let order = (self.segments.count + 1).next_power_of_two();
            self.rows = self.shuffled(0..order);
            let columns = self.shuffled(1..order);
            let columns = columns.into_iter().take(self.segments.count);
            self.columns = columns
                .map(|column| (column, self.random.next_u32() & 1 == 1))
                .collect();
        }
        let row = self.rows.pop().unwrap_or_default();
        let columns = self.columns.iter();
        columns
            .map(|(column, sign)| ((row & column).count_ones() % 2 == 1) != *sign)
            .collect()
    }

    fn shuffled(&mut self, numbers: std::ops::Range<usize>) -> Vec<usize> {
        let mut numbers: Vec<usize> = numbers.collect();
        for last in (1..numbers.len()).rev() {
            // Of 2^64 draws, hardly one more for one number than for another.
            let other = self.random.next_u64() % (last as u64 + 1);
            numbers.swap(last, other as usize);
        }
        numbers
    }
}

/// The picture with every region hidden: grey levels of 0..=255, `height * width` of them. `labels` has a region
/// below `regions` for each pixel.
pub fn hidden(square: &GreyImage, labels: &[u16], regions: usize, fill: Fill) -> Vec<f64> {
    match fill {
        Fill::Grey(level) => vec![f64::from(level); labels.len()],
        Fill::Mean => {
            let (mut sums, mut counts) = (vec![0.0; regions], vec![0.0; regions]);
            for (label, level) in labels.iter().zip(&square.pixels) {
                sums[usize::from(*label)] += f64::from(*level);
                counts[usize::from(*label)] += 1.0;
            }
            let mean = |label: &u16| sums[usize::from(*label)] / counts[usize::from(*label)];
            labels.iter().map(mean).collect()
        }
        Fill::Blur => {
            let side = |length: usize| (length / 16).max(1);
            let small = resize(square, side(square.width), side(square.height));
            let levels = small.pixels.iter().map(|level| f32::from(*level)).collect();
            let map = HeatMap::new(small.width, small.height, levels);
            let blurred = map.upsample(square.width, square.height).values;
            blurred.into_iter().map(f64::from).collect()
        }
    }
}

fn normalise_levels(input: &Input, levels: &[f64]) -> Vec<f32> {
    let channels = input.mean.iter().zip(&input.std);
    channels
        .flat_map(|(mean, std)| {
            let (mean, std) = (f64::from(*mean), f64::from(*std));
            levels
                .iter()
                .map(move |level| ((level / 255.0 - mean) / std) as f32)
        })
        .collect()
}

/// Spearman's rank correlation; 1 where either is the same everywhere.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    agreement::rank_correlation(a, b).unwrap_or(1.0)
}
