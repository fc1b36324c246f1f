//! A picture cut into regions.

use crate::explain::heat_map::HeatMap;
use serde::{Deserialize, Serialize};

/// A region's number for each pixel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segments {
    pub width: usize,
    pub height: usize,
    /// `height * width` numbers from 0, row by row; each number below `count` occurs.
    pub labels: Vec<u16>,
    pub count: usize,
}

impl Segments {
    /// Regions of pixels that lead to the same root, numbered in the order of their roots.
    ///
    /// `parent` has for each pixel the next on its way; a root is its own parent.
    pub(super) fn from_roots(width: usize, height: usize, parent: &[usize]) -> Self {
        let mut number = vec![0; parent.len()];
        let mut count = 0;
        for (pixel, next) in parent.iter().enumerate() {
            if pixel == *next {
                number[pixel] = count;
                count += 1;
            }
        }
        let root_of = |mut pixel: usize| {
            while parent[pixel] != pixel {
                pixel = parent[pixel];
            }
            pixel
        };
        let labels = (0..parent.len())
            .map(|pixel| number[root_of(pixel)])
            .collect();
        Self {
            width,
            height,
            labels,
            count: usize::from(count),
        }
    }

    /// The same regions on another grid, each pixel taking the nearest one's.
    pub fn scaled(&self, width: usize, height: usize) -> Self {
        let place = |at: usize, from: usize, to: usize| (2 * at + 1) * from / (2 * to);
        let rows = (0..height).map(|y| place(y, self.height, height) * self.width);
        let labels = rows
            .flat_map(|row| (0..width).map(move |x| self.labels[row + place(x, self.width, width)]))
            .collect();
        Self {
            width,
            height,
            labels,
            count: self.count,
        }
    }

    /// A map that has in each region that region's value.
    pub fn paint(&self, values: &[f64]) -> HeatMap {
        let values = self
            .labels
            .iter()
            .map(|label| values[usize::from(*label)] as f32);
        HeatMap::new(self.width, self.height, values.collect())
    }
}
