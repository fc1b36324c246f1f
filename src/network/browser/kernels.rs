//! The convolutions of a network that reads, on a graphics card. Maps have their channels last, and weights the channels that are read together. What a
//! dense layer has before a convolution, its bias, and the activation after it are in the same kernel.
//!
//! Sums are taken in float32, whatever numbers maps and weights are in.

use cubecl::prelude::*;

use super::super::activation::Activation;

/// Units that share memory.
pub const UNITS: usize = 64;
/// Pixels of a row that a unit computes: what it reads of the weights serves all of them.
pub const COLUMNS: usize = 4;

/// Sizes of what a convolution reads and writes.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub struct Sizes {
    /// Pictures.
    pub batch: u32,
    pub in_height: u32,
    pub in_width: u32,
    /// Vectors from one pixel of the input to the next, which may be more than are read.
    pub in_pixel: u32,
    /// Vectors of a pixel that one output reads.
    pub inner: u32,
    pub out_height: u32,
    pub out_width: u32,
    /// Numbers from one pixel of the output to the next.
    pub out_pixel: u32,
    /// Where the first channel of a pixel of the output is written.
    pub out_first: u32,
    pub out_channels: u32,
    /// Output channels that read the same inputs.
    pub of_group: u32,
    pub kernel_height: u32,
    pub kernel_width: u32,
    pub stride_y: u32,
    pub stride_x: u32,
    pub padding_y: u32,
    pub padding_x: u32,
}

/// The pixels that a unit computes: neighbours in a row, from `column` on.
#[derive(CubeType, Clone, Copy)]
struct Place {
    /// The row among those of all pictures.
    row: u32,
    picture: u32,
    line: u32,
    column: u32,
}

/// `number`: among the groups of [`COLUMNS`] pixels.
#[cube]
fn place(number: u32, sizes: &Sizes) -> Place {
    let blocks = sizes.out_width.div_ceil(COLUMNS as u32);
    let row = number / blocks;
    Place {
        row,
        picture: row / sizes.out_height,
        line: row % sizes.out_height,
        column: (number % blocks) * COLUMNS as u32,
    }
}

/// Which row or column of the input is read; below zero and beyond the last there is nothing.
#[cube]
fn read_at(to: u32, stride: u32, of_kernel: u32, padding: u32) -> i32 {
    (to * stride + of_kernel) as i32 - padding as i32
}

#[cube]
fn is_within(at: i32, side: u32, #[comptime] padded: bool) -> bool {
    if padded {
        at >= 0 && at < side as i32
    } else {
        true.runtime()
    }
}

/// The pixel of a row that is read for the output pixel `to`, or the nearest to it.
#[cube]
fn nearest(at: i32, width: u32) -> u32 {
    at.max(0).min(width as i32 - 1) as u32
}

/// 1 within the row, and 0 beyond.
#[cube]
fn factor(at: i32, width: u32) -> f32 {
    select(is_within(at, width, true), 1.0f32, 0.0f32)
}

#[cube]
fn activated<N: Size>(value: Vector<f32, N>, #[comptime] after: Activation) -> Vector<f32, N> {
    let zero = Vector::new(0.0);
    match after {
        Activation::Identity => value,
        Activation::Relu => value.max(zero),
        Activation::Relu6 => value.max(zero).min(Vector::new(6.0)),
        Activation::Silu => value / (Vector::new(1.0) + (-value).exp()),
    }
}

#[cube]
fn added<N: Size>(vector: Vector<f32, N>) -> f32 {
    let mut sum = 0.0f32;
    #[unroll]
    for i in 0..vector.vector_size() {
        sum += vector.extract(i);
    }
    sum
}

/// Writes one output.
#[cube]
fn write<E: Float>(
    y: &mut Tensor<E>,
    bias: ComptimeOption<&[E]>,
    sum: f32,
    pixel: u32,
    channel: u32,
    sizes: &Sizes,
    #[comptime] after: Activation,
) {
    let mut sum = sum;
    #[comptime]
    if bias.is_some() {
        sum += f32::cast_from(bias.unwrap()[channel as usize]);
    }
    let at = pixel * sizes.out_pixel + sizes.out_first + channel;
    let value = activated::<Const<1>>(Vector::new(sum), after);
    y[at as usize] = E::cast_from(value.extract(0usize));
}

/// A unit computes [`COLUMNS`] neighbouring pixels of `channels` channels, from each `lanes`th vector of what they read; the `lanes` units of a team then add
/// what they have.
#[cube(launch_unchecked)]
pub fn dense<E: Float, N: Size>(
    x: &Tensor<Vector<E, N>>,
    weight: &Tensor<Vector<E, N>>,
    bias: ComptimeOption<&[E]>,
    slope: ComptimeOption<&[Vector<E, N>]>,
    offset: ComptimeOption<&[Vector<E, N>]>,
    y: &mut Tensor<E>,
    sizes: Sizes,
    #[comptime] channels: usize,
    #[comptime] lanes: usize,
    #[comptime] padded: bool,
    #[comptime] after: Activation,
    #[define(E)] _kind: ElemType,
) {
    let blocks = sizes.out_channels / channels as u32;
    let rows = sizes.batch * sizes.out_height;
    let total = rows * sizes.out_width.div_ceil(COLUMNS as u32) * blocks;
    let mine = CUBE_POS as u32 * CUBE_DIM_Y + UNIT_POS_Y;
    // All of a cube meet at its barrier: those that are too many compute what another does.
    let counts = mine < total;
    let mine = mine.min(total - 1);
    let channel = (mine % blocks) * channels as u32;
    let place = place(mine / blocks, &sizes);
    let of_group = (channel / sizes.of_group) * sizes.inner;
    let of_channel = sizes.kernel_height * sizes.kernel_width * sizes.inner;

    let mut sums = Sequence::<RuntimeCell<Vector<f32, N>>>::new();
    #[unroll]
    for _ in 0..comptime![COLUMNS * channels] {
        sums.push(RuntimeCell::new(Vector::<f32, N>::new(0.0)));
    }
    for ky in 0..sizes.kernel_height {
        let from_y = read_at(place.line, sizes.stride_y, ky, sizes.padding_y);
        if is_within(from_y, sizes.in_height, padded) {
            let from_row = (place.picture * sizes.in_height + from_y as u32) * sizes.in_width;
            for kx in 0..sizes.kernel_width {
                let mut pixels = Sequence::<u32>::new();
                let mut factors = Sequence::<f32>::new();
                #[unroll]
                for p in 0..COLUMNS {
                    let to_x = (place.column + p as u32).min(sizes.out_width - 1);
                    let from_x = read_at(to_x, sizes.stride_x, kx, sizes.padding_x);
                    if padded {
                        factors.push(factor(from_x, sizes.in_width));
                    }
                    let pixel = from_row + nearest(from_x, sizes.in_width);
                    pixels.push(pixel * sizes.in_pixel + of_group);
                }
                let weights = channel * of_channel + (ky * sizes.kernel_width + kx) * sizes.inner;
                for k in range_stepped(UNIT_POS_X, sizes.inner, lanes as u32) {
                    let mut values = Sequence::<Vector<f32, N>>::new();
                    #[unroll]
                    for p in 0..COLUMNS {
                        let at = *pixels.index(p) + k;
                        let mut value = Vector::<f32, N>::cast_from(x[at as usize]);
                        #[comptime]
                        if slope.is_some() {
                            let slope = Vector::cast_from(slope.unwrap()[k as usize]);
                            let offset = Vector::cast_from(offset.unwrap()[k as usize]);
                            value = activated(value * slope + offset, Activation::Relu);
                        }
                        if padded {
                            value *= Vector::new(*factors.index(p));
                        }
                        values.push(value);
                    }
                    #[unroll]
                    for c in 0..channels {
                        let at = weights + c as u32 * of_channel + k;
                        let weight = Vector::<f32, N>::cast_from(weight[at as usize]);
                        #[unroll]
                        for p in 0..COLUMNS {
                            let sum = sums.index(p * channels + c);
                            sum.store(sum.read() + *values.index(p) * weight);
                        }
                    }
                }
            }
        }
    }

    let pixel = place.row * sizes.out_width + place.column;
    let within = sizes.out_width - place.column;
    let cells = comptime![COLUMNS * channels];
    if comptime![lanes > 1] {
        // One more than a power of two, so that a team's units reach for memory that does not stand in each other's way.
        let apart = cells as u32 + 1;
        let mut shared = Shared::<[f32]>::new_slice(comptime![UNITS * (cells + 1)]);
        let team = UNIT_POS_Y * lanes as u32;
        #[unroll]
        for cell in 0..cells {
            let at = (team + UNIT_POS_X) * apart + cell as u32;
            shared[at as usize] = added(sums.index(cell).read());
        }
        sync_cube();
        for cell in range_stepped(UNIT_POS_X, cells as u32, lanes as u32) {
            let mut sum = 0.0f32;
            #[unroll]
            for lane in 0..lanes {
                sum += shared[((team + lane as u32) * apart + cell) as usize];
            }
            let (p, c) = (cell / channels as u32, cell % channels as u32);
            if counts && p < within {
                write(y, bias, sum, pixel + p, channel + c, &sizes, after);
            }
        }
    } else if counts {
        #[unroll]
        for cell in 0..cells {
            let (p, c) = (cell as u32 / channels as u32, cell as u32 % channels as u32);
            if p < within {
                let sum = added(sums.index(cell).read());
                write(y, bias, sum, pixel + p, channel + c, &sizes, after);
            }
        }
    }
}

/// A unit computes [`COLUMNS`] neighbouring pixels of a vector of channels, each from its own channel alone. The weights are `[height, width, channels]`.
#[cube(launch_unchecked)]
pub fn depthwise<E: Float, N: Size>(
    x: &Tensor<Vector<E, N>>,
    weight: &Tensor<Vector<E, N>>,
    bias: ComptimeOption<&[Vector<E, N>]>,
    y: &mut Tensor<Vector<E, N>>,
    sizes: Sizes,
    #[comptime] padded: bool,
    #[comptime] after: Activation,
    #[define(E)] _kind: ElemType,
) {
    let vectors = sizes.in_pixel;
    let mine = ABSOLUTE_POS as u32;
    let rows = sizes.batch * sizes.out_height;
    if mine >= rows * sizes.out_width.div_ceil(COLUMNS as u32) * vectors {
        terminate!();
    }
    let channel = mine % vectors;
    let place = place(mine / vectors, &sizes);
    let mut sums = Sequence::<RuntimeCell<Vector<f32, N>>>::new();
    #[unroll]
    for _ in 0..COLUMNS {
        let mut sum = Vector::<f32, N>::new(0.0);
        #[comptime]
        if bias.is_some() {
            sum += Vector::cast_from(bias.unwrap()[channel as usize]);
        }
        sums.push(RuntimeCell::new(sum));
    }
    for ky in 0..sizes.kernel_height {
        let from_y = read_at(place.line, sizes.stride_y, ky, sizes.padding_y);
        if is_within(from_y, sizes.in_height, padded) {
            let from_row = (place.picture * sizes.in_height + from_y as u32) * sizes.in_width;
            for kx in 0..sizes.kernel_width {
                let at = (ky * sizes.kernel_width + kx) * vectors + channel;
                let weight = Vector::<f32, N>::cast_from(weight[at as usize]);
                #[unroll]
                for p in 0..COLUMNS {
                    let to_x = (place.column + p as u32).min(sizes.out_width - 1);
                    let from_x = read_at(to_x, sizes.stride_x, kx, sizes.padding_x);
                    let pixel = from_row + nearest(from_x, sizes.in_width);
                    let mut value =
                        Vector::<f32, N>::cast_from(x[(pixel * vectors + channel) as usize]);
                    if padded {
                        value *= Vector::new(factor(from_x, sizes.in_width));
                    }
                    let sum = sums.index(p);
                    sum.store(sum.read() + value * weight);
                }
            }
        }
    }
    let pixel = place.row * sizes.out_width + place.column;
    #[unroll]
    for p in 0..COLUMNS {
        if place.column + (p as u32) < sizes.out_width {
            let value = activated(sums.index(p).read(), after);
            y[((pixel + p as u32) * vectors + channel) as usize] = Vector::cast_from(value);
        }
    }
}
