//! A map over a picture: one value a cell, and how it is scaled up to be shown.

use serde::{Deserialize, Serialize};

/// Values over a grid that covers the network's square input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeatMap {
    pub width: usize,
    pub height: usize,
    /// `height * width` values, row by row.
    pub values: Vec<f32>,
}

impl HeatMap {
    /// # Panics
    /// When there are not `width * height` values.
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), width * height, "a value for each cell");
        Self {
            width,
            height,
            values,
        }
    }

    /// The positive part: evidence against a finding is left out, as Grad-CAM's ReLU does.
    pub fn positive(&self) -> Self {
        let values = self.values.iter().map(|v| v.max(0.0)).collect();
        Self { values, ..*self }
    }

    /// The largest value; 0 for a map without cells or with none above 0.
    pub fn max(&self) -> f32 {
        self.values.iter().copied().fold(0.0, f32::max)
    }

    /// Where the largest value is, as fractions of width and height (the middle of its cell).
    pub fn peak(&self) -> Option<(f64, f64)> {
        let best =
            (0..self.values.len()).max_by(|&a, &b| self.values[a].total_cmp(&self.values[b]))?;
        let (x, y) = (best % self.width, best / self.width);
        Some((
            (x as f64 + 0.5) / self.width as f64,
            (y as f64 + 0.5) / self.height as f64,
        ))
    }

    /// Bilinear, with half-pixel centres and replicated edges (OpenCV's `INTER_LINEAR`).
    pub fn upsample(&self, width: usize, height: usize) -> Self {
        let columns = sample_points(self.width, width);
        let rows = sample_points(self.height, height);
        let mut values = Vec::with_capacity(width * height);
        for &(top, bottom, down) in &rows {
            let (top, bottom) = (
                &self.values[top * self.width..],
                &self.values[bottom * self.width..],
            );
            values.extend(columns.iter().map(|&(left, right, across)| {
                let above = top[left] + (top[right] - top[left]) * across;
                let below = bottom[left] + (bottom[right] - bottom[left]) * across;
                above + (below - above) * down
            }));
        }
        Self {
            width,
            height,
            values,
        }
    }
}

/// To 0..1, as pytorch-grad-cam shows a map: minus its minimum, over its maximum + 1e-7.
/// A map that is the same everywhere is 0 everywhere.
pub fn normalise(map: &HeatMap) -> HeatMap {
    let low = map.values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = map.values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let values = map
        .values
        .iter()
        .map(|v| (v - low) / (high - low + 1e-7))
        .collect();
    HeatMap { values, ..*map }
}

/// For each output position: its two neighbours, and how far it is towards the second.
fn sample_points(input: usize, output: usize) -> Vec<(usize, usize, f32)> {
    (0..output)
        .map(|position| {
            let at = (position as f32 + 0.5) * input as f32 / output as f32 - 0.5;
            let at = at.clamp(0.0, (input - 1) as f32);
            let first = at as usize;
            (first, (first + 1).min(input - 1), at - first as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_without_positive_evidence_is_zero_everywhere() {
        let map = HeatMap::new(2, 2, vec![-1.0, -2.0, -0.5, -3.0]);
        let shown = normalise(&map.positive()).upsample(8, 8);
        assert!(shown.values.iter().all(|v| *v == 0.0));
    }

    #[test]
    fn the_peak_is_the_middle_of_the_hottest_cell() {
        let map = HeatMap::new(4, 2, vec![0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0, 0.0]);
        assert_eq!(map.peak(), Some((0.625, 0.75)));
    }

    #[test]
    fn upsampling_keeps_a_constant_map_and_its_range() {
        let map = HeatMap::new(7, 7, vec![0.3; 49]).upsample(224, 224);
        assert!(map.values.iter().all(|v| (*v - 0.3).abs() < 1e-6));
    }
}
