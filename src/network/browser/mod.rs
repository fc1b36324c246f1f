//! What a program in a browser has of Burn's convolutions, matrix products and conversions.
//!
//! Burn's own operations choose among many ways and types of numbers when they run, and a program holds all of them: half of what it has for a
//! graphics card. There, convolutions are kernels of our own (`card.rs`, `kernels.rs`), which take with them what comes before and after; a matrix
//! product is a convolution of 1x1. On the CPU all is in float32.

#[cfg(feature = "webgpu")]
mod card;
#[cfg(feature = "webgpu")]
mod kernels;
#[cfg(feature = "webgpu")]
mod layout;

use burn::backend::ops::conv::pad_asymmetric_conv_input;
use burn::backend::ops::{ConvOptions, FloatTensorOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Device, Tensor, TensorData};
use burn_flex::FlexTensor;
use burn_flex::ops::conv::conv2d_f32;
#[cfg(feature = "webgpu")]
use {burn::backend::Cube, burn_cubecl::tensor::CubeTensor};

use super::activation::Activation;
use super::device::on_cpu;

#[cfg(feature = "webgpu")]
pub use {card::share_among, layout::moved};

/// A tensor of these values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    let data = TensorData::new(values, shape);
    Tensor::from_dispatch(Dispatch::float_from_data(data, device.as_dispatch()))
}

/// `[batch, in, h, w]` and `[out, in / groups, kh, kw]` to `[batch, out, h', w']`, and the activation of it.
pub fn convolve(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    activation: Activation,
) -> Tensor<4> {
    let inputs = weight.dims()[1] * options.groups;
    assert_eq!(x.dims()[1], inputs, "a convolution's channels");
    // On a card, another kernel would read and write all of it once more.
    let (within, afterwards) = match on_cpu(&x.device()) {
        true => (Activation::Identity, activation),
        false => (activation, Activation::Identity),
    };
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    afterwards.apply(Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::convolve_biased(x, weight, bias.into_dispatch(), options, within),
        None => Dispatch::convolve(x, weight, options, within),
    }))
}

/// What one layer of a dense block has: a normalisation that is folded to slope and offset, a 1x1 convolution that does the second one, too, and a 3x3
/// convolution.
pub struct DenseLayer {
    pub slope: Tensor<1>,
    pub offset: Tensor<1>,
    pub bottleneck: Tensor<4>,
    pub bias: Tensor<1>,
    pub weight: Tensor<4>,
}

/// A dense block on a graphics card, `[batch, in, h, w]` to `[batch, out, h, w]`: its layers write into one map, where concatenating would copy it
/// each time.
pub fn dense_block(
    x: Tensor<4>,
    layers: impl Iterator<Item = DenseLayer>,
    out: usize,
) -> Tensor<4> {
    let mut channels = x.dims()[1];
    let mut map = Dispatch::begin_block(x.into_dispatch(), out);
    for layer in layers {
        let [growth, ..] = layer.weight.dims();
        map = Dispatch::dense_layer(
            map,
            layer.slope.into_dispatch(),
            layer.offset.into_dispatch(),
            layer.bottleneck.into_dispatch(),
            layer.bias.into_dispatch(),
            layer.weight.into_dispatch(),
            channels,
        );
        channels += growth;
    }
    assert_eq!(channels, out, "a dense block's channels");
    Tensor::from_dispatch(map)
}

/// `[batch, rows, inner]` times `[batch, inner, columns]`.
pub fn product(lhs: Tensor<3>, rhs: Tensor<3>) -> Tensor<3> {
    let (sides, others) = (lhs.dims(), rhs.dims());
    assert_eq!(
        [sides[0], sides[2]],
        [others[0], others[1]],
        "a product's sides"
    );
    Tensor::from_dispatch(Dispatch::product(lhs.into_dispatch(), rhs.into_dispatch()))
}

#[backend_extension(Flex, Cube: cfg(feature = "webgpu"))]
trait Reading: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
        activation: Activation,
    ) -> FloatTensor<Self>;

    /// A map of `out` channels, of which those of `x` are there.
    fn begin_block(x: FloatTensor<Self>, out: usize) -> FloatTensor<Self>;

    /// The map, in which the channels after the first `inputs` are there, too. Nobody else has it: it is written where it is.
    fn dense_layer(
        map: FloatTensor<Self>,
        slope: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        bottleneck: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        inputs: usize,
    ) -> FloatTensor<Self>;

    fn product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        let [batch, rows, inner] = lhs.shape().dims();
        let [_, _, columns] = rhs.shape().dims();
        let weight = Self::float_reshape(lhs, [batch * rows, inner, 1, 1].into());
        let x = Self::float_reshape(rhs, [1, batch * inner, 1, columns].into());
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], batch);
        let y = Self::convolve(x, weight, options, Activation::Identity);
        Self::float_reshape(y, [batch, rows, columns].into())
    }
}

impl Reading for Flex {
    fn convolve(
        x: FlexTensor,
        weight: FlexTensor,
        options: ConvOptions<2>,
        _: Activation,
    ) -> FlexTensor {
        let (x, options) = pad_asymmetric_conv_input::<Self, 2>(x, options);
        conv2d_f32(x, weight, None, &options)
    }

    fn convolve_biased(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: ConvOptions<2>,
        _: Activation,
    ) -> FlexTensor {
        let (x, options) = pad_asymmetric_conv_input::<Self, 2>(x, options);
        conv2d_f32(x, weight, Some(bias), &options)
    }

    fn begin_block(_: FlexTensor, _: usize) -> FlexTensor {
        unreachable!("on the CPU, layers are computed one by one")
    }

    fn dense_layer(
        _: FlexTensor,
        _: FlexTensor,
        _: FlexTensor,
        _: FlexTensor,
        _: FlexTensor,
        _: FlexTensor,
        _: usize,
    ) -> FlexTensor {
        unreachable!("on the CPU, layers are computed one by one")
    }
}

#[cfg(feature = "webgpu")]
impl Reading for Cube {
    fn convolve(
        x: CubeTensor,
        weight: CubeTensor,
        options: ConvOptions<2>,
        activation: Activation,
    ) -> CubeTensor {
        card::convolve(x, None, weight, None, options, activation, None)
    }

    fn convolve_biased(
        x: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        options: ConvOptions<2>,
        activation: Activation,
    ) -> CubeTensor {
        card::convolve(x, None, weight, Some(bias), options, activation, None)
    }

    fn begin_block(x: CubeTensor, out: usize) -> CubeTensor {
        card::widened(x, out)
    }

    fn dense_layer(
        map: CubeTensor,
        slope: CubeTensor,
        offset: CubeTensor,
        bottleneck: CubeTensor,
        bias: CubeTensor,
        weight: CubeTensor,
        inputs: usize,
    ) -> CubeTensor {
        let before = card::Before { slope, offset };
        let once = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let (x, relu) = (card::first_channels(&map, inputs), Activation::Relu);
        let x = card::convolve(x, Some(before), bottleneck, Some(bias), once, relu, None);
        let around = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let place = card::Place { map, first: inputs };
        let none = Activation::Identity;
        card::convolve(x, None, weight, None, around, none, Some(place))
    }
}
