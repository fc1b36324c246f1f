//! How a convolution's window moves, and pictures laid out so that every tap of the window reads one contiguous run.
//!
//! A channel is padded and split into `stride x stride` phases: phase `(a, b)` holds the padded pixels `(u * stride + a,
//! v * stride + b)`, a *plane* of `rows x pitch` pixels. Output `(y, x)` has the flat index `y * pitch + x`, and under tap
//! `(ky, kx)` it reads the phase `(ky % stride, kx % stride)` at the same index plus a constant. So a convolution with any
//! stride is a sum over taps of shifted vectors, as long as a whole channel. The `pitch - out_width` columns at the end of
//! each output row are of no meaning.

use burn::nn::conv::Conv2d;

use crate::network::padding::padding;

/// A convolution's shape: a square stride, no dilation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub in_channels: usize,
    pub out_channels: usize,
    /// Height and width.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: usize,
    /// Zeros above and to the left; below and to the right there are as many as the output needs.
    pub padding: [usize; 2],
    /// Whether each channel has its own kernel; else every output channel sees all input channels.
    pub depthwise: bool,
}

impl Window {
    /// The shape of a convolution of `[batch, channels, height, width]`; `None` where the kernels here cannot do it.
    pub fn of(conv: &Conv2d, input: [usize; 4]) -> Option<Self> {
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
        let [(top, bottom), (left, right)] = padding(conv, [height, width]);
        let (vertical, horizontal) = (side(0, height, top, bottom)?, side(1, width, left, right)?);
        Some(Self {
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

    /// Pixels of an input channel.
    pub fn in_pixels(&self) -> usize {
        self.input[0] * self.input[1]
    }

    /// Pixels of an output channel.
    pub fn out_pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether it is a matrix product of the channels, without any neighbours.
    pub fn is_pointwise(&self) -> bool {
        !self.depthwise && self.taps() == 1 && self.stride == 1 && self.padding == [0, 0]
    }

    /// Columns of a plane.
    fn pitch(&self) -> usize {
        self.output[1] + (self.kernel[1] - 1) / self.stride
    }

    fn rows(&self) -> usize {
        self.output[0] + (self.kernel[0] - 1) / self.stride
    }

    /// Pixels of one phase of one channel.
    pub fn plane(&self) -> usize {
        self.rows() * self.pitch()
    }

    /// Pixels of a channel's phases.
    pub fn phases(&self) -> usize {
        self.stride * self.stride * self.plane()
    }

    /// Pixels of an output channel in rows of the pitch, without what follows its last pixel.
    pub fn run(&self) -> usize {
        (self.output[0] - 1) * self.pitch() + self.output[1]
    }

    /// Where a tap begins to read in a channel's phases.
    pub fn offset(&self, tap: usize) -> usize {
        self.phase(tap) * self.plane() + self.shift(tap)
    }

    /// The phase that a tap reads.
    pub fn phase(&self, tap: usize) -> usize {
        let (y, x) = (tap / self.kernel[1], tap % self.kernel[1]);
        y % self.stride * self.stride + x % self.stride
    }

    /// How far into its phase a tap begins to read; at most [`Window::margin`].
    pub fn shift(&self, tap: usize) -> usize {
        let (y, x) = (tap / self.kernel[1], tap % self.kernel[1]);
        y / self.stride * self.pitch() + x / self.stride
    }

    /// The largest shift: `plane = run + margin`.
    pub fn margin(&self) -> usize {
        self.shift(self.taps() - 1)
    }

    /// Writes an input channel into its phases.
    pub fn spread(&self, channel: &[f32], phases: &mut [f32]) {
        phases.fill(0.0);
        self.for_each_row(|row, phase_row| {
            let source = &channel[row * self.input[1]..][..self.input[1]];
            for b in 0..self.stride {
                let (first, start) = self.first_column(b);
                let target = &mut phases[phase_row + b * self.plane() + start..];
                let count = self.columns(first, start);
                if self.stride == 1 {
                    target[..count].copy_from_slice(&source[..count]);
                } else {
                    let source = source[first.min(source.len())..].iter();
                    for (to, from) in target[..count].iter_mut().zip(source.step_by(self.stride)) {
                        *to = *from;
                    }
                }
            }
        });
    }

    /// The inverse of [`Window::spread`]: reads an input channel out of its phases; 0 where no window reaches.
    pub fn collect(&self, phases: &[f32], channel: &mut [f32]) {
        channel.fill(0.0);
        self.for_each_row(|row, phase_row| {
            let target = &mut channel[row * self.input[1]..][..self.input[1]];
            for b in 0..self.stride {
                let (first, start) = self.first_column(b);
                let source = &phases[phase_row + b * self.plane() + start..];
                let count = self.columns(first, start);
                if self.stride == 1 {
                    target[..count].copy_from_slice(&source[..count]);
                } else {
                    let first = first.min(target.len());
                    let target = target[first..].iter_mut();
                    for (to, from) in target.step_by(self.stride).zip(&source[..count]) {
                        *to = *from;
                    }
                }
            }
        });
    }

    /// Calls with each input row that a window reaches, and where its first phase's row begins.
    fn for_each_row(&self, mut call: impl FnMut(usize, usize)) {
        for row in 0..self.input[0] {
            let padded = row + self.padding[0];
            let (u, a) = (padded / self.stride, padded % self.stride);
            if u < self.rows() {
                call(row, a * self.stride * self.plane() + u * self.pitch());
            }
        }
    }

    /// The first input column of phase `b`, and its place in the phase's row.
    fn first_column(&self, b: usize) -> (usize, usize) {
        let first = (b + self.stride - self.padding[1] % self.stride) % self.stride;
        (first, (first + self.padding[1]) / self.stride)
    }

    /// How many input columns from `first` on fit into a phase's row from `start` on.
    fn columns(&self, first: usize, start: usize) -> usize {
        let there = self.input[1].saturating_sub(first).div_ceil(self.stride);
        there.min(self.pitch().saturating_sub(start))
    }

    /// Writes an output channel in rows of the pitch, with zeros between: [`Window::run`] pixels.
    pub fn spread_output(&self, channel: &[f32], run: &mut [f32]) {
        let width = self.output[1];
        for (row, source) in channel.chunks_exact(width).enumerate() {
            let rest = &mut run[row * self.pitch()..];
            let (target, after) = rest.split_at_mut(width);
            target.copy_from_slice(source);
            let gap = (self.pitch() - width).min(after.len());
            after[..gap].fill(0.0);
        }
    }

    /// Reads an output channel out of rows of the pitch.
    pub fn collect_output(&self, run: &[f32], channel: &mut [f32]) {
        let width = self.output[1];
        for (row, target) in channel.chunks_exact_mut(width).enumerate() {
            target.copy_from_slice(&run[row * self.pitch()..][..width]);
        }
    }
}
