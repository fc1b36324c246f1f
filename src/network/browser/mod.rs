//! What a program in a browser has of Burn's convolutions, matrix products and conversions.
//!
//! Burn's own operations choose among many ways and types of numbers when they run, and a program holds all of them: half of what it has for a
//! graphics card. Without autotuning, the choice for a convolution there is always the direct one. A matrix product is a convolution of 1x1. On the
//! CPU all is in float32.

use burn::backend::ops::conv::pad_asymmetric_conv_input;
use burn::backend::ops::{ConvOptions, FloatTensorOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Device, Tensor, TensorData};
use burn_flex::FlexTensor;
use burn_flex::ops::conv::conv2d_f32;
#[cfg(feature = "webgpu")]
use {
    burn::backend::ops::conv::calculate_conv_output_sizes,
    burn::backend::{Cube, cubecl::dtype_to_storage_type},
    burn_cubecl::kernel::into_contiguous_aligned,
    burn_cubecl::ops::numeric::empty_device_dtype,
    burn_cubecl::ops::{permute_nchw_to_nhwc, permute_nhwc_to_nchw},
    burn_cubecl::tensor::CubeTensor,
    cubek::convolution::{ConvolutionArgs, DirectTensors, launch_direct},
};

/// A tensor of these values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    let data = TensorData::new(values, shape);
    Tensor::from_dispatch(Dispatch::float_from_data(data, device.as_dispatch()))
}

/// `[batch, in, h, w]` and `[out, in / groups, kh, kw]` to `[batch, out, h', w']`.
pub fn convolve(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    let inputs = weight.dims()[1] * options.groups;
    assert_eq!(x.dims()[1], inputs, "a convolution's channels");
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::convolve_biased(x, weight, bias.into_dispatch(), options),
        None => Dispatch::convolve(x, weight, options),
    })
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
    ) -> FloatTensor<Self>;

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self>;

    fn product(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        let [batch, rows, inner] = lhs.shape().dims();
        let [_, _, columns] = rhs.shape().dims();
        let weight = Self::float_reshape(lhs, [batch * rows, inner, 1, 1].into());
        let x = Self::float_reshape(rhs, [1, batch * inner, 1, columns].into());
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], batch);
        let y = Self::convolve(x, weight, options);
        Self::float_reshape(y, [batch, rows, columns].into())
    }
}

impl Reading for Flex {
    fn convolve(x: FlexTensor, weight: FlexTensor, options: ConvOptions<2>) -> FlexTensor {
        let (x, options) = pad_asymmetric_conv_input::<Self, 2>(x, options);
        conv2d_f32(x, weight, None, &options)
    }

    fn convolve_biased(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: ConvOptions<2>,
    ) -> FlexTensor {
        let (x, options) = pad_asymmetric_conv_input::<Self, 2>(x, options);
        conv2d_f32(x, weight, Some(bias), &options)
    }
}

#[cfg(feature = "webgpu")]
impl Reading for Cube {
    fn convolve(x: CubeTensor, weight: CubeTensor, options: ConvOptions<2>) -> CubeTensor {
        direct(x, weight, None, options)
    }

    fn convolve_biased(
        x: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        options: ConvOptions<2>,
    ) -> CubeTensor {
        direct(x, weight, Some(bias), options)
    }
}

/// Each output by itself, from the inputs that it reads.
#[cfg(feature = "webgpu")]
fn direct(
    x: CubeTensor,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    options: ConvOptions<2>,
) -> CubeTensor {
    // Channels last, and next to each other.
    let [x, weight] = [x, weight].map(|tensor| {
        let tensor = permute_nchw_to_nhwc(tensor);
        match tensor.meta.strides()[3] {
            1 => tensor,
            _ => into_contiguous_aligned(tensor),
        }
    });
    let [batch, height, width, _] = x.shape().dims();
    let [out, high, wide, _] = weight.shape().dims();
    let sides = calculate_conv_output_sizes(
        &[high, wide],
        &options.stride,
        &options.padding,
        &options.dilation,
        &[height, width],
    );
    let shape = [batch, sides[0], sides[1], out].into();
    let y = empty_device_dtype(x.client.clone(), x.device.clone(), shape, x.dtype);
    let padding = options.padding_begin();
    let arguments = ConvolutionArgs::<2> {
        stride: options.stride,
        padding: [padding[0], padding[1]],
        dilation: options.dilation,
    };
    let client = x.client.clone();
    let kind = dtype_to_storage_type(x.dtype);
    let tensors = DirectTensors {
        input: x.binding(),
        weight: weight.binding(),
        bias: bias.map(|bias| bias.binding()),
        out: y.clone().binding(),
    };
    // It has no error to give today.
    launch_direct::<2>(&client, tensors, arguments, options.groups, kind)
        .expect("a direct convolution");
    permute_nhwc_to_nchw(y)
}
