//! What the network would make of samples that it was never asked about.
//!
//! The score of a picture is a curved function of many regions together, and a linear model of few samples takes for noise what it cannot
//! bend to. But the network says more than a score: what each cell of its last feature map adds to it (Grad-CAM's evidence), and that
//! depends on the regions near the cell, mostly. So each cell's evidence gets a Gaussian process of its own (Rasmussen and Williams,
//! 2006, chapters 2 and 5): two samples have alike evidence where they show the same of the regions near it,
//!
//! ```text
//! k(a, b) = exp(-sum of l_i over the regions i that only one of a and b shows)
//! ```
//!
//! where `l_i` falls with the distance of region and cell. How fast it falls, and how much of the evidence is noise, is what makes the
//! answers likeliest. The cells' sum is the score's log-odds, and LIME asks it for as many samples as it likes.

use std::f64::consts::FRAC_1_SQRT_2;

use super::Segments;
use super::cholesky::{Cholesky, TOGETHER, Values, dots, sum_of};

/// Height and width of the grid of cells: the feature maps' of 224 pixels. Finer ones are gathered on it.
pub const GRID: usize = 7;
pub const CELLS: usize = GRID * GRID;

/// From the first of the answers, so many, the kernels are chosen.
pub const LEARNT: usize = 100;
/// Standard deviations, in cells, of the nearness of regions.
const REACHES: [f64; 3] = [1.2, 1.5, 2.0];
/// What the `l_i` add up to.
const STEEPNESS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// Variance of what other samples do not tell, as a share of the evidence's.
const NOISE: [f64; 6] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

/// Evidence that changes by less than this does not change.
const TINY: f64 = 1e-9;

/// Which share of each cell each region covers: region by region, [`CELLS`] values.
#[derive(Clone, Debug)]
pub struct Coverage(Vec<Vec<f64>>);

impl Coverage {
    pub fn of(segments: &Segments) -> Self {
        let mut covered = vec![vec![0.0; CELLS]; segments.count];
        let mut pixels = vec![0.0; CELLS];
        for (place, label) in segments.labels.iter().enumerate() {
            let (x, y) = (place % segments.width, place / segments.width);
            let cell = y * GRID / segments.height * GRID + x * GRID / segments.width;
            covered[usize::from(*label)][cell] += 1.0;
            pixels[cell] += 1.0;
        }
        for covered in &mut covered {
            for (covered, pixels) in covered.iter_mut().zip(&pixels) {
                *covered /= f64::max(*pixels, 1.0);
            }
        }
        Self(covered)
    }

    /// How near each region is to a cell; all together are 1.
    fn nearness(&self, cell: usize, reach: f64) -> Vec<f64> {
        let at = |cell: usize| ((cell % GRID) as f64, (cell / GRID) as f64);
        let (x, y) = at(cell);
        let weights: Vec<f64> = (0..CELLS)
            .map(|other| {
                let (other_x, other_y) = at(other);
                let square = (x - other_x).powi(2) + (y - other_y).powi(2);
                (-square / (2.0 * reach * reach)).exp()
            })
            .collect();
        let near = |covered: &Vec<f64>| covered.iter().zip(&weights).map(|(c, w)| c * w).sum();
        let near: Vec<f64> = self.0.iter().map(near).collect();
        let total: f64 = near.iter().sum();
        near.iter().map(|near| near / total).collect()
    }
}

/// A sample, eight regions a byte.
type Bits = Vec<u8>;

fn bits(shown: &[bool]) -> Bits {
    let byte = |shown: &[bool]| {
        let shown = shown.iter().rev();
        shown.fold(0, |byte, shown| byte << 1 | u8::from(*shown))
    };
    shown.chunks(8).map(byte).collect()
}

/// A sample and the next, if that one shows just what this one hides, as it does where samples are paired.
///
/// Wherever such two are compared with a third, one kernel value tells the other ([`Kernel::of`]). And what a process makes of their
/// half sum has nothing to do with what it makes of their half difference, so that one system of equations becomes two of half the size.
#[derive(Clone, Debug)]
struct Pair {
    first: usize,
    second: Option<usize>,
    /// What the first shows.
    shown: Bits,
}

impl Pair {
    /// Samples in pairs, as far as they are; those that are alone come last.
    fn up(samples: &[Vec<bool>]) -> Vec<Pair> {
        let (mut pairs, mut alone) = (Vec::new(), Vec::new());
        let mut first = 0;
        while let Some(sample) = samples.get(first) {
            let shown = bits(sample);
            let opposite = |next: &&Vec<bool>| next.iter().zip(sample).all(|(a, b)| a != b);
            let second = samples.get(first + 1).filter(opposite);
            let second = second.map(|_| first + 1);
            let list = match second {
                Some(_) => &mut pairs,
                None => &mut alone,
            };
            list.push(Pair {
                first,
                second,
                shown,
            });
            first = second.unwrap_or(first) + 1;
        }
        pairs.append(&mut alone);
        pairs
    }
}

/// How alike a cell's evidence is in two samples.
#[derive(Clone, Debug)]
struct Kernel {
    /// For every eight regions, by which of them only one of the samples shows, their factor.
    factors: Vec<[f64; 256]>,
    /// The factor of all regions.
    opposite: f64,
}

impl Kernel {
    fn new(lengths: &[f64]) -> Self {
        let factor = |lengths: &[f64], differ: usize| {
            let lengths = lengths.iter().enumerate();
            let differ = lengths.filter(|(region, _)| differ >> region & 1 == 1);
            (-differ.map(|(_, length)| length).sum::<f64>()).exp()
        };
        let factors = lengths.chunks(8);
        Self {
            factors: factors
                .map(|lengths| std::array::from_fn(|differ| factor(lengths, differ)))
                .collect(),
            opposite: (-lengths.iter().sum::<f64>()).exp(),
        }
    }

    /// How alike two samples are, and how alike one of them and the opposite of the other.
    fn of(&self, a: &Bits, b: &Bits) -> (f64, f64) {
        let bytes = self.factors.iter().zip(a.iter().zip(b));
        let alike = bytes.fold(1.0, |product, (factors, (a, b))| {
            product * factors[usize::from(a ^ b)]
        });
        (alike, self.opposite / alike)
    }
}

/// Samples in other terms: of the pairs the half sums (times the root of 2), then the half differences, then those that are alone. So
/// a process's matrix is mostly 0.
struct Turned {
    pairs: Vec<Pair>,
    /// How many of them, the first, have both.
    whole: usize,
    samples: usize,
}

impl Turned {
    fn of(samples: &[Vec<bool>]) -> Self {
        let pairs = Pair::up(samples);
        Self {
            whole: samples.len() - pairs.len(),
            samples: samples.len(),
            pairs,
        }
    }

    /// Values of the samples.
    fn turn(&self, values: &[f64]) -> Vec<f64> {
        let mut turned = vec![0.0; self.samples];
        for (place, pair) in self.pairs.iter().enumerate() {
            let value = values[pair.first];
            match pair.second.map(|second| values[second]) {
                Some(other) => {
                    turned[place] = (value + other) * FRAC_1_SQRT_2;
                    turned[self.whole + place] = (value - other) * FRAC_1_SQRT_2;
                }
                None => turned[self.whole + place] = value,
            }
        }
        turned
    }

    /// The samples' values again.
    fn turn_back(&self, turned: &[f64]) -> Vec<f64> {
        let mut values = vec![0.0; self.samples];
        for (place, pair) in self.pairs.iter().enumerate() {
            let other = turned[self.whole + place];
            match pair.second {
                Some(second) => {
                    values[pair.first] = (turned[place] + other) * FRAC_1_SQRT_2;
                    values[second] = (turned[place] - other) * FRAC_1_SQRT_2;
                }
                None => values[pair.first] = other,
            }
        }
        values
    }

    /// The lower triangle of the kernel's matrix.
    fn matrix(&self, kernel: &Kernel) -> Vec<f64> {
        let (size, whole) = (self.samples, self.whole);
        let mut matrix = vec![0.0; size * size];
        for (i, a) in self.pairs.iter().enumerate() {
            for (j, b) in self.pairs[..=i].iter().enumerate() {
                let (alike, unlike) = kernel.of(&a.shown, &b.shown);
                let (sum, difference) = (alike + unlike, alike - unlike);
                let below = (whole + i) * size;
                if i < whole {
                    matrix[i * size + j] = sum;
                    matrix[below + whole + j] = difference;
                } else if j < whole {
                    matrix[below + j] = sum * FRAC_1_SQRT_2;
                    matrix[below + whole + j] = difference * FRAC_1_SQRT_2;
                } else {
                    matrix[below + whole + j] = alike;
                }
            }
        }
        matrix
    }

    /// Factors a matrix after adding the noise's variance.
    fn factor(&self, mut matrix: Vec<f64>, noise: f64) -> Cholesky {
        for place in 0..self.samples {
            matrix[place * (self.samples + 1)] += noise;
        }
        let differences = self.whole..2 * self.whole;
        let first = |place| match differences.contains(&place) {
            true => self.whole,
            false => 0,
        };
        Cholesky::within(matrix, (0..self.samples).map(first).collect())
    }

    /// The diagonal of the inverse, sample by sample.
    fn inverse_diagonal(&self, factor: &Cholesky) -> Vec<f64> {
        // Whitened units, from a place on.
        let whitened = |place: usize, count: usize| {
            let mut units = vec![[0.0; TOGETHER]; self.samples];
            for unit in 0..count {
                units[place + unit][unit] = 1.0;
            }
            factor.whiten_together(&mut units);
            units
        };
        let mut diagonal = vec![0.0; self.samples];
        let (pairs, alone) = self.pairs.split_at(self.whole);
        for (group, pairs) in pairs.chunks(TOGETHER).enumerate() {
            let sums = whitened(group * TOGETHER, pairs.len());
            let differences = whitened(self.whole + group * TOGETHER, pairs.len());
            let between = dots(&sums, &differences);
            let [sums, differences] = [sums, differences].map(|units| dots(&units, &units));
            for (index, pair) in pairs.iter().enumerate() {
                let half = (sums[index] + differences[index]) / 2.0;
                diagonal[pair.first] = half + between[index];
                if let Some(second) = pair.second {
                    diagonal[second] = half - between[index];
                }
            }
        }
        for (group, pairs) in alone.chunks(TOGETHER).enumerate() {
            let units = whitened(2 * self.whole + group * TOGETHER, pairs.len());
            let squares = dots(&units, &units);
            for (pair, square) in pairs.iter().zip(squares) {
                diagonal[pair.first] = square;
            }
        }
        diagonal
    }
}

/// What is thought of a cell before the answers are taken in.
#[derive(Clone, Debug)]
pub struct Prior {
    kernel: Kernel,
    noise: f64,
}

/// A cell's evidence in samples, of the findings that it changes for: about its mean.
struct Centred {
    /// The mean of every finding.
    means: Vec<f64>,
    /// Which finding, and sample by sample.
    varying: Vec<(usize, Vec<f64>)>,
}

impl Centred {
    /// `evidence` has for each sample, finding by finding, [`CELLS`] values.
    fn of(evidence: &[Vec<f32>], cell: usize) -> Self {
        let findings = evidence[0].len() / CELLS;
        let mut centred = Self {
            means: Vec::new(),
            varying: Vec::new(),
        };
        for finding in 0..findings {
            let values = evidence.iter();
            let values = values.map(|sample| f64::from(sample[finding * CELLS + cell]));
            let mut values: Vec<f64> = values.collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            values.iter_mut().for_each(|value| *value -= mean);
            centred.means.push(mean);
            // What never changes, as where a finding was not trained, has nothing to predict.
            if values.iter().any(|value| value.abs() > TINY) {
                centred.varying.push((finding, values));
            }
        }
        centred
    }
}

/// Values of at most [`TOGETHER`] findings: row by row one of each, and 0 beside.
fn side_by_side(findings: &[Vec<f64>]) -> Vec<Values> {
    let rows = 0..findings[0].len();
    let value = |finding: usize, row: usize| findings.get(finding).map_or(0.0, |f| f[row]);
    rows.map(|row| std::array::from_fn(|finding| value(finding, row)))
        .collect()
}

/// For each cell the kernel and noise that make the answers to some samples likeliest, of all findings together.
pub fn priors(samples: &[Vec<bool>], evidence: &[Vec<f32>], coverage: &Coverage) -> Vec<Prior> {
    let turned = Turned::of(samples);
    let count = samples.len() as f64;
    let prior = |cell: usize| {
        let findings = Centred::of(evidence, cell).varying.into_iter();
        let findings: Vec<_> = findings.map(|(_, values)| turned.turn(&values)).collect();
        let varying = findings.len();
        let findings: Vec<Vec<Values>> = findings.chunks(TOGETHER).map(side_by_side).collect();
        let mut best: Option<(f64, Prior)> = None;
        for reach in REACHES {
            let near = coverage.nearness(cell, reach);
            for steepness in STEEPNESS {
                let lengths: Vec<f64> = near.iter().map(|near| steepness * near).collect();
                let kernel = Kernel::new(&lengths);
                let matrix = turned.matrix(&kernel);
                for noise in NOISE {
                    let factor = turned.factor(matrix.clone(), noise);
                    // Twice the negative logarithm of the likelihood, each finding's variance at its likeliest.
                    let determinant = factor.log_determinant();
                    let unlikely = findings.iter().flat_map(|values| {
                        let mut whitened = values.clone();
                        factor.whiten_together(&mut whitened);
                        dots(&whitened, &whitened)
                    });
                    // Beside the last ones are none.
                    let unlikely = unlikely.take(varying);
                    let unlikely =
                        unlikely.map(|squares| count * (squares / count).ln() + determinant);
                    let unlikely: f64 = unlikely.sum();
                    if best.as_ref().is_none_or(|(least, _)| unlikely < *least) {
                        let kernel = kernel.clone();
                        best = Some((unlikely, Prior { kernel, noise }));
                    }
                }
            }
        }
        best.expect("there are kernels to choose from").1
    };
    (0..CELLS).map(prior).collect()
}

/// Gaussian processes that have taken in a network's answers.
#[derive(Clone, Debug)]
pub struct Emulator {
    pairs: Vec<Pair>,
    cells: Vec<Cell>,
    /// What the cells' means add up to, finding by finding.
    means: Vec<f64>,
    /// Sample by sample, finding by finding: the log-odds that the other samples predict.
    left_out: Vec<Vec<f64>>,
    /// Sample by sample, finding by finding: the log-odds that the emulator expects of samples that it has taken in.
    fitted: Vec<Vec<f64>>,
}

#[derive(Clone, Debug)]
struct Cell {
    kernel: Kernel,
    /// The weights of the findings that it changes for.
    findings: Vec<Weights>,
}

/// How much each sample's kernel adds to some findings, pair by pair.
#[derive(Clone, Debug)]
struct Weights {
    /// At most [`TOGETHER`].
    findings: Vec<usize>,
    half_sums: Vec<Values>,
    half_differences: Vec<Values>,
}

impl Emulator {
    /// Takes in samples and the evidence that the network gave them: for each sample, finding by finding, [`CELLS`] values, which add up
    /// to the score's log-odds.
    ///
    /// # Panics
    /// If there is no sample.
    pub fn new(priors: &[Prior], samples: &[Vec<bool>], evidence: &[Vec<f32>]) -> Self {
        let turned = Turned::of(samples);
        let findings = evidence[0].len() / CELLS;
        let mut left_out = vec![vec![0.0; findings]; samples.len()];
        let mut fitted = left_out.clone();
        let mut means = vec![0.0; findings];
        let cells = priors.iter().enumerate().map(|(cell, prior)| {
            let centred = Centred::of(evidence, cell);
            for (sum, mean) in means.iter_mut().zip(&centred.means) {
                *sum += mean;
            }
            let factor = turned.factor(turned.matrix(&prior.kernel), prior.noise);
            let inverse = turned.inverse_diagonal(&factor);
            let weights = centred.varying.chunks(TOGETHER).map(|varying| {
                let turned_values = varying.iter().map(|(_, values)| turned.turn(values));
                let mut all = side_by_side(&turned_values.collect::<Vec<_>>());
                factor.solve_together(&mut all);
                let mut weights = Weights {
                    findings: varying.iter().map(|(finding, _)| *finding).collect(),
                    half_sums: vec![[0.0; TOGETHER]; turned.pairs.len()],
                    half_differences: vec![[0.0; TOGETHER]; turned.pairs.len()],
                };
                for (lane, (finding, values)) in varying.iter().enumerate() {
                    let solved: Vec<f64> = all.iter().map(|row| row[lane]).collect();
                    let solved = turned.turn_back(&solved);
                    for (sample, fitted) in fitted.iter_mut().enumerate() {
                        fitted[*finding] += values[sample] - prior.noise * solved[sample];
                    }
                    for (sample, left_out) in left_out.iter_mut().enumerate() {
                        // Without a sample its value would have been predicted so (Rasmussen and Williams, equation 5.12).
                        left_out[*finding] += values[sample] - solved[sample] / inverse[sample];
                    }
                    for (place, pair) in turned.pairs.iter().enumerate() {
                        let (a, b) = (solved[pair.first], pair.second.map_or(0.0, |s| solved[s]));
                        weights.half_sums[place][lane] = (a + b) / 2.0;
                        weights.half_differences[place][lane] = (a - b) / 2.0;
                    }
                }
                weights
            });
            Cell {
                kernel: prior.kernel.clone(),
                findings: weights.collect(),
            }
        });
        let cells = cells.collect();
        for sample in left_out.iter_mut().chain(&mut fitted) {
            for (value, mean) in sample.iter_mut().zip(&means) {
                *value += mean;
            }
        }
        Self {
            pairs: turned.pairs,
            cells,
            means,
            left_out,
            fitted,
        }
    }

    /// The log-odds of each finding that it expects of samples.
    pub fn log_odds(&self, samples: &[Vec<bool>]) -> Vec<Vec<f64>> {
        let asked = Pair::up(samples);
        // What is the same of a sample and its opposite, and what is not.
        let mut same = vec![self.means.clone(); asked.len()];
        let mut other = vec![vec![0.0; self.means.len()]; asked.len()];
        let mut sums = vec![0.0; self.pairs.len()];
        let mut differences = sums.clone();
        for cell in &self.cells {
            for (asked, (same, other)) in asked.iter().zip(same.iter_mut().zip(&mut other)) {
                for (place, known) in self.pairs.iter().enumerate() {
                    let (alike, unlike) = cell.kernel.of(&known.shown, &asked.shown);
                    sums[place] = alike + unlike;
                    differences[place] = alike - unlike;
                }
                for weights in &cell.findings {
                    let added = sum_of(&sums, &weights.half_sums).into_iter();
                    let different = sum_of(&differences, &weights.half_differences);
                    for (finding, (sum, difference)) in
                        weights.findings.iter().zip(added.zip(different))
                    {
                        same[*finding] += sum;
                        other[*finding] += difference;
                    }
                }
            }
        }
        let mut log_odds = vec![Vec::new(); samples.len()];
        for (asked, (same, other)) in asked.iter().zip(same.iter().zip(&other)) {
            let both = || same.iter().zip(other);
            log_odds[asked.first] = both().map(|(same, other)| same + other).collect();
            if let Some(second) = asked.second {
                log_odds[second] = both().map(|(same, other)| same - other).collect();
            }
        }
        log_odds
    }

    /// The log-odds of each finding that the emulator expects of each sample that it has taken in.
    pub fn fitted(&self) -> &[Vec<f64>] {
        &self.fitted
    }

    /// The log-odds of each finding that the emulator would expect of each sample if it had not taken that sample in.
    pub fn left_out(&self) -> &[Vec<f64>] {
        &self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGIONS: usize = 11;
    /// More than are worked on together; one of them changes nowhere.
    const FINDINGS: usize = TOGETHER + 3;
    const CONSTANT: usize = 5;

    /// Samples in pairs and some alone, and evidence of findings that have little in common.
    fn answered() -> (Vec<Vec<bool>>, Vec<Vec<f32>>) {
        let mut samples: Vec<Vec<bool>> = Vec::new();
        for number in 0..21_usize {
            let shown =
                |region: usize| (number * number * 7 + region * 5 + number * region * 3) % 11 < 5;
            let sample: Vec<bool> = (0..REGIONS).map(shown).collect();
            if number % 4 != 3 {
                samples.push(sample.iter().map(|shown| !shown).collect());
            }
            samples.push(sample);
        }
        let evidence = samples.iter().map(|sample| {
            let value = |place: usize| {
                let (finding, cell) = (place / CELLS, place % CELLS);
                if finding == CONSTANT {
                    return 0.25;
                }
                let region = (finding * 3 + cell) % REGIONS;
                let other = (finding + cell * 2) % REGIONS;
                let first = f32::from(u8::from(sample[region])) * (1.0 + finding as f32);
                first + f32::from(u8::from(sample[region] && sample[other])) * 0.5
            };
            (0..FINDINGS * CELLS).map(value).collect()
        });
        let evidence = evidence.collect();
        (samples, evidence)
    }

    fn coverage() -> Coverage {
        let labels = (0..GRID * GRID).map(|pixel| (pixel * REGIONS / (GRID * GRID)) as u16);
        Coverage::of(&Segments {
            width: GRID,
            height: GRID,
            labels: labels.collect(),
            count: REGIONS,
        })
    }

    /// The evidence of some findings, in this order.
    fn only(evidence: &[Vec<f32>], findings: &[usize]) -> Vec<Vec<f32>> {
        let of = |sample: &Vec<f32>| {
            let findings = findings.iter();
            findings
                .flat_map(|finding| sample[finding * CELLS..][..CELLS].to_vec())
                .collect()
        };
        evidence.iter().map(of).collect()
    }

    #[test]
    fn findings_that_are_worked_on_together_are_as_one_by_one() {
        let (samples, evidence) = answered();
        let priors = priors(&samples, &evidence, &coverage());
        let all = Emulator::new(&priors, &samples, &evidence);
        let unseen: Vec<Vec<bool>> = (0..9_usize)
            .map(|number| {
                (0..REGIONS)
                    .map(|region| (number + region * number) % 3 == 0)
                    .collect()
            })
            .collect();
        let predicted = all.log_odds(&unseen);
        for finding in 0..FINDINGS {
            let one = Emulator::new(&priors, &samples, &only(&evidence, &[finding]));
            let alone = one.log_odds(&unseen);
            let pairs = predicted.iter().zip(&alone);
            let pairs = pairs.chain(all.left_out().iter().zip(one.left_out()));
            for (all, one) in pairs.chain(all.fitted().iter().zip(one.fitted())) {
                let close = (all[finding] - one[0]).abs() <= 1e-9 * one[0].abs().max(1.0);
                assert!(close, "finding {finding}: {} {}", all[finding], one[0]);
            }
        }
        let differ = |a: usize, b: usize| (predicted[0][a] - predicted[0][b]).abs() > 1e-3;
        assert!(
            differ(0, 1) && differ(7, 8) && differ(9, 10),
            "findings are alike"
        );
    }

    #[test]
    fn priors_do_not_depend_on_the_order_of_findings() {
        let (samples, evidence) = answered();
        let turned: Vec<usize> = (0..FINDINGS).rev().collect();
        let turned = only(&evidence, &turned);
        let found = [&evidence, &turned].map(|evidence| priors(&samples, evidence, &coverage()));
        for (one, other) in found[0].iter().zip(&found[1]) {
            assert_eq!(one.noise, other.noise);
            assert_eq!(one.kernel.opposite, other.kernel.opposite);
            assert_eq!(one.kernel.factors, other.kernel.factors);
        }
    }
}
