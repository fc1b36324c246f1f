//! Batch normalisation with the nonlinearity after it, forward and back, on plain slices, NCHW.
//!
//! Every channel is one job: its values are read twice each way, the second time from the cache.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::network::activation::Activation;

/// `[batch, channels, pixels]`.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub batch: usize,
    pub channels: usize,
    pub pixels: usize,
}

/// What the forward pass gives.
pub struct Normalised {
    /// `activation((x - mean) / sqrt(variance + epsilon) * gamma + beta)`.
    pub output: Vec<f32>,
    /// The mean of each channel over batch and pixels.
    pub mean: Vec<f32>,
    /// The biased one.
    pub variance: Vec<f32>,
}

/// What the backward pass gives.
pub struct Gradients {
    pub x: Vec<f32>,
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

/// Normalises with the batch's own statistics.
pub fn forward(
    shape: Shape,
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    epsilon: f64,
    activation: Activation,
) -> Normalised {
    let mut output = vec![0.0; x.len()];
    let planes = Planes::of(&mut output, shape);
    let statistics = (0..shape.channels).into_par_iter().map(|channel| {
        let pictures = |picture| plane_of(x, shape, picture, channel);
        let mut moments = Moments::default();
        (0..shape.batch).for_each(|n| moments.add(pictures(n)));
        let (mean, variance) = (moments.mean(), moments.variance());
        let line = Line::new(gamma[channel], beta[channel], mean, variance, epsilon);
        for picture in 0..shape.batch {
            // SAFETY: this channel's planes belong to this job alone.
            let target = unsafe { planes.get(picture, channel) };
            activate(activation, line, pictures(picture), target);
        }
        (mean as f32, variance as f32)
    });
    let (mean, variance) = statistics.unzip();
    Normalised {
        output,
        mean,
        variance,
    }
}

/// `activation(slope x + offset)` with a line for each channel.
pub fn scale(
    shape: Shape,
    x: &[f32],
    slope: &[f32],
    offset: &[f32],
    activation: Activation,
) -> Vec<f32> {
    let mut output = vec![0.0; x.len()];
    let planes = output.par_chunks_mut(shape.pixels.max(1)).enumerate();
    planes.for_each(|(plane, target)| {
        let channel = plane % shape.channels;
        let line = Line {
            slope: slope[channel],
            offset: offset[channel],
        };
        let picture = plane_of(x, shape, plane / shape.channels, channel);
        activate(activation, line, picture, target);
    });
    output
}

/// The gradients of what [`forward`] computed; `dy` is the gradient with respect to its output.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    shape: Shape,
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    mean: &[f32],
    variance: &[f32],
    epsilon: f64,
    activation: Activation,
    dy: &[f32],
) -> Gradients {
    let mut dx = vec![0.0; x.len()];
    let planes = Planes::of(&mut dx, shape);
    let sums = (0..shape.channels).into_par_iter().map(|channel| {
        let (gamma, beta) = (gamma[channel], beta[channel]);
        let norm = Norm::new(gamma, beta, mean[channel], variance[channel], epsilon);
        let count = (shape.batch * shape.pixels) as f64;
        let mut sums = [0.0; 2];
        for picture in 0..shape.batch {
            let x = plane_of(x, shape, picture, channel);
            let dy = plane_of(dy, shape, picture, channel);
            // SAFETY: this channel's planes belong to this job alone.
            let dz = unsafe { planes.get(picture, channel) };
            let (total, along) = deactivate(activation, norm.line, norm.mean, x, dy, dz);
            sums[0] += total;
            sums[1] += along;
        }
        let (rest, [dgamma, dbeta]) = norm.rest(sums, count);
        for picture in 0..shape.batch {
            let x = plane_of(x, shape, picture, channel);
            // SAFETY: as above.
            let dz = unsafe { planes.get(picture, channel) };
            combine(x, dz, norm.of_dz() as f32, rest);
        }
        (dgamma, dbeta)
    });
    let (gamma, beta) = sums.unzip();
    Gradients { x: dx, gamma, beta }
}

/// How many values there were, their mean, and the sum of their squared distances from it.
#[derive(Clone, Copy, Default)]
pub struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Takes further values in: their mean first, so that nothing is lost where it is far from 0.
    pub fn add(&mut self, values: &[f32]) {
        let count = values.len() as f64;
        let mean = sum(values) / count;
        self.merge(&Self {
            count,
            mean,
            squares: sum_of_squares(values, mean as f32),
        });
    }

    /// Takes other values' moments in (Chan et al., 1983).
    pub fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        let between = other.mean - self.mean;
        self.squares += other.squares + between * between * self.count * other.count / count;
        self.mean += between * other.count / count;
        self.count = count;
    }

    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The biased one.
    pub fn variance(&self) -> f64 {
        self.squares / self.count
    }
}

/// `z = slope x + offset`: normalisation, scale and shift in one.
#[derive(Clone, Copy)]
pub struct Line {
    slope: f32,
    offset: f32,
}

impl Line {
    pub fn new(gamma: f32, beta: f32, mean: f64, variance: f64, epsilon: f64) -> Self {
        let slope = f64::from(gamma) / (variance + epsilon).sqrt();
        Self {
            slope: slope as f32,
            offset: (f64::from(beta) - slope * mean) as f32,
        }
    }

    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        self.slope.mul_add(x, self.offset)
    }
}

/// A channel's normalisation with known statistics.
#[derive(Clone, Copy)]
pub struct Norm {
    pub line: Line,
    pub mean: f32,
    scale: f64,
    gamma: f64,
}

/// `of_x x + constant`.
#[derive(Clone, Copy, Default)]
pub struct Term {
    pub of_x: f64,
    pub constant: f64,
}

impl Norm {
    pub fn new(gamma: f32, beta: f32, mean: f32, variance: f32, epsilon: f64) -> Self {
        let (centre, variance) = (f64::from(mean), f64::from(variance));
        Self {
            line: Line::new(gamma, beta, centre, variance, epsilon),
            mean,
            scale: 1.0 / (variance + epsilon).sqrt(),
            gamma: f64::from(gamma),
        }
    }

    /// How `dz` goes into the gradient with respect to `x`.
    pub fn of_dz(&self) -> f64 {
        self.gamma * self.scale
    }

    /// The rest of that gradient, `gamma / sigma (-mean(dz) - normalised x * mean(dz * normalised x))`, and the gradients of `gamma` and `beta`, from the sums of `dz` and of `dz (x - mean)` over
    /// `count` values.
    pub fn rest(&self, [total, along]: [f64; 2], count: f64) -> (Term, [f32; 2]) {
        let along = along * self.scale;
        let of_x = -self.of_dz() * self.scale * along / count;
        let constant = -self.of_dz() * total / count - of_x * f64::from(self.mean);
        (Term { of_x, constant }, [along as f32, total as f32])
    }
}

fn plane_of(values: &[f32], shape: Shape, picture: usize, channel: usize) -> &[f32] {
    &values[(picture * shape.channels + channel) * shape.pixels..][..shape.pixels]
}

/// The planes of a `[batch, channels, pixels]` array, for jobs that each write one channel of all pictures.
struct Planes {
    start: *mut f32,
    shape: Shape,
}

// SAFETY: `get` is the only way to the data, and its callers take different planes.
unsafe impl Sync for Planes {}

impl Planes {
    fn of(values: &mut [f32], shape: Shape) -> Self {
        assert_eq!(values.len(), shape.batch * shape.channels * shape.pixels);
        Self {
            start: values.as_mut_ptr(),
            shape,
        }
    }

    /// # Safety
    /// No two live slices may be of the same plane, and the array must outlive them.
    #[allow(clippy::mut_from_ref)]
    unsafe fn get(&self, picture: usize, channel: usize) -> &mut [f32] {
        assert!(picture < self.shape.batch && channel < self.shape.channels);
        let plane = picture * self.shape.channels + channel;
        // SAFETY: within the array, by the assertions here and in `of`.
        unsafe {
            let start = self.start.add(plane * self.shape.pixels);
            std::slice::from_raw_parts_mut(start, self.shape.pixels)
        }
    }
}

const LANES: usize = 16;

/// Adds up `term(index)` in lanes that the compiler turns into vectors.
#[inline(always)]
fn lanes(count: usize, mut term: impl FnMut(usize) -> f32) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let whole = count / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(at + lane);
        }
    }
    let rest: f32 = (whole..count).map(term).sum();
    lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>() + f64::from(rest)
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
fn sum(values: &[f32]) -> f64 {
    lanes(values.len(), |i| values[i])
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
fn sum_of_squares(values: &[f32], mean: f32) -> f64 {
    lanes(values.len(), |i| {
        let difference = values[i] - mean;
        difference * difference
    })
}

/// `sum = sum + x`.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
pub fn add(x: &[f32], sum: &mut [f32]) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum += x;
    }
}

/// `dz = of_dz dz + of_x x + constant`, the gradient with respect to `x`.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
pub fn combine(x: &[f32], dz: &mut [f32], of_dz: f32, rest: Term) {
    let (of_x, constant) = (rest.of_x as f32, rest.constant as f32);
    for (dz, x) in dz.iter_mut().zip(x) {
        *dz = of_dz.mul_add(*dz, of_x.mul_add(*x, constant));
    }
}

/// Calls `$body` with the activation's value and slope as closures that the compiler sees through.
macro_rules! with_activation {
    ($activation:expr, |$value:ident, $slope:ident| $body:expr) => {
        match $activation {
            Activation::Identity => {
                let ($value, $slope) = (
                    #[inline(always)]
                    |z: f32| z,
                    #[inline(always)]
                    |_: f32| 1.0f32,
                );
                $body
            }
            Activation::Relu => {
                let ($value, $slope) = (
                    #[inline(always)]
                    |z: f32| z.max(0.0),
                    #[inline(always)]
                    |z: f32| if z > 0.0 { 1.0f32 } else { 0.0 },
                );
                $body
            }
            Activation::Relu6 => {
                let ($value, $slope) = (
                    #[inline(always)]
                    |z: f32| z.clamp(0.0, 6.0),
                    #[inline(always)]
                    |z: f32| if z > 0.0 && z < 6.0 { 1.0f32 } else { 0.0 },
                );
                $body
            }
            Activation::Silu => {
                let ($value, $slope) = (
                    #[inline(always)]
                    |z: f32| z * sigmoid(z),
                    #[inline(always)]
                    |z: f32| {
                        let s = sigmoid(z);
                        s * (1.0 + z * (1.0 - s))
                    },
                );
                $body
            }
        }
    };
}

#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
pub fn activate(activation: Activation, line: Line, x: &[f32], y: &mut [f32]) {
    with_activation!(activation, |value, _slope| {
        for (y, x) in y.iter_mut().zip(x) {
            *y = value(line.at(*x));
        }
    });
}

/// Writes `dz`, the gradient before the activation; gives its sum, and its sum of products with `x - mean`.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
pub fn deactivate(
    activation: Activation,
    line: Line,
    mean: f32,
    x: &[f32],
    dy: &[f32],
    dz: &mut [f32],
) -> (f64, f64) {
    with_activation!(activation, |_value, slope| {
        for ((dz, dy), x) in dz.iter_mut().zip(dy).zip(x) {
            *dz = dy * slope(line.at(*x));
        }
    });
    let dz = &dz[..x.len()];
    let total = lanes(x.len(), |i| dz[i]);
    (total, lanes(x.len(), |i| dz[i] * (x[i] - mean)))
}

/// Sums of what [`accumulate`] goes through, in lanes that the compiler turns into vectors.
#[derive(Default)]
pub struct Accumulated {
    total: [f32; LANES],
    along: [f32; LANES],
}

impl Accumulated {
    /// The sum of `dz`, and of `dz (x - mean)`.
    pub fn sums(&self) -> [f64; 2] {
        [self.total, self.along].map(|lanes| lanes.iter().map(|lane| f64::from(*lane)).sum())
    }
}

/// `dz` is `dy` where the ReLU's output `y` is not 0; adds `of_dz dz` to `dx`, and sums up.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
pub fn accumulate(
    sums: &mut Accumulated,
    [y, dy, x]: [&[f32]; 3],
    mean: f32,
    of_dz: f32,
    dx: &mut [f32],
) {
    let Accumulated { total, along } = sums;
    let whole = dx.len() / LANES * LANES;
    let (blocks, rest) = dx.split_at_mut(whole);
    let inputs = y
        .chunks_exact(LANES)
        .zip(dy.chunks_exact(LANES))
        .zip(x.chunks_exact(LANES));
    for (dx, ((y, dy), x)) in blocks.chunks_exact_mut(LANES).zip(inputs) {
        for lane in 0..LANES {
            let dz = if y[lane] > 0.0 { dy[lane] } else { 0.0 };
            total[lane] += dz;
            along[lane] = dz.mul_add(x[lane] - mean, along[lane]);
            dx[lane] = of_dz.mul_add(dz, dx[lane]);
        }
    }
    for (lane, dx) in rest.iter_mut().enumerate() {
        let at = whole + lane;
        let dz = if y[at] > 0.0 { dy[at] } else { 0.0 };
        total[lane] += dz;
        along[lane] = dz.mul_add(x[at] - mean, along[lane]);
        *dx = of_dz.mul_add(dz, *dx);
    }
}

/// `1 / (1 + exp(-z))`, in steps that the compiler can turn into vectors; exact to a few units in the last place.
#[inline(always)]
fn sigmoid(z: f32) -> f32 {
    // exp(v) = 2^n e^r with |r| <= ln(2) / 2, by a polynomial (the Cephes library's expf).
    let v = (-z).clamp(-87.0, 87.0);
    let n = (v * std::f32::consts::LOG2_E).round_ties_even();
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, v));
    let mut p = 1.987_569_1e-4f32;
    for c in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        0.166_666_65,
        0.5,
    ] {
        p = p.mul_add(r, c);
    }
    let power = f32::from_bits(((n as i32 + 127) << 23) as u32);
    1.0 / (1.0 + power * p.mul_add(r * r, r + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_is_exact_to_rounding_everywhere() {
        for step in -2000..=2000 {
            let z = step as f32 * 0.05;
            let exact = 1.0 / (1.0 + (-f64::from(z)).exp());
            let relative = (f64::from(sigmoid(z)) / exact - 1.0).abs();
            // Beyond 87 it stays at its smallest value.
            assert!(relative < 1e-6 || z < -87.0, "{z}: {relative}");
        }
        assert!(sigmoid(-1000.0) >= 0.0 && sigmoid(1000.0) == 1.0);
    }
}
