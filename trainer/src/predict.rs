//! `predict`: a CSV of probabilities.

use std::path::Path;

use anyhow::{Context, Result};
use sightline::finding::Finding;

use crate::data::{Dataset, load_pictures};
use crate::score::Package;

/// Writes `Path` and the 14 probabilities of every row; blank where a finding is not trained.
pub fn predict(package: &Package, data: Dataset, out: &Path) -> Result<usize> {
    let (data, squares) = load_pictures(data, |image| package.manifest.input.square(&image))?;
    let scores = package.probabilities(&squares)?;
    let mut writer =
        csv::Writer::from_path(out).with_context(|| format!("cannot write {}", out.display()))?;
    writer.write_record(std::iter::once("Path").chain(Finding::ALL.iter().map(|f| f.name())))?;
    for (row, scores) in data.rows.iter().zip(&scores) {
        let cells = scores
            .iter()
            .map(|score| score.map_or(String::new(), |p| format!("{p:.6}")));
        writer.write_record(std::iter::once(row.path.clone()).chain(cells))?;
    }
    writer.flush()?;
    Ok(data.rows.len())
}
