//! The command line: a file for each command.

mod bench;
mod card;
mod convert;
mod crops;
mod evaluate;
mod explain;
mod export;
mod gate;
mod import;
mod lime;
mod localize;
mod merge;
mod model;
mod options;
mod predict;
mod reader;
mod train;
mod values;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "sightline-trainer", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Files and folders may be URLs of an object store too: s3://bucket/..., gs://..., az://...
#[derive(Subcommand)]
enum Command {
    /// Train a network as a recipe says.
    Train(train::Options),
    /// Measure a package on images: AUC and other figures, with 95% intervals by patient.
    Evaluate(evaluate::Options),
    /// Score every image of a CSV and write the probabilities.
    Predict(predict::Options),
    /// Draw a map of the evidence for a finding, by Grad-CAM or another method.
    Explain(explain::Options),
    /// Measure whether a package's maps point at what radiologists marked.
    Localize(localize::Options),
    /// Write radiographs as PNG, without what their files say of a person.
    Convert(convert::Options),
    /// Join the parts that predict, evaluate or localize wrote with --shard.
    Merge(merge::Options),
    /// Make a package from weights that another tool trained.
    Import(import::Options),
    /// Make a package from a training run's weights, and measure it on the run's data; or write a package as ONNX, safetensors or for Hugging Face.
    Export(export::Options),
    /// Measure a package again, and rewrite its figures and card.
    Card(card::Options),
    /// Teach a package which pictures it does not know, and measure that.
    Gate(gate::Options),
    /// Time parts of a training, for `cargo xtask bench`.
    #[command(hide = true, subcommand)]
    Bench(bench::What),
}

/// Does what the command line says.
pub fn run() -> Result<()> {
    match Cli::parse().command {
        Command::Train(options) => train::run(&options),
        Command::Evaluate(options) => evaluate::run(&options),
        Command::Predict(options) => predict::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Localize(options) => localize::run(&options),
        Command::Convert(options) => convert::run(&options),
        Command::Merge(options) => merge::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Card(options) => card::run(&options),
        Command::Gate(options) => gate::run(&options),
        Command::Bench(what) => bench::run(&what),
    }
}
