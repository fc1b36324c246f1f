//! How a batch is divided: a part for each core, in strips whose values stay in its cache.

use std::ops::Range;

use super::{Block, TAPS};
use crate::network::activation::Activation::Relu;
use crate::network::cpu::normalisation::{Norm, activate};

/// Channels whose normalised values are in the cache at once.
pub const TOGETHER: usize = 256;
/// Pixels of a strip, at most, where rows are not longer.
const STRIP: usize = 512;

impl Block {
    /// The batch in a part for each core.
    pub(super) fn jobs(&self) -> Vec<Job> {
        let threads = rayon::current_num_threads();
        let part = self.batch.div_ceil(threads).max(1);
        let of = |first: usize| Job::new(self, part.min(self.batch - first));
        (0..self.batch).step_by(part).map(of).collect()
    }

    /// Floats of a job's part of the map, and of its part of the bottleneck.
    pub(super) fn parts(&self, jobs: &[Job]) -> [usize; 2] {
        [self.channels(), self.bottleneck]
            .map(|channels| jobs[0].pictures * channels * self.pixels())
    }
}

/// A core's part of the batch, with room for what it has in the cache.
pub struct Job {
    pub pictures: usize,
    pub strips: Vec<Strip>,
    /// `[channels, pixels of the strip]`.
    pub normalised: Vec<f32>,
    /// As `normalised`.
    pub gradients: Vec<f32>,
    /// `[taps, growth, pixels of the strip]`.
    pub taps: Vec<f32>,
}

/// Some rows of one picture, or all rows of several. Pictures are numbered within the job.
pub struct Strip {
    pub pictures: Range<usize>,
    pub rows: Range<usize>,
    /// Pixels of the job before the strip.
    before: usize,
    length: usize,
}

impl Job {
    fn new(block: &Block, pictures: usize) -> Self {
        let (height, width) = (block.height, block.width);
        // As like in size as they can be.
        let together = (STRIP / block.pixels().max(1)).clamp(1, pictures);
        let together = pictures.div_ceil(pictures.div_ceil(together));
        let parts = block.pixels().div_ceil(STRIP).clamp(1, height);
        let rows = height.div_ceil(parts);
        let mut strips = Vec::new();
        let mut before = 0;
        for first in (0..pictures).step_by(together) {
            let pictures = first..pictures.min(first + together);
            for row in (0..height).step_by(rows) {
                let rows = row..height.min(row + rows);
                let length = pictures.len() * rows.len() * width;
                strips.push(Strip {
                    pictures: pictures.clone(),
                    rows,
                    before,
                    length,
                });
                before += length;
            }
        }
        let longest = strips.iter().map(Strip::len).max().unwrap_or(0);
        let room = || vec![0.0; block.bottleneck.max(TOGETHER) * longest];
        Self {
            pictures,
            normalised: room(),
            gradients: room(),
            taps: vec![0.0; block.growth * TAPS * longest],
            strips,
        }
    }
}

impl Strip {
    pub fn len(&self) -> usize {
        self.length
    }

    /// Pixels of each picture.
    pub fn pixels(&self, width: usize) -> usize {
        self.rows.len() * width
    }

    /// Where the strip is among the bottleneck's values of the job.
    pub fn bottleneck(&self, block: &Block) -> Range<usize> {
        let start = self.before * block.bottleneck;
        start..start + self.length * block.bottleneck
    }

    /// Calls for each picture with the range of its pixels in the strip, and where those of a channel are in the job's maps.
    pub fn each(
        &self,
        block: &Block,
        channel: usize,
        mut call: impl FnMut(Range<usize>, Range<usize>),
    ) {
        let own = self.pixels(block.width);
        for (index, picture) in self.pictures.clone().enumerate() {
            let plane = (picture * block.channels() + channel) * block.pixels();
            let start = plane + self.rows.start * block.width;
            call(index * own..(index + 1) * own, start..start + own);
        }
    }

    /// Some channels of the job's maps, normalised, with the ReLU behind it.
    pub fn normalise(
        &self,
        block: &Block,
        map: &[f32],
        channels: Range<usize>,
        norms: &[Norm],
        target: &mut [f32],
    ) {
        for (channel, target) in channels.zip(target.chunks_exact_mut(self.len())) {
            self.each(block, channel, |own, there| {
                activate(Relu, norms[channel].line, &map[there], &mut target[own]);
            });
        }
    }
}
