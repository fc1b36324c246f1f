//! `gate`: teaches a package which pictures it does not know.

use anyhow::Result;

use crate::data::Dataset;
use crate::device::DeviceName;
use crate::measure::score::Package;
use crate::publish::card;
use crate::publish::gate::{Sources, make};
use crate::storage::Location;

#[derive(clap::Args)]
pub struct Options {
    /// The package's folder. Its manifest and card are written again.
    #[arg(long)]
    model: Location,
    /// The device to compute on: flex (the CPU), cuda, cuda:1, or wgpu.
    #[arg(long, default_value = "flex")]
    device: DeviceName,
    /// The table of the model's own radiographs, with a column Split: train teaches, valid sets the limits, test is measured.
    #[arg(long)]
    csv: Location,
    /// Tables of frontal radiographs of other sources, with a column Split.
    #[arg(long)]
    also: Vec<Location>,
    /// A table of radiographs of children.
    #[arg(long)]
    children: Option<Location>,
    /// A folder of other pictures, in folders named photo, document, medical, otherxray and lateral.
    #[arg(long)]
    odd: Option<Location>,
    /// The folder that the tables' paths start from (by default each table's own folder).
    #[arg(long)]
    root: Option<Location>,
    /// The most radiographs of Split=train that are used.
    #[arg(long, default_value_t = 700)]
    most: usize,
    /// The seed of what is drawn at random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// # Errors
/// When pictures cannot be read, or the package cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let package = Package::open(&options.model, options.device.device()?)?;
    let table = |csv: &Location| -> Result<Dataset> {
        let mut data = Dataset::read(csv, options.root.as_ref())?;
        data.decoding.levels = package.manifest.input.levels;
        Ok(data)
    };
    let also = options.also.iter();
    let sources = Sources {
        frontal: table(&options.csv)?,
        name: options.csv.name(),
        also: also
            .map(|csv| Ok((csv.name(), table(csv)?)))
            .collect::<Result<_>>()?,
        children: options.children.as_ref().map(table).transpose()?,
        odd: options.odd.clone(),
        most: options.most,
        seed: options.seed,
    };
    let detector = make(&package, &sources)?;
    print!("{}", card::gate_table(&detector));
    let mut manifest = package.manifest;
    manifest.gate = Some(detector);
    card::record_later(&options.model, &manifest)
}
