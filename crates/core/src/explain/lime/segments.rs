//! A picture cut into regions.

use crate::heat_map::HeatMap;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// A region's number for each pixel. Written as runs of equal numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(into = "Runs", try_from = "Runs")]
pub struct Segments {
    pub width: usize,
    pub height: usize,
    /// `height * width` numbers from 0, row by row; each number below `count` occurs.
    pub labels: Vec<u16>,
    pub count: usize,
}

/// Regions are of pictures, not of posters: a few runs could claim any number of pixels.
const MOST_PIXELS: usize = 1 << 22;

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Runs {
    width: usize,
    height: usize,
    count: usize,
    /// A region's number and how many pixels in a row, row after row, have it.
    runs: Vec<(u16, usize)>,
}

impl From<Segments> for Runs {
    fn from(segments: Segments) -> Self {
        let runs = segments.labels.chunk_by(|a, b| a == b);
        Self {
            width: segments.width,
            height: segments.height,
            count: segments.count,
            runs: runs.map(|run| (run[0], run.len())).collect(),
        }
    }
}

impl TryFrom<Runs> for Segments {
    type Error = String;

    fn try_from(runs: Runs) -> Result<Self, String> {
        let pixels = runs.width.checked_mul(runs.height);
        let total = runs
            .runs
            .iter()
            .try_fold(0_usize, |sum, (_, length)| sum.checked_add(*length));
        if pixels.is_none() || pixels != total {
            return Err("the runs do not fill the picture".to_owned());
        }
        if !(1..=MOST_PIXELS).contains(&pixels.unwrap_or(0)) {
            return Err(format!(
                "regions of {} x {} pixels",
                runs.width, runs.height
            ));
        }
        if runs
            .runs
            .iter()
            .any(|(label, _)| usize::from(*label) >= runs.count)
        {
            return Err("a region has too high a number".to_owned());
        }
        let labels = runs.runs.iter();
        Ok(Self {
            width: runs.width,
            height: runs.height,
            labels: labels
                .flat_map(|(label, length)| std::iter::repeat_n(*label, *length))
                .collect(),
            count: runs.count,
        })
    }
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

    /// The regions on another grid, each pixel taking the nearest one's.
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
