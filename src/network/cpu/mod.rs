//! Networks on the CPU: convolution, batch normalisation with its activation, and dense blocks, as an extension of Burn's flex backend.
//!
//! Burn's own gradients are written for any backend: a convolution's is another convolution of permuted copies, and a
//! normalisation is many passes over memory. These work on the tensors as they lie.

mod convolution;
mod dense;
mod normalisation;
mod window;

pub use dense::{Block, dense_block};
pub use window::Window;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, DispatchDevice, Flex, TensorMetadata, backend_extension,
};
use burn::tensor::{Device, Tensor, TensorData};
use burn_flex::FlexTensor;

use super::activation::Activation;
use normalisation::Shape;

/// Whether tensors of this device are for the kernels here, and if so whether they are tracked for gradients.
pub fn tracks(device: &Device) -> Option<bool> {
    match device.as_dispatch() {
        DispatchDevice::Flex(_) => Some(false),
        DispatchDevice::Autodiff(inner) if matches!(**inner, DispatchDevice::Flex(_)) => Some(true),
        _ => None,
    }
}

/// `[batch, in, h, w]` and `[out, in (1 if depthwise), kh, kw]` to `[batch, out, h', w']`.
pub fn convolve(x: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    let y = Dispatch::convolve(x.into_dispatch(), weight.into_dispatch(), window);
    Tensor::from_dispatch(y)
}

/// A normalised tensor, and the batch's mean and biased variance by channel.
pub fn normalise(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: Activation,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let (y, mean, variance) = Dispatch::normalise(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
        activation,
    );
    (
        Tensor::from_dispatch(y),
        Tensor::from_dispatch(mean),
        Tensor::from_dispatch(variance),
    )
}

/// `activation(slope x + offset)`, channel by channel: a normalisation whose statistics are known. Not for tracked tensors.
pub fn scale(
    x: Tensor<4>,
    slope: Tensor<1>,
    offset: Tensor<1>,
    activation: Activation,
) -> Tensor<4> {
    let (x, slope) = (x.into_dispatch(), slope.into_dispatch());
    Tensor::from_dispatch(Dispatch::scale(
        x,
        slope,
        offset.into_dispatch(),
        activation,
    ))
}

#[backend_extension(Flex)]
trait Inference: Backend {
    fn scale(
        x: FloatTensor<Self>,
        slope: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

impl Inference for Flex {
    fn scale(
        x: FlexTensor,
        slope: FlexTensor,
        offset: FlexTensor,
        activation: Activation,
    ) -> FlexTensor {
        let (x, slope, offset) = (
            x.to_contiguous(),
            slope.to_contiguous(),
            offset.to_contiguous(),
        );
        let (slope, offset) = (values(&slope), values(&offset));
        let y = normalisation::scale(shape_of(&x), values(&x), slope, offset, activation);
        let [n, c, h, w] = x.shape().dims();
        tensor(y, [n, c, h, w])
    }
}

#[backend_extension(Flex, Autodiff)]
trait Training: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self>;

    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl Training for Flex {
    fn convolve(x: FlexTensor, weight: FlexTensor, window: Window) -> FlexTensor {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let batch = x.shape()[0];
        let y = convolution::forward(&window, values(&x), values(&weight));
        let [height, width] = window.output;
        tensor(y, [batch, window.out_channels, height, width])
    }

    fn normalise(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
        activation: Activation,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (x, gamma, beta) = (
            x.to_contiguous(),
            gamma.to_contiguous(),
            beta.to_contiguous(),
        );
        let shape = shape_of(&x);
        let (gamma, beta) = (values(&gamma), values(&beta));
        let result = normalisation::forward(shape, values(&x), gamma, beta, epsilon, activation);
        let [n, c, h, w] = x.shape().dims();
        (
            tensor(result.output, [n, c, h, w]),
            tensor(result.mean, [shape.channels]),
            tensor(result.variance, [shape.channels]),
        )
    }
}

impl<C: CheckpointStrategy> Training for Autodiff<Flex, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Convolution;

        impl Backward<Flex, 2> for Convolution {
            type State = (FlexTensor, FlexTensor, Window);

            fn backward(
                self,
                ops: Ops<Self::State, 2>,
                grads: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
                let (x, weight, window) = ops.state;
                let [of_x, of_weight] = ops.parents;
                if let Some(node) = of_weight {
                    let gradient = convolution::weight_gradient(&window, values(&x), values(&dy));
                    let [o, i, h, w] = weight.shape().dims();
                    grads.register::<Flex>(node.id, tensor(gradient, [o, i, h, w]));
                }
                if let Some(node) = of_x {
                    let gradient =
                        convolution::input_gradient(&window, values(&weight), values(&dy));
                    let [n, c, h, w] = x.shape().dims();
                    grads.register::<Flex>(node.id, tensor(gradient, [n, c, h, w]));
                }
            }
        }

        let nodes = [x.node(), weight.node()];
        let (x, weight) = (
            x.primitive().to_contiguous(),
            weight.primitive().to_contiguous(),
        );
        let y = Flex::convolve(x.clone(), weight.clone(), window);
        match Convolution.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, window), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        #[derive(Clone, Debug)]
        struct State {
            x: FlexTensor,
            gamma: FlexTensor,
            beta: FlexTensor,
            mean: FlexTensor,
            variance: FlexTensor,
            epsilon: f64,
            activation: Activation,
        }

        #[derive(Debug)]
        struct Normalisation;

        impl Backward<Flex, 3> for Normalisation {
            type State = State;

            fn backward(
                self,
                ops: Ops<Self::State, 3>,
                grads: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let dy = grads.consume::<Flex>(&ops.node).to_contiguous();
                let state = ops.state;
                let shape = shape_of(&state.x);
                let gradients = normalisation::backward(
                    shape,
                    values(&state.x),
                    values(&state.gamma),
                    values(&state.beta),
                    values(&state.mean),
                    values(&state.variance),
                    state.epsilon,
                    state.activation,
                    values(&dy),
                );
                let [of_x, of_gamma, of_beta] = ops.parents;
                if let Some(node) = of_x {
                    let [n, c, h, w] = state.x.shape().dims();
                    grads.register::<Flex>(node.id, tensor(gradients.x, [n, c, h, w]));
                }
                if let Some(node) = of_gamma {
                    grads.register::<Flex>(node.id, tensor(gradients.gamma, [shape.channels]));
                }
                if let Some(node) = of_beta {
                    grads.register::<Flex>(node.id, tensor(gradients.beta, [shape.channels]));
                }
            }
        }

        let nodes = [x.node(), gamma.node(), beta.node()];
        let [x, gamma, beta] = [&x, &gamma, &beta].map(|t| t.primitive().to_contiguous());
        let (y, mean, variance) =
            Flex::normalise(x.clone(), gamma.clone(), beta.clone(), epsilon, activation);
        let y = match Normalisation.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let state = State {
                    x,
                    gamma,
                    beta,
                    mean: mean.clone(),
                    variance: variance.clone(),
                    epsilon,
                    activation,
                };
                prepared.finish(state, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        };
        (
            y,
            FloatTensor::<Self>::new(mean),
            FloatTensor::<Self>::new(variance),
        )
    }
}

/// The elements of a contiguous tensor of 32-bit floats.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("training on the CPU is in 32 bits, of contiguous tensors")
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn shape_of(x: &FlexTensor) -> Shape {
    let [batch, channels, height, width] = x.shape().dims();
    Shape {
        batch,
        channels,
        pixels: height * width,
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Param;
    use burn::nn::conv::{Conv2d, Conv2dConfig};
    use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
    use burn::tensor::activation::{relu, silu};
    use burn::tensor::{Distribution, Int, Tolerance};
    use proptest::prelude::*;

    use super::*;
    use crate::network::layers;

    fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        Tensor::random(shape, Distribution::Normal(0.3, 1.0), device)
    }

    /// Both sides' outputs, and their gradients under the same random loss, agree.
    fn agree(ours: &[Tensor<4>], burns: &[Tensor<4>]) {
        let tolerance = Tolerance::<f32>::rel_abs(2e-3, 2e-3);
        for (ours, burns) in ours.iter().zip(burns) {
            ours.to_data().assert_approx_eq(&burns.to_data(), tolerance);
        }
    }

    fn convolution(conv: &Conv2d, x: &Tensor<4>, ours: bool) -> [Tensor<4>; 3] {
        let y = match ours {
            true => {
                // Else both are Burn's.
                assert_eq!(tracks(&x.device()), Some(true));
                assert!(Window::of(conv, x.dims()).is_some());
                layers::convolve(conv, x.clone())
            }
            false => conv.forward(x.clone()),
        };
        // Not drawn: other tests draw from the same generator meanwhile, and both sides need the same.
        let count = y.dims().iter().product::<usize>() as i64;
        let weights = Tensor::<1, Int>::arange(0..count, &x.device()).float();
        let weights = (weights * 0.7).sin().reshape(y.dims());
        let gradients = (y.clone() * weights).sum().backward();
        let of = |tensor: &Tensor<4>| {
            Tensor::from_inner(tensor.grad(&gradients).expect("it is trained"))
        };
        [y, of(x), of(&conv.weight.val())]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn convolutions_and_their_gradients_are_burns_own(
            (batch, channels, out) in (1usize..4, 1usize..6, 1usize..6),
            (height, width) in (5usize..14, 5usize..14),
            (kernel, stride) in (1usize..6, 1usize..4),
            padding in 0usize..4,
            depthwise: bool,
        ) {
            let device = Device::flex().autodiff();
            device.seed(3);
            let out = if depthwise { channels } else { out };
            let conv = Conv2dConfig::new([channels, out], [kernel, kernel])
                .with_stride([stride, stride])
                .with_groups(if depthwise { channels } else { 1 })
                .with_bias(padding == 0)
                .with_padding(match padding {
                    3 => PaddingConfig2d::Same,
                    side => PaddingConfig2d::Explicit(side, side, side, side),
                })
                .init(&device);
            let x = random([batch, channels, height, width], &device).require_grad();
            agree(&convolution(&conv, &x, true), &convolution(&conv, &x, false));
        }
    }

    #[test]
    fn normalisation_and_its_gradients_are_burns_own() {
        let device = Device::flex().autodiff();
        let activations = [
            Activation::Identity,
            Activation::Relu,
            Activation::Relu6,
            Activation::Silu,
        ];
        for (seed, activation) in activations.into_iter().enumerate() {
            device.seed(seed as u64);
            let new = || -> BatchNorm { BatchNormConfig::new(3).with_epsilon(1e-3).init(&device) };
            let (mut ours, mut burns) = (new(), new());
            for norm in [&mut ours, &mut burns] {
                let values = |v: [f32; 3]| Tensor::<1>::from_floats(v, &device);
                norm.gamma = Param::from_tensor(values([1.5, -0.7, 3.0]));
                norm.beta = Param::from_tensor(values([0.2, 1.0, 2.0]));
            }
            let x = random([4, 3, 7, 5], &device).require_grad();
            let weights = random([4, 3, 7, 5], &device);
            let run = |norm: &BatchNorm, y: Tensor<4>| {
                let gradients = (y.clone() * weights.clone()).sum().backward();
                let channel = |t: Tensor<1>| t.reshape([1, 3, 1, 1]);
                let of = |t: Tensor<1>| {
                    channel(Tensor::from_inner(
                        t.grad(&gradients).expect("it is trained"),
                    ))
                };
                let of_x = Tensor::from_inner(x.grad(&gradients).expect("it is trained"));
                [
                    y,
                    of_x,
                    of(norm.gamma.val()),
                    of(norm.beta.val()),
                    channel(norm.running_mean.value_sync()),
                    channel(norm.running_var.value_sync()),
                ]
            };
            assert!(tracks(&device) == Some(true) && ours.training.is_enabled());
            let y = layers::normalise(&ours, x.clone(), activation);
            let ours = run(&ours, y);
            let y = burns.forward(x.clone());
            let y = match activation {
                Activation::Identity => y,
                Activation::Relu => relu(y),
                Activation::Relu6 => y.clamp(0.0, 6.0),
                Activation::Silu => silu(y),
            };
            agree(&ours, &run(&burns, y));
        }
    }

    #[test]
    fn reading_is_as_burn_does_it() {
        let device = Device::flex();
        device.seed(5);
        let conv = Conv2dConfig::new([4, 6], [3, 3])
            .with_stride([2, 2])
            .with_padding(PaddingConfig2d::Same)
            .init(&device);
        let norm = BatchNormConfig::new(6).with_epsilon(1e-3).init(&device);
        norm.running_mean.update(random([6], &device));
        norm.running_var.update(random([6], &device).abs() + 0.1);
        let x = random([3, 4, 9, 8], &device);
        assert_eq!(tracks(&device), Some(false));
        assert!(Window::of(&conv, x.dims()).is_some());
        let ours = layers::normalise(&norm, layers::convolve(&conv, x.clone()), Activation::Relu6);
        let burns = norm.forward(conv.forward(x)).clamp(0.0, 6.0);
        agree(&[ours], &[burns]);
    }
}
