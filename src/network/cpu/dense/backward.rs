//! The backward pass of a block.
//!
//! A normalisation's gradient is `of_dz dz + of_x x + constant`, where the last two need sums over the whole batch. They are a
//! line in the map's channel, whichever layer read it: the lines are added up, and applied once, when the channel's own layer
//! is reached.

use rayon::prelude::*;

use super::strips::{Job, TOGETHER};
use super::{Block, Kept, Parameters, Statistics, TAPS};
use crate::network::activation::Activation::Relu;
use crate::network::cpu::convolution::product;
use crate::network::cpu::normalisation::{
    Accumulated, Norm, Term, accumulate, activate, combine, deactivate,
};

/// What goes with one layer, forward and back.
struct Layer<'a> {
    parameters: Parameters<&'a [f32]>,
    gradients: Parameters<&'a mut [f32]>,
    /// The bottleneck's values, and their statistics.
    values: &'a [f32],
    statistics: &'a Statistics,
}

impl Block {
    /// The gradients with respect to the block's input and to its parameters, of `dmap`, the gradient with respect to the map.
    pub fn backward(
        &self,
        map: &[f32],
        kept: &Kept,
        parameters: &[f32],
        mut dmap: Vec<f32>,
    ) -> (Vec<f32>, Vec<f32>) {
        assert_eq!(map.len(), dmap.len());
        let mut gradient = vec![0.0; parameters.len()];
        let layers = self.layers(parameters).into_iter();
        let layers = layers.zip(self.layers_mut(&mut gradient));
        let layers = layers.zip(kept.values.iter().zip(&kept.bottlenecks));
        let mut jobs = self.jobs();
        // What the layers behind a channel's own add to its gradient, beside what is in `dmap`.
        let mut terms = vec![Term::default(); self.channels()];
        let mut dvalues = vec![0.0; self.batch * self.pixels() * self.bottleneck];
        for ((parameters, gradients), (values, statistics)) in layers.rev() {
            let mut layer = Layer {
                parameters,
                gradients,
                values,
                statistics,
            };
            let own = &terms[layer.parameters.inputs..][..self.growth];
            let norms = self.grow_back(&mut layer, map, own, &mut dmap, &mut dvalues, &mut jobs);
            let rests = self.squeeze_back(
                &mut layer,
                &norms,
                map,
                &kept.map,
                &mut dmap,
                &mut dvalues,
                &mut jobs,
            );
            for (term, rest) in terms.iter_mut().zip(rests) {
                term.of_x += rest.of_x;
                term.constant += rest.constant;
            }
        }
        (self.input_gradient(map, &dmap, &terms), gradient)
    }

    /// Back through the 3x3 convolution and the ReLU before it, into `dvalues`. Gives the normalisation that comes next, and
    /// what it adds to the gradient of its channels.
    fn grow_back(
        &self,
        layer: &mut Layer,
        map: &[f32],
        own: &[Term],
        dmap: &mut [f32],
        dvalues: &mut [f32],
        jobs: &mut [Job],
    ) -> Vec<(Norm, Term)> {
        let pixels = self.pixels();
        let Layer {
            parameters,
            gradients,
            values,
            statistics,
        } = layer;
        let new = parameters.inputs * pixels..(parameters.inputs + self.growth) * pixels;
        let norms = statistics.norms(parameters.gamma2, parameters.beta2, self.epsilon);
        let weight = self.by_tap(parameters.weight2);
        let work = self.work(jobs, [map, values], [dmap, dvalues]);
        let sums = work.map(|(job, [map, values], [dmap, dvalues])| {
            let picture = self.channels() * pixels;
            for (map, dmap) in map
                .chunks_exact(picture)
                .zip(dmap.chunks_exact_mut(picture))
            {
                let planes = map[new.clone()].chunks_exact(pixels);
                let planes = planes.zip(dmap[new.clone()].chunks_exact_mut(pixels));
                for (term, (x, dx)) in own.iter().zip(planes) {
                    combine(x, dx, 1.0, *term);
                }
            }
            let mut sums = vec![[0.0; 2]; self.bottleneck];
            let mut dweight = vec![0.0; weight.len()];
            for (number, strip) in job.strips.iter().enumerate() {
                let length = strip.len();
                let taps = &mut job.taps[..self.growth * TAPS * length];
                for (index, number) in strip.pictures.clone().enumerate() {
                    self.taps_of(&dmap[number * picture..][new.clone()], index, strip, taps);
                }
                let dy = &mut job.gradients[..self.bottleneck * length];
                product(
                    length,
                    self.bottleneck,
                    self.growth * TAPS,
                    (dy, length),
                    (taps, 1, length),
                    (&weight, self.bottleneck, 1),
                    0.0,
                );
                let normalised = &mut job.normalised[..self.bottleneck * length];
                let rows = values[strip.bottleneck(self)].chunks_exact(length);
                let rows = rows.zip(dvalues[strip.bottleneck(self)].chunks_exact_mut(length));
                let rows = rows.zip(dy.chunks_exact(length));
                let rows = rows.zip(normalised.chunks_exact_mut(length));
                for ((norm, sums), (((x, dx), dy), y)) in norms.iter().zip(&mut sums).zip(rows) {
                    activate(Relu, norm.line, x, y);
                    let (total, along) = deactivate(Relu, norm.line, norm.mean, x, dy, dx);
                    sums[0] += total;
                    sums[1] += along;
                }
                product(
                    self.bottleneck,
                    self.growth * TAPS,
                    length,
                    (&mut dweight, self.bottleneck),
                    (normalised, length, 1),
                    (taps, 1, length),
                    if number == 0 { 0.0 } else { 1.0 },
                );
            }
            (sums, dweight)
        });
        let (sums, dweight) = added(sums.collect());
        self.by_output(&dweight, gradients.weight2);
        let rests = self.rests(&norms, &sums, [gradients.gamma2, gradients.beta2]);
        norms.into_iter().zip(rests).collect()
    }

    /// Back through the bottleneck's normalisation, the 1x1 convolution and the ReLU before it, into `dmap`. Gives what the
    /// first normalisation adds to the gradient of its channels.
    #[allow(clippy::too_many_arguments)]
    fn squeeze_back(
        &self,
        layer: &mut Layer,
        seconds: &[(Norm, Term)],
        map: &[f32],
        statistics: &Statistics,
        dmap: &mut [f32],
        dvalues: &mut [f32],
        jobs: &mut [Job],
    ) -> Vec<Term> {
        let Layer {
            parameters,
            gradients,
            values,
            ..
        } = layer;
        let inputs = parameters.inputs;
        let norms = statistics.norms(parameters.gamma1, parameters.beta1, self.epsilon);
        let work = self.work(jobs, [map, values], [dmap, dvalues]);
        let sums = work.map(|(job, [map, values], [dmap, dvalues])| {
            let mut sums = vec![[0.0; 2]; inputs];
            let mut dweight = vec![0.0; self.bottleneck * inputs];
            for (number, strip) in job.strips.iter().enumerate() {
                let length = strip.len();
                let dy = &mut dvalues[strip.bottleneck(self)];
                let rows = values[strip.bottleneck(self)].chunks_exact(length);
                let rows = rows.zip(dy.chunks_exact_mut(length));
                for ((norm, rest), (x, dx)) in seconds.iter().zip(rows) {
                    combine(x, dx, norm.of_dz() as f32, *rest);
                }
                for first in (0..inputs).step_by(TOGETHER) {
                    let several = first..inputs.min(first + TOGETHER);
                    let count = several.len();
                    let normalised = &mut job.normalised[..count * length];
                    strip.normalise(self, map, several.clone(), &norms, normalised);
                    product(
                        count,
                        self.bottleneck,
                        length,
                        (&mut dweight[first..], inputs),
                        (normalised, length, 1),
                        (dy, 1, length),
                        if number == 0 { 0.0 } else { 1.0 },
                    );
                    let dx = &mut job.gradients[..count * length];
                    product(
                        length,
                        count,
                        self.bottleneck,
                        (dx, length),
                        (dy, 1, length),
                        (&parameters.weight1[first..], inputs, 1),
                        0.0,
                    );
                    let rows = normalised.chunks_exact(length).zip(dx.chunks_exact(length));
                    for (channel, (y, dy)) in several.zip(rows) {
                        let norm = &norms[channel];
                        let of_dz = norm.of_dz() as f32;
                        let mut both = Accumulated::default();
                        strip.each(self, channel, |own, there| {
                            let inputs = [&y[own.clone()], &dy[own], &map[there.clone()]];
                            accumulate(&mut both, inputs, norm.mean, of_dz, &mut dmap[there]);
                        });
                        let [total, along] = both.sums();
                        sums[channel][0] += total;
                        sums[channel][1] += along;
                    }
                }
            }
            (sums, dweight)
        });
        let (sums, dweight) = added(sums.collect());
        gradients.weight1.copy_from_slice(&dweight);
        self.rests(&norms, &sums, [gradients.gamma1, gradients.beta1])
    }

    /// Each job with its parts: of the map and the bottleneck's values, and of their gradients.
    fn work<'a>(
        &self,
        jobs: &'a mut [Job],
        [map, values]: [&'a [f32]; 2],
        [dmap, dvalues]: [&'a mut [f32]; 2],
    ) -> impl IndexedParallelIterator<Item = (&'a mut Job, [&'a [f32]; 2], [&'a mut [f32]; 2])>
    {
        let [of_map, of_values] = self.parts(jobs);
        let maps = map.par_chunks(of_map).zip(dmap.par_chunks_mut(of_map));
        let values = values.par_chunks(of_values);
        let values = values.zip(dvalues.par_chunks_mut(of_values));
        let parts = jobs.par_iter_mut().zip(maps).zip(values);
        parts.map(|((job, (map, dmap)), (values, dvalues))| (job, [map, values], [dmap, dvalues]))
    }

    /// Writes the gradients of scales and shifts; gives the rest of that of each channel.
    fn rests(
        &self,
        norms: &[Norm],
        sums: &[[f64; 2]],
        [gamma, beta]: [&mut [f32]; 2],
    ) -> Vec<Term> {
        let targets = gamma.iter_mut().zip(beta);
        let channels = norms.iter().zip(sums).zip(targets);
        let rests = channels.map(|((norm, sums), (gamma, beta))| {
            let (rest, gradients) = norm.rest(*sums, self.count());
            [*gamma, *beta] = gradients;
            rest
        });
        rests.collect()
    }

    /// The gradient with respect to the block's input.
    fn input_gradient(&self, map: &[f32], dmap: &[f32], terms: &[Term]) -> Vec<f32> {
        let (pixels, picture) = (self.pixels(), self.channels() * self.pixels());
        let mut dx = vec![0.0; self.batch * self.inputs * pixels];
        let pictures = dx.par_chunks_exact_mut(self.inputs * pixels);
        let pictures = pictures.zip(map.par_chunks_exact(picture));
        let pictures = pictures.zip(dmap.par_chunks_exact(picture));
        pictures.for_each(|((dx, map), dmap)| {
            dx.copy_from_slice(&dmap[..dx.len()]);
            let planes = dx.chunks_exact_mut(pixels).zip(map.chunks_exact(pixels));
            for (term, (dx, x)) in terms.iter().zip(planes) {
                combine(x, dx, 1.0, *term);
            }
        });
        dx
    }
}

/// What all jobs add up.
fn added(parts: Vec<(Vec<[f64; 2]>, Vec<f32>)>) -> (Vec<[f64; 2]>, Vec<f32>) {
    let mut parts = parts.into_iter();
    let (mut sums, mut gradient) = parts.next().expect("a batch has pictures");
    for (other, part) in parts {
        for (sums, other) in sums.iter_mut().zip(other) {
            sums[0] += other[0];
            sums[1] += other[1];
        }
        for (sum, value) in gradient.iter_mut().zip(part) {
            *sum += value;
        }
    }
    (sums, gradient)
}
