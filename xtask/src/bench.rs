//! Speed, as a ratio to PyTorch in the same run, on the same machine; and what LIME takes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::house::sizes;
use crate::measuring::{cpu, images, json, median};
use crate::run::Step;
use crate::tools::{self, Tools};
use crate::{bench_growth, bench_predict, bench_web, bench_wgpu};

/// Networks whose training is timed, at 224 pixels in batches of 16.
const NETWORKS: [&str; 2] = ["efficientnet_lite0", "densenet121"];
/// PyTorch is slow for its first steps.
const STEPS: &str = "15";
const ROUNDS: usize = 2;
const BEGIN: &str = "<!-- cargo xtask bench train -->\n";
const END: &str = "<!-- end of cargo xtask bench train -->\n";
/// LIME's samples in the browser: for the models offered, and for the six networks, where each takes seconds.
const SAMPLES: &str = "1000";
const SAMPLES_OF_SIX: &str = "50";
/// Samples between two rows of LIME's table.
const SHOWN_EVERY: u64 = 50;
/// Pictures that are read.
const PICTURES: usize = 2000;

/// All that there is to measure.
const ALL: [&str; 9] = [
    "size", "data", "train", "predict", "wgpu", "growth", "lime", "page", "web",
];

/// Measures one thing, or all, one after the other. What cannot be measured is said at the end.
///
/// # Errors
/// When something cannot be measured.
pub fn run(root: &Path, what: Option<&str>) -> Result<()> {
    if let Some(what) = what {
        return one(root, what);
    }
    let mut failed = Vec::new();
    for what in ALL {
        println!("\n# bench {what}");
        if let Err(error) = one(root, what) {
            println!("bench {what}: {error:#}");
            failed.push(what);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("not measured: {}", failed.join(", "))
}

fn one(root: &Path, what: &str) -> Result<()> {
    match what {
        "train" => train(&Peer::new(root)?),
        "data" => data(&Peer::new(root)?),
        "lime" => lime(root),
        "page" => page(root),
        "web" => bench_web::run(root),
        "predict" => bench_predict::run(root),
        "wgpu" => bench_wgpu::run(root),
        "growth" => bench_growth::run(root),
        "size" => {
            Tools::for_page(root)?
                .trunk("build")
                .run("build the page")?;
            sizes::print(root)
        }
        other => bail!("there is no bench {other:?}; there are {}", ALL.join(", ")),
    }
}

/// The page in headless Chromium on the CPU: seconds and memory of LIME for every model, a helper and threads beside one worker, frames
/// a second of drags, and lists of growing length.
fn page(root: &Path) -> Result<()> {
    let tools = Tools::for_page(root)?;
    let browser = tools::browser(&tools.path)?;
    Step::new("cargo", &["build", "--release"])
        .run("build the trainer, which imports the six networks")?;
    tools.trunk("build").run("build the page")?;
    sizes::print(root)?;
    for (test, samples) in [
        ("every_model_that_is_offered", SAMPLES),
        ("the_origins_six_networks", SAMPLES_OF_SIX),
        ("two_workers_beside_one", ""),
        ("dragging_a_large_radiograph", ""),
        ("lists_of_growing_length", ""),
    ] {
        let mut arguments = "test --release --features sightline-e2e/browser --test page -- --include-ignored --nocapture"
            .split(' ')
            .collect::<Vec<_>>();
        arguments.push(test);
        let mut step = Step::new("cargo", &arguments)
            .path(&tools.path)
            .env("CHROMEDRIVER", &browser.driver)
            .env("SIGHTLINE_DIST", root.join("dist"));
        if !samples.is_empty() {
            step = step.env("SIGHTLINE_LIME_SAMPLES", samples);
        }
        step.run("measure the page in headless Chromium")?;
    }
    Ok(())
}

/// The trainer, and a Python with PyTorch.
struct Peer {
    root: PathBuf,
    trainer: PathBuf,
    python: PathBuf,
}

impl Peer {
    fn new(root: &Path) -> Result<Self> {
        let python = tools::peers_python(root, &[])?;
        Step::new("cargo", &["build", "--release"]).run("build the trainer")?;
        Ok(Self {
            root: root.to_owned(),
            trainer: root.join("target/release/sightline-trainer"),
            python,
        })
    }

    fn ours(&self, arguments: &[&str]) -> Result<Value> {
        let step = Step::new(&self.trainer.to_string_lossy(), arguments);
        json(step, "time ours")
    }

    fn theirs(&self, script: &str, arguments: &[&str]) -> Result<Value> {
        let script = self.root.join("xtask/bench").join(script);
        let script = script.to_string_lossy();
        let arguments: Vec<&str> = std::iter::once(script.as_ref())
            .chain(arguments.iter().copied())
            .collect();
        let step = Step::new(&self.python.to_string_lossy(), &arguments);
        json(step, "time PyTorch")
    }
}

/// Images a second in each of a run's steps.
fn speeds(run: &Value) -> Result<Vec<f64>> {
    let batch = run["batch"].as_f64().context("a batch")?;
    let seconds = run["seconds"].as_array().context("seconds")?.iter();
    let seconds = seconds.map(|s| s.as_f64().context("seconds"));
    seconds.map(|seconds| Ok(batch / seconds?)).collect()
}

/// Ours and theirs in alternation, so that a busy neighbour slows both.
fn train(peer: &Peer) -> Result<()> {
    let mut table = String::from(
        "| network | ours, images/s | PyTorch, images/s | ratio |\n|---|---:|---:|---:|\n",
    );
    for network in NETWORKS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let own = [
                "bench",
                "train",
                "--architecture",
                network,
                "--steps",
                STEPS,
            ];
            ours.extend(speeds(&peer.ours(&own)?)?);
            theirs.extend(speeds(
                &peer.theirs("train.py", &[network, "16", "224", STEPS])?,
            )?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        table += &format!(
            "| {network} | {ours:.1} | {theirs:.1} | {:.2} |\n",
            ours / theirs
        );
    }
    let table = format!(
        "Training steps, 224 pixels, batch 16; medians of {ROUNDS} x {STEPS} steps, on {}.\n\n{table}",
        cpu()
    );
    println!("\n{table}");
    bench_web::write(&peer.root, &table, [BEGIN, END])
}

/// Samples that LIME needs until its map is the one of 10,000 samples: as LIME's own code draws and fits them, and as ours does.
fn lime(root: &Path) -> Result<()> {
    Step::new("cargo", &["build", "--release"]).run("build the trainer")?;
    let (csv, folder) = images(root)?;
    let model = std::env::var("SIGHTLINE_MODEL");
    let model = model.unwrap_or_else(|_| "www/models/efficientnet-lite0-nih".to_owned());
    let count = std::env::var("SIGHTLINE_COUNT").unwrap_or_else(|_| "20".to_owned());
    let trainer = root.join("target/release/sightline-trainer");
    let (csv, folder) = (csv.to_string_lossy(), folder.to_string_lossy());
    let mut arguments = vec![
        "bench", "lime", "--model", &model, "--csv", &csv, "--root", &folder, "--count", &count,
    ];
    if std::env::var_os("SIGHTLINE_DATA").is_some() {
        arguments.extend(["--split", "test"]);
    }
    let step = Step::new(&trainer.to_string_lossy(), &arguments);
    let run = json(step, "count the samples that LIME needs")?;
    let every = run["every"].as_u64().context("a number")?;
    let mut table = String::from(
        "| samples | plain LIME | orthogonal samples | and emulation (ours) |\n|---:|---:|---:|---:|\n",
    );
    let means = |key: &str| run[key].as_array().cloned().context("correlations");
    let columns = ["plain", "orthogonal", "emulated"].map(means);
    let columns = columns.into_iter().collect::<Result<Vec<_>>>()?;
    for samples in (SHOWN_EVERY..).step_by(SHOWN_EVERY as usize) {
        let index = (samples / every) as usize - 1;
        if index >= columns[0].len() {
            break;
        }
        table += &format!("| {samples} |");
        for column in &columns {
            table += &match column.get(index).and_then(Value::as_f64) {
                Some(mean) => format!(" {mean:.3} |"),
                None => " |".to_owned(),
            };
        }
        table += "\n";
    }
    println!(
        "\n{model}, {} maps of {} images: mean rank correlation with LIME of {} samples\n\n{table}\nneeded for {}: {}",
        run["maps"], run["images"], run["reference"], run["aim"], run["needed"]
    );
    Ok(())
}

fn data(peer: &Peer) -> Result<()> {
    let (csv, root) = images(&peer.root)?;
    let (csv, root) = (csv.to_string_lossy(), root.to_string_lossy());
    let count = PICTURES.to_string();
    let threads = std::thread::available_parallelism()?.to_string();
    let (mut first, mut later, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let own = [
            "bench", "data", "--csv", &csv, "--root", &root, "--count", &count,
        ];
        let run = peer.ours(&own)?;
        let number = |key: &str| run[key].as_f64().context("a number");
        let (pictures, decode, change) = (
            number("pictures")?,
            number("decode_seconds")?,
            number("change_seconds")?,
        );
        first.push(pictures / (decode + change));
        later.push(pictures / change);
        let run = peer.theirs("data.py", &[&csv, &root, "224", &count, &threads])?;
        let seconds = run["seconds"].as_f64().context("seconds")?;
        theirs.push(run["pictures"].as_f64().context("pictures")? / seconds);
    }
    let (first, later, theirs) = (median(first), median(later), median(theirs));
    println!(
        "\nPictures to tensors, 224 pixels, {threads} threads or workers\n\n\
         | | images/s | ratio |\n|---|---:|---:|\n\
         | ours, first epoch (decoded) | {first:.0} | {:.1} |\n\
         | ours, later epochs (kept decoded) | {later:.0} | {:.1} |\n\
         | Pillow + torchvision in a DataLoader | {theirs:.0} | 1 |\n",
        first / theirs,
        later / theirs
    );
    Ok(())
}
