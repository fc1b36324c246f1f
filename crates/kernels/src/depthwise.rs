//! Depthwise convolutions, and the inverted bottleneck's expansion before them, a pair of groups at a time: the expanded maps are never whole.

use crate::activation::{Activation, silu};
use crate::buffer::Buffer;
use crate::crew::{Crew, Scratch};
use crate::direct::{Planes, pad};
use crate::map::{View, ViewMut, groups};
use crate::pointwise::Pointwise;
use crate::product::{COLUMNS, Product, Target};
use crate::shape::Window;
use crate::simd::{LANES, Task, Vector, dispatch};

/// Rows from this width on are expanded into their places among zeros; narrower maps are expanded whole, in fuller tiles, and copied.
const WIDE: usize = 24;

/// A packed convolution of each channel by itself.
#[derive(Clone, Debug)]
pub struct Depthwise {
    /// `[groups, taps, LANES]`.
    weights: Buffer,
    bias: Buffer,
    channels: usize,
    window: Window,
}

impl Depthwise {
    /// `weights`: `[channels, 1, kernel, kernel]`.
    ///
    /// # Panics
    /// When there is another number of weights or of biases.
    pub fn new(weights: &[f32], channels: usize, window: Window, bias: &[f32]) -> Self {
        let taps = window.kernel * window.kernel;
        assert!(weights.len() == channels * taps && bias.len() == channels);
        let mut packed = Buffer::new(groups(channels) * taps * LANES);
        let mut biases = Buffer::new(groups(channels) * LANES);
        biases[..channels].copy_from_slice(bias);
        for (channel, filter) in weights.chunks_exact(taps).enumerate() {
            for (tap, value) in filter.iter().enumerate() {
                packed[(channel / LANES * taps + tap) * LANES + channel % LANES] = *value;
            }
        }
        Self {
            weights: packed,
            bias: biases,
            channels,
            window,
        }
    }

    /// `activation(convolution(x) + bias)`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn forward(&self, x: View, activation: Activation, out: ViewMut, crew: &mut Crew) {
        assert_eq!(x.channels, self.channels);
        self.run(x, None, activation, out, crew);
    }

    /// `activation(convolution(activation(expand(x))) + bias)`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn forward_expanded(
        &self,
        x: View,
        expand: &Pointwise,
        activation: Activation,
        out: ViewMut,
        crew: &mut Crew,
    ) {
        self.run(x, Some(expand), activation, out, crew);
    }

    /// One group's outputs, of its inputs among zeros in rows of `wide` pixels.
    #[inline(always)]
    fn plane<V: Vector>(
        &self,
        padded: &[f32],
        wide: usize,
        group: usize,
        activation: Activation,
        width: usize,
        out: &mut [f32],
    ) {
        let window = self.window;
        let taps = window.kernel * window.kernel * LANES;
        let (low, high) = activation.limits();
        let filter = Filter {
            padded,
            row: wide * LANES,
            weights: &self.weights[group * taps..][..taps],
            bias: &self.bias[group * LANES..][..LANES],
            low,
            high,
            silu: activation == Activation::Silu,
        };
        match (window.kernel, window.stride) {
            (3, 1) => filter.plane::<V, 3, 1>(window, width, out),
            (3, 2) => filter.plane::<V, 3, 2>(window, width, out),
            (5, 1) => filter.plane::<V, 5, 1>(window, width, out),
            (5, 2) => filter.plane::<V, 5, 2>(window, width, out),
            _ => filter.any::<V>(window, width, out),
        }
    }

    fn run(
        &self,
        x: View,
        expand: Option<&Pointwise>,
        activation: Activation,
        out: ViewMut,
        crew: &mut Crew,
    ) {
        assert_eq!(out.channels, self.channels);
        let (rows, top) = self.window.along(x.height);
        let (columns, left) = self.window.along(x.width);
        assert_eq!((rows, columns), (out.height, out.width));
        let [tall, wide] = [out.height, out.width].map(|side| self.window.reach(side));
        let Crew {
            threads, offsets, ..
        } = crew;
        let plane = x.plane();
        offsets.clear();
        offsets.extend((0..groups(x.channels)).map(|group| group * plane));
        let padding = Padding {
            before: [top, left],
            // An input may be larger than what the outputs reach.
            tall: tall.max(top + x.height),
            wide: wide.max(left + x.width),
        };
        let in_rows = expand.is_some() && x.width >= WIDE;
        let prepare = |scratch: &mut Scratch| {
            if in_rows {
                // What is around the rows stays as it is.
                let padded = COLUMNS * padding.plane();
                scratch.inputs.first(padded).fill(0.0);
            }
        };
        let columns = out.width;
        let together = COLUMNS * out.plane();
        threads.each_chunk_after(prepare, out.values, together, |panel, out, scratch| {
            dispatch(Part {
                conv: self,
                x,
                expand,
                offsets,
                padding,
                in_rows,
                activation,
                panel,
                out,
                columns,
                scratch,
            });
        });
    }
}

/// How an input lies among zeros.
#[derive(Clone, Copy)]
struct Padding {
    /// Rows above, and columns to the left.
    before: [usize; 2],
    /// With zeros.
    tall: usize,
    wide: usize,
}

impl Padding {
    /// Floats of a group.
    fn plane(&self) -> usize {
        self.tall * self.wide * LANES
    }
}

/// A panel's groups, or fewer at the end.
struct Part<'a> {
    conv: &'a Depthwise,
    x: View<'a>,
    expand: Option<&'a Pointwise>,
    /// Where the input's groups begin.
    offsets: &'a [usize],
    padding: Padding,
    /// Whether rows are expanded into their places.
    in_rows: bool,
    activation: Activation,
    panel: usize,
    /// The groups' outputs.
    out: &'a mut [f32],
    columns: usize,
    scratch: &'a mut Scratch,
}

impl Task for Part<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        let Padding { before, tall, wide } = self.padding;
        let padded_plane = self.padding.plane();
        let first = self.panel * COLUMNS;
        let some = COLUMNS.min(groups(self.conv.channels) - first);
        let padded = self.scratch.inputs.first(COLUMNS * padded_plane);
        let plane = self.x.plane();
        let (height, width) = (self.x.height, self.x.width);
        let planes = |values| Planes {
            channels: some * LANES,
            height,
            width,
            values,
        };
        match self.expand {
            None => {
                let values = &self.x.values[first * plane..][..some * plane];
                pad(&planes(values), LANES, before, [tall, wide], padded);
            }
            Some(expand) => {
                let product = Product {
                    panels: &expand.panels,
                    x: self.x.values,
                    offsets: self.offsets,
                    step: LANES,
                    pixels: plane / LANES,
                    activation: self.activation,
                };
                if self.in_rows {
                    for row in 0..height {
                        let at = ((row + before[0]) * wide + before[1]) * LANES;
                        let product = Product {
                            x: &self.x.values[row * width * LANES..],
                            pixels: width,
                            ..product
                        };
                        let target = Target::new(&mut padded[at..], padded_plane);
                        product.panel::<V, LANES, LANES>(self.panel, target);
                    }
                } else {
                    let flat = self.scratch.outputs.first(COLUMNS * plane);
                    product.panel::<V, LANES, LANES>(self.panel, Target::new(flat, plane));
                    let values = &flat[..some * plane];
                    pad(&planes(values), LANES, before, [tall, wide], padded);
                }
            }
        }
        let out_plane = self.out.len() / some;
        let outs = self.out.chunks_exact_mut(out_plane);
        for (index, (out, padded)) in outs.zip(padded.chunks_exact(padded_plane)).enumerate() {
            let group = first + index;
            self.conv
                .plane::<V>(padded, wide, group, self.activation, self.columns, out);
        }
    }
}

/// One group's convolution.
struct Filter<'a> {
    padded: &'a [f32],
    /// Floats of a padded row.
    row: usize,
    weights: &'a [f32],
    bias: &'a [f32],
    low: f32,
    high: f32,
    silu: bool,
}

impl Filter<'_> {
    /// All outputs of a `K x K` window with stride `S`.
    #[inline(always)]
    fn plane<V: Vector, const K: usize, const S: usize>(
        &self,
        window: Window,
        width: usize,
        out: &mut [f32],
    ) {
        let height = self.check(window, width, out);
        assert_eq!((window.kernel, window.stride), (K, S));
        for row in 0..height {
            // SAFETY: `check` has seen that the windows of all outputs are in `padded`, and that `out` has all outputs.
            unsafe {
                let x = self.padded.as_ptr().add(row * S * self.row);
                let out = out.as_mut_ptr().add(row * width * LANES);
                let mut column = 0;
                while column + 7 <= width {
                    self.line::<V, 7, K, S>(x.add(column * S * LANES), out.add(column * LANES));
                    column += 7;
                }
                while column + 4 <= width {
                    self.line::<V, 4, K, S>(x.add(column * S * LANES), out.add(column * LANES));
                    column += 4;
                }
                while column < width {
                    self.line::<V, 1, K, S>(x.add(column * S * LANES), out.add(column * LANES));
                    column += 1;
                }
            }
        }
    }

    /// The number of output rows.
    ///
    /// # Panics
    /// When a window would lie outside of the padded plane.
    #[inline(always)]
    fn check(&self, window: Window, width: usize, out: &[f32]) -> usize {
        let height = out.len() / (width * LANES);
        let rows = (window.reach(height) - 1) * self.row;
        assert!(self.padded.len() >= rows + window.reach(width) * LANES);
        assert!(self.weights.len() >= window.kernel * window.kernel * LANES);
        assert!(self.bias.len() >= LANES);
        height
    }

    /// `N` outputs in a row.
    ///
    /// # Safety
    /// `x` has `K` rows of `(N - 1) * S + K` vectors, `out` has `N`.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    unsafe fn line<V: Vector, const N: usize, const K: usize, const S: usize>(
        &self,
        x: *const f32,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise; `check` has seen the weights and the bias.
        unsafe {
            let mut sums = [V::load(self.bias.as_ptr()); N];
            for row in 0..K {
                let x = x.add(row * self.row);
                let mut weights = [V::splat(0.0); K];
                for (column, weight) in weights.iter_mut().enumerate() {
                    *weight = V::load(self.weights.as_ptr().add((row * K + column) * LANES));
                }
                if S == 1 {
                    for at in 0..N - 1 + K {
                        let x = V::load(x.add(at * LANES));
                        for (column, weight) in weights.iter().enumerate() {
                            if at >= column && at - column < N {
                                let sum = &mut sums[at - column];
                                *sum = x.mul_add(*weight, *sum);
                            }
                        }
                    }
                } else {
                    // Few inputs are of several windows.
                    for (column, weight) in weights.iter().enumerate() {
                        for (index, sum) in sums.iter_mut().enumerate() {
                            let x = V::load(x.add((index * S + column) * LANES));
                            *sum = x.mul_add(*weight, *sum);
                        }
                    }
                }
            }
            self.finish(&sums, out);
        }
    }

    /// All outputs of any window.
    #[inline(always)]
    fn any<V: Vector>(&self, window: Window, width: usize, out: &mut [f32]) {
        self.check(window, width, out);
        for (index, out) in out.chunks_exact_mut(LANES).enumerate() {
            let (row, column) = (index / width * window.stride, index % width * window.stride);
            // SAFETY: as in `plane`.
            unsafe {
                let mut sum = V::load(self.bias.as_ptr());
                for tap in 0..window.kernel * window.kernel {
                    let (y, x) = (row + tap / window.kernel, column + tap % window.kernel);
                    let x = V::load(self.padded.as_ptr().add(y * self.row + x * LANES));
                    sum = x.mul_add(V::load(self.weights.as_ptr().add(tap * LANES)), sum);
                }
                self.finish(&[sum], out.as_mut_ptr());
            }
        }
    }

    /// # Safety
    /// `out` has a vector for each sum.
    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, sums: &[V], out: *mut f32) {
        let (low, high) = (V::splat(self.low), V::splat(self.high));
        for (index, sum) in sums.iter().enumerate() {
            let mut y = sum.max(low).min(high);
            if self.silu {
                y = silu(y);
            }
            // SAFETY: the caller's promise.
            unsafe { y.store(out.add(index * LANES)) };
        }
    }
}
