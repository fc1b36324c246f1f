//! `predict`: a CSV of probabilities.

use anyhow::Result;
use sightline::finding::Finding;

use crate::data::{Views, load_pictures};
use crate::options::{Images, Model};
use crate::parts::row_column;
use crate::score::{Augmented, Package};
use crate::storage::Location;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    augmented: Augmented,
    /// The CSV to write: Path and the 14 probabilities; blank where a finding is not trained.
    #[arg(long)]
    out: Location,
}

/// Writes the probabilities of every image, also of lateral ones: nobody's rows are left out unasked.
pub fn predict(options: &Options) -> Result<()> {
    let package = Package::open(&options.model.model, options.model.device.device()?)?;
    let (data, shard) = options.images.rows(Views::All)?;
    let input = &package.manifest.input;
    let (data, pictures) = load_pictures(data, |image| options.augmented.views(&image, input))?;
    let scores = package.probabilities(&pictures)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = vec!["Path".to_owned()];
    header.extend(Finding::ALL.map(|finding| finding.name().to_owned()));
    if !shard.is_whole() {
        header.push(row_column(shard));
    }
    writer.write_record(&header)?;
    for (row, scores) in data.rows.iter().zip(&scores) {
        let mut record = vec![row.path.clone()];
        let cells = scores.iter();
        record.extend(cells.map(|score| score.map_or(String::new(), |p| format!("{p:.6}"))));
        if !shard.is_whole() {
            record.push(row.number.to_string());
        }
        writer.write_record(&record)?;
    }
    options.out.write(&writer.into_inner()?)?;
    println!("{} images scored", data.rows.len());
    Ok(())
}
