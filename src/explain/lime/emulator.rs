//! What the network would make of samples that it was never asked about.
//!
//! The score of a picture is a curved function of many regions together, and a linear model of few samples takes for noise what it cannot
//! bend to. But the network says more than a score: what each cell of its last feature map adds to it ([`grad_cam`]'s evidence), and that
//! depends on the regions near the cell, mostly. So each cell's evidence gets a Gaussian process of its own (Rasmussen and Williams,
//! 2006, chapters 2 and 5): two samples have alike evidence where they show the same of the regions near it,
//!
//! ```text
//! k(a, b) = exp(-sum of l_i over the regions i that only one of a and b shows)
//! ```
//!
//! where `l_i` falls with the distance of region and cell. How fast it falls, and how much of the evidence is noise, is what makes the
//! answers likeliest. The cells' sum is the score's log-odds, and LIME asks it for as many samples as it likes.
//!
//! [`grad_cam`]: crate::explain::grad_cam

use super::Segments;
use super::cholesky::Cholesky;

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

/// How alike a cell's evidence is in two samples.
#[derive(Clone, Debug)]
struct Kernel {
    /// For every eight regions, by which of them only one of the samples shows, their factor.
    factors: Vec<[f64; 256]>,
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
        }
    }

    fn of(&self, a: &Bits, b: &Bits) -> f64 {
        let bytes = self.factors.iter().zip(a.iter().zip(b));
        bytes.fold(1.0, |product, (factors, (a, b))| {
            product * factors[usize::from(a ^ b)]
        })
    }

    /// The lower triangle of the samples' matrix, with `noise` on its diagonal.
    fn matrix(&self, samples: &[Bits], noise: f64) -> Vec<f64> {
        let size = samples.len();
        let mut matrix = vec![0.0; size * size];
        for (i, a) in samples.iter().enumerate() {
            for (j, b) in samples[..i].iter().enumerate() {
                matrix[i * size + j] = self.of(a, b);
            }
            matrix[i * size + i] = 1.0 + noise;
        }
        matrix
    }
}

/// What is thought of a cell before the answers are taken in.
#[derive(Clone, Debug)]
pub struct Prior {
    kernel: Kernel,
    noise: f64,
}

/// A cell's evidence of each finding in samples: finding by finding, about its mean.
struct Centred {
    means: Vec<f64>,
    findings: Vec<Vec<f64>>,
}

impl Centred {
    /// `evidence` has for each sample, finding by finding, [`CELLS`] values.
    fn of(evidence: &[Vec<f32>], cell: usize) -> Self {
        let findings = evidence[0].len() / CELLS;
        let of = |finding: usize| {
            let values = evidence.iter();
            let values = values.map(|sample| f64::from(sample[finding * CELLS + cell]));
            let mut values: Vec<f64> = values.collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            values.iter_mut().for_each(|value| *value -= mean);
            (mean, values)
        };
        let (means, findings) = (0..findings).map(of).unzip();
        Self { means, findings }
    }
}

/// For each cell the kernel and noise that make the answers to some samples likeliest, of all findings together.
pub fn priors(samples: &[Vec<bool>], evidence: &[Vec<f32>], coverage: &Coverage) -> Vec<Prior> {
    let samples: Vec<Bits> = samples.iter().map(|shown| bits(shown)).collect();
    let count = samples.len() as f64;
    let prior = |cell: usize| {
        let findings = Centred::of(evidence, cell).findings;
        // What never changes, as where a finding was not trained, says nothing of the kernel.
        let varies = |values: &&Vec<f64>| values.iter().any(|value| value.abs() > TINY);
        let varying: Vec<&Vec<f64>> = findings.iter().filter(varies).collect();
        let mut best: Option<(f64, Prior)> = None;
        for reach in REACHES {
            let near = coverage.nearness(cell, reach);
            for steepness in STEEPNESS {
                let lengths: Vec<f64> = near.iter().map(|near| steepness * near).collect();
                let kernel = Kernel::new(&lengths);
                let matrix = kernel.matrix(&samples, 0.0);
                for noise in NOISE {
                    let mut matrix = matrix.clone();
                    for place in 0..samples.len() {
                        matrix[place * (samples.len() + 1)] += noise;
                    }
                    let factor = Cholesky::new(matrix, samples.len());
                    // Twice the negative logarithm of the likelihood, each finding's variance at its likeliest.
                    let determinant = factor.log_determinant();
                    let unlikely = varying.iter().map(|values| {
                        let squares: f64 = factor.whiten(values).iter().map(|v| v * v).sum();
                        count * (squares / count).ln() + determinant
                    });
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
    samples: Vec<Bits>,
    cells: Vec<Cell>,
    /// What the cells' means add up to, finding by finding.
    means: Vec<f64>,
    /// Sample by sample, finding by finding: the log-odds that the other samples foretell.
    left_out: Vec<Vec<f64>>,
}

#[derive(Clone, Debug)]
struct Cell {
    kernel: Kernel,
    /// How much each sample's kernel adds, sample by sample, finding by finding.
    weights: Vec<f64>,
}

impl Emulator {
    /// Takes in samples and the evidence that the network gave them: for each sample, finding by finding, [`CELLS`] values, which add up
    /// to the score's log-odds.
    ///
    /// # Panics
    /// If there is no sample.
    pub fn new(priors: &[Prior], samples: &[Vec<bool>], evidence: &[Vec<f32>]) -> Self {
        let samples: Vec<Bits> = samples.iter().map(|shown| bits(shown)).collect();
        let findings = evidence[0].len() / CELLS;
        let mut left_out = vec![vec![0.0; findings]; samples.len()];
        let mut means = vec![0.0; findings];
        let cells = priors.iter().enumerate().map(|(cell, prior)| {
            let centred = Centred::of(evidence, cell);
            let matrix = prior.kernel.matrix(&samples, prior.noise);
            let factor = Cholesky::new(matrix, samples.len());
            let inverse = factor.inverse_diagonal();
            let mut weights = vec![0.0; samples.len() * findings];
            for (finding, values) in centred.findings.iter().enumerate() {
                means[finding] += centred.means[finding];
                let solved = factor.solve(values);
                for (sample, weight) in solved.into_iter().enumerate() {
                    weights[sample * findings + finding] = weight;
                    // Without a sample its value would have been foretold so (Rasmussen and Williams, equation 5.12).
                    left_out[sample][finding] +=
                        centred.means[finding] + values[sample] - weight / inverse[sample];
                }
            }
            Cell {
                kernel: prior.kernel.clone(),
                weights,
            }
        });
        let cells = cells.collect();
        Self {
            samples,
            cells,
            means,
            left_out,
        }
    }

    /// The log-odds of each finding that it expects of a sample.
    pub fn log_odds(&self, shown: &[bool]) -> Vec<f64> {
        let asked = bits(shown);
        let mut sums = self.means.clone();
        for cell in &self.cells {
            let weights = cell.weights.chunks_exact(sums.len());
            for (sample, weights) in self.samples.iter().zip(weights) {
                let alike = cell.kernel.of(sample, &asked);
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += alike * weight;
                }
            }
        }
        sums
    }

    /// The same of a sample that it has taken in, as if it had not.
    pub fn left_out(&self) -> &[Vec<f64>] {
        &self.left_out
    }
}
