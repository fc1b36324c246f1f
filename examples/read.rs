//! Reads a radiograph with a package: `cargo run --release --example read -- www/models/efficientnet-lite0-nih www/samples/effusion.jpg`.
//!
//! Bytes in, values out: the engine knows no files, so this program reads them.

use std::error::Error;

use burn::tensor::Device;
use sightline::package::Manifest;
use sightline::reader::Reader;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(package), Some(image)) = (arguments.next(), arguments.next()) else {
        return Err("say the folder of a package, and an image".into());
    };
    let manifest = Manifest::parse(&std::fs::read(format!("{package}/manifest.json"))?)?;
    let weights = std::fs::read(format!("{package}/{}", manifest.weights.file))?;
    let reader = Reader::load(manifest, &weights, &Device::flex())?;

    let radiograph = reader.decode(&std::fs::read(image)?, None)?;
    for notice in &radiograph.notices {
        println!("{notice}");
    }
    let reading = pollster::block_on(reader.read(&reader.view(&radiograph.image)))?;
    for (index, card) in reader.manifest.findings.iter().enumerate() {
        match reading.probabilities[index] {
            Some(score) => {
                let map = &reading.evidence[index];
                let most = map.values.iter().copied().enumerate();
                let most = most.max_by(|a, b| a.1.total_cmp(&b.1));
                let (cell, evidence) = most.ok_or("a map has cells")?;
                let (column, row) = (cell % map.width, cell / map.width);
                println!(
                    "{}: {score:.2}; most evidence in column {column}, row {row}: {evidence:+.2} logits",
                    card.name
                );
            }
            None => println!("{}: not trained", card.name),
        }
    }
    Ok(())
}
