//! What benches have in common.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::Step;

/// What a program prints as its last line.
pub fn json(step: Step, purpose: &str) -> Result<Value> {
    let (lines, success) = step.run_and_read(purpose)?;
    if !success {
        bail!("it failed");
    }
    let last = lines.last().context("it said nothing")?;
    serde_json::from_str(last).with_context(|| last.clone())
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A CSV of images and their folder: `SIGHTLINE_DATA`, or the bundled samples.
pub fn images(root: &Path) -> Result<(PathBuf, PathBuf)> {
    if let Some(csv) = std::env::var_os("SIGHTLINE_DATA").map(PathBuf::from) {
        let folder = csv
            .parent()
            .context("SIGHTLINE_DATA names a CSV")?
            .to_owned();
        return Ok((csv, folder));
    }
    println!("SIGHTLINE_DATA names no CSV: the bundled samples are read, again and again");
    let folder = root.join("target/tools");
    std::fs::create_dir_all(&folder)?;
    let csv = folder.join("samples.csv");
    let findings = "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,\
                    Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices";
    let mut text = format!("Path,{findings}");
    for sample in ["cardiomegaly.jpg", "effusion.jpg", "no-finding.jpg"] {
        text += &format!("\n{sample}{}", ",".repeat(14));
    }
    std::fs::write(&csv, text)?;
    Ok((csv, root.join("www/samples")))
}

/// The processor's name.
pub fn cpu() -> String {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = about
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned());
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
