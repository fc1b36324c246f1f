//! The messages between an engine and its helpers: engines like it that score pictures beside it, and do nothing else.

use borsh::{BorshDeserialize, BorshSerialize};
use sightline_core::asked::{Scored, Wants};
use sightline_core::pictures::Regions;

use crate::messages::PackagePlace;

/// From an engine to a helper.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Task {
    /// Fetch a package and get ready to score with it, on the CPU.
    Load {
        package: PackagePlace,
        /// Whether to compute on several cores, where threads can share memory: as engines do, which then have no helpers.
        several_cores: bool,
    },
    /// Score pictures.
    Score {
        /// Comes back with the scores.
        ticket: u32,
        wants: Wants,
        /// Normalised values, `[pictures, channels, height, width]`.
        values: Vec<f32>,
    },
    /// Keep these regions in place of earlier ones, for the pictures that follow.
    Regions(Regions),
    /// Score pictures of the regions that were kept last.
    ScoreHidden {
        /// Comes back with the scores.
        ticket: u32,
        wants: Wants,
        /// Picture by picture, whether each region is shown.
        shown: Vec<Vec<bool>>,
    },
}

/// From a helper to its engine.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Done {
    /// The package is loaded.
    Loaded,
    /// The package cannot be loaded, and this helper is of no use.
    NotLoaded,
    Scored {
        ticket: u32,
        /// Picture by picture; `None` where they cannot be scored here.
        scored: Option<Vec<Scored>>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{decode, encode};

    #[test]
    fn tasks_arrive_as_they_were_sent() {
        let task = Task::Score {
            ticket: 7,
            wants: Wants::Evidence,
            values: vec![0.25, -1.5, f32::MIN_POSITIVE],
        };
        let bytes = encode(&task);
        assert_eq!(decode::<Task>(&bytes), Some(task));
        let task = Task::ScoreHidden {
            ticket: 8,
            wants: Wants::Scores,
            shown: vec![vec![true, false], Vec::new()],
        };
        assert_eq!(decode::<Task>(&encode(&task)), Some(task));
        // A value that is cut.
        assert_eq!(decode::<Task>(&bytes[..bytes.len() - 1]), None);
    }
}
