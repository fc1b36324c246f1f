//! Does a map depend on what the network has learned? (Adebayo et al., NeurIPS 2018)
//!
//! The map is made again by networks of which a part was drawn at random. One such network says little, since its map may be alike or
//! not by chance, so there are [`DRAWS`].

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

pub use crate::asked::Randomised;

use crate::heat_map::HeatMap;
use crate::order::ordered;
use crate::trust::agreement::agreement;

/// Networks for each part. That the maps of all of them are others means, with 95% confidence, that fewer than 26% of such networks
/// would keep the map (`0.74^10 = 0.05`).
pub const DRAWS: usize = 10;
/// From this rank correlation on, of either sign, a map is hardly another.
const ALIKE: f64 = 0.5;

/// What the networks are drawn from.
pub fn seeds(first: u64) -> [u64; DRAWS] {
    std::array::from_fn(|draw| first.wrapping_add(draw as u64))
}

/// Maps of networks of which a part was drawn at random, beside the map of the network as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sanity {
    pub randomised: Randomised,
    /// The map of the first draw, to be shown.
    pub map: HeatMap,
    /// With the map of the network as it is, draw by draw; `None` where one of the two is the same everywhere.
    #[serde(default)]
    pub rank_correlations: Vec<Option<f64>>,
}

impl Sanity {
    /// Compares a map with those of random networks; `None` if there are none.
    pub fn new(randomised: Randomised, map: &HeatMap, drawn: &[HeatMap]) -> Option<Self> {
        // With what speaks against the finding: a random network may have nothing that speaks for it.
        let drawn_maps = drawn.iter();
        Some(Self {
            randomised,
            map: drawn.first()?.clone(),
            rank_correlations: drawn_maps
                .map(|drawn| agreement(map, drawn).rank_correlation)
                .collect(),
        })
    }

    /// How many draws could be compared, and how many of them had hardly another map.
    pub fn alike(&self) -> Alike {
        let compared: Vec<f64> = self.rank_correlations.iter().flatten().copied().collect();
        Alike {
            alike: compared.iter().filter(|r| r.abs() >= ALIKE).count(),
            of: compared.len(),
        }
    }

    /// The lowest, median and highest rank correlation; `None` where none could be compared.
    pub fn range(&self) -> Option<[f64; 3]> {
        let known = self.rank_correlations.iter().flatten().copied().collect();
        let sorted: Vec<f64> = ordered(known, f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        };
        Some([low, median, high])
    }
}

/// How many of some random networks have hardly another map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alike {
    pub alike: usize,
    pub of: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: [f32; 4]) -> HeatMap {
        HeatMap::new(2, 2, values.to_vec())
    }

    #[test]
    fn every_draw_counts_and_not_the_first_alone() {
        let own = map([4.0, 3.0, 2.0, 1.0]);
        let other = map([3.0, 1.0, 4.0, 2.0]);
        let mut drawn = vec![other; 9];
        drawn.push(own.clone());
        let sanity = Sanity::new(Randomised::Classifier, &own, &drawn).expect("maps");
        assert_eq!(sanity.map, drawn[0]);
        assert_eq!(sanity.alike(), Alike { alike: 1, of: 10 });
        let [low, median, high] = sanity.range().expect("maps that vary");
        assert!(low == median && median < 0.5, "{low} {median}");
        assert!((high - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_opposite_of_a_map_is_hardly_another_and_a_map_without_differences_is_not_compared() {
        let own = map([4.0, 3.0, 2.0, 1.0]);
        // Also where nothing speaks for the finding.
        let drawn = [map([-4.0, -3.0, -2.0, -1.0]), map([-1.0; 4])];
        let sanity = Sanity::new(Randomised::LastStage, &own, &drawn).expect("maps");
        assert_eq!(sanity.rank_correlations[1], None);
        assert_eq!(sanity.alike(), Alike { alike: 1, of: 1 });
        let none = Sanity::new(Randomised::LastStage, &own, &drawn[1..]).expect("a map");
        assert_eq!((none.alike().of, none.range()), (0, None));
        assert_eq!(Sanity::new(Randomised::LastStage, &own, &[]), None);
    }
}
