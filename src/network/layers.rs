//! The layers that all networks are made of, each in the fastest form there is on the device.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
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
        && let Some(window) = window(conv, x.dims())
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

/// The shape of a convolution that the CPU's kernels can do; others are left to Burn.
#[cfg(not(target_arch = "wasm32"))]
fn window(conv: &Conv2d, input: [usize; 4]) -> Option<super::cpu::Window> {
    let [_, in_channels, height, width] = input;
    let [out_channels, ..] = conv.weight.dims();
    let depthwise = conv.groups > 1;
    let whole = !depthwise || (conv.groups == in_channels && conv.groups == out_channels);
    if !whole || conv.dilation != [1, 1] || conv.stride[0] != conv.stride[1] {
        return None;
    }
    let stride = conv.stride[0];
    let kernel = conv.kernel_size;
    let side = |axis: usize, pixels: usize, before: usize, after: usize| {
        let room = (pixels + before + after).checked_sub(kernel[axis])?;
        Some((before, room / stride + 1))
    };
    let same = |axis: usize, pixels: usize| {
        let out = pixels.div_ceil(stride);
        let total = ((out - 1) * stride + kernel[axis]).saturating_sub(pixels);
        side(axis, pixels, total / 2, total - total / 2)
    };
    let (vertical, horizontal) = match conv.padding {
        PaddingConfig2d::Same => (same(0, height)?, same(1, width)?),
        PaddingConfig2d::Valid => (side(0, height, 0, 0)?, side(1, width, 0, 0)?),
        PaddingConfig2d::Explicit(top, left, bottom, right) => {
            (side(0, height, top, bottom)?, side(1, width, left, right)?)
        }
    };
    Some(super::cpu::Window {
        in_channels,
        out_channels,
        input: [height, width],
        output: [vertical.1, horizontal.1],
        kernel,
        stride,
        padding: [vertical.0, horizontal.0],
        depthwise,
    })
}
