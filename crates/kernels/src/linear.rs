//! Linear layers of single vectors, and squeeze-and-excitation.

use crate::crew::Threads;
use crate::map::{View, ViewMut, groups};
use crate::pool;
use crate::simd::LANES;

/// A linear layer.
#[derive(Clone, Debug)]
pub struct Linear {
    weights: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl Linear {
    /// `weights`: `[outputs, inputs]`.
    ///
    /// # Panics
    /// When there is another number of weights.
    pub fn new(weights: &[f32], inputs: usize, bias: &[f32]) -> Self {
        assert_eq!(weights.len(), inputs * bias.len());
        Self {
            weights: weights.to_vec(),
            bias: bias.to_vec(),
            inputs,
        }
    }

    /// `weights * x + bias`.
    ///
    /// # Panics
    /// When `x` has another length.
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        assert_eq!(x.len(), self.inputs);
        let rows = self.weights.chunks_exact(self.inputs).zip(&self.bias);
        rows.map(|(row, bias)| dot(row, x) + bias).collect()
    }
}

/// In sums of their own for as many lanes as the compiler can make vectors of.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const TOGETHER: usize = 16;
    let mut sums = [0.0f32; TOGETHER];
    let (ends, starts) = (a.chunks_exact(TOGETHER), b.chunks_exact(TOGETHER));
    let rest: f32 = ends
        .remainder()
        .iter()
        .zip(starts.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in ends.zip(starts) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Squeeze-and-excitation (Hu et al., CVPR 2018) with SiLU inside: every channel times what a small network makes of all channels' means.
#[derive(Clone, Debug)]
pub struct SqueezeExcitation {
    pub squeeze: Linear,
    pub excite: Linear,
}

impl SqueezeExcitation {
    /// Scales the channels in place.
    ///
    /// # Panics
    /// When there is another number of channels.
    pub fn apply(&self, x: ViewMut, threads: &mut Threads) {
        debug_assert_eq!(
            x.values.len(),
            groups(x.channels) * x.height * x.width * LANES
        );
        let view = View {
            channels: x.channels,
            height: x.height,
            width: x.width,
            values: x.values,
        };
        let means = pool::mean(view, threads);
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let mut inner = self.squeeze.forward(&means);
        inner.iter_mut().for_each(|x| *x *= sigmoid(*x));
        let mut gate = self.excite.forward(&inner);
        gate.iter_mut().for_each(|x| *x = sigmoid(*x));
        pool::scale(x, &gate, threads);
    }
}
