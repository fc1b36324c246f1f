//! `export`: a run's best weights as a package, with what was measured of them; or a package for other programs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use burn::tensor::Device;

use super::values::{calibration, one_of};
use crate::device::DeviceName;
use crate::measure::score::Package;
use crate::publish::export::{CalibrationFit, OperatingPoint, Settings, export};
use crate::publish::portable::{self, Format};
use crate::storage::Location;
use crate::train::RunFolder;

#[derive(clap::Args)]
pub struct Options {
    /// The folder of the training run.
    #[arg(long, required_unless_present = "model")]
    checkpoint: Option<PathBuf>,
    /// The package's folder. With --to: the file to write, or for huggingface the folder.
    #[arg(long)]
    out: Location,
    /// Instead of a training run: the folder of a package, to be written for other programs.
    #[arg(long, requires = "to", conflicts_with_all = ["checkpoint", "data", "operating_point", "calibration", "pictures", "device"])]
    model: Option<Location>,
    /// What to write of the package. Findings, preprocessing and licence are in the file.
    #[arg(long, requires = "model", conflicts_with = "checkpoint", value_parser = one_of(&Format::ALL, Format::name, Format::about))]
    to: Option<Format>,
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

/// Writes `manifest.json`, `weights.bpk`, `evaluation.json` and `card.md`; of a package what another program reads.
pub fn run(options: &Options) -> Result<()> {
    if let (Some(folder), Some(format)) = (&options.model, options.to) {
        let package = Package::open(folder, Device::flex())?;
        portable::write(&package, folder, format, &options.out)?;
    } else {
        let checkpoint = options.checkpoint.clone();
        let checkpoint = checkpoint.context("--checkpoint is needed, or --model and --to")?;
        let report = export(Settings {
            run: RunFolder(checkpoint),
            out: &options.out,
            data: options.data.as_ref(),
            operating_point: options.operating_point,
            calibration: options.calibration,
            pictures: options.pictures,
            device: options.device.device()?,
        })?;
        print!("{}", report.tables());
    }
    println!("written to {}", options.out);
    Ok(())
}
