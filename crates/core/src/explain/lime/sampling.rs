//! Which regions each sample shows.

use borsh::{BorshDeserialize, BorshSerialize};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

/// How samples are drawn.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Each region is shown with probability 1/2.
    Bernoulli,
    /// Each region is shown with probability 1/2, in pairs of samples: what one sample shows the next hides. What two regions do only
    /// together then adds nothing to the coefficient of either.
    Antithetic,
    /// Antithetic pairs from the rows of a Hadamard matrix with random columns and signs, block after block: within a block every two
    /// regions are shown and hidden in all combinations equally often (the fold-over of Plackett and Burman's designs, 1946), so
    /// that few samples tell regions apart. A single sample is as random as before.
    #[default]
    Orthogonal,
}

impl Sampling {
    /// Whether samples after the first come in pairs.
    pub fn is_paired(self) -> bool {
        self != Sampling::Bernoulli
    }
}

/// Draws samples: for each region whether it is shown. The first one shows the whole picture.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    regions: usize,
    random: ChaCha8Rng,
    drawn: usize,
    last: Vec<bool>,
    /// The block that is under way: rows still to come, and each region's column and sign.
    rows: Vec<usize>,
    columns: Vec<(usize, bool)>,
}

impl Sampler {
    pub fn new(sampling: Sampling, regions: usize, seed: u64) -> Self {
        Self {
            sampling,
            regions,
            random: ChaCha8Rng::seed_from_u64(seed),
            drawn: 0,
            last: Vec::new(),
            rows: Vec::new(),
            columns: Vec::new(),
        }
    }

    /// A row of a Hadamard matrix (Sylvester's: the parity of the bits that row and column share), of a new block after the last.
    fn draw_row(&mut self) -> Vec<bool> {
        if self.rows.is_empty() {
            // Column 0 is the same in every row: no region's.
            let order = (self.regions + 1).next_power_of_two();
            self.rows = self.shuffled(0..order);
            let columns = self.shuffled(1..order);
            let columns = columns.into_iter().take(self.regions);
            self.columns = columns
                .map(|column| (column, self.random.next_u32() & 1 == 1))
                .collect();
        }
        let row = self.rows.pop().unwrap_or_default();
        let columns = self.columns.iter();
        columns
            .map(|(column, sign)| ((row & column).count_ones() % 2 == 1) != *sign)
            .collect()
    }

    fn shuffled(&mut self, numbers: std::ops::Range<usize>) -> Vec<usize> {
        let mut numbers: Vec<usize> = numbers.collect();
        for last in (1..numbers.len()).rev() {
            // Of 2^64 draws, hardly one more for one number than for another.
            let other = self.random.next_u64() % (last as u64 + 1);
            numbers.swap(last, other as usize);
        }
        numbers
    }
}

impl Iterator for Sampler {
    type Item = Vec<bool>;

    /// Never ends.
    fn next(&mut self) -> Option<Vec<bool>> {
        let second_of_pair = self.sampling.is_paired() && self.drawn.is_multiple_of(2);
        let sample = if self.drawn == 0 {
            vec![true; self.regions]
        } else if second_of_pair {
            self.last.iter().map(|shown| !shown).collect()
        } else if self.sampling == Sampling::Orthogonal {
            self.draw_row()
        } else {
            let regions = 0..self.regions;
            regions.map(|_| self.random.next_u32() & 1 == 1).collect()
        };
        self.drawn += 1;
        self.last.clone_from(&sample);
        Some(sample)
    }
}
