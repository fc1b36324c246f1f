//! `bench`: how fast training is, and whether what is said of maps holds, for `cargo xtask bench`.

mod called;
mod data;
mod float16;
mod intervals;
mod lime;
mod train;
mod verdicts;

use anyhow::Result;

#[derive(clap::Subcommand)]
pub enum What {
    /// Training steps (forward, backward, AdamW) on random pictures.
    Train(train::Options),
    /// Pictures read, decoded, resized, changed at random and normalised.
    Data(Box<data::Options>),
    /// What a graphics card says of pictures in float16, beside float32.
    Float16(float16::Options),
    /// How many samples LIME needs until its map is close to the map of very many.
    Lime(Box<lime::Options>),
    /// How often LIME's 95% intervals hold what very many samples say.
    Intervals(Box<intervals::Options>),
    /// How often maps, also random ones, get the verdict that the score rests on them.
    Verdicts(Box<verdicts::Options>),
}

/// Prints what was timed as JSON.
pub fn run(what: &What) -> Result<()> {
    match what {
        What::Train(options) => train::run(options),
        What::Data(options) => data::run(options),
        What::Float16(options) => float16::run(options),
        What::Lime(options) => lime::run(options),
        What::Intervals(options) => intervals::run(options),
        What::Verdicts(options) => verdicts::run(options),
    }
}
