//! Convolutions on a graphics card: which kernel, and over how many of the card's units it is spread.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::backend::cubecl::dtype_to_storage_type;
use burn::backend::ops::conv::calculate_conv_output_sizes;
use burn::backend::ops::{ConvOptions, FloatTensorOps};
use burn::backend::{Cube, TensorMetadata};
use burn::tensor::Slice;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::ops::{permute, permute_nchw_to_nhwc, permute_nhwc_to_nchw};
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::client::Client;
use cubecl::prelude::*;

use super::super::activation::Activation;
use super::kernels::{self, COLUMNS, SizesLaunch, UNITS};

/// Units that share the work of one result, at most.
const LANES: usize = 32;
/// Vectors of a pixel that a lane reads at least: fewer are not worth the adding up.
const WORTH_A_LANE: usize = 2;
/// Units that keep the largest of today's cards busy. With more, results need not be shared.
const BUSY: usize = 1 << 18;
/// Units that a program on the CPU computes at once, at most, where it stands for a card: it has nothing of sharing. Cards compute more.
const SOFTWARE: u32 = 8;

/// As many lanes as this, on any adapter; 0 where it is not set.
static LANES_OF_A_TEST: AtomicUsize = AtomicUsize::new(0);

/// Has results shared by so many units at most, for tests: adapters that are programs would not share any. 0: as it is best.
pub fn share_among(lanes: usize) {
    LANES_OF_A_TEST.store(lanes, Ordering::Relaxed);
}

/// What a folded normalisation and ReLU make of each channel that is read.
pub struct Before {
    pub slope: CubeTensor,
    pub offset: CubeTensor,
}

/// A map that nobody else has, for it is written where it is; and its first channel that is written.
pub struct Place {
    pub map: CubeTensor,
    pub first: usize,
}

/// `[batch, in, height, width]` and `[out, in / groups, height, width]` to `[batch, out, height, width]`, or into some channels of a larger map.
pub fn convolve(
    x: CubeTensor,
    before: Option<Before>,
    weight: CubeTensor,
    bias: Option<CubeTensor>,
    options: ConvOptions<2>,
    after: Activation,
    place: Option<Place>,
) -> CubeTensor {
    assert_eq!(options.dilation, [1, 1], "a convolution of neighbours");
    let lines = before.iter().flat_map(|line| [&line.slope, &line.offset]);
    let others = lines
        .chain(&bias)
        .chain(place.iter().map(|place| &place.map));
    let same = others.chain([&weight]).all(|other| other.dtype == x.dtype);
    assert!(same, "all of a convolution in one type of numbers");
    assert!(
        before.is_none() || options.groups == 1,
        "a normalisation of all that is read"
    );
    let x = channels_last(x);
    let [batch, height, width, _] = x.shape().dims();
    let [out, inner, high, wide] = weight.shape().dims();
    let sides = calculate_conv_output_sizes(
        &[high, wide],
        &options.stride,
        &options.padding,
        &options.dilation,
        &[height, width],
    );
    let is_new = place.is_none();
    let (y, first) = match place {
        Some(place) => (permute_nchw_to_nhwc(place.map), place.first),
        None => (empty(&x, [batch, sides[0], sides[1], out]), 0),
    };
    let padding = options.padding_begin();
    let reaches_over = |axis: usize, kernel: usize, side: usize| {
        let last = (sides[axis] - 1) * options.stride[axis] + (kernel - 1);
        padding[axis] > 0 || last >= side
    };
    let padded = reaches_over(0, high, height) || reaches_over(1, wide, width);
    let of_group = out / options.groups;
    let pixel = x.meta.strides()[2];
    // To a convolution of single pixels, a map is one row.
    let is_flat = [high, wide] == [1, 1] && !padded && options.stride == [1, 1];
    let (rows, [in_height, in_width], [out_height, out_width]) = match is_flat {
        true => (1, [1, batch * height * width], [1, batch * height * width]),
        false => (batch, [height, width], [sides[0], sides[1]]),
    };
    let blocks = rows * out_height * out_width.div_ceil(COLUMNS);
    let sizes = |vector: usize| {
        let number = |value: usize| u32::try_from(value).expect("a map of fewer than 2^32 numbers");
        SizesLaunch::new(
            number(rows),
            number(in_height),
            number(in_width),
            number(pixel / vector),
            number(inner.div_ceil(vector)),
            number(out_height),
            number(out_width),
            number(y.meta.strides()[2]),
            number(first),
            number(out),
            number(of_group),
            number(high),
            number(wide),
            number(options.stride[0]),
            number(options.stride[1]),
            number(padding[0]),
            number(padding[1]),
        )
    };
    let client = x.client.clone();
    let kind = dtype_to_storage_type(x.dtype);
    let is_depthwise = inner == 1 && of_group == 1 && before.is_none() && is_new && pixel == out;
    if is_depthwise {
        let vector = widest(out);
        let weight = into_contiguous(permute(weight, &[2, 3, 1, 0]));
        let units = CubeDim::new_1d(UNITS as u32);
        let count = calculate_cube_count_elemwise(&client, blocks * out / vector, units);
        // SAFETY: units beyond the last are turned away, and each reads and writes within the maps whose sizes it is given.
        unsafe {
            kernels::depthwise::launch_unchecked(
                &client,
                count,
                units,
                vector,
                x.into_tensor_arg(),
                weight.into_tensor_arg(),
                bias.map(|bias| bias.into_buffer_arg()).into(),
                y.clone().into_tensor_arg(),
                sizes(vector),
                padded,
                after,
                kind,
            );
        }
    } else {
        let weight = into_contiguous(permute_nchw_to_nhwc(weight));
        let (vector, channels) = (widest(inner).min(widest(pixel)), widest(of_group));
        let results = blocks * out / channels;
        let lanes = lanes(&client, inner / vector, results);
        let teams = UNITS / lanes;
        let units = CubeDim::new_2d(lanes as u32, teams as u32);
        let count = calculate_cube_count_elemwise(&client, results * lanes, units);
        let (slope, offset) = before.map(|line| (line.slope, line.offset)).unzip();
        // SAFETY: as above; units beyond the last compute what the last does, and do not write it.
        unsafe {
            kernels::dense::launch_unchecked(
                &client,
                count,
                units,
                vector,
                x.into_tensor_arg(),
                weight.into_tensor_arg(),
                bias.map(|bias| bias.into_buffer_arg()).into(),
                slope.map(|slope| slope.into_buffer_arg()).into(),
                offset.map(|offset| offset.into_buffer_arg()).into(),
                y.clone().into_tensor_arg(),
                sizes(vector),
                channels,
                lanes,
                padded,
                after,
                kind,
            );
        }
    }
    permute_nhwc_to_nchw(y)
}

/// A map of `out` channels, of which those of `x` are there.
pub fn widened(x: CubeTensor, out: usize) -> CubeTensor {
    let x = channels_last(x);
    let [batch, height, width, channels] = x.shape().dims();
    let all = [batch, height, width, channels].map(|end| Slice::from(0..end));
    let y = empty(&x, [batch, height, width, out]);
    permute_nhwc_to_nchw(Cube::float_slice_assign(y, &all, x))
}

/// The first channels of a map, which stay where they are.
pub fn first_channels(map: &CubeTensor, channels: usize) -> CubeTensor {
    let mut first = map.clone();
    first.meta.shape_mut()[1] = channels;
    first
}

/// How many units share a result: as many as have something to read, where there are few results.
fn lanes(client: &Client, vectors: usize, results: usize) -> usize {
    let most = match LANES_OF_A_TEST.load(Ordering::Relaxed) {
        0 if client.properties().hardware.plane_size_max <= SOFTWARE => 1,
        0 => LANES,
        set => set,
    };
    let mut lanes = 1;
    while lanes < most && vectors >= 2 * lanes * WORTH_A_LANE && results * lanes < BUSY {
        lanes *= 2;
    }
    lanes
}

/// The widest vectors that a length is made of.
fn widest(length: usize) -> usize {
    [4, 2]
        .into_iter()
        .find(|size| length.is_multiple_of(*size))
        .unwrap_or(1)
}

fn empty(like: &CubeTensor, shape: [usize; 4]) -> CubeTensor {
    empty_device_dtype(
        like.client.clone(),
        like.device.clone(),
        shape.into(),
        like.dtype,
    )
}

/// A map as `[batch, height, width, channels]`: its channels next to each other, its pixels at one distance, which may be that of more channels.
fn channels_last(map: CubeTensor) -> CubeTensor {
    let map = permute_nchw_to_nhwc(map);
    let [_, height, width, channels] = map.shape().dims();
    let strides = map.meta.strides();
    let pixel = strides[2];
    let rows = strides[1] == pixel * width && strides[0] == pixel * width * height;
    if strides[3] == 1 && pixel >= channels && rows {
        return map;
    }
    // To Burn, a side of one pixel may have any stride. Here the distance of pixels is read from it.
    let mut map = into_contiguous(map);
    let (row, picture) = (width * channels, height * width * channels);
    let strides = map.meta.strides_mut().iter_mut();
    for (stride, distance) in strides.zip([picture, row, channels, 1]) {
        *stride = distance;
    }
    map
}
