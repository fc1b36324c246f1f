//! The feature maps of one picture, as the kernels want them: groups of [`LANES`] channels, a vector for each pixel.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::simd::LANES;

/// Feature maps `[channels / LANES, height, width, LANES]`, channels rounded up. Lanes beyond the channels are 0.
#[derive(Clone, Debug, Default)]
pub struct Map {
    channels: usize,
    height: usize,
    width: usize,
    values: Buffer,
}

/// Some of a map's channels, to be read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// `[channels / LANES, height, width, LANES]`.
    pub values: &'a [f32],
}

/// Some of a map's channels, to be written.
#[derive(Debug)]
pub struct ViewMut<'a> {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// `[channels / LANES, height, width, LANES]`.
    pub values: &'a mut [f32],
}

/// Groups that channels fill, the last one perhaps in part.
pub const fn groups(channels: usize) -> usize {
    channels.div_ceil(LANES)
}

impl Map {
    /// Maps of 0.
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        let mut map = Self::default();
        map.reshape(channels, height, width);
        map
    }

    /// Takes another shape. The values are what they last were, in no order.
    pub fn reshape(&mut self, channels: usize, height: usize, width: usize) -> ViewMut<'_> {
        (self.channels, self.height, self.width) = (channels, height, width);
        let values = self.values.first(groups(channels) * height * width * LANES);
        ViewMut {
            channels,
            height,
            width,
            values,
        }
    }

    /// All channels.
    pub fn view(&self) -> View<'_> {
        self.first(self.channels)
    }

    /// The first `channels` channels.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn first(&self, channels: usize) -> View<'_> {
        assert!(channels <= self.channels, "{channels} of {}", self.channels);
        View {
            channels,
            height: self.height,
            width: self.width,
            values: &self.values[..groups(channels) * self.plane()],
        }
    }

    /// A range of channels, to be written.
    ///
    /// # Panics
    /// When it goes beyond the map, or does not begin a group.
    pub fn part_mut(&mut self, channels: Range<usize>) -> ViewMut<'_> {
        assert!(channels.end <= self.channels && channels.start.is_multiple_of(LANES));
        let plane = self.plane();
        ViewMut {
            channels: channels.len(),
            height: self.height,
            width: self.width,
            values: &mut self.values[channels.start / LANES * plane..groups(channels.end) * plane],
        }
    }

    /// A map of values `[channels, height, width]`.
    ///
    /// # Panics
    /// When there is another number of values.
    pub fn from_planes(channels: usize, height: usize, width: usize, values: &[f32]) -> Self {
        let pixels = height * width;
        assert_eq!(values.len(), channels * pixels);
        let mut map = Self::new(channels, height, width);
        for channel in 0..channels {
            let (group, lane) = (channel / LANES, channel % LANES);
            let lanes = &mut map.values[group * pixels * LANES + lane..];
            for (pixel, value) in values[channel * pixels..][..pixels].iter().enumerate() {
                lanes[pixel * LANES] = *value;
            }
        }
        map
    }

    fn plane(&self) -> usize {
        self.height * self.width * LANES
    }
}

impl View<'_> {
    /// Floats of a group.
    pub fn plane(&self) -> usize {
        self.height * self.width * LANES
    }

    /// Writes `[channels, height, width]`.
    ///
    /// # Panics
    /// When there is room for another number of values.
    pub fn to_planes(&self, planes: &mut [f32]) {
        let pixels = self.height * self.width;
        assert_eq!(planes.len(), self.channels * pixels);
        for (channel, plane) in planes.chunks_exact_mut(pixels).enumerate() {
            let (group, lane) = (channel / LANES, channel % LANES);
            let lanes = &self.values[group * pixels * LANES + lane..];
            for (pixel, value) in plane.iter_mut().enumerate() {
                *value = lanes[pixel * LANES];
            }
        }
    }
}

impl ViewMut<'_> {
    /// Floats of a group.
    pub fn plane(&self) -> usize {
        self.height * self.width * LANES
    }
}
