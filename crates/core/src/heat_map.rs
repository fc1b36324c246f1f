//! A map over a picture: one value a cell, and how it is scaled up to be shown.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Values over a grid that covers the network's square input. What is read of one is checked: there is a value for each cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Cells")]
pub struct HeatMap {
    pub width: usize,
    pub height: usize,
    /// `height * width` values, row by row.
    pub values: Vec<f32>,
}

/// A map as it is written.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Cells {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl TryFrom<Cells> for HeatMap {
    type Error = String;

    fn try_from(cells: Cells) -> Result<Self, String> {
        let Cells {
            width,
            height,
            values,
        } = cells;
        if values.is_empty() || width.checked_mul(height) != Some(values.len()) {
            return Err(format!(
                "a map of {width} x {height} cells has {} values",
                values.len()
            ));
        }
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(format!("a map has the value {value}"));
        }
        Ok(Self {
            width,
            height,
            values,
        })
    }
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

    /// Bilinear, with half-pixel centres and replicated edges (OpenCV's `INTER_LINEAR`). A map without cells is 0 everywhere.
    pub fn upsample(&self, width: usize, height: usize) -> Self {
        if self.values.is_empty() {
            return Self::new(width, height, vec![0.0; width * height]);
        }
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
    fn a_map_whose_size_lies_is_not_read() {
        let read = |json: &str| serde_json::from_str::<HeatMap>(json).map_err(|e| e.to_string());
        let whole = HeatMap::new(2, 1, vec![0.5, -1.0]);
        let json = serde_json::to_string(&whole).expect("JSON");
        assert_eq!(read(&json), Ok(whole));
        for (size, why) in [
            (r#""width":7,"height":7"#, "7 x 7 cells has 2 values"),
            (r#""width":0,"height":2"#, "0 x 2 cells"),
            // The product is 2 where numbers wrap round.
            (r#""width":9223372036854775809,"height":2"#, "has 2 values"),
            (r#""width":1,"height":2,"more":1"#, ""),
        ] {
            let lie = json.replace(r#""width":2,"height":1"#, size);
            match read(&lie) {
                Ok(_) => assert_eq!(why, ""),
                Err(said) => assert!(!why.is_empty() && said.contains(why), "{said}"),
            }
        }
        let none = r#"{"width":0,"height":0,"values":[]}"#;
        assert!(read(none).is_err());
        // Too large for a float32.
        assert!(read(&json.replace("-1.0", "1e39")).is_err());
    }

    #[test]
    fn upsampling_keeps_a_constant_map_and_its_range() {
        let map = HeatMap::new(7, 7, vec![0.3; 49]).upsample(224, 224);
        assert!(map.values.iter().all(|v| (*v - 0.3).abs() < 1e-6));
    }
}
