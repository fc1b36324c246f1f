//! The command line of Sightline: trains, evaluates, predicts and explains models, imports and exports them.

mod bench;
mod beside;
mod card;
mod data;
mod evaluate;
mod explain;
mod export;
#[cfg(test)]
mod golden;
mod history;
mod import;
mod localize;
mod marks;
mod merge;
mod metrics;
mod options;
mod parts;
mod plots;
mod predict;
mod score;
mod storage;
mod train;

pub use data::read_as_tables;

use anyhow::Result;
use burn::tensor::Device;
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
    /// Train a network by a recipe.
    Train(train::Options),
    /// Measure a package: AUC and more, with 95% intervals by patient.
    Evaluate(evaluate::Options),
    /// Write the probabilities of every image of a CSV.
    Predict(predict::Options),
    /// Show where in images the evidence for a finding is.
    Explain(explain::Options),
    /// Measure whether a package's maps point at what radiologists marked.
    Localize(localize::Options),
    /// Join what predict, evaluate or localize wrote with --shard.
    Merge(merge::Options),
    /// Make a package of weights that another tool trained.
    Import(import::Options),
    /// Make a package of a run's best weights, measured on its data.
    Export(export::Options),
    /// Measure a package anew, and write its figures and card.
    Card(card::Options),
    /// Time parts of a training, for `cargo xtask bench`.
    #[command(hide = true, subcommand)]
    Bench(bench::What),
}

/// A training step takes and gives back gigabytes in blocks of many megabytes. glibc asks the kernel for each of them
/// anew, page by page: a quarter of a step's time. Let it keep them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    // SAFETY: called before any other thread is started; it only sets numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_memory() {}

/// Does what the command line says.
///
/// # Errors
/// When it cannot be done: with everything that a person needs to know.
pub fn main() -> Result<()> {
    keep_memory();
    match Cli::parse().command {
        Command::Train(options) => train::run(&options),
        Command::Evaluate(options) => evaluate::run(&options),
        Command::Predict(options) => predict::predict(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Localize(options) => localize::run(&options),
        Command::Merge(options) => merge::merge(&options),
        Command::Import(options) => import::import(options, &Device::flex()),
        Command::Export(options) => export::run(&options),
        Command::Card(options) => card::run(&options),
        Command::Bench(what) => bench::run(&what),
    }
}
