//! The layers that all networks are made of, each in the fastest form there is on the device.

use burn::module::Module;
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, silu};

/// The nonlinearity after a normalised convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Identity,
    Relu,
    Relu6,
    Silu,
}

impl Activation {
    fn apply(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Activation::Identity => x,
            Activation::Relu => relu(x),
            Activation::Relu6 => x.clamp(0.0, 6.0),
            Activation::Silu => silu(x),
        }
    }
}

/// A convolution and its batch normalisation.
#[derive(Module, Debug)]
pub struct ConvNorm {
    pub conv: Conv2d,
    pub norm: BatchNorm,
}

impl ConvNorm {
    pub fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        normalise(&self.norm, convolve(&self.conv, x), activation)
    }
}

/// `[batch, in, h, w]` to `[batch, out, h', w']`.
pub fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    #[cfg(not(target_arch = "wasm32"))]
    if super::cpu::trains_on(&x.device())
        && let Some(window) = super::cpu::Window::of(conv, x.dims())
    {
        let y = super::cpu::convolve(x, conv.weight.val(), window);
        return match &conv.bias {
            Some(bias) => y + bias.val().reshape([1, window.out_channels, 1, 1]),
            None => y,
        };
    }
    conv.forward(x)
}

/// Batch normalisation and the activation after it; keeps the shape.
pub fn normalise(norm: &BatchNorm, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    #[cfg(not(target_arch = "wasm32"))]
    if super::cpu::trains_on(&x.device()) && norm.training.is_enabled() {
        let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
        let (y, mean, variance) = super::cpu::normalise(x, gamma, beta, norm.epsilon, activation);
        // As Burn's own layer keeps them.
        for (running, batch) in [(&norm.running_mean, mean), (&norm.running_var, variance)] {
            let old = running.value_sync().to_device(&batch.device());
            let new = old * (1.0 - norm.momentum) + batch.detach() * norm.momentum;
            running.update(new.detach());
        }
        return y;
    }
    activation.apply(norm.forward(x))
}
