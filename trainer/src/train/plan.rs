//! What a training is about to do, and what it has done, for people.

use std::path::Path;

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sightline::finding::Finding;
use sightline::network::Network;

use super::{Epoch, Recipe};
use crate::data::{Dataset, Splits};
use crate::metrics::Scored;
use crate::plots;
use crate::storage::write_together;

/// Prints the plan of a training: images, labels, parameters, memory, steps. `marked`: training images with boxes.
pub fn say(recipe: &Recipe, splits: &Splits, marked: usize) -> Result<()> {
    println!("{}: {}", recipe.name, recipe.title);
    let parts = [
        ("train", Some(&splits.train)),
        ("valid", Some(&splits.valid)),
        ("test", splits.test.as_ref()),
    ];
    for (name, data) in parts {
        match data {
            Some(data) => println!(
                "{name}: {} images of {} patients",
                data.rows.len(),
                data.patients().len()
            ),
            None => println!("{name}: none"),
        }
    }
    println!(
        "\n{:28} {:>9} {:>9} {:>9} {:>9}   (train)",
        "", "positive", "negative", "uncertain", "blank"
    );
    for finding in Finding::ALL {
        let count = |label| labels(&splits.train, finding, label);
        let taught = match super::teaches(recipe, &splits.train, finding) {
            true => "",
            false => "   will not be trained",
        };
        println!(
            "{:28} {:>9} {:>9} {:>9} {:>9}{taught}",
            finding.name(),
            count(Some(1.0)),
            count(Some(0.0)),
            count(Some(-1.0)),
            count(None)
        );
    }
    if marked > 0 {
        println!("\nradiologists' boxes are on {marked} of the training images");
    }
    let network = Network::new(&recipe.architecture, Finding::ALL.len(), &Device::flex())?;
    let parameters = network.num_params();
    // Weights, gradients, Adam's two moments, and the average.
    let copies = if recipe.average_decay > 0.0 { 5 } else { 4 };
    let held = parameters * 4 * copies;
    let activations = activations(recipe)? * recipe.batch;
    let batches = (splits.train.rows.len() / recipe.batch).max(1);
    let steps = batches.div_ceil(recipe.accumulate);
    println!(
        "\n{} with {parameters} parameters",
        recipe.architecture.branch_names()?.join(" + ")
    );
    println!(
        "memory, about: {} MB for weights and optimiser, {} MB for a batch of {} at {} pixels",
        held >> 20,
        activations >> 20,
        recipe.batch,
        recipe.input.size
    );
    println!(
        "{} epochs of {steps} steps ({} images each); learning rate {} to {:.1e}",
        recipe.epochs,
        recipe.batch * recipe.accumulate,
        recipe.learning_rate,
        recipe.learning_rate_at(recipe.epochs * batches - 1, batches)
    );
    Ok(())
}

fn labels(data: &Dataset, finding: Finding, label: Option<f32>) -> usize {
    let rows = data.rows.iter();
    rows.filter(|row| row.labels[finding.index()] == label)
        .count()
}

/// The bytes that a training step keeps for each picture: what the process grows by in one forward pass of two pictures,
/// measured here, on the CPU. 0 where the system does not tell.
fn activations(recipe: &Recipe) -> Result<usize> {
    const PICTURES: usize = 2;
    let device = Device::flex().autodiff();
    let network = Network::new(&recipe.architecture, Finding::ALL.len(), &device)?;
    let (size, channels) = (recipe.input.size, recipe.architecture.in_channels);
    let x = Tensor::zeros([PICTURES, channels, size, size], &device);
    let before = resident();
    let logits = network.forward(x);
    let grown = resident().saturating_sub(before) / PICTURES;
    drop(logits);
    Ok(grown)
}

/// The bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The epochs' figures in the run's folder: `metrics.csv`, and as pictures; with those of the last validation's scores.
pub fn write_figures(folder: &Path, history: &[Epoch], scored: &[Scored]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for epoch in history {
        writer.serialize(epoch)?;
    }
    let figures = plots::training(history)?
        .into_iter()
        .chain(plots::scores(scored)?)
        .map(|(name, svg)| (name, svg.into_bytes()));
    let mut files: Vec<(&str, Vec<u8>)> = figures.collect();
    files.push(("metrics.csv", writer.into_inner()?));
    write_together(&folder.into(), &files)
}
