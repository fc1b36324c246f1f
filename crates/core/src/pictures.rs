//! Pictures that a network is to score.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};

/// Pictures, normalised.
#[derive(Clone, Debug)]
pub enum Pictures {
    /// `[pictures, channels, height, width]`.
    Whole(Vec<f32>),
    /// One picture with other regions hidden each time: a hundredth of the memory, where they are sent to another program.
    Hidden {
        regions: Arc<Regions>,
        /// Picture by picture, whether each region is shown.
        shown: Vec<Vec<bool>>,
    },
}

/// A picture, and what is in place of each of its regions where that is hidden.
#[derive(Clone, Debug, Default, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Regions {
    /// The region of each pixel, row by row.
    pub labels: Vec<u16>,
    /// The whole picture, normalised: `[channels, height, width]`.
    pub picture: Vec<f32>,
    /// The picture with all regions hidden.
    pub hidden: Vec<f32>,
}

impl Pictures {
    /// `[pictures, channels, height, width]`.
    pub fn values(self) -> Vec<f32> {
        match self {
            Pictures::Whole(values) => values,
            Pictures::Hidden { regions, shown } => regions.values(&shown),
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Pictures::Whole(values) => values.is_empty(),
            Pictures::Hidden { shown, .. } => shown.is_empty(),
        }
    }
}

impl Regions {
    /// The picture once for each list of regions that are shown: `[pictures, channels, height, width]`. A region that a list does not have is hidden.
    pub fn values(&self, shown: &[Vec<bool>]) -> Vec<f32> {
        let mut values = Vec::with_capacity(shown.len() * self.picture.len());
        for shown in shown {
            let pixels = self.labels.len().max(1);
            let channels = self.picture.chunks(pixels).zip(self.hidden.chunks(pixels));
            for (picture, hidden) in channels {
                let pixels = picture.iter().zip(hidden).zip(&self.labels);
                values.extend(pixels.map(|((picture, hidden), label)| {
                    match shown.get(usize::from(*label)) {
                        Some(true) => *picture,
                        _ => *hidden,
                    }
                }));
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_hides_the_same_regions() {
        let regions = Regions {
            labels: vec![0, 1, 1, 2],
            picture: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
            hidden: vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
        };
        let pictures = Pictures::Hidden {
            regions: Arc::new(regions),
            shown: vec![vec![true, false, true], vec![false, true]],
        };
        assert!(!pictures.is_empty());
        assert_eq!(
            pictures.values(),
            [
                [1.0, 0.1, 0.2, 4.0, 5.0, 0.5, 0.6, 8.0],
                [0.0, 2.0, 3.0, 0.3, 0.4, 6.0, 7.0, 0.7]
            ]
            .concat()
        );
        assert!(Pictures::Whole(Vec::new()).is_empty());
        // Nothing of a helper's task may be relied upon.
        let cut = Regions {
            labels: Vec::new(),
            ..Regions::default()
        };
        assert!(cut.values(&[vec![true]]).is_empty());
    }
}
