//! Makes a package of weights that another tool trained, in memory:
//! `cargo run --release --example own_weights -- weights.safetensors densenet121 chexpert`.
//!
//! Bytes in, values out: this program reads the file, and what to do with the package is up to you.

use std::error::Error;

use burn::tensor::Device;
use sightline_import::{Settings, import};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, architecture, findings] = arguments.as_slice() else {
        return Err(
            "say a file of weights, its architecture, and the order of its findings".into(),
        );
    };
    let settings = Settings {
        source: None,
        architecture: Some(architecture.clone()),
        prefix: None,
        name: "mine".to_owned(),
        title: "My own weights".to_owned(),
        findings: Some(findings.split(',').map(str::to_owned).collect()),
        size: None,
        resize: None,
        mean: None,
        std: None,
        licence: "Not stated.".to_owned(),
        attribution: "Not stated.".to_owned(),
        date: "unknown".to_owned(),
    };
    let bytes = std::fs::read(file)?;
    let say = |line| println!("{line}");
    let made = import((file, &bytes), &settings, &Device::flex(), say)?;
    let known = made.manifest.findings.iter().filter(|card| card.trained);
    let (bytes, known) = (made.weights.len(), known.count());
    println!("a package of {bytes} bytes of weights, with {known} findings");
    Ok(())
}
