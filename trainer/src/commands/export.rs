//! `export`: a run's best weights as a package, with what was measured of them.

use std::path::PathBuf;

use anyhow::Result;

use super::values::calibration;
use crate::device::DeviceName;
use crate::publish::export::{CalibrationFit, OperatingPoint, Settings, export};
use crate::storage::Location;
use crate::train::RunFolder;

#[derive(clap::Args)]
pub struct Options {
    /// The folder of the training run.
    #[arg(long)]
    checkpoint: PathBuf,
    /// The package's folder.
    #[arg(long)]
    out: Location,
    /// The data folder, if it moved since the training.
    #[arg(long)]
    data: Option<Location>,
    /// The score at which a finding is called, chosen on the validation images: "youden" (the largest sensitivity +
    /// specificity), or the highest score with at least this sensitivity, for example "0.9".
    #[arg(long, default_value = "youden")]
    operating_point: OperatingPoint,
    /// How logits become probabilities, fitted on the validation images.
    #[arg(long, default_value = "platt", value_parser = calibration())]
    calibration: CalibrationFit,
    /// Show pictures of the worst errors in the card too. They become part of the package, so use images that may be published.
    #[arg(long)]
    pictures: bool,
    /// The device to compute on: flex (the CPU), cuda, cuda:1, or wgpu.
    #[arg(long, default_value = "flex")]
    device: DeviceName,
}

/// Writes `manifest.json`, `weights.bpk`, `evaluation.json` and `card.md`.
pub fn run(options: &Options) -> Result<()> {
    let report = export(Settings {
        run: RunFolder(options.checkpoint.clone()),
        out: &options.out,
        data: options.data.as_ref(),
        operating_point: options.operating_point,
        calibration: options.calibration,
        pictures: options.pictures,
        device: options.device.device()?,
    })?;
    print!("{}", report.tables());
    println!("written to {}", options.out);
    Ok(())
}
