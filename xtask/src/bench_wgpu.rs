//! Training on a graphics card by way of wgpu, beside the CPU: the same steps, and their losses.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench_web;
use crate::measuring::json;
use crate::run::Step;
use crate::tools;

const NETWORK: &str = "efficientnet_lite0";
/// The first step is not timed.
const TIMED: &str = "4";
/// AdamW's first steps move every weight by the rate, even those whose gradient is rounding: at larger rates devices drift apart by that.
const OPTIONS: [&str; 6] = ["--batch", "8", "--size", "128", "--rate", "1e-5"];
/// How far a loss may be from the CPU's.
const TOLERANCE: f64 = 1e-3;
const BEGIN: &str = "<!-- cargo xtask bench wgpu -->\n";
const END: &str = "<!-- end of cargo xtask bench wgpu -->\n";

/// Builds the trainer with wgpu, trains on both, and writes the losses into `docs/measured.md`.
///
/// # Errors
/// When it cannot be built or finds no adapter, or a loss is another.
pub fn run(root: &Path) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    tools::vulkan(&path)?;
    Step::new("cargo", &["build", "--release"]).run("build the trainer")?;
    // In a folder of its own: other features would build every command's dependencies anew.
    let build = "build --release -p sightline-trainer --features wgpu --target-dir target/wgpu";
    let build: Vec<&str> = build.split(' ').collect();
    Step::new("cargo", &build).run("build the trainer with wgpu (minutes)")?;
    let cpu = losses(root, "target/release", "flex")?;
    let card = losses(root, "target/wgpu/release", "wgpu")?;
    let mut table = String::from("| step | CPU | wgpu |\n|---:|---:|---:|\n");
    let mut most = 0.0_f64;
    for (step, (cpu, card)) in cpu.iter().zip(&card).enumerate() {
        table += &format!("| {} | {cpu:.5} | {card:.5} |\n", step + 1);
        most = most.max((cpu - card).abs());
    }
    println!("\n{table}\nat most {most:.1e} apart");
    let near = |(cpu, card): (&f64, &f64)| (cpu - card).abs() <= TOLERANCE;
    if cpu.len() != card.len() || !cpu.iter().zip(&card).all(near) {
        bail!("a loss is {most} from the CPU's");
    }
    table += &format!("\nAt most {most:.0e} apart.\n");
    bench_web::write(root, &table, [BEGIN, END])
}

fn losses(root: &Path, folder: &str, device: &str) -> Result<Vec<f64>> {
    let trainer = root.join(folder).join("sightline-trainer");
    let mut arguments = vec!["bench", "train", "--architecture", NETWORK];
    arguments.extend(["--steps", TIMED, "--device", device]);
    arguments.extend(OPTIONS);
    let step = Step::new(&trainer.to_string_lossy(), &arguments);
    let run: Value = json(step, &format!("train on {device}"))?;
    let losses = run["losses"].as_array().context("losses")?.iter();
    losses
        .map(|loss| loss.as_f64().context("a loss is no number"))
        .collect()
}
