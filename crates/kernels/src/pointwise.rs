//! 1x1 convolutions, and what DenseNet has before them: normalisation, ReLU, and the mean of four pixels.

use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::crew::Crew;
use crate::map::{View, ViewMut, groups};
use crate::norm::Norm;
use crate::product::{Panels, Places, Product, Target};
use crate::simd::{LANES, Task, Vector, dispatch, rows};

/// Floats of the inputs that are worked on together: a quarter of a megabyte.
const STRIP: usize = 1 << 16;
/// Groups that a thread normalises at once.
const TOGETHER: usize = 8;

/// A packed 1x1 convolution of stride 1.
#[derive(Clone, Debug)]
pub struct Pointwise {
    pub(crate) panels: Panels,
    inputs: usize,
    outputs: usize,
}

impl Pointwise {
    /// `weights`: `[outputs, inputs]`.
    ///
    /// # Panics
    /// When there is another number of weights or of biases.
    pub fn new(weights: &[f32], [outputs, inputs]: [usize; 2], bias: &[f32]) -> Self {
        assert!(weights.len() == outputs * inputs && bias.len() == outputs);
        let weight = |output: usize, input: usize| {
            if input < inputs {
                weights[output * inputs + input]
            } else {
                0.0
            }
        };
        Self {
            panels: Panels::new(groups(inputs) * LANES, outputs, weight, |o| bias[o]),
            inputs,
            outputs,
        }
    }

    /// `activation(weights * x + bias + residual)`.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn forward(
        &self,
        x: View,
        residual: Option<View>,
        activation: Activation,
        out: ViewMut,
        crew: &mut Crew,
    ) {
        assert_eq!((x.channels, out.channels), (self.inputs, self.outputs));
        assert_eq!((x.height, x.width), (out.height, out.width));
        let Crew {
            threads, offsets, ..
        } = crew;
        let plane = x.plane();
        let pixels = plane / LANES;
        offsets.clear();
        offsets.extend((0..groups(self.inputs)).map(|group| group * plane));
        let strip = strip(pixels, self.inputs);
        let panels = self.panels.panels();
        let out = Places::from(out.values);
        threads.each(pixels.div_ceil(strip) * panels, |part, _| {
            let first = part / panels * strip;
            let product = Product {
                panels: &self.panels,
                x: &x.values[first * LANES..],
                offsets,
                step: LANES,
                pixels: strip.min(pixels - first),
                activation,
            };
            let residual = residual.map(|residual| residual.values);
            dispatch(Panel {
                product,
                panel: part % panels,
                // SAFETY: each part has a strip's pixels of a panel's groups to itself.
                target: unsafe { Target::shared(out, first * LANES, plane, residual) },
            });
        });
    }

    /// `activation(weights * relu(norm(x)) + bias)`; with `halve`, of the mean of each 2x2 pixels of `relu(norm(x))`, which is the mean of the
    /// convolution's 2x2 outputs where no activation follows, for a quarter of the work.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn forward_normalised(
        &self,
        x: View,
        norm: &PreNorm,
        halve: bool,
        activation: Activation,
        out: ViewMut,
        crew: &mut Crew,
    ) {
        assert_eq!((x.channels, out.channels), (self.inputs, self.outputs));
        assert_eq!(norm.lanes.len(), 2 * groups(self.inputs) * LANES);
        let factor = if halve { 2 } else { 1 };
        assert_eq!(
            (x.height / factor, x.width / factor),
            (out.height, out.width)
        );
        let Crew {
            threads,
            inputs,
            offsets,
            ..
        } = crew;
        let groups = groups(self.inputs);
        let plane = out.plane();
        let pixels = plane / LANES;
        let strip = strip(pixels, self.inputs);
        let inputs = inputs.first(groups * strip * LANES);
        let out = Places::from(out.values);
        for first in (0..pixels).step_by(strip) {
            let count = strip.min(pixels - first);
            let inputs = &mut inputs[..groups * count * LANES];
            let several = TOGETHER * count * LANES;
            threads.each_chunk(inputs, several, |part, inputs, _| {
                dispatch(Normalised {
                    x,
                    norm,
                    halve,
                    group: part * TOGETHER,
                    first,
                    count,
                    inputs,
                });
            });
            offsets.clear();
            offsets.extend((0..groups).map(|group| group * count * LANES));
            threads.each(self.panels.panels(), |panel, _| {
                let product = Product {
                    panels: &self.panels,
                    x: inputs,
                    offsets,
                    step: LANES,
                    pixels: count,
                    activation,
                };
                dispatch(Panel {
                    product,
                    panel,
                    // SAFETY: each part has a panel's groups to itself.
                    target: unsafe { Target::shared(out, first * LANES, plane, None) },
                });
            });
        }
    }
}

/// A normalisation and the ReLU behind it, before a convolution.
#[derive(Clone, Debug)]
pub struct PreNorm {
    lanes: Buffer,
}

impl PreNorm {
    pub fn new(norm: &Norm) -> Self {
        Self {
            lanes: norm.lanes(),
        }
    }
}

/// A panel of a product.
struct Panel<'a> {
    product: Product<'a>,
    panel: usize,
    target: Target<'a>,
}

impl Task for Panel<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        self.product.one::<V, LANES, LANES>(self.panel, self.target);
    }
}

/// Pixels of a strip: whole tiles, strips of like size.
fn strip(pixels: usize, inputs: usize) -> usize {
    let rows = rows();
    let most = (STRIP / (groups(inputs) * LANES)).max(2 * rows);
    pixels
        .div_ceil(pixels.div_ceil(most))
        .next_multiple_of(rows)
}

/// Inputs of some pixels, normalised.
struct Normalised<'a> {
    x: View<'a>,
    norm: &'a PreNorm,
    halve: bool,
    /// The first group.
    group: usize,
    /// The first pixel, and how many.
    first: usize,
    count: usize,
    /// `[groups, count, LANES]`.
    inputs: &'a mut [f32],
}

impl Task for Normalised<'_> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        let all = groups(self.x.channels);
        let plane = self.x.plane();
        for (index, target) in self.inputs.chunks_exact_mut(self.count * LANES).enumerate() {
            let group = self.group + index;
            let x = &self.x.values[group * plane..][..plane];
            let line = [0, all].map(|part| &self.norm.lanes[(part + group) * LANES..][..LANES]);
            if self.halve {
                halve::<V>(x, self.x.width, self.first, line, target);
            } else {
                normalise::<V>(&x[self.first * LANES..], line, target);
            }
        }
    }
}

/// `relu(slope * x + offset)`, for as many pixels as the target has.
#[inline(always)]
fn normalise<V: Vector>(x: &[f32], [slope, offset]: [&[f32]; 2], target: &mut [f32]) {
    assert!(x.len() >= target.len() && slope.len() >= LANES && offset.len() >= LANES);
    // SAFETY: the slices have whole vectors, as asserted; of `target` those are written that `chunks_exact_mut` gives.
    unsafe {
        let (slope, offset) = (V::load(slope.as_ptr()), V::load(offset.as_ptr()));
        for (x, y) in x.chunks_exact(LANES).zip(target.chunks_exact_mut(LANES)) {
            let x = V::load(x.as_ptr());
            x.mul_add(slope, offset)
                .max(V::splat(0.0))
                .store(y.as_mut_ptr());
        }
    }
}

/// The mean of 2x2 pixels of `relu(slope * x + offset)`, from output pixel `first` on.
#[inline(always)]
fn halve<V: Vector>(
    x: &[f32],
    width: usize,
    first: usize,
    [slope, offset]: [&[f32]; 2],
    target: &mut [f32],
) {
    assert!(slope.len() >= LANES && offset.len() >= LANES);
    let columns = width / 2;
    // SAFETY: the slices have whole vectors: `x` by its indexing, `target` by `chunks_exact_mut`.
    unsafe {
        let (slope, offset) = (V::load(slope.as_ptr()), V::load(offset.as_ptr()));
        for (index, y) in target.chunks_exact_mut(LANES).enumerate() {
            let (row, column) = ((first + index) / columns, (first + index) % columns);
            let mut sum = V::splat(0.0);
            for row in [2 * row, 2 * row + 1] {
                let pair = &x[(row * width + 2 * column) * LANES..][..2 * LANES];
                for pixel in [&pair[..LANES], &pair[LANES..]] {
                    let pixel = V::load(pixel.as_ptr());
                    sum = sum.add(pixel.mul_add(slope, offset).max(V::splat(0.0)));
                }
            }
            sum.mul(V::splat(0.25)).store(y.as_mut_ptr());
        }
    }
}
