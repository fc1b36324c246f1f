//! Convolutions and their gradients on plain slices, NCHW.
//!
//! Pictures of the batch (channels, where they are independent) are spread over the cores; within one picture a
//! convolution is a matrix product, a depthwise one a sum of shifted vectors.

use std::ops::Range;

use multiversion::multiversion;
use rayon::prelude::*;

use super::window::Window;

/// `[batch, out_channels, output]` of `x`: `[batch, in_channels, input]` and
/// `weight`: `[out_channels, in_channels (1 if depthwise), kernel]`.
pub fn forward(window: &Window, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (window.in_channels, window.out_channels);
    let (pixels, out_pixels) = (window.in_pixels(), window.out_pixels());
    let batch = x.len() / (inputs * pixels);
    let mut y = vec![0.0; batch * outputs * out_pixels];
    if window.depthwise {
        let planes = y.par_chunks_exact_mut(out_pixels).enumerate();
        planes.for_each_init(
            || (with_room(window.phases()), with_room(window.run())),
            |(phases, run), (plane, y)| {
                window.spread(
                    &x[plane * pixels..][..pixels],
                    &mut phases[..window.phases()],
                );
                let kernel = &weight[plane % inputs * window.taps()..][..window.taps()];
                let taps = kernel.iter().enumerate();
                let taps: Vec<_> = taps.map(|(tap, w)| (window.offset(tap), *w)).collect();
                correlate(window.run(), run, phases, &taps);
                window.collect_output(run, y);
            },
        );
        return y;
    }
    let pictures = y.par_chunks_exact_mut(outputs * out_pixels).enumerate();
    if window.is_pointwise() {
        pictures.for_each(|(picture, y)| {
            let x = &x[picture * inputs * pixels..][..inputs * pixels];
            let (rows, inner) = (pixels, inputs);
            // Pixels are contiguous: y^T = x^T w^T, all by columns.
            product(
                rows,
                outputs,
                inner,
                (y, rows),
                (x, 1, pixels),
                (weight, 1, inner),
                0.0,
            );
        });
        return y;
    }
    let inner = inputs * window.taps();
    pictures.for_each_init(
        || Scratch::new(window),
        |scratch, (picture, y)| {
            scratch.spread(window, &x[picture * inputs * pixels..][..inputs * pixels]);
            let run = window.run();
            for strip in scratch.strips(run) {
                scratch.columns(window, strip.clone());
                let rows = strip.len();
                let columns = (scratch.columns.as_slice(), 1, rows);
                let target = &mut scratch.runs[strip.start..];
                product(
                    rows,
                    outputs,
                    inner,
                    (target, run),
                    columns,
                    (weight, 1, inner),
                    0.0,
                );
            }
            for (run, y) in scratch
                .runs
                .chunks_exact(run)
                .zip(y.chunks_exact_mut(out_pixels))
            {
                window.collect_output(run, y);
            }
        },
    );
    y
}

/// The gradient with respect to `x`, of `dy`, the gradient with respect to the output.
pub fn input_gradient(window: &Window, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (window.in_channels, window.out_channels);
    let (pixels, out_pixels) = (window.in_pixels(), window.out_pixels());
    let batch = dy.len() / (outputs * out_pixels);
    let mut dx = vec![0.0; batch * inputs * pixels];
    if window.depthwise {
        let (run, margin, plane) = (window.run(), window.margin(), window.plane());
        let planes = dx.par_chunks_exact_mut(pixels).enumerate();
        planes.for_each_init(
            // The output's gradient with a margin on both sides, so that no tap reads beyond it.
            || (with_room(window.phases()), with_room(run + 2 * margin)),
            |(phases, padded), (index, dx)| {
                let dy = &dy[index * out_pixels..][..out_pixels];
                window.spread_output(dy, &mut padded[margin..margin + run]);
                let kernel = &weight[index % inputs * window.taps()..][..window.taps()];
                // In order: what one phase writes beyond its end, the next one overwrites.
                for phase in 0..window.phases() / plane {
                    let taps = (0..window.taps()).filter(|tap| window.phase(*tap) == phase);
                    let taps = taps.map(|tap| (margin - window.shift(tap), kernel[tap]));
                    let target = &mut phases[phase * plane..];
                    correlate(plane, target, padded, &taps.collect::<Vec<_>>());
                }
                window.collect(phases, dx);
            },
        );
        return dx;
    }
    let pictures = dx.par_chunks_exact_mut(inputs * pixels).enumerate();
    if window.is_pointwise() {
        pictures.for_each(|(picture, dx)| {
            let dy = &dy[picture * outputs * pixels..][..outputs * pixels];
            product(
                pixels,
                inputs,
                outputs,
                (dx, pixels),
                (dy, 1, pixels),
                (weight, inputs, 1),
                0.0,
            );
        });
        return dx;
    }
    let inner = inputs * window.taps();
    pictures.for_each_init(
        || Scratch::new(window),
        |scratch, (picture, dx)| {
            let run = window.run();
            scratch.spread_output(
                window,
                &dy[picture * outputs * out_pixels..][..outputs * out_pixels],
            );
            scratch.phases.fill(0.0);
            for strip in scratch.strips(run) {
                let rows = strip.len();
                let runs = (&scratch.runs[strip.start..], 1, run);
                let target = (scratch.columns.as_mut_slice(), rows);
                product(rows, inner, outputs, target, runs, (weight, inner, 1), 0.0);
                scratch.add_columns(window, strip);
            }
            let phases = scratch.phases.chunks_exact(window.phases());
            for (phases, dx) in phases.zip(dx.chunks_exact_mut(pixels)) {
                window.collect(phases, dx);
            }
        },
    );
    dx
}

/// The gradient with respect to the weight.
pub fn weight_gradient(window: &Window, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (inputs, outputs) = (window.in_channels, window.out_channels);
    let (pixels, out_pixels) = (window.in_pixels(), window.out_pixels());
    let batch = dy.len() / (outputs * out_pixels);
    if window.depthwise {
        let mut gradient = vec![0.0; outputs * window.taps()];
        let channels = gradient.par_chunks_exact_mut(window.taps()).enumerate();
        let offsets: Vec<_> = (0..window.taps()).map(|tap| window.offset(tap)).collect();
        channels.for_each_init(
            || (with_room(window.phases()), with_room(window.run())),
            |(phases, run), (channel, gradient)| {
                let mut sums = vec![[0.0; LANES]; window.taps()];
                for picture in 0..batch {
                    let index = picture * inputs + channel;
                    let x = &x[index * pixels..][..pixels];
                    window.spread(x, &mut phases[..window.phases()]);
                    let dy = &dy[index * out_pixels..][..out_pixels];
                    window.spread_output(dy, &mut run[..window.run()]);
                    shifted_products(&mut sums, run, phases, &offsets);
                }
                for (gradient, sums) in gradient.iter_mut().zip(sums) {
                    *gradient = sums.iter().sum();
                }
            },
        );
        return gradient;
    }
    let inner = inputs * window.taps();
    // A part of the batch for each core, each with its own sum.
    let part = batch.div_ceil(rayon::current_num_threads()).max(1);
    let pictures: Vec<usize> = (0..batch).collect();
    let partial = pictures.par_chunks(part).map(|pictures| {
        let mut sum = vec![0.0; outputs * inner];
        let mut scratch = (!window.is_pointwise()).then(|| Scratch::new(window));
        for (number, picture) in pictures.iter().enumerate() {
            let add = if number == 0 { 0.0 } else { 1.0 };
            let x = &x[picture * inputs * pixels..][..inputs * pixels];
            let dy = &dy[picture * outputs * out_pixels..][..outputs * out_pixels];
            // By columns: the gradient's transpose, inner x outputs.
            match &mut scratch {
                None => {
                    let (x, dy) = ((x, pixels, 1), (dy, 1, pixels));
                    product(inner, outputs, pixels, (&mut sum, inner), x, dy, add);
                }
                Some(scratch) => {
                    let run = window.run();
                    scratch.spread(window, x);
                    scratch.spread_output(window, dy);
                    for strip in scratch.strips(run) {
                        scratch.columns(window, strip.clone());
                        let add = if strip.start == 0 { add } else { 1.0 };
                        let rows = strip.len();
                        let columns = (scratch.columns.as_slice(), rows, 1);
                        let runs = (&scratch.runs[strip.start..], 1, run);
                        let target = (sum.as_mut_slice(), inner);
                        product(inner, outputs, rows, target, columns, runs, add);
                    }
                }
            }
        }
        sum
    });
    let partial: Vec<Vec<f32>> = partial.collect();
    let mut parts = partial.into_iter();
    let mut gradient = parts.next().expect("a batch has pictures");
    for part in parts {
        for (sum, value) in gradient.iter_mut().zip(part) {
            *sum += value;
        }
    }
    gradient
}

/// What one picture's convolution needs beside input and output.
struct Scratch {
    /// `[in_channels, phases]`.
    phases: Vec<f32>,
    /// `[in_channels, taps, strip]`: what each tap reads, for a strip of the outputs that leaves it in the cache.
    columns: Vec<f32>,
    /// `[out_channels, run]`: outputs in rows of the pitch.
    runs: Vec<f32>,
    strip: usize,
}

/// Elements of a strip's columns: half a megabyte.
const COLUMNS: usize = 1 << 17;

impl Scratch {
    fn new(window: &Window) -> Self {
        let inner = window.in_channels * window.taps();
        let strip = (COLUMNS / inner / BLOCK * BLOCK).max(BLOCK);
        Self {
            phases: vec![0.0; window.in_channels * window.phases()],
            columns: vec![0.0; inner * strip],
            runs: vec![0.0; window.out_channels * window.run()],
            strip,
        }
    }

    /// A run in parts.
    fn strips(&self, run: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let strip = self.strip;
        (0..run)
            .step_by(strip)
            .map(move |start| start..(start + strip).min(run))
    }

    fn spread(&mut self, window: &Window, x: &[f32]) {
        let phases = self.phases.chunks_exact_mut(window.phases());
        for (x, phases) in x.chunks_exact(window.in_pixels()).zip(phases) {
            window.spread(x, phases);
        }
    }

    fn spread_output(&mut self, window: &Window, dy: &[f32]) {
        let runs = self.runs.chunks_exact_mut(window.run());
        for (dy, run) in dy.chunks_exact(window.out_pixels()).zip(runs) {
            window.spread_output(dy, run);
        }
    }

    /// What the taps read for a strip of the outputs.
    fn columns(&mut self, window: &Window, strip: Range<usize>) {
        let mut columns = self.columns.chunks_exact_mut(strip.len());
        for phases in self.phases.chunks_exact(window.phases()) {
            for tap in 0..window.taps() {
                let read = &phases[window.offset(tap) + strip.start..][..strip.len()];
                columns
                    .next()
                    .expect("a column for each tap")
                    .copy_from_slice(read);
            }
        }
    }

    /// The inverse: adds the columns to what the taps read.
    fn add_columns(&mut self, window: &Window, strip: Range<usize>) {
        let mut columns = self.columns.chunks_exact(strip.len());
        for phases in self.phases.chunks_exact_mut(window.phases()) {
            for tap in 0..window.taps() {
                let target = &mut phases[window.offset(tap) + strip.start..][..strip.len()];
                let column = columns.next().expect("a column for each tap");
                for (sum, value) in target.iter_mut().zip(column) {
                    *sum += value;
                }
            }
        }
    }
}

/// A matrix: its elements, the step from one row to the next, and from one column to the next.
pub type Matrix<'a> = (&'a [f32], usize, usize);

/// `target = lhs * rhs + add * target`; `target` is `rows x columns`, with its rows contiguous and a step from one column to
/// the next.
pub fn product(
    rows: usize,
    columns: usize,
    inner: usize,
    (target, step): (&mut [f32], usize),
    lhs: Matrix,
    rhs: Matrix,
    add: f32,
) {
    let end = |(_, row, column): Matrix, rows: usize, columns: usize| {
        (rows - 1) * row + (columns - 1) * column
    };
    assert!(rows > 0 && columns > 0 && inner > 0 && step >= rows);
    assert!(target.len() >= (columns - 1) * step + rows);
    assert!(lhs.0.len() > end(lhs, rows, inner) && rhs.0.len() > end(rhs, inner, columns));
    // SAFETY: the assertions above hold every element that the steps reach within its slice.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            target.as_mut_ptr(),
            step as isize,
            1,
            add != 0.0,
            lhs.0.as_ptr(),
            lhs.2 as isize,
            lhs.1 as isize,
            rhs.0.as_ptr(),
            rhs.2 as isize,
            rhs.1 as isize,
            add,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Pixels that are worked on together: what a loop over taps keeps in registers.
const BLOCK: usize = 64;
/// Every buffer of the depthwise kernels is longer than its contents by this, so that whole vectors can be read and written.
const LANES: usize = 16;

fn with_room(length: usize) -> Vec<f32> {
    vec![0.0; length + LANES]
}

/// `target[i] = sum over taps of weight * source[i + offset]` for the first `length` pixels; a tap is `(offset, weight)`.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
fn correlate(length: usize, target: &mut [f32], source: &[f32], taps: &[(usize, f32)]) {
    #[inline(always)]
    fn block<const N: usize>(at: usize, target: &mut [f32], source: &[f32], taps: &[(usize, f32)]) {
        let mut sums = [0.0f32; N];
        for (offset, weight) in taps {
            let read: &[f32; N] = source[at + offset..at + offset + N]
                .try_into()
                .expect("a block");
            for (sum, value) in sums.iter_mut().zip(read) {
                *sum = weight.mul_add(*value, *sum);
            }
        }
        target[at..at + N].copy_from_slice(&sums);
    }
    let mut at = 0;
    while at + BLOCK <= length {
        block::<BLOCK>(at, target, source, taps);
        at += BLOCK;
    }
    while at < length {
        block::<LANES>(at, target, source, taps);
        at += LANES;
    }
}

/// `sums[t][lane] += sum over i of values[i] * source[i + offsets[t]]`, over every [`LANES`]th `i`; `values` are 0 beyond
/// their contents.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
fn shifted_products(sums: &mut [[f32; LANES]], values: &[f32], source: &[f32], offsets: &[usize]) {
    /// Taps whose sums are kept in registers.
    const TOGETHER: usize = 5;
    for (sums, offsets) in sums.chunks_mut(TOGETHER).zip(offsets.chunks(TOGETHER)) {
        // A missing tap reads what another reads, and is not kept.
        let offsets: [usize; TOGETHER] =
            std::array::from_fn(|tap| *offsets.get(tap).unwrap_or(&offsets[0]));
        let mut lanes = [[0.0f32; LANES]; TOGETHER];
        for at in (0..values.len() / LANES * LANES).step_by(LANES) {
            let values: &[f32; LANES] = values[at..at + LANES].try_into().expect("a block");
            for (lanes, offset) in lanes.iter_mut().zip(offsets) {
                let read: &[f32; LANES] = source[at + offset..at + offset + LANES]
                    .try_into()
                    .expect("a block");
                for lane in 0..LANES {
                    lanes[lane] = values[lane].mul_add(read[lane], lanes[lane]);
                }
            }
        }
        for (sums, lanes) in sums.iter_mut().zip(lanes) {
            for (sum, lane) in sums.iter_mut().zip(lanes) {
                *sum += lane;
            }
        }
    }
}
