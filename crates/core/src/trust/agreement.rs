//! Do two maps say the same?

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::heat_map::HeatMap;
use crate::statistics::correlation;

/// Maps are compared on a grid of this side.
const SIDE: usize = 28;
/// The part of a map that counts as its top.
const TOP: f64 = 0.2;

/// How far two maps agree.
#[derive(
    Clone, Copy, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Agreement {
    /// Spearman's, over the whole picture: 1 the same order, 0 none; `None` where a map is the same everywhere.
    pub rank_correlation: Option<f64>,
    /// The share of one map's top fifth that is in the other's, too; 0.2 by chance.
    pub top_overlap: f64,
}

/// Compares two maps of the same picture.
pub fn agreement(a: &HeatMap, b: &HeatMap) -> Agreement {
    let (a, b) = (a.upsample(SIDE, SIDE).values, b.upsample(SIDE, SIDE).values);
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
    let top = |values: &[f32]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let count = (TOP * values.len() as f64).round() as usize;
        let least = sorted[count - 1];
        values
            .iter()
            .map(|value| *value >= least)
            .collect::<Vec<bool>>()
    };
    let (top_a, top_b) = (top(&a), top(&b));
    let both = top_a.iter().zip(&top_b).filter(|(a, b)| **a && **b).count();
    let larger = [&top_a, &top_b].map(|top| top.iter().filter(|t| **t).count());
    Agreement {
        rank_correlation: correlation(&wide(&a), &wide(&b)),
        top_overlap: both as f64 / larger[0].max(larger[1]) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: impl Fn(usize, usize) -> f32) -> HeatMap {
        HeatMap::new(7, 7, (0..49).map(|i| value(i % 7, i / 7)).collect())
    }

    #[test]
    fn a_map_agrees_with_itself_and_not_with_its_opposite() {
        let slope = map(|x, y| (3 * x + y) as f32);
        let same = agreement(&slope, &slope);
        assert!(
            (same.rank_correlation.expect("it varies") - 1.0).abs() < 1e-12
                && same.top_overlap == 1.0
        );
        let opposite = agreement(&slope, &map(|x, y| -((3 * x + y) as f32)));
        assert!((opposite.rank_correlation.expect("it varies") + 1.0).abs() < 1e-9);
        assert_eq!(opposite.top_overlap, 0.0);
        assert_eq!(agreement(&slope, &map(|_, _| 1.0)).rank_correlation, None);
    }
}
