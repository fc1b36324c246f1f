//! Weights at random, for the sanity check of explanations (Adebayo et al., NeurIPS 2018): a map that stays the same when what the
//! network has learned is gone does not show what the network has learned.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{Network, tensor};
use crate::trust::sanity::Randomised;

impl Network {
    /// The network with weights drawn anew (Kaiming normal); biases and normalisation stay. The same seed gives the same weights
    /// on every device.
    pub fn randomised(self, part: Randomised, seed: u64) -> Self {
        let mut random = Randomise {
            random: ChaCha8Rng::seed_from_u64(seed),
            kept: 0,
        };
        let classifier = self.classifier.map(&mut random);
        let mut backbones = self.backbones;
        if part == Randomised::LastStage {
            backbones = backbones
                .into_iter()
                .map(|backbone| {
                    let mut count = Count(0);
                    backbone.visit(&mut count);
                    random.kept = count.0 * 3 / 4;
                    backbone.map(&mut random)
                })
                .collect();
        }
        Self {
            backbones,
            classifier,
        }
    }
}

/// Counts weights that are not of one dimension: those of convolutions and linear layers.
struct Count(usize);

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        self.0 += usize::from(D > 1);
    }
}

/// Draws weights anew, but for the first `kept`.
struct Randomise {
    random: ChaCha8Rng,
    kept: usize,
}

impl Randomise {
    /// A value of the normal distribution (Box and Muller).
    fn normal(&mut self) -> f64 {
        let mut uniform = || (f64::from(self.random.next_u32()) + 0.5) / 2f64.powi(32);
        let (a, b) = (uniform(), uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

impl ModuleMapper for Randomise {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D == 1 {
            return param;
        }
        if self.kept > 0 {
            self.kept -= 1;
            return param;
        }
        param.map(|old| {
            let shape: [usize; D] = old.dims();
            // Burn's linear layers are [inputs, outputs], convolutions [outputs, inputs, height, width].
            let inputs = if D == 2 {
                shape[0]
            } else {
                shape[1..].iter().product()
            };
            let scale = (2.0 / inputs as f64).sqrt();
            let count = shape.iter().product::<usize>();
            let values: Vec<f32> = (0..count).map(|_| (scale * self.normal()) as f32).collect();
            tensor(values, shape, &old.device())
        })
    }
}
