//! Convolutions of any window, computed as they are defined: of a picture's planes, or of maps.

use crate::activation::Activation;
use crate::crew::Crew;
use crate::map::{View, ViewMut};
use crate::product::{Panels, Places, Product, Target};
use crate::shape::Window;
use crate::simd::{LANES, Task, Vector, dispatch};

/// A packed convolution of any window.
#[derive(Clone, Debug)]
pub struct Direct {
    panels: Panels,
    inputs: usize,
    outputs: usize,
    window: Window,
    planes: bool,
}

/// A picture `[channels, height, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Planes<'a> {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: &'a [f32],
}

impl Direct {
    /// A convolution of maps. `weights`: `[outputs, inputs, kernel, kernel]`.
    ///
    /// # Panics
    /// When there is another number of weights or of biases.
    pub fn new(weights: &[f32], channels: [usize; 2], window: Window, bias: &[f32]) -> Self {
        Self::pack(weights, channels, window, bias, false)
    }

    /// A convolution of a picture: a network's first. `weights`: `[outputs, inputs, kernel, kernel]`.
    ///
    /// # Panics
    /// When there is another number of weights or of biases.
    pub fn of_planes(weights: &[f32], channels: [usize; 2], window: Window, bias: &[f32]) -> Self {
        Self::pack(weights, channels, window, bias, true)
    }

    fn pack(
        weights: &[f32],
        [outputs, inputs]: [usize; 2],
        window: Window,
        bias: &[f32],
        planes: bool,
    ) -> Self {
        let taps = window.kernel * window.kernel;
        assert!(weights.len() == outputs * inputs * taps && bias.len() == outputs);
        // The order in which inputs are read: by group, tap, lane.
        let lanes = if planes { 1 } else { LANES };
        let rows = inputs.div_ceil(lanes) * lanes * taps;
        let weight = |output: usize, row: usize| {
            let (group, tap, lane) = (row / lanes / taps, row / lanes % taps, row % lanes);
            let input = group * lanes + lane;
            if input < inputs {
                weights[(output * inputs + input) * taps + tap]
            } else {
                0.0
            }
        };
        Self {
            panels: Panels::new(rows, outputs, weight, |o| bias[o]),
            inputs,
            outputs,
            window,
            planes,
        }
    }

    /// `activation(convolution(x) + bias)` of maps.
    ///
    /// # Panics
    /// When the shapes do not fit, or this is a convolution of a picture.
    pub fn forward(&self, x: View, activation: Activation, out: ViewMut, crew: &mut Crew) {
        assert!(!self.planes, "packed for maps");
        let x = Planes {
            channels: x.channels,
            height: x.height,
            width: x.width,
            values: x.values,
        };
        self.run::<LANES>(x, activation, out, crew);
    }

    /// `activation(convolution(x) + bias)` of a picture.
    ///
    /// # Panics
    /// When the shapes do not fit, or this is a convolution of maps.
    pub fn forward_planes(&self, x: Planes, activation: Activation, out: ViewMut, crew: &mut Crew) {
        assert!(self.planes, "packed for planes");
        self.run::<1>(x, activation, out, crew);
    }

    fn run<const I: usize>(
        &self,
        x: Planes,
        activation: Activation,
        out: ViewMut,
        crew: &mut Crew,
    ) {
        assert_eq!((x.channels, out.channels), (self.inputs, self.outputs));
        let (window, [height, width]) = (self.window, [out.height, out.width]);
        let (rows, top) = window.along(x.height);
        let (columns, left) = window.along(x.width);
        assert_eq!([rows, columns], [height, width]);
        let [tall, wide] = [height, width].map(|outputs| window.reach(outputs));
        let Crew {
            threads,
            inputs,
            offsets,
            ..
        } = crew;
        let planes = x.channels.div_ceil(I);
        let inputs = inputs.first(planes * tall * wide * I);
        threads.each_chunk(inputs, tall * wide * I, |plane, padded, _| {
            let pixels = x.height * x.width * I;
            let x = Planes {
                channels: I,
                values: &x.values[plane * pixels..][..pixels],
                ..x
            };
            pad(&x, I, [top, left], [tall, wide], padded);
        });
        offsets.clear();
        for plane in 0..planes {
            for row in 0..window.kernel {
                for column in 0..window.kernel {
                    offsets.push(((plane * tall + row) * wide + column) * I);
                }
            }
        }
        let (group, places) = (out.plane(), Places::from(out.values));
        threads.each(height, |row, _| {
            let product = Product {
                panels: &self.panels,
                x: &inputs[row * window.stride * wide * I..],
                offsets,
                step: window.stride * I,
                pixels: width,
                activation,
            };
            // SAFETY: each part has a row of pixels to itself.
            let target = unsafe { Target::shared(places, row * width * LANES, group, None) };
            dispatch(Row::<I> { product, target });
        });
    }
}

/// Writes planes of `lanes` values a pixel, with zeros around: `[planes, tall, wide, lanes]`.
pub fn pad(
    x: &Planes,
    lanes: usize,
    [top, left]: [usize; 2],
    [tall, wide]: [usize; 2],
    padded: &mut [f32],
) {
    let (line, pixels) = (x.width * lanes, x.height * x.width * lanes);
    let (before, row) = (left * lanes, wide * lanes);
    let kept = line.min(row - before);
    for (x, padded) in x
        .values
        .chunks_exact(pixels)
        .zip(padded.chunks_exact_mut(tall * row))
    {
        for (index, target) in padded.chunks_exact_mut(row).enumerate() {
            match index
                .checked_sub(top)
                .filter(|index| *index < x.len() / line)
            {
                Some(index) => {
                    target[..before].fill(0.0);
                    target[before..][..kept].copy_from_slice(&x[index * line..][..kept]);
                    target[before + kept..].fill(0.0);
                }
                None => target.fill(0.0),
            }
        }
    }
}

struct Row<'a, const I: usize> {
    product: Product<'a>,
    target: Target<'a>,
}

impl<const I: usize> Task for Row<'_, I> {
    #[inline(always)]
    fn run<V: Vector>(self) {
        match (I, self.product.step) {
            (1, 2) => self.product.all::<V, I, 2>(self.target),
            (1, 1) => self.product.all::<V, I, 1>(self.target),
            _ => self.product.all::<V, I, 0>(self.target),
        }
    }
}
