//! A dense block (Huang et al., CVPR 2017), forward and back, on plain slices, NCHW.
//!
//! A layer reads all channels before its own, so most of what a layer needs was there before. All layers write into one
//! map, each behind its inputs; a channel's statistics are taken once, when it is written. Normalised inputs are never
//! kept: they are computed in strips that stay in the cache, right before the product that reads them, and once more on the
//! way back (Pleiss et al., "Memory-efficient implementation of DenseNets", 2017).

mod backward;
mod forward;
mod operation;
mod strips;
mod taps;

pub use operation::dense_block;

use super::normalisation::{Moments, Norm};

/// Taps of the layers' second convolution, 3x3.
const TAPS: usize = 9;
/// The shape of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    /// Channels of the block's input.
    pub inputs: usize,
    pub layers: usize,
    /// Channels between a layer's two convolutions.
    pub bottleneck: usize,
    /// Channels that a layer adds.
    pub growth: usize,
    pub epsilon: f64,
}

/// Parameters of a layer, or their gradients: one after the other among those of all layers.
struct Parameters<S> {
    /// Channels that the layer reads.
    inputs: usize,
    gamma1: S,
    beta1: S,
    /// `[bottleneck, inputs]`.
    weight1: S,
    gamma2: S,
    beta2: S,
    /// `[growth, bottleneck, 3, 3]`.
    weight2: S,
}

/// What the backward pass needs beside the map.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Statistics of the map's channels, with which every layer's first normalisation begins.
    pub map: Statistics,
    /// Statistics of each layer's bottleneck, for its second normalisation.
    pub bottlenecks: Vec<Statistics>,
    /// For each layer and strip: `[bottleneck, pixels]`, before the second normalisation.
    values: Vec<Vec<f32>>,
}

/// Mean and biased variance of each channel over batch and pixels.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

impl Statistics {
    fn extend(&mut self, moments: &[Moments]) {
        self.mean.extend(moments.iter().map(|m| m.mean() as f32));
        self.variance
            .extend(moments.iter().map(|m| m.variance() as f32));
    }

    fn of(moments: &[Moments]) -> Self {
        let mut statistics = Self::default();
        statistics.extend(moments);
        statistics
    }

    /// The normalisation of the first channels with these parameters, channel by channel.
    fn norms(&self, gamma: &[f32], beta: &[f32], epsilon: f64) -> Vec<Norm> {
        let values = self.mean.iter().zip(&self.variance);
        let of = |((gamma, beta), (mean, variance)): ((&f32, &f32), (&f32, &f32))| {
            Norm::new(*gamma, *beta, *mean, *variance, epsilon)
        };
        gamma.iter().zip(beta).zip(values).map(of).collect()
    }
}

impl Block {
    /// Channels of the map.
    pub fn channels(&self) -> usize {
        self.inputs_of(self.layers)
    }

    /// Channels that a layer reads.
    pub fn inputs_of(&self, layer: usize) -> usize {
        self.inputs + layer * self.growth
    }

    fn pixels(&self) -> usize {
        self.height * self.width
    }

    fn count(&self) -> f64 {
        (self.batch * self.pixels()) as f64
    }

    /// How many parameters there are of each kind, in their order.
    fn lengths(&self, layer: usize) -> [usize; 6] {
        let inputs = self.inputs_of(layer);
        [
            inputs,
            inputs,
            inputs * self.bottleneck,
            self.bottleneck,
            self.bottleneck,
            self.bottleneck * self.growth * TAPS,
        ]
    }

    /// The parameters of each layer.
    fn layers<'a>(&self, mut all: &'a [f32]) -> Vec<Parameters<&'a [f32]>> {
        let of = |layer| {
            let mut next = self.lengths(layer).into_iter().map(|length| {
                let (next, rest) = all.split_at(length);
                all = rest;
                next
            });
            self.named(layer, || next.next().expect("there are six"))
        };
        let layers = (0..self.layers).map(of).collect();
        assert!(all.is_empty(), "as many parameters as the layers have");
        layers
    }

    /// The gradients of each layer's parameters.
    fn layers_mut<'a>(&self, mut all: &'a mut [f32]) -> Vec<Parameters<&'a mut [f32]>> {
        let of = |layer| {
            let mut next = self.lengths(layer).into_iter().map(|length| {
                all.split_off_mut(..length)
                    .expect("as many as the layers have")
            });
            self.named(layer, || next.next().expect("there are six"))
        };
        (0..self.layers).map(of).collect()
    }

    fn named<S>(&self, layer: usize, mut next: impl FnMut() -> S) -> Parameters<S> {
        Parameters {
            inputs: self.inputs_of(layer),
            gamma1: next(),
            beta1: next(),
            weight1: next(),
            gamma2: next(),
            beta2: next(),
            weight2: next(),
        }
    }
}
