//! Layers before weights are put into them.
//!
//! Natively they are as Burn draws them, for training. In the browser a package's weights are all that a layer ever has: zeros are there before
//! them, since each of Burn's ways to draw would bring its matrix products into the program.

#[cfg(target_arch = "wasm32")]
use burn::module::ParamId;
use burn::module::{Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// What describes a layer.
pub trait Fresh {
    type Layer;

    fn fresh(&self, device: &Device) -> Self::Layer;
}

impl Fresh for Conv2dConfig {
    type Layer = Conv2d;

    fn fresh(&self, device: &Device) -> Conv2d {
        let [inputs, outputs] = self.channels;
        let [height, width] = self.kernel_size;
        let inputs = inputs / self.groups;
        let fans = [inputs, outputs / self.groups].map(|channels| channels * height * width);
        let initializer = &self.initializer;
        let shape = [outputs, inputs, height, width];
        Conv2d {
            weight: parameter(initializer, shape, fans, device),
            bias: (self.bias).then(|| parameter(initializer, [outputs], fans, device)),
            stride: self.stride,
            kernel_size: self.kernel_size,
            dilation: self.dilation,
            groups: self.groups,
            padding: self.padding.clone(),
        }
    }
}

impl Fresh for LinearConfig {
    type Layer = Linear;

    fn fresh(&self, device: &Device) -> Linear {
        let fans = [self.d_input, self.d_output];
        let initializer = &self.initializer;
        Linear {
            weight: parameter(initializer, fans, fans, device),
            bias: (self.bias).then(|| parameter(initializer, [self.d_output], fans, device)),
        }
    }
}

impl Fresh for BatchNormConfig {
    type Layer = BatchNorm;

    fn fresh(&self, device: &Device) -> BatchNorm {
        let shape = [self.num_features];
        BatchNorm {
            gamma: parameter(&Initializer::Ones, shape, [1; 2], device),
            beta: zeros(shape, device),
            training: Param::from_bool(true),
            running_mean: RunningState::new(Tensor::zeros(shape, device)),
            running_var: RunningState::new(Tensor::ones(shape, device)),
            momentum: self.momentum,
            epsilon: self.epsilon,
        }
    }
}

/// Parameters that begin with 0.
pub fn zeros<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    parameter(&Initializer::Zeros, shape, [1; 2], device)
}

/// A parameter; `fans`: how many inputs an output has, and how many outputs an input.
#[cfg(not(target_arch = "wasm32"))]
pub fn parameter<const D: usize>(
    initializer: &Initializer,
    shape: [usize; D],
    [fan_in, fan_out]: [usize; 2],
    device: &Device,
) -> Param<Tensor<D>> {
    initializer.init_with(shape, Some(fan_in), Some(fan_out), device)
}

/// A parameter that is to be read.
#[cfg(target_arch = "wasm32")]
pub fn parameter<const D: usize>(
    _initializer: &Initializer,
    shape: [usize; D],
    _fans: [usize; 2],
    device: &Device,
) -> Param<Tensor<D>> {
    let zeros = move |device: &Device, _| Tensor::zeros(shape, device);
    Param::uninitialized(ParamId::new(), zeros, device.clone(), true, shape.into())
}
