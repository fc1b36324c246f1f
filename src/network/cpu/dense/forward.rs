//! The forward pass of a block.

use rayon::prelude::*;

use super::strips::{Job, TOGETHER};
use super::{Block, Kept, Parameters, Statistics, TAPS};
use crate::network::activation::Activation::Relu;
use crate::network::cpu::convolution::product;
use crate::network::cpu::normalisation::{Moments, activate};

impl Block {
    /// The map `[batch, channels, height, width]`: the input `x`, and behind it what the layers add.
    pub fn forward(&self, x: &[f32], parameters: &[f32]) -> (Vec<f32>, Kept) {
        assert_eq!(x.len(), self.batch * self.inputs * self.pixels());
        assert!(!x.is_empty(), "a batch has pictures, and they have pixels");
        let mut jobs = self.jobs();
        let mut map = vec![0.0; self.batch * self.channels() * self.pixels()];
        let mut kept = Kept {
            map: Statistics::of(&self.copy(x, &mut map)),
            bottlenecks: Vec::new(),
            values: Vec::new(),
        };
        for layer in self.layers(parameters) {
            let (values, moments) = self.squeeze(&layer, &map, &kept.map, &mut jobs);
            let bottleneck = Statistics::of(&moments);
            let moments = self.grow(&layer, &values, &bottleneck, &mut map, &mut jobs);
            kept.map.extend(&moments);
            kept.bottlenecks.push(bottleneck);
            kept.values.push(values);
        }
        (map, kept)
    }

    /// Writes the block's input into the map.
    fn copy(&self, x: &[f32], map: &mut [f32]) -> Vec<Moments> {
        let pixels = self.pixels();
        let pictures = x.par_chunks_exact(self.inputs * pixels);
        let pictures = pictures.zip(map.par_chunks_exact_mut(self.channels() * pixels));
        let moments = pictures.map(|(x, map)| {
            map[..x.len()].copy_from_slice(x);
            let mut moments = vec![Moments::default(); self.inputs];
            for (moments, plane) in moments.iter_mut().zip(x.chunks_exact(pixels)) {
                moments.add(plane);
            }
            moments
        });
        together(moments.collect())
    }

    /// Normalisation, ReLU and 1x1 convolution: for each job and strip `[bottleneck, pixels]`.
    fn squeeze(
        &self,
        layer: &Parameters<&[f32]>,
        map: &[f32],
        statistics: &Statistics,
        jobs: &mut [Job],
    ) -> (Vec<f32>, Vec<Moments>) {
        let inputs = layer.inputs;
        let norms = statistics.norms(layer.gamma1, layer.beta1, self.epsilon);
        let [of_map, of_values] = self.parts(jobs);
        let mut values = vec![0.0; self.batch * self.pixels() * self.bottleneck];
        let work = jobs.par_iter_mut().zip(map.par_chunks(of_map));
        let work = work.zip(values.par_chunks_mut(of_values));
        let moments = work.map(|((job, map), values)| {
            let mut moments = vec![Moments::default(); self.bottleneck];
            for strip in &job.strips {
                let length = strip.len();
                let y = &mut values[strip.bottleneck(self)];
                for first in (0..inputs).step_by(TOGETHER) {
                    let several = first..inputs.min(first + TOGETHER);
                    let count = several.len();
                    let normalised = &mut job.normalised[..count * length];
                    strip.normalise(self, map, several, &norms, normalised);
                    product(
                        length,
                        self.bottleneck,
                        count,
                        (y, length),
                        (normalised, 1, length),
                        (&layer.weight1[first..], 1, inputs),
                        if first == 0 { 0.0 } else { 1.0 },
                    );
                }
                for (moments, y) in moments.iter_mut().zip(y.chunks_exact(length)) {
                    moments.add(y);
                }
            }
            moments
        });
        let moments = together(moments.collect());
        (values, moments)
    }

    /// Normalisation, ReLU and 3x3 convolution: the layer's own channels of the map, where there were zeros.
    fn grow(
        &self,
        layer: &Parameters<&[f32]>,
        values: &[f32],
        statistics: &Statistics,
        map: &mut [f32],
        jobs: &mut [Job],
    ) -> Vec<Moments> {
        let pixels = self.pixels();
        let own = layer.inputs * pixels..(layer.inputs + self.growth) * pixels;
        let norms = statistics.norms(layer.gamma2, layer.beta2, self.epsilon);
        let weight = self.by_tap(layer.weight2);
        let [of_map, of_values] = self.parts(jobs);
        let work = jobs.par_iter_mut().zip(map.par_chunks_mut(of_map));
        let work = work.zip(values.par_chunks(of_values));
        let moments = work.map(|((job, map), values)| {
            let picture = self.channels() * pixels;
            for strip in &job.strips {
                let length = strip.len();
                let normalised = &mut job.normalised[..self.bottleneck * length];
                let rows = values[strip.bottleneck(self)].chunks_exact(length);
                let rows = rows.zip(normalised.chunks_exact_mut(length));
                for (norm, (x, y)) in norms.iter().zip(rows) {
                    activate(Relu, norm.line, x, y);
                }
                let products = &mut job.taps[..self.growth * TAPS * length];
                product(
                    length,
                    self.growth * TAPS,
                    self.bottleneck,
                    (products, length),
                    (normalised, 1, length),
                    (&weight, 1, self.bottleneck),
                    0.0,
                );
                for (index, number) in strip.pictures.clone().enumerate() {
                    let target = &mut map[number * picture..][own.clone()];
                    self.add_taps(products, index, strip, target);
                }
            }
            let mut moments = vec![Moments::default(); self.growth];
            for map in map.chunks_exact(picture) {
                let planes = map[own.clone()].chunks_exact(pixels);
                for (moments, plane) in moments.iter_mut().zip(planes) {
                    moments.add(plane);
                }
            }
            moments
        });
        together(moments.collect())
    }
}

/// The moments of all parts.
fn together(parts: Vec<Vec<Moments>>) -> Vec<Moments> {
    let mut parts = parts.into_iter();
    let mut all = parts.next().expect("a batch has pictures");
    for part in parts {
        for (all, part) in all.iter_mut().zip(&part) {
            all.merge(part);
        }
    }
    all
}
