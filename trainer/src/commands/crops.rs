//! The option `--crops` of the commands that score.

use crate::measure::score::Augmented;

/// Over how many views of a picture a score is averaged.
#[derive(clap::Args)]
pub struct Crops {
    /// How many views of each picture to average (test-time augmentation): the whole picture, and crops from its corners. 1 is
    /// the whole picture alone, as on the page and in the card.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub crops: u8,
}

impl Crops {
    pub fn augmented(&self) -> Augmented {
        Augmented { crops: self.crops }
    }
}
