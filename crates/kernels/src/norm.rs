//! Batch normalisation whose statistics are known: a line for each channel.

use crate::buffer::Buffer;
use crate::map::groups;
use crate::simd::LANES;

/// `slope * x + offset`, channel by channel.
#[derive(Clone, Debug)]
pub struct Norm {
    pub slope: Vec<f32>,
    pub offset: Vec<f32>,
}

impl Norm {
    /// Makes lines of the four vectors that a batch normalisation learns, each of one length.
    ///
    /// # Panics
    /// When they differ in length.
    pub fn new(gamma: &[f32], beta: &[f32], mean: &[f32], variance: &[f32], epsilon: f64) -> Self {
        assert!([beta.len(), mean.len(), variance.len()] == [gamma.len(); 3]);
        let slopes = gamma.iter().zip(variance);
        let slopes: Vec<f64> = slopes
            .map(|(gamma, variance)| f64::from(*gamma) / (f64::from(*variance) + epsilon).sqrt())
            .collect();
        let offsets = slopes.iter().zip(beta.iter().zip(mean));
        let offset = offsets
            .map(|(slope, (beta, mean))| (f64::from(*beta) - slope * f64::from(*mean)) as f32);
        Self {
            offset: offset.collect(),
            slope: slopes.iter().map(|slope| *slope as f32).collect(),
        }
    }

    /// Slopes, then offsets, each filled up to whole vectors.
    pub(crate) fn lanes(&self) -> Buffer {
        let length = groups(self.slope.len()) * LANES;
        let mut lanes = Buffer::new(2 * length);
        lanes[..self.slope.len()].copy_from_slice(&self.slope);
        lanes[length..][..self.offset.len()].copy_from_slice(&self.offset);
        lanes
    }
}
