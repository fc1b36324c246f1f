//! What a reader does with the page, in a real browser. Each file has one subject.

mod devices;
mod dicom;
mod dropped;
mod embed;
mod engine;
mod everyone;
mod explain;
mod faults;
mod gate;
mod language;
mod look;
mod maps;
mod models;
mod offline;
mod open;
mod print;
mod read;
mod served;
mod smooth;
mod teaching;
mod threads;
mod trust;
mod validation;
mod worklist;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use burn::tensor::Device;
use sightline::asked::{Asked, drive};
use sightline::explain::Explain;
use sightline::explain::fill::Fill;
use sightline::explain::lime::{self, Segmentation};
use sightline::explain::method::Method;
use sightline::package::{Manifest, Output};
use sightline::radiograph::{DepthSource, Radiograph};
use sightline::reader::{InBatches, Reader};
use sightline::reading::Reading;
use sightline::report::Report;
use sightline::trust::erase::erasing;
use sightline::trust::faithfulness::{self, Curves};
use sightline_e2e::{Options, Page, Server, Webgpu};
use sightline_session::messages::{Answer, Reason, Refusal, Request, encode};
use thirtyfour::prelude::*;

const LOAD: Duration = Duration::from_secs(120);

const READ: Duration = Duration::from_secs(120);

/// SwiftShader computes shaders on the CPU.
const SLOW: Duration = Duration::from_secs(420);

/// Names how many samples LIME takes of each model, where that is to be measured: more than a test needs.
const LIME_SAMPLES: &str = "SIGHTLINE_LIME_SAMPLES";

const PATIENT: Duration = Duration::from_secs(1800);

fn www() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../www")
}

fn sample(name: &str) -> PathBuf {
    www().join("samples").join(name)
}

/// The default model's folder.
fn model() -> Result<(String, PathBuf)> {
    let index: sightline::package::ModelIndex =
        serde_json::from_slice(&std::fs::read(www().join("models/index.json"))?)?;
    let name = index.models.first().context("a model")?.name.clone();
    Ok((name.clone(), www().join("models").join(name)))
}

/// The native engine's reading of a file, with the default model.
async fn native(file: &Path) -> Result<(Manifest, Reading)> {
    native_with(&model()?.1, file).await
}

fn reader(folder: &Path) -> Result<Reader> {
    let manifest = Manifest::parse(&std::fs::read(folder.join("manifest.json"))?)?;
    let weights = std::fs::read(folder.join(&manifest.weights.file))?;
    Ok(Reader::load(manifest, &weights, &Device::flex())?)
}

async fn native_with(folder: &Path, file: &Path) -> Result<(Manifest, Reading)> {
    let reader = reader(folder)?;
    let radiograph = Radiograph::decode(&std::fs::read(file)?)?;
    let reading = reader.read(&reader.view(&radiograph.image)).await?;
    Ok((reader.manifest, reading))
}

async fn assert_scores_are_native(page: &Page, file: &Path) -> Result<()> {
    assert_scores_are(page, &native(file).await?.1).await
}

async fn assert_scores_are(page: &Page, expected: &Reading) -> Result<()> {
    let scores = page.scores().await?;
    ensure!(
        expected.probabilities.iter().any(Option::is_some),
        "nothing was trained"
    );
    for (index, (ours, expected)) in scores.iter().zip(&expected.probabilities).enumerate() {
        match (ours, expected) {
            (Some(a), Some(b)) => {
                ensure!((a - b).abs() < 1e-3, "finding {index}: {a}, natively {b}")
            }
            (None, None) => {}
            other => bail!("finding {index}: {other:?}"),
        }
    }
    Ok(())
}

/// The native engine's explanation of a radiograph, of as many samples as `ours`.
async fn explained(
    reader: &Reader,
    radiograph: &Radiograph,
    ours: &lime::Explanation,
) -> Result<lime::Explanation> {
    let view = reader.view(&radiograph.image);
    let again = ours.start_again(&view, &reader.manifest.input);
    ask(reader, again.map_err(|why| anyhow!(why))?).await
}

/// Asks the native engine until all is known.
async fn ask<A: Asked>(reader: &Reader, mut asked: A) -> Result<A::Outcome> {
    let mut scorer = InBatches { reader, batch: 16 };
    drive(&mut asked, &mut scorer, async |_| Ok(())).await?;
    asked.outcome().context("nothing came of it")
}

/// What LIME, which is under way, knows after its first samples, for which it is given more and more time.
async fn stopped_early(page: &Page) -> Result<lime::Explanation> {
    let start = std::time::Instant::now();
    let mut patience = Duration::from_secs(10);
    loop {
        page.wait_for(&["explaining"], READ).await?;
        tokio::time::sleep(patience).await;
        patience *= 2;
        page.element("cancel").await?.click().await?;
        page.wait_for(&["ready"], READ).await?;
        let (_, json) = page.saved_by("export-json").await?;
        let report: Report = serde_json::from_slice(&json)?;
        if let Some(lime) = report.explanations.lime {
            return Ok(lime);
        }
        ensure!(start.elapsed() < SLOW, "LIME has nothing to show");
        choose(page, "explain-method", "grad-cam").await?;
        choose(page, "explain-method", "lime").await?;
    }
}

fn assert_coefficients_are(ours: &lime::Explanation, native: &lime::Explanation) -> Result<()> {
    ensure!(native.segments == ours.segments, "other regions");
    for (ours, native) in ours.findings.iter().zip(&native.findings) {
        let (Some(ours), Some(native)) = (ours, native) else {
            ensure!(
                ours.is_none() && native.is_none(),
                "trained only in one place"
            );
            continue;
        };
        let pairs = ours.coefficients.iter().zip(&native.coefficients);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        ensure!(worst < 1e-3, "coefficients differ by {worst}");
    }
    Ok(())
}

async fn open(server: &Server, query: &str) -> Result<Page> {
    let page = Page::open(server, query, Options::default()).await?;
    page.wait_for(&["idle"], LOAD).await?;
    Ok(page)
}

/// Sets a control and tells the page.
async fn choose(page: &Page, control: &str, value: &str) -> Result<()> {
    let set = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))";
    let control = page.element(control).await?;
    page.script(set, vec![control.to_json()?, serde_json::json!(value)])
        .await?;
    Ok(())
}

/// Opens a sample and has LIME explain it with so many samples.
async fn explain_by_lime(page: &Page, samples: usize) -> Result<()> {
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    choose(page, "lime-samples", &samples.to_string()).await?;
    choose(page, "explain-method", "lime").await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    Ok(())
}

/// Opens the page in a browser whose adapter is SwiftShader.
async fn open_with_webgpu(server: &Server, query: &str) -> Result<Page> {
    let options = Options {
        webgpu: Webgpu::Software,
        ..Options::default()
    };
    Page::open(server, query, options).await
}

/// The program of the engine on the CPU with a script in front, which runs in the worker before it.
fn engine_after(script: &str) -> Result<Vec<u8>> {
    program_after(script, "engine.js")
}

/// A program with a script in front.
fn program_after(script: &str, name: &str) -> Result<Vec<u8>> {
    let program = std::fs::read_to_string(sightline_e2e::dist().join(name))?;
    Ok(format!("{script}\n{program}").into_bytes())
}

/// The program of the engine that can compute on a graphics card.
const GPU_ENGINE: &str = "engine-webgpu.js";
