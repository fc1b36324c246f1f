//! The 3x3 convolution as a 1x1 convolution with outputs for every tap, which are then shifted and added: a ninth of the
//! copies that laying out every pixel's neighbours would take.

use std::ops::Range;

use super::strips::Strip;
use super::{Block, TAPS};
use crate::network::cpu::normalisation::add;

impl Block {
    /// `[growth, bottleneck, taps]` as `[taps, growth, bottleneck]`.
    pub(super) fn by_tap(&self, weight: &[f32]) -> Vec<f32> {
        let mut target = vec![0.0; weight.len()];
        self.each_weight(|there, here| target[here] = weight[there]);
        target
    }

    /// The inverse of [`Block::by_tap`].
    pub(super) fn by_output(&self, weight: &[f32], target: &mut [f32]) {
        self.each_weight(|there, here| target[there] = weight[here]);
    }

    fn each_weight(&self, mut call: impl FnMut(usize, usize)) {
        for output in 0..self.growth {
            for input in 0..self.bottleneck {
                for tap in 0..TAPS {
                    let there = (output * self.bottleneck + input) * TAPS + tap;
                    call(
                        there,
                        (tap * self.growth + output) * self.bottleneck + input,
                    );
                }
            }
        }
    }

    /// For each tap, the range of a strip's pixels that have an output in the picture, the first of these outputs, and which
    /// column of the strip's rows has its output beyond the picture's side.
    ///
    /// Under tap `(ky, kx)`, the input pixel `(y, x)` goes into output `(y + 1 - ky, x + 1 - kx)`.
    fn taps(&self, rows: &Range<usize>) -> [(Range<usize>, usize, Option<usize>); TAPS] {
        let (width, pixels) = (self.width as isize, self.pixels() as isize);
        let (start, end) = (rows.start as isize * width, rows.end as isize * width);
        std::array::from_fn(|tap| {
            let (ky, kx) = (tap as isize / 3, tap as isize % 3);
            let shift = (1 - ky) * width + 1 - kx;
            // Outputs from `start + shift` on, as far as there are any.
            let first = (-start - shift).clamp(0, end - start);
            let last = (pixels - start - shift).clamp(first, end - start);
            let beyond = match kx {
                0 => Some(self.width - 1),
                2 => Some(0),
                _ => None,
            };
            let output = (start + shift + first).clamp(0, pixels) as usize;
            (first as usize..last as usize, output, beyond)
        })
    }

    /// Adds what the taps of a strip's pixels give, `[taps, growth, pixels of the strip]`, to one picture's outputs. The
    /// first strip of a picture finds zeros there.
    pub(super) fn add_taps(
        &self,
        products: &mut [f32],
        index: usize,
        strip: &Strip,
        target: &mut [f32],
    ) {
        let (length, own) = (strip.len(), strip.pixels(self.width));
        for (tap, (inputs, first, beyond)) in self.taps(&strip.rows).into_iter().enumerate() {
            let outputs = target.chunks_exact_mut(self.pixels());
            let rows = products[tap * self.growth * length..].chunks_exact_mut(length);
            for (row, target) in rows.zip(outputs) {
                let row = &mut row[index * own..][..own];
                self.clear(beyond, row);
                let target = &mut target[first..][..inputs.len()];
                add(&row[inputs.clone()], target);
            }
        }
    }

    /// The inverse: what each tap of a strip's pixels goes into, of one picture's outputs; `[taps, growth, pixels of the strip]`.
    pub(super) fn taps_of(&self, outputs: &[f32], index: usize, strip: &Strip, taps: &mut [f32]) {
        let (length, own) = (strip.len(), strip.pixels(self.width));
        for (tap, (inputs, first, beyond)) in self.taps(&strip.rows).into_iter().enumerate() {
            let outputs = outputs.chunks_exact(self.pixels());
            let rows = taps[tap * self.growth * length..].chunks_exact_mut(length);
            for (row, outputs) in rows.zip(outputs) {
                let row = &mut row[index * own..][..own];
                row[..inputs.start].fill(0.0);
                row[inputs.end..].fill(0.0);
                row[inputs.clone()].copy_from_slice(&outputs[first..][..inputs.len()]);
                self.clear(beyond, row);
            }
        }
    }

    /// Zeros in a column of rows of pixels, if there is one.
    fn clear(&self, column: Option<usize>, rows: &mut [f32]) {
        if let Some(column) = column {
            let values = rows.iter_mut().skip(column).step_by(self.width);
            values.for_each(|value| *value = 0.0);
        }
    }
}
