//! `predict` beside ONNX Runtime: the same networks, weights, pictures and threads, in turns.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench_web::{self, PACKAGES};
use crate::measuring::{cpu, images, json, median};
use crate::run::{Step, output};
use crate::tools;

const ONNX_RUNTIME: &str = "1.32.0";
/// Pictures that are scored: the first of the CSV, from its beginning again where it has fewer.
const PICTURES: usize = 400;
const THREADS: [&str; 2] = ["1", "2"];
const ROUNDS: usize = 7;
const BEGIN: &str = "<!-- cargo xtask bench predict -->\n";
const END: &str = "<!-- end of cargo xtask bench predict -->\n";

/// Measures, and writes the table into `docs/measured.md`.
///
/// # Errors
/// When something cannot be had, or a command fails.
pub fn run(root: &Path) -> Result<()> {
    Step::new("cargo", &["build", "--release"]).run("build the trainer")?;
    let place = root.join("target/tools/bench-web");
    bench_web::export(root, &place)?;
    let python = tools::peers_python(root, &[("onnxruntime", ONNX_RUNTIME)])?;
    let bench = Bench::new(root, place, python)?;
    let mut table = String::from(
        "Pictures a second.\n\n| network | threads | Sightline | ONNX Runtime | ratio |\n|---|---:|---:|---:|---:|\n",
    );
    for (package, title) in PACKAGES {
        for threads in THREADS {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(bench.ours(package, threads)?);
                theirs.push(bench.theirs(package, threads)?);
            }
            let (ours, theirs) = (median(ours), median(theirs));
            table += &format!(
                "| {title} | {threads} | {ours:.0} | {theirs:.0} | {:.2} |\n",
                ours / theirs
            );
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let commit = output("git", &["describe", "--always", "--dirty"], &path);
    table += &format!(
        "\nSightline {}, ONNX Runtime {ONNX_RUNTIME}, medians of {ROUNDS} rounds, {PICTURES} pictures of {}, on {}.\n",
        commit.as_deref().unwrap_or("?"),
        bench.of,
        cpu(),
    );
    println!("\n{table}");
    bench_web::write(root, &table, [BEGIN, END])
}

struct Bench {
    root: PathBuf,
    place: PathBuf,
    python: PathBuf,
    csv: PathBuf,
    folder: PathBuf,
    /// What is scored, in words.
    of: String,
}

impl Bench {
    fn new(root: &Path, place: PathBuf, python: PathBuf) -> Result<Self> {
        let (all, folder) = images(root)?;
        let text = std::fs::read_to_string(&all)?;
        let (header, rows) = text.split_once('\n').context("a header")?;
        let rows: Vec<&str> = rows.lines().collect();
        if rows.is_empty() {
            bail!("{} has no rows", all.display());
        }
        let first = rows.iter().cycle().take(PICTURES);
        let first = first.map(|row| format!("{row}\n")).collect::<String>();
        let csv = place.join("predict.csv");
        std::fs::write(&csv, format!("{header}\n{first}"))?;
        let name = all.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            root: root.to_owned(),
            of: format!("{name} ({} images)", rows.len().min(PICTURES)),
            place,
            python,
            csv,
            folder,
        })
    }

    /// Pictures a second of the whole command, with its start.
    fn ours(&self, package: &str, threads: &str) -> Result<f64> {
        let trainer = self.root.join("target/release/sightline-trainer");
        let model = self.root.join("www/models").join(package);
        let out = self.place.join("ours.csv");
        let paths = [&trainer, &model, &self.csv, &self.folder, &out];
        let [trainer, model, csv, folder, out] = paths.map(|path| path.to_string_lossy());
        let arguments = [
            "predict", "--model", &model, "--csv", &csv, "--root", &folder, "--out", &out,
        ];
        let start = Instant::now();
        Step::new(&trainer, &arguments)
            .env("RAYON_NUM_THREADS", threads)
            .run("score pictures")?;
        Ok(PICTURES as f64 / start.elapsed().as_secs_f64())
    }

    /// Pictures a second, without the start of Python and what it loads.
    fn theirs(&self, package: &str, threads: &str) -> Result<f64> {
        let script = self.root.join("xtask/bench/predict.py");
        let network = self.place.join(package).join("network.onnx");
        let manifest = self.root.join("www/models").join(package);
        let manifest = manifest.join("manifest.json");
        let out = self.place.join("theirs.csv");
        let paths = [
            &script,
            &network,
            &manifest,
            &self.csv,
            &self.folder,
            &out,
            &self.python,
        ];
        let paths = paths.map(|path| path.to_string_lossy());
        let [script, network, manifest, csv, folder, out, python] = &paths;
        let arguments = [script, network, manifest, csv, folder, out].map(AsRef::as_ref);
        let arguments: Vec<&str> = arguments.into_iter().chain([threads]).collect();
        let run: Value = json(Step::new(python, &arguments), "score them by ONNX Runtime")?;
        let seconds = run["seconds"].as_f64().context("seconds")?;
        Ok(run["pictures"].as_f64().context("pictures")? / seconds)
    }
}
