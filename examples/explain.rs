//! Explains a finding of a radiograph by every method:
//! `cargo run --release --example explain -- www/models/efficientnet-lite0-nih www/samples/effusion.jpg "Pleural Effusion"`.
//!
//! Grad-CAM comes with the reading. Other methods ask for scores of pictures that they make up: `drive` answers them with the model.

use std::error::Error;

use burn::tensor::Device;
use sightline::asked::{Asked, drive};
use sightline::explain::lime;
use sightline::explain::method::{Method, Settings};
use sightline::finding::Finding;
use sightline::heat_map::HeatMap;
use sightline::package::Manifest;
use sightline::reader::{InBatches, Reader};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [package, image, finding] = arguments.as_slice() else {
        return Err("say the folder of a package, an image, and a finding".into());
    };
    let manifest = Manifest::parse(&std::fs::read(format!("{package}/manifest.json"))?)?;
    let weights = std::fs::read(format!("{package}/{}", manifest.weights.file))?;
    let reader = Reader::load(manifest, &weights, &Device::flex())?;
    let finding = Finding::named(finding)?;
    let output = reader.manifest.trained_output(finding);
    let output = output.ok_or("the model was not trained for this finding")?;

    let radiograph = reader.decode(&std::fs::read(image)?, None)?;
    let view = reader.view(&radiograph.image);
    let reading = pollster::block_on(reader.read(&view))?;
    show(Method::GradCam, &reading.evidence[output.0], "");

    // Few samples, to be quick. The others' settings are as the page has them.
    let settings = Settings {
        lime: lime::Options {
            samples: 200,
            ..lime::Options::default()
        },
        ..Settings::default()
    };
    for asking in Method::ALL
        .iter()
        .filter_map(|method| settings.asking(*method))
    {
        let mut job = asking.start(&view, &reader.manifest.input);
        let mut scorer = InBatches {
            reader: &reader,
            batch: 8,
        };
        pollster::block_on(drive(&mut job, &mut scorer, async |_| Ok(())))?;
        let made = job.outcome().ok_or("nothing was explained")?;
        let map = made.map(output).ok_or("a trained finding has a map")?;
        show(asking.method(), &map, &made.said(output));
    }
    Ok(())
}

/// Where a map is highest, as shares of the network's view.
fn show(method: Method, map: &HeatMap, said: &str) {
    let highest = |a: &usize, b: &usize| map.values[*a].total_cmp(&map.values[*b]);
    let cell = (0..map.values.len()).max_by(highest).unwrap_or(0);
    let middle = |index: usize, length: usize| (index as f64 + 0.5) / length as f64;
    let (x, y) = (
        middle(cell % map.width, map.width),
        middle(cell / map.width, map.height),
    );
    println!("{method}: highest at {x:.2} across, {y:.2} down. {said}");
}
