//! What a training is about to do, and what it has done, for people.

use std::path::Path;

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sightline::finding::Finding;
use sightline::network::Network;

use super::Recipe;
use crate::data::{Dataset, Label, Splits};
use crate::history::Epoch;
use crate::measure::metrics::Scored;
use crate::measure::plots;
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
                "{name}: {} images of {}",
                data.rows.len(),
                data.said_patients()
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
        let taught = match super::balance::teaches(recipe, &splits.train, finding) {
            true => "",
            false => "   will not be trained",
        };
        println!(
            "{:28} {:>9} {:>9} {:>9} {:>9}{taught}",
            finding.name(),
            count(Label::Present),
            count(Label::Absent),
            count(Label::Uncertain),
            count(Label::Unlabelled)
        );
    }
    if marked > 0 {
        println!("\nradiologists' boxes are on {marked} of the training images");
    }
    let device = Device::flex().autodiff();
    let network = Network::new(&recipe.architecture, Finding::ALL.len(), &device)?;
    let parameters = network.num_params();
    // Weights, gradients, Adam's two moments, and the average.
    let copies = if recipe.average_decay > 0.0 { 5 } else { 4 };
    let held = parameters * 4 * copies;
    let activations = activations(&network, recipe) * recipe.batch;
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

fn labels(data: &Dataset, finding: Finding, label: Label) -> usize {
    let rows = data.rows.iter();
    rows.filter(|row| row.labels[finding.index()] == label)
        .count()
}

/// The bytes that a training step keeps for each picture: what is allocated in one forward pass, measured here, on the CPU, on
/// small pictures, since it grows with their area; of two numbers of pictures the difference, for some is kept once for all. 0 where
/// the system does not tell.
fn activations(network: &Network, recipe: &Recipe) -> usize {
    const PICTURES: [usize; 2] = [2, 4];
    const SIDE: usize = 96;
    let (size, channels) = (recipe.input.size, recipe.architecture.in_channels);
    let side = SIDE.min(size);
    let device = Device::flex().autodiff();
    let [few, more] = PICTURES.map(|pictures| {
        let x = Tensor::zeros([pictures, channels, side, side], &device);
        // Weights are made when they are first used.
        drop(network.forward(x.clone()));
        let before = allocated();
        let logits = network.forward(x);
        let grown = allocated().wrapping_sub(before) as usize;
        drop(logits);
        grown
    });
    let grown = more.saturating_sub(few) / (PICTURES[1] - PICTURES[0]);
    grown * (size * size) / (side * side)
}

/// The bytes that are allocated, but for multiples of 4 GB: differences are right. Pages of the process would not tell: those that
/// reading the tables has freed are used again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn allocated() -> u32 {
    // SAFETY: it reads the allocator's own counts.
    let counts = unsafe { libc::mallinfo() };
    (counts.uordblks as u32).wrapping_add(counts.hblkhd as u32)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn allocated() -> u32 {
    0
}

/// The epochs' figures in the run's folder: `metrics.csv`, and as pictures; with those of the last validation's scores.
pub fn write_figures(folder: &Path, history: &[Epoch], scored: &[Scored]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for epoch in history {
        writer.serialize(epoch)?;
    }
    let figures = plots::training(history)?
        .into_iter()
        .chain(plots::scores(scored, &Finding::ALL)?)
        .map(|(name, svg)| (name, svg.into_bytes()));
    let mut files: Vec<(&str, Vec<u8>)> = figures.collect();
    files.push(("metrics.csv", writer.into_inner()?));
    write_together(&folder.into(), &files)
}
