//! The layers that all networks are made of, each in the fastest form there is on the device.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, Linear};
#[cfg(not(target_arch = "wasm32"))]
use burn::tensor::TensorData;
#[cfg(not(target_arch = "wasm32"))]
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Device, Tensor};

use super::fresh::Fresh;
use super::padding::padding;

pub use super::activation::Activation;

/// Weights of a linear layer that are copied at once: 64 MB.
const TOGETHER: usize = 1 << 24;

/// A convolution and its batch normalisation.
#[derive(Module, Debug)]
pub struct ConvNorm {
    pub conv: Conv2d,
    pub norm: BatchNorm,
    /// Whether the convolution does the normalisation, too.
    folded: bool,
}

impl ConvNorm {
    pub fn new(conv: Conv2d, norm: BatchNorm) -> Self {
        Self {
            conv,
            norm,
            folded: false,
        }
    }

    pub fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        match self.folded {
            true => convolve_and(&self.conv, x, activation),
            false => normalise(&self.norm, convolve(&self.conv, x), activation),
        }
    }

    pub fn is_folded(&self) -> bool {
        self.folded
    }

    /// Has the convolution do the normalisation, too: see [`fold`].
    pub fn fold(&mut self) {
        if !self.folded {
            fold(&mut self.conv, &self.norm);
            self.folded = true;
        }
    }
}

/// Folds the normalisation after a convolution into its weights and bias, for reading alone: four passes over a map less, where each is a kernel.
pub fn fold(conv: &mut Conv2d, norm: &BatchNorm) {
    let (slope, offset) = line(norm);
    let weight = conv.weight.val();
    let bias = match &conv.bias {
        Some(bias) => bias.val() * slope.clone() + offset,
        None => offset,
    };
    let by_output = slope.reshape([-1, 1, 1, 1]);
    conv.weight = Param::from_tensor(weight * by_output);
    conv.bias = Some(Param::from_tensor(bias));
}

/// A batch normalisation that no convolution comes before.
#[derive(Module, Debug)]
pub struct Norm {
    pub norm: BatchNorm,
    /// Whether its scale and shift are the whole of it.
    folded: bool,
}

impl Norm {
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            norm: BatchNormConfig::new(channels).fresh(device),
            folded: false,
        }
    }

    pub fn forward(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        if !self.folded {
            return normalise(&self.norm, x, activation);
        }
        let dtype = x.dtype();
        let of_channels = |value: Tensor<1>| value.cast(dtype).reshape([1, -1, 1, 1]);
        let (slope, offset) = (self.norm.gamma.val(), self.norm.beta.val());
        activation.apply(x * of_channels(slope) + of_channels(offset))
    }

    pub fn is_folded(&self) -> bool {
        self.folded
    }

    /// Folds mean and variance into scale and shift, for reading alone: two passes over a map less, where each is a kernel.
    pub fn fold(&mut self) {
        if self.folded {
            return;
        }
        let (slope, offset) = line(&self.norm);
        self.norm.gamma = Param::from_tensor(slope);
        self.norm.beta = Param::from_tensor(offset);
        self.folded = true;
    }
}

/// Slope and offset of each channel of a normalisation whose statistics are known.
fn line(norm: &BatchNorm) -> (Tensor<1>, Tensor<1>) {
    let (mean, variance) = (norm.running_mean.value(), norm.running_var.value());
    let slope = norm.gamma.val() / (variance + norm.epsilon).sqrt();
    let offset = norm.beta.val() - slope.clone() * mean;
    (slope, offset)
}

/// `[batch, in, h, w]` to `[batch, out, h', w']`; the convolution is computed in the numbers of `x`, whatever the weights are in.
pub fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    convolve_and(conv, x, Activation::Identity)
}

/// A convolution and the activation of it: see [`convolve`].
pub fn convolve_and(conv: &Conv2d, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    #[cfg(not(target_arch = "wasm32"))]
    if x.dtype() == DType::F32
        && super::cpu::tracks(&x.device()).is_some()
        && let Some(window) = super::cpu::Window::of(conv, x.dims())
    {
        let y = super::cpu::convolve(x, conv.weight.val(), window);
        return activation.apply(match &conv.bias {
            Some(bias) => y + bias.val().reshape([1, window.out_channels, 1, 1]),
            None => y,
        });
    }
    let (weight, bias) = (conv.weight.val(), conv.bias.as_ref().map(|bias| bias.val()));
    let (weight, bias) = match x.dtype() {
        DType::F32 => (weight, bias),
        dtype => (weight.cast(dtype), bias.map(|bias| bias.cast(dtype))),
    };
    let [_, _, height, width] = x.dims();
    let padding = padding(conv, [height, width]);
    let options = ConvOptions::new_with_padding(conv.stride, padding, conv.dilation, conv.groups);
    #[cfg(target_arch = "wasm32")]
    return super::browser::convolve(x, weight, bias, options, activation);
    #[cfg(not(target_arch = "wasm32"))]
    activation.apply(conv2d(x, weight, bias, options))
}

/// A tensor of these values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    #[cfg(target_arch = "wasm32")]
    return super::browser::tensor(values, shape, device);
    #[cfg(not(target_arch = "wasm32"))]
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `[batch, rows, inner]` times `[batch, inner, columns]`.
pub fn product(lhs: Tensor<3>, rhs: Tensor<3>) -> Tensor<3> {
    #[cfg(target_arch = "wasm32")]
    return super::browser::product(lhs, rhs);
    #[cfg(not(target_arch = "wasm32"))]
    lhs.matmul(rhs)
}

/// `[batch, inputs]` to `[batch, outputs]`.
pub fn linear(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    #[cfg(not(target_arch = "wasm32"))]
    return layer.forward(x);
    #[cfg(target_arch = "wasm32")]
    {
        // A graphics card has the weights copied for a product. Some outputs at a time, for VGG's first layer has 400 MB.
        let [inputs, outputs] = layer.weight.dims();
        let x = x.transpose().unsqueeze();
        let parts = several(outputs, inputs).map(|some| {
            let weight = layer.weight.val().slice([0..inputs, some]).transpose();
            product(weight.unsqueeze(), x.clone())
        });
        let y = joined(parts.collect(), 1).squeeze_dim::<2>(0).transpose();
        match &layer.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

/// The way back through a linear layer: `[rows, outputs]` to `[rows, inputs]`.
pub fn linear_back(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    let [inputs, outputs] = layer.weight.dims();
    let x: Tensor<3> = x.unsqueeze();
    let parts = several(inputs, outputs).map(|some| {
        let weight = layer.weight.val().slice([some, 0..outputs]).transpose();
        product(x.clone(), weight.unsqueeze())
    });
    joined(parts.collect(), 2).squeeze_dim(0)
}

/// `all` in ranges, with at most [`TOGETHER`] weights in each where all have so many.
fn several(all: usize, weights: usize) -> impl Iterator<Item = Range<usize>> {
    let together = (TOGETHER / weights.max(1)).max(1);
    (0..all)
        .step_by(together)
        .map(move |first| first..all.min(first + together))
}

fn joined(mut parts: Vec<Tensor<3>>, dimension: usize) -> Tensor<3> {
    match parts.len() {
        1 => parts.remove(0),
        _ => Tensor::cat(parts, dimension),
    }
}

/// Batch normalisation and the activation after it; keeps the shape and the numbers' type. Means of many values need float32.
pub fn normalise(norm: &BatchNorm, x: Tensor<4>, activation: Activation) -> Tensor<4> {
    if x.dtype() != DType::F32 {
        let dtype = x.dtype();
        return normalise(norm, x.cast(DType::F32), activation).cast(dtype);
    }
    #[cfg(not(target_arch = "wasm32"))]
    let tracked = super::cpu::tracks(&x.device());
    #[cfg(not(target_arch = "wasm32"))]
    if tracked == Some(true) && norm.training.is_enabled() {
        let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
        let (y, mean, variance) = super::cpu::normalise(x, gamma, beta, norm.epsilon, activation);
        keep(norm, mean, variance);
        return y;
    }
    #[cfg(not(target_arch = "wasm32"))]
    if tracked == Some(false) {
        let (slope, offset) = line(norm);
        return super::cpu::scale(x, slope, offset, activation);
    }
    activation.apply(norm.forward(x))
}

/// Takes a batch's mean and variance into the running ones, as Burn's own layer does.
#[cfg(not(target_arch = "wasm32"))]
pub fn keep(norm: &BatchNorm, mean: Tensor<1>, variance: Tensor<1>) {
    for (running, batch) in [(&norm.running_mean, mean), (&norm.running_var, variance)] {
        let old = running.value_sync().to_device(&batch.device());
        let new = old * (1.0 - norm.momentum) + batch.detach() * norm.momentum;
        running.update(new.detach());
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;

    use super::*;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::Distribution;

    #[test]
    fn bfloat16_gives_what_float32_gives_to_its_precision() {
        let device = Device::flex().autodiff();
        let paddings = [
            PaddingConfig2d::Same,
            PaddingConfig2d::Valid,
            PaddingConfig2d::Explicit(1, 1, 1, 1),
        ];
        for (padding, stride) in paddings.into_iter().zip([2, 1, 2]) {
            let conv = Conv2dConfig::new([6, 6], [3, 3])
                .with_stride([stride, stride])
                .with_groups(3)
                .with_padding(padding)
                .init(&device);
            let layer = ConvNorm::new(conv, BatchNormConfig::new(6).init(&device));
            let x = Tensor::<4>::random([4, 6, 10, 9], Distribution::Normal(0.0, 1.0), &device);
            let exact = layer.forward(x.clone(), Activation::Silu);
            let short = layer.forward(x.cast(DType::BF16), Activation::Silu);
            assert_eq!(short.dtype(), DType::BF16);
            assert_eq!(short.dims(), exact.dims());
            let far = (short.cast(DType::F32) - exact).abs().max();
            let far = far.into_scalar::<f32>();
            assert!(far > 0.0 && far < 0.05, "{far}");
        }
    }
}
