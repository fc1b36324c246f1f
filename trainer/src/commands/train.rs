//! `train`: a recipe and images in, a run's folder out.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::values::precision;
use crate::device::DeviceName;
use crate::storage::Location;
use crate::train::{Precision, Recipe, Settings, dry_run};

#[derive(clap::Args)]
pub struct Options {
    /// The recipe: a JSON file, for example from trainer/configs.
    #[arg(long)]
    config: PathBuf,
    /// The folder with the recipe's CSV and its images.
    #[arg(long)]
    data: Location,
    /// The folder of the run, for checkpoints and figures.
    #[arg(long, required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Continue the run in the folder --out.
    #[arg(long)]
    resume: bool,
    /// Only print what would be done: images, labels, parameters, memory, steps.
    #[arg(long)]
    dry_run: bool,
    /// Keep decoded training images in this folder instead of in memory. Later runs need not decode them again.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Save within an epoch too, each time after this many minutes.
    #[arg(long, default_value = "15", value_parser = minutes)]
    save_minutes: Duration,
    /// Save and stop after this many batches, as Ctrl-C does. --resume continues.
    #[arg(long)]
    steps: Option<usize>,
    /// The device to compute on: flex (the CPU), cuda, cuda:1, wgpu, or several cards that share each batch: cuda:0,1.
    #[arg(long, default_value = "flex")]
    device: DeviceName,
    /// The number type in which convolutions are computed.
    #[arg(long, default_value = "f32", value_parser = precision())]
    precision: Precision,
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: Option<f64> = text.parse().ok();
    let time = minutes.and_then(|minutes| Duration::try_from_secs_f64(60.0 * minutes).ok());
    time.ok_or("must be a number of minutes, 0 or more".to_owned())
}

/// Trains by a recipe, or says what would be done.
pub fn run(options: &Options) -> Result<()> {
    let recipe = Recipe::read(&options.config)?;
    recipe.check()?;
    if options.dry_run {
        return dry_run(&recipe, &options.data);
    }
    let out = options.out.as_ref().context("--out is needed")?;
    crate::train::run(&Settings {
        recipe,
        data: options.data.clone(),
        out: out.clone(),
        resume: options.resume,
        cache: options.cache.clone(),
        save_every: options.save_minutes,
        steps: options.steps,
        device: options.device.clone(),
        precision: options.precision,
    })
}
