//! Training on a graphics card by way of wgpu, beside the CPU: the same steps, and their losses. And reading in float16 beside float32.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench_web;
use crate::measuring::{json, median};
use crate::run::Step;
use crate::tools;

const NETWORK: &str = "efficientnet_lite0";
/// The first step is not timed.
const TIMED: &str = "4";
/// AdamW's first steps move every weight by the rate, even those whose gradient is rounding: at larger rates devices drift apart by that.
const OPTIONS: [&str; 6] = ["--batch", "8", "--size", "128", "--rate", "1e-5"];
/// How far a loss may be from the CPU's.
const TOLERANCE: f64 = 1e-3;
/// How far a probability in float16 may be from float32's: as the page's engine has it.
const FLOAT16_TOLERANCE: f64 = 0.01;
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
    table += &format!("\nAt most {most:.0e} apart.\n\n");
    table += &float16(root)?;
    bench_web::write(root, &table, [BEGIN, END])
}

/// What the shipped networks say of the samples in float16, as a table.
///
/// # Errors
/// When the adapter does not compute in it, or a probability is too far from float32's.
fn float16(root: &Path) -> Result<String> {
    let trainer = root.join("target/wgpu/release/sightline-trainer");
    let samples = root.join("www/samples");
    let mut table = String::from(
        "The shipped networks in float16, beside float32, on the samples:\n\n\
         | network | a logit differs by | a probability by | a reading takes, of float32's time |\n|---|---:|---:|---:|\n",
    );
    for (package, title) in bench_web::PACKAGES {
        let model = root.join("www/models").join(package);
        let mut arguments = ["bench", "float16", "--device", "wgpu"]
            .map(str::to_owned)
            .to_vec();
        arguments.extend(["--model".to_owned(), model.display().to_string()]);
        for entry in std::fs::read_dir(&samples)? {
            let file = entry?.path();
            if file.extension().is_some_and(|kind| kind == "jpg") {
                arguments.extend(["--image".to_owned(), file.display().to_string()]);
            }
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let step = Step::new(&trainer.to_string_lossy(), &arguments);
        let run: Value = json(step, "read in float16")?;
        let number = |key: &str| run[key].as_f64().context("a number");
        let time = |key: &str| -> Result<f64> {
            let values = run[key].as_array().context("times")?.iter();
            let values: Option<Vec<f64>> = values.map(Value::as_f64).collect();
            Ok(median(values.context("a time is no number")?))
        };
        let probabilities = number("probabilities")?;
        table += &format!(
            "| {title} | {:.0e} | {probabilities:.0e} | {:.2} |\n",
            number("logits")?,
            time("float16_ms")? / time("float32_ms")?,
        );
        if probabilities > FLOAT16_TOLERANCE {
            bail!("a probability of {title} is {probabilities} from float32's");
        }
    }
    Ok(table)
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
