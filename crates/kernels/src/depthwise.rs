//! Depthwise convolutions, and the inverted bottleneck's expansion before them, a pair of groups at a time: the expanded maps are never whole.

use crate::activation::{Activation, silu};
use crate::buffer::Buffer;
use crate::direct::{Planes, pad};
use crate::map::{View, ViewMut, groups};
use crate::pointwise::Pointwise;
use crate::product::{COLUMNS, Product, Target};
use crate::scratch::Scratch;
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
    pub fn forward(&self, x: View, activation: Activation, out: ViewMut, scratch: &mut Scratch) {
        assert_eq!(x.channels, self.channels);
        self.run(x, None, activation, out, scratch);
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
        scratch: &mut Scratch,
    ) {
        self.run(x, Some(expand), activation, out, scratch);
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
        scratch: &mut Scratch,
    ) {
        assert_eq!(out.channels, self.channels);
        let (rows, top) = self.window.along(x.height);
        let (columns, left) = self.window.along(x.width);
        assert_eq!((rows, columns), (out.height, out.width));
        dispatch(Forward {
            conv: self,
            x,
            expand,
            before: [top, left],
            activation,
            out,
            scratch,
        });
    }
}

struct Forward<'a> {
    conv: &'a Depthwise,
    x: View<'a>,
    expand: Option<&'a Pointwise>,
    before: [usize; 2],
    activation: Activation,
    out: ViewMut<'a>,
    scratch: &'a mut Scratch,
}

impl Task for Forward<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        let window = self.conv.window;
        let [tall, wide] = [self.out.height, self.out.width].map(|side| window.reach(side));
        // An input may be larger than what the outputs reach.
        let tall = tall.max(self.before[0] + self.x.height);
        let wide = wide.max(self.before[1] + self.x.width);
        let padded_plane = tall * wide * LANES;
        let padded = self.scratch.inputs.first(COLUMNS * padded_plane);
        let (in_plane, out_plane) = (self.x.plane(), self.out.plane());
        let Some(expand) = self.expand else {
            for group in 0..groups(self.conv.channels) {
                let x = Planes {
                    channels: LANES,
                    height: self.x.height,
                    width: self.x.width,
                    values: &self.x.values[group * in_plane..][..in_plane],
                };
                let padded = &mut padded[..padded_plane];
                pad(&x, LANES, self.before, [tall, wide], padded);
                let out = &mut self.out.values[group * out_plane..][..out_plane];
                self.conv
                    .plane::<V>(padded, wide, group, self.activation, self.out.width, out);
            }
            return;
        };
        let offsets = &mut self.scratch.offsets;
        offsets.clear();
        offsets.extend((0..groups(self.x.channels)).map(|group| group * in_plane));
        let product = Product {
            panels: &expand.panels,
            x: self.x.values,
            offsets,
            step: LANES,
            pixels: 0,
            activation: self.activation,
        };
        let (width, pixels) = (self.x.width, in_plane / LANES);
        let in_rows = width >= WIDE;
        if in_rows {
            // What is around the rows stays as it is.
            padded.fill(0.0);
        }
        let mut group = 0;
        for panel in 0..expand.panels.panels() {
            if in_rows {
                for row in 0..self.x.height {
                    let at = ((row + self.before[0]) * wide + self.before[1]) * LANES;
                    let product = Product {
                        x: &self.x.values[row * width * LANES..],
                        pixels: width,
                        ..product
                    };
                    product.panel::<V, LANES, LANES>(
                        panel,
                        &mut Target {
                            out: &mut padded[at..],
                            group: padded_plane,
                            residual: None,
                        },
                    );
                }
            } else {
                let flat = self.scratch.outputs.first(COLUMNS * in_plane);
                let product = Product { pixels, ..product };
                product.panel::<V, LANES, LANES>(
                    panel,
                    &mut Target {
                        out: flat,
                        group: in_plane,
                        residual: None,
                    },
                );
                let x = Planes {
                    channels: COLUMNS * LANES,
                    height: self.x.height,
                    width,
                    values: flat,
                };
                pad(&x, LANES, self.before, [tall, wide], padded);
            }
            for padded in padded
                .chunks_exact(padded_plane)
                .take(expand.panels.groups_of(panel))
            {
                let out = &mut self.out.values[group * out_plane..][..out_plane];
                self.conv
                    .plane::<V>(padded, wide, group, self.activation, self.out.width, out);
                group += 1;
            }
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
