//! What a reader does with the page, in a real browser.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use sightline::explain::erase::erase;
use sightline::explain::faithfulness::Curves;
use sightline::explain::fill::Fill;
use sightline::explain::lime::{self, Lime, Segmentation};
use sightline::package::Manifest;
use sightline::radiograph::Radiograph;
use sightline::reading::{Reader, Reading};
use sightline::report::Report;
use sightline_e2e::{Options, Page, Server, Webgpu};
use thirtyfour::prelude::*;

const LOAD: Duration = Duration::from_secs(120);
const READ: Duration = Duration::from_secs(120);
/// SwiftShader computes shaders on the CPU.
const SLOW: Duration = Duration::from_secs(420);

/// Names how many samples LIME takes of each model, where that is to be measured: more than a test needs.
const LIME_SAMPLES: &str = "SIGHTLINE_LIME_SAMPLES";
const PATIENT: Duration = Duration::from_secs(1800);

/// A PNG of 76 bytes whose header promises 100 megapixels.
const HUGE_PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x27\x10\0\0\x27\x10\x08\0\0\0\0\x9f\x25\x3d\xfb\
\0\0\0\x0cIDAT\x78\x9c\x63\x60\xa0\x3d\0\0\0\x64\0\x01\x86\x64\x3c\x35\0\0\0\0IEND\xae\x42\x60\x82";

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

/// The same reading by the native engine, with the default model.
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
    let reading = reader.read(&radiograph.image).await?;
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

/// The same explanation, of as many samples, by the native engine.
async fn explained(
    reader: &Reader,
    radiograph: &Radiograph,
    ours: &lime::Explanation,
) -> Result<lime::Explanation> {
    let input = &reader.manifest.input;
    let square = input.square(&radiograph.image);
    let mut lime = Lime::new(&square, input, ours.options.clone());
    while lime.scored() < ours.samples {
        let values = lime.next_batch(16.min(ours.samples - lime.scored()));
        lime.push(reader.score(values).await?);
    }
    lime.explanation().context("no sample")
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
        if let Some(lime) = report.lime {
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

#[tokio::test]
async fn a_sample_is_read_explained_and_nothing_leaves_the_origin() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    ensure!(
        page.text("adapter").await?.starts_with("CPU, "),
        "{}",
        page.text("adapter").await?
    );
    page.screenshot("wide-idle").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    ensure!(!page.exists("error").await?, "an error is shown");
    page.screenshot("wide-ready").await?;

    // Hovering and arrow keys change the map at once.
    let (width, first, coloured) = page.canvas_pixels("overlay-canvas").await?;
    ensure!(
        width > 200 && coloured > 1000,
        "the overlay has {coloured} coloured pixels"
    );
    let list = page.driver.find(By::Css(".findings")).await?;
    list.send_keys(Key::Down).await?;
    let (_, second, _) = page.canvas_pixels("overlay-canvas").await?;
    ensure!(first != second, "the arrow key did not change the map");
    list.send_keys(Key::Up).await?;
    ensure!(
        page.canvas_pixels("overlay-canvas").await?.1 == first,
        "the way back gives another map"
    );
    let other = page
        .driver
        .find(By::Css(".findings li:nth-child(3)"))
        .await?;
    page.driver
        .action_chain()
        .move_to_element_center(&other)
        .perform()
        .await?;
    let (_, third, _) = page.canvas_pixels("overlay-canvas").await?;
    ensure!(third != first, "hovering did not change the map");

    // Colours and opacity.
    let set = r#"
        const input = document.querySelector(`[data-testid='${arguments[0]}']`);
        input.value = arguments[1];
        for (const kind of ['input', 'change']) input.dispatchEvent(new Event(kind, { bubbles: true }));
    "#;
    page.script(set, vec!["colormap".into(), "viridis".into()])
        .await?;
    ensure!(
        page.canvas_pixels("overlay-canvas").await?.1 != third,
        "the colours did not change"
    );
    page.script(set, vec!["opacity".into(), "0".into()]).await?;
    let (_, _, coloured) = page.canvas_pixels("overlay-canvas").await?;
    ensure!(coloured == 0, "{coloured} pixels are coloured at opacity 0");

    ensure!(
        page.text("trust-panel").await?.contains("AUC"),
        "{}",
        page.text("trust-panel").await?
    );
    ensure!(server.total() > 5, "the server was not asked");
    ensure!(
        server.foreign().is_empty(),
        "requests left the origin: {:?}",
        server.foreign()
    );
    page.close().await
}

#[tokio::test]
async fn a_file_is_read_by_button_by_drop_and_by_paste() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "").await?;
    let file = sample("cardiomegaly.jpg");
    page.choose(&file).await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &file).await?;

    for (how, name) in [("drop", "effusion.jpg"), ("paste", "no-finding.jpg")] {
        let file = sample(name);
        // Without an extension: the format is told from the bytes.
        page.give(how, "radiograph", &std::fs::read(&file)?).await?;
        let read = async {
            loop {
                if page.state().await? == "ready"
                    && assert_scores_are_native(&page, &file).await.is_ok()
                {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(READ, read)
            .await
            .with_context(|| format!("{how} did not read {name}"))??;
    }
    page.close().await
}

/// Needs the shared radiographs (`../shared/data`); without them it says so and does nothing.
#[tokio::test]
async fn radiographs_of_other_hospitals_are_read_as_natively() -> Result<()> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.is_dir() {
        eprintln!("skipped: {} is not there", data.display());
        return Ok(());
    }
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    for set in ["nih", "covid", "wingspan", "hannover", "kermany"] {
        let csv = std::fs::read_to_string(data.join(format!("{set}.csv")))?;
        let row = csv.lines().nth(7).context("rows")?;
        let file = data.join(row.split(',').next().context("a path")?);
        page.choose(&file).await?;
        page.wait_for(&["reading", "ready"], READ).await?;
        page.wait_for(&["ready"], READ).await?;
        assert_scores_are_native(&page, &file)
            .await
            .with_context(|| file.display().to_string())?;
    }
    page.close().await
}

#[tokio::test]
async fn files_that_cannot_be_read_say_why_and_the_next_one_is_read() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let jpeg = std::fs::read(sample("effusion.jpg"))?;
    let mut dicom = vec![0; 128];
    dicom.extend_from_slice(b"DICM and more");
    let cases: [(&str, &[u8], &str); 5] = [
        ("notes.jpg", b"just some words", "text file"),
        ("cut.jpg", &jpeg[..jpeg.len() / 2], "cut short"),
        ("huge.png", HUGE_PNG, "10000 x 10000"),
        ("scan.dcm", &dicom, "DICOM"),
        ("empty.png", b"", "empty"),
    ];
    for (name, bytes, reason) in cases {
        page.give("drop", name, bytes).await?;
        let told = async {
            loop {
                if page.exists("error").await? && page.text("error").await?.contains(reason) {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(READ, told)
            .await
            .with_context(|| format!("{name}: no word of {reason:?}"))??;
        ensure!(
            page.state().await? == "error",
            "{name}: the page is {}",
            page.state().await?
        );
    }
    page.screenshot("wide-error").await?;
    page.give("drop", "good.jpg", &jpeg).await?;
    page.wait_for(&["ready"], READ).await?;
    ensure!(!page.exists("error").await?, "the old error is still shown");
    page.close().await
}

#[tokio::test]
async fn loading_can_be_cancelled_and_taken_up_again() -> Result<()> {
    let server = Server::start()?;
    let (name, _) = model()?;
    server.delay(
        &format!("models/{name}/weights.bpk"),
        Duration::from_secs(4),
    );
    let page = Page::open(&server, "?device=cpu", Options::default()).await?;
    page.element("progress").await?;
    page.element("cancel").await?.click().await?;
    page.wait_for(&["error"], LOAD).await?;
    ensure!(
        page.text("error").await?.contains("cancelled"),
        "{}",
        page.text("error").await?
    );
    // A file given now loads the model after all.
    page.element("sample-0").await?.click().await?;
    page.wait_for(&["ready"], LOAD).await?;
    assert_scores_are_native(&page, &sample("cardiomegaly.jpg")).await?;
    page.close().await
}

#[tokio::test]
async fn the_second_visit_takes_the_weights_from_the_cache() -> Result<()> {
    let server = Server::start()?;
    let (name, _) = model()?;
    let weights = format!("models/{name}/weights.bpk");
    let page = open(&server, "?device=cpu").await?;
    ensure!(
        server.count(&weights) == 1,
        "fetched {} times",
        server.count(&weights)
    );
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    ensure!(
        server.count(&weights) == 1,
        "fetched {} times",
        server.count(&weights)
    );
    page.element("sample-2").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &sample("no-finding.jpg")).await?;
    page.close().await
}

#[tokio::test]
async fn without_webgpu_the_cpu_reads_and_asking_for_webgpu_says_what_to_do() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "").await?;
    ensure!(
        page.text("adapter").await?.starts_with("CPU, "),
        "{}",
        page.text("adapter").await?
    );
    page.close().await?;
    let page = Page::open(&server, "?device=webgpu", Options::default()).await?;
    page.wait_for(&["error"], LOAD).await?;
    ensure!(
        page.text("error").await?.contains("no WebGPU"),
        "{}",
        page.text("error").await?
    );
    page.close().await
}

#[tokio::test]
async fn a_software_adapter_is_used_only_when_asked_for_and_said_to_be_one() -> Result<()> {
    let server = Server::start()?;
    let options = Options {
        webgpu: Webgpu::Software,
        ..Options::default()
    };
    let page = Page::open(&server, "", options).await?;
    page.wait_for(&["idle"], LOAD).await?;
    ensure!(
        page.text("adapter").await?.starts_with("CPU, "),
        "{}",
        page.text("adapter").await?
    );
    page.close().await?;

    let page = Page::open(&server, "?device=webgpu", options).await?;
    page.wait_for(&["idle"], SLOW).await?;
    let adapter = page.text("adapter").await?;
    ensure!(
        adapter.starts_with("WebGPU: ") && adapter.contains("software"),
        "{adapter}"
    );
    // A reading that is cancelled leaves the page ready for the next.
    page.element("sample-0").await?.click().await?;
    page.wait_for(&["reading"], READ).await?;
    page.element("cancel").await?.click().await?;
    page.wait_for(&["idle"], READ).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    page.close().await
}

/// A GPU without room for sixteen pictures, nor for eight: a third engine scores four at a time, and explains as the CPU does.
#[tokio::test]
async fn a_gpu_that_runs_out_of_memory_scores_fewer_pictures_at_once() -> Result<()> {
    let server = Server::start()?;
    let loader = std::fs::read_to_string(sightline_e2e::dist().join("engine_loader.js"))?;
    // As Chromium has it: creating a buffer never fails, but the device hears of it soon after. The largest buffer that the
    // default model needs for a picture has 4.8 MB.
    let small_gpu = "
        const createBuffer = GPUDevice.prototype.createBuffer;
        GPUDevice.prototype.createBuffer = function (descriptor) {
            if (descriptor.size > 24e6) {
                const error = new GPUOutOfMemoryError('no room for a buffer of ' + descriptor.size + ' bytes');
                setTimeout(() => this.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error })));
            }
            return createBuffer.call(this, descriptor);
        };
    ";
    let loader = format!("{small_gpu}{loader}").into_bytes();
    server.answer_instead("engine_loader.js", loader);
    let options = Options {
        webgpu: Webgpu::Software,
        ..Options::default()
    };
    let page = Page::open(&server, "?device=webgpu", options).await?;
    page.wait_for(&["idle"], SLOW).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    choose(&page, "explain-method", "lime").await?;
    let start = std::time::Instant::now();
    loop {
        let said = page.text("status").await?;
        if said.contains("LIME") && said.contains("could not score 8") {
            ensure!(said.contains("4 at a time"), "{said}");
            break;
        }
        ensure!(start.elapsed() < SLOW, "{said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let ours = stopped_early(&page).await?;
    let adapter = page.text("adapter").await?;
    ensure!(adapter.starts_with("WebGPU: "), "{adapter}");
    let starts = server.count("engine_loader.js");
    ensure!(starts == 3, "{starts} engines");

    let reader = reader(&model()?.1)?;
    let radiograph = Radiograph::decode(&std::fs::read(sample("effusion.jpg"))?)?;
    let native = explained(&reader, &radiograph, &ours).await?;
    assert_coefficients_are(&ours, &native)?;
    page.close().await
}

#[tokio::test]
async fn weights_that_are_damaged_and_packages_of_another_version_are_refused() -> Result<()> {
    let (name, folder) = model()?;
    let mut weights = std::fs::read(folder.join("weights.bpk"))?;
    let middle = weights.len() / 2;
    weights[middle] ^= 1;
    let server = Server::start()?;
    server.answer_instead(&format!("models/{name}/weights.bpk"), weights);
    let page = Page::open(&server, "?device=cpu", Options::default()).await?;
    page.wait_for(&["error"], LOAD).await?;
    ensure!(
        page.text("error").await?.contains("sha256"),
        "{}",
        page.text("error").await?
    );
    page.close().await?;

    let manifest = std::fs::read_to_string(folder.join("manifest.json"))?;
    let newer = manifest.replacen("\"schema_version\": 1", "\"schema_version\": 99", 1);
    ensure!(newer != manifest, "the manifest has no schema version");
    let server = Server::start()?;
    server.answer_instead(&format!("models/{name}/manifest.json"), newer.into_bytes());
    let page = Page::open(&server, "?device=cpu", Options::default()).await?;
    page.wait_for(&["error"], LOAD).await?;
    ensure!(
        page.text("error").await?.contains("99"),
        "{}",
        page.text("error").await?
    );
    page.close().await
}

#[tokio::test]
async fn places_are_painted_over_the_scores_follow_and_it_can_be_undone() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let scores = page.scores().await?;
    let strongest =
        (0..scores.len()).max_by(|a, b| scores[*a].partial_cmp(&scores[*b]).expect("no NaN"));
    let strongest = strongest.context("no score")?;
    ensure!(!page.exists("undo").await?, "there is nothing to undo yet");
    page.element("easel").await?.click().await?;
    page.element(&format!("erased-{strongest}")).await?;
    page.screenshot("wide-erased").await?;
    let (_, json) = page.saved_by("export-json").await?;
    let erased = serde_json::from_slice::<Report>(&json)?
        .erased
        .context("nothing is erased")?;
    ensure!(erased.spots.len() == 1, "{:?}", erased.spots);
    let reader = reader(&model()?.1)?;
    let radiograph = Radiograph::decode(&std::fs::read(sample("effusion.jpg"))?)?;
    let image = &radiograph.image;
    let input = &reader.manifest.input;
    let region = input.region(image.width, image.height);
    let aspect = image.width as f32 / image.height as f32;
    let picture = erase(
        &input.square(image),
        region,
        aspect,
        &erased.spots,
        erased.fill,
    );
    let native = reader.score(input.normalise(&picture)).await?.remove(0);
    for (ours, native) in erased.probabilities.iter().zip(native.probabilities) {
        match (ours, native) {
            (Some(ours), Some(native)) => ensure!((ours - native).abs() < 1e-3, "{ours} {native}"),
            (ours, native) => ensure!(*ours == native, "trained only in one place"),
        }
    }
    page.element("undo").await?.click().await?;
    ensure!(
        !page.exists(&format!("erased-{strongest}")).await?,
        "the scores are still there"
    );
    let (_, json) = page.saved_by("export-json").await?;
    ensure!(serde_json::from_slice::<Report>(&json)?.erased.is_none());
    page.close().await
}

#[tokio::test]
async fn the_report_and_the_picture_can_be_saved() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let (name, json) = page.saved_by("export-json").await?;
    ensure!(name == "effusion-sightline.json", "{name}");
    let report: Report = serde_json::from_slice(&json)?;
    let (manifest, expected) = native(&sample("effusion.jpg")).await?;
    ensure!(report.model.weights_sha256 == manifest.weights.sha256);
    ensure!(report.findings.len() == 14);
    for (finding, logit) in report.findings.iter().zip(&expected.logits) {
        ensure!(
            (finding.logit - logit).abs() < 5e-3,
            "{}: {} {logit}",
            finding.name,
            finding.logit
        );
        let cells: f32 = finding.grad_cam.cells.values.iter().sum();
        let sum = cells + finding.grad_cam.bias;
        ensure!(
            (sum - finding.logit).abs() < 1e-3,
            "{}: {sum} is not the logit",
            finding.name
        );
    }
    let (name, png) = page.saved_by("export-png").await?;
    ensure!(name == "effusion-sightline.png", "{name}");
    let picture = image::load_from_memory(&png)?;
    ensure!(
        picture.width() >= 760 && picture.height() > 320,
        "{} x {}",
        picture.width(),
        picture.height()
    );
    page.close().await
}

#[tokio::test]
async fn lime_explains_as_natively_streams_and_can_be_cancelled() -> Result<()> {
    const SAMPLES: usize = 100;
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let grad_cam = page.canvas_pixels("overlay-canvas").await?.1;
    let samples = page.element("lime-samples").await?;
    let set = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))";
    let number = |value: usize| serde_json::json!(value.to_string());
    page.script(set, vec![samples.to_json()?, number(SAMPLES)])
        .await?;
    let method = page.element("explain-method").await?;
    page.script(set, vec![method.to_json()?, serde_json::json!("lime")])
        .await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    ensure!(
        page.canvas_pixels("overlay-canvas").await?.1 != grad_cam,
        "LIME's map is Grad-CAM's"
    );
    page.screenshot("wide-lime").await?;

    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let ours = report.lime.context("no LIME in the report")?;
    ensure!(ours.samples == SAMPLES, "{} samples", ours.samples);
    let reader = reader(&model()?.1)?;
    let radiograph = Radiograph::decode(&std::fs::read(sample("effusion.jpg"))?)?;
    let input = &reader.manifest.input;
    let square = input.square(&radiograph.image);
    let native = explained(&reader, &radiograph, &ours).await?;
    assert_coefficients_are(&ours, &native)?;

    // The map in view, measured: the same curves as natively, and in the report.
    page.element("measure").await?.click().await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    page.element("verdict").await?;
    page.element("trust-panel")
        .await?
        .scroll_into_view()
        .await?;
    page.screenshot("wide-trust").await?;
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let [trust] = report.trust.as_slice() else {
        bail!("{} maps were measured", report.trust.len());
    };
    ensure!(
        trust.method == "lime" && trust.agreement.is_some(),
        "{trust:?}"
    );
    let index = trust.finding.index();
    let map = native.map(index).context("no map")?;
    let mut curves = Curves::new(&square, input, &map, trust.faithfulness.options);
    while !curves.is_done() {
        let scored = reader.score(curves.next_batch(16)).await?.into_iter();
        curves.push(scored.map(|s| s.probabilities[index].unwrap_or(f64::NAN)));
    }
    let curves = curves.result().context("no curves")?;
    for (ours, native) in [
        (&trust.faithfulness.deletion, &curves.deletion),
        (&trust.faithfulness.insertion, &curves.insertion),
    ] {
        ensure!(
            (ours.area - native.area).abs() < 0.02
                && (ours.random_area[1] - native.random_area[1]).abs() < 1e-3,
            "{ours:?} is not {native:?}"
        );
    }

    // Grad-CAM's map, measured: what the network would show without what it has learned is beside it, and in the report.
    page.script(set, vec![method.to_json()?, serde_json::json!("grad-cam")])
        .await?;
    page.element("measure").await?.click().await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    page.element("sanity").await?.scroll_into_view().await?;
    page.screenshot("wide-sanity").await?;
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let trust = report.trust.iter().find(|trust| trust.method == "grad-cam");
    let trust = trust.context("Grad-CAM's map was not measured")?;
    ensure!(trust.sanity.len() == 2, "{:?}", trust.sanity);
    for sanity in &trust.sanity {
        let seed = trust.faithfulness.options.seed;
        let random = reader.randomised(sanity.randomised, seed);
        let expected = random.read(&square).await?.evidence.swap_remove(index);
        let pairs = sanity.map.values.iter().zip(&expected.values);
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let largest = expected
            .values
            .iter()
            .fold(1e-3f32, |most, v| most.max(v.abs()));
        ensure!(worst < 1e-2 * largest, "{:?}: {worst}", sanity.randomised);
    }

    // Other regions and another fill are another explanation.
    page.script(set, vec![method.to_json()?, serde_json::json!("lime")])
        .await?;
    page.wait_for(&["ready"], READ).await?;
    for (control, choice) in [("lime-regions", "SLIC"), ("lime-fill", "grey")] {
        let control = page.element(control).await?;
        page.script(set, vec![control.to_json()?, serde_json::json!(choice)])
            .await?;
        page.wait_for(&["explaining"], READ).await?;
        page.wait_for(&["ready"], SLOW).await?;
    }
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let lime = report.lime.context("no LIME in the report")?;
    ensure!(
        lime.options.segmentation == Segmentation::Slic && lime.options.fill == Fill::Grey(128),
        "{:?}",
        lime.options
    );
    ensure!(
        lime.segments != native.segments,
        "SLIC's regions are quickshift's"
    );
    ensure!(
        report
            .trust
            .iter()
            .all(|t| t.method != "lime" && t.agreement.is_none()),
        "what was measured of another map is still there"
    );
    for (control, choice) in [
        ("lime-regions", "SLIC"),
        ("lime-fill", "grey"),
        ("explain-method", "lime"),
    ] {
        let control = page.element(control).await?;
        let chosen = page
            .script("return arguments[0].value", vec![control.to_json()?])
            .await?;
        ensure!(
            chosen.as_str() == Some(choice),
            "{chosen} is shown, not {choice}"
        );
    }

    // A long one shows what it knows, and what it knows stays when it is cancelled.
    let samples = page.element("lime-samples").await?;
    page.script(set, vec![samples.to_json()?, number(10_000)])
        .await?;
    page.wait_for(&["explaining"], READ).await?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    page.element("cancel").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let lime = report.lime.context("no LIME in the report")?;
    ensure!(
        lime.options.samples == 10_000 && lime.samples < 10_000,
        "{} of {} samples",
        lime.samples,
        lime.options.samples
    );
    page.close().await
}

#[tokio::test]
async fn lime_goes_on_without_a_helper_that_died() -> Result<()> {
    const SAMPLES: usize = 100;
    let server = Server::start()?;
    let loader = std::fs::read_to_string(sightline_e2e::dist().join("engine_loader.js"))?;
    // Of two workers; the helper is ended, without a word, at its seventh message.
    let dies = "Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 });
        const Real = self.Worker;
        self.Worker = function (...all) {
            const worker = new Real(...all), post = worker.postMessage.bind(worker);
            let messages = 0;
            worker.postMessage = (...message) => {
                messages += 1;
                if (messages === 7) { worker.terminate(); fetch('/a-helper-died'); }
                post(...message);
            };
            return worker;
        };";
    server.answer_instead("engine_loader.js", format!("{dies}{loader}").into_bytes());
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    choose(&page, "lime-samples", &SAMPLES.to_string()).await?;
    choose(&page, "explain-method", "lime").await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    ensure!(
        server.count("a-helper-died") == 1,
        "the helper did not die; there is nothing to see"
    );
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let ours = report.lime.context("no LIME in the report")?;
    ensure!(ours.samples == SAMPLES, "{} samples", ours.samples);
    let radiograph = Radiograph::decode(&std::fs::read(sample("effusion.jpg"))?)?;
    let native = explained(&reader(&model()?.1)?, &radiograph, &ours).await?;
    assert_coefficients_are(&ours, &native)?;
    page.close().await
}

/// Weights as PyTorch saved them, through `import` and the page.
async fn read_an_imported_model(name: &str, file: &str, arguments: &[&str]) -> Result<Page> {
    let folder = tempfile::tempdir()?;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/import");
    let packed = std::fs::File::open(fixtures.join(format!("{file}.gz")))?;
    let weights = folder.path().join(file);
    let mut plain = flate2::read::GzDecoder::new(packed);
    std::io::copy(&mut plain, &mut std::fs::File::create(&weights)?)?;
    let package = folder.path().join(name);
    // Beside `deps`, where this test is; built by the native tests, which run before.
    let trainer = std::env::current_exe()?.with_file_name("../sightline-trainer");
    let imported = std::process::Command::new(&trainer)
        .args(["import", "--from"])
        .args(arguments)
        .arg(&weights)
        .arg("--out")
        .arg(&package)
        .output()
        .with_context(|| format!("{}: run cargo build --release first", trainer.display()))?;
    let said = String::from_utf8_lossy(&imported.stderr).into_owned();
    ensure!(imported.status.success(), "{said}");

    let server = Server::start()?;
    // Not beside the page: a large package may lie anywhere on its server.
    let index = format!(r#"{{"models": [{{"name": "{name}", "path": "/large/{name}"}}]}}"#);
    server.answer_instead("models/index.json", index.into_bytes());
    for part in ["manifest.json", "weights.bpk"] {
        let bytes = std::fs::read(package.join(part))?;
        server.answer_instead(&format!("large/{name}/{part}"), bytes);
    }
    let start = std::time::Instant::now();
    let page = open(&server, "?device=cpu").await?;
    let (load, start) = (start.elapsed(), std::time::Instant::now());
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    let read = start.elapsed();
    let (_, expected) = native_with(&package, &sample("effusion.jpg")).await?;
    assert_scores_are(&page, &expected).await?;
    println!(
        "{name}: loaded in {:.1} s, read in {:.1} s, {} MB at most",
        load.as_secs_f64(),
        read.as_secs_f64(),
        page.peak_memory()? / 1_000_000
    );
    Ok(page)
}

#[tokio::test]
async fn an_imported_densenet_reads_a_radiograph() -> Result<()> {
    let arguments = ["torchvision", "--architecture", "densenet121"];
    let page =
        read_an_imported_model("densenet121", "densenet121_2017.pth.tar", &arguments).await?;
    page.close().await
}

#[tokio::test]
async fn an_imported_efficientnet_b5_reads_a_radiograph_of_456_pixels() -> Result<()> {
    let page =
        read_an_imported_model("efficientnet-b5", "origin_efficientnet_b5.pth", &["mlmip"]).await?;
    page.close().await
}

#[tokio::test]
async fn the_origins_six_networks_read_a_radiograph_and_each_shows_its_map() -> Result<()> {
    let arguments = ["mlmip", "--architecture", "combined"];
    let page = read_an_imported_model("combined", "origin_combined.pth", &arguments).await?;
    let together = page.canvas_pixels("overlay-canvas").await?.1;
    let branch = page.element("branch").await?;
    let options = branch.find_all(By::Css("option")).await?;
    ensure!(options.len() == 7, "{} choices", options.len());
    options[6].click().await?;
    ensure!(
        page.canvas_pixels("overlay-canvas").await?.1 != together,
        "one network's map is that of all"
    );
    page.screenshot("combined-branch").await?;
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    for finding in &report.findings {
        let map = &finding.grad_cam;
        ensure!(map.branches.len() == 6, "{} branches", map.branches.len());
        let parts: f32 = map.branches.iter().flat_map(|b| &b.cells.values).sum();
        let off = (parts + map.bias - finding.logit).abs();
        ensure!(
            off < 1e-3 * finding.logit.abs().max(1.0),
            "{}: the branches are off by {off}",
            finding.name
        );
    }

    // LIME too, in bounded memory: what it knows after its first samples is there, or after all of them to measure.
    let samples = std::env::var(LIME_SAMPLES);
    if let Ok(samples) = &samples {
        choose(&page, "lime-samples", samples).await?;
    }
    choose(&page, "explain-method", "lime").await?;
    let start = std::time::Instant::now();
    let scored = if samples.is_ok() {
        page.wait_for(&["explaining"], READ).await?;
        page.element("lime-until-stable").await?.click().await?;
        page.wait_for(&["ready"], PATIENT).await?;
        let (_, json) = page.saved_by("export-json").await?;
        let report: Report = serde_json::from_slice(&json)?;
        report.lime.context("no LIME in the report")?.samples
    } else {
        stopped_early(&page).await?.samples
    };
    let (time, peak) = (start.elapsed().as_secs_f64(), page.peak_memory()?);
    println!(
        "six networks: {scored} samples of LIME in {time:.0} s, {} MB at most",
        peak / 1_000_000
    );
    ensure!(peak < 1_500_000_000, "{peak} bytes");
    page.close().await
}

/// Sets a control and tells the page.
async fn choose(page: &Page, control: &str, value: &str) -> Result<()> {
    let set = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))";
    let control = page.element(control).await?;
    page.script(set, vec![control.to_json()?, serde_json::json!(value)])
        .await?;
    Ok(())
}

/// Each in a browser of its own.
#[tokio::test]
async fn every_model_that_is_offered_reads_and_explains() -> Result<()> {
    let samples = std::env::var(LIME_SAMPLES).unwrap_or_else(|_| "50".to_owned());
    let index: sightline::package::ModelIndex =
        serde_json::from_slice(&std::fs::read(www().join("models/index.json"))?)?;
    for model in &index.models {
        let server = Server::start()?;
        let page = open(&server, "?device=cpu").await?;
        choose(&page, "model-select", &model.name).await?;
        page.wait_for(&["idle"], LOAD).await?;
        page.element("sample-1").await?.click().await?;
        page.wait_for(&["ready"], READ).await?;
        let folder = www().join("models").join(&model.name);
        let (manifest, expected) = native_with(&folder, &sample("effusion.jpg")).await?;
        assert_scores_are(&page, &expected).await?;
        let (_, grad_cam, coloured) = page.canvas_pixels("overlay-canvas").await?;
        ensure!(coloured > 100, "{}: no Grad-CAM", model.name);
        page.screenshot(&format!("model-{}", model.name)).await?;

        choose(&page, "lime-samples", &samples).await?;
        choose(&page, "explain-method", "lime").await?;
        page.wait_for(&["explaining"], READ).await?;
        // Begins anew, and takes all samples, stable or not.
        let start = std::time::Instant::now();
        page.element("lime-until-stable").await?.click().await?;
        page.wait_for(&["ready"], PATIENT).await?;
        let time = start.elapsed().as_secs_f64();
        let (_, lime, _) = page.canvas_pixels("overlay-canvas").await?;
        ensure!(lime != grad_cam, "{}: LIME's map is Grad-CAM's", model.name);
        let (_, json) = page.saved_by("export-json").await?;
        let report: Report = serde_json::from_slice(&json)?;
        ensure!(report.model.weights_sha256 == manifest.weights.sha256);
        let lime = report.lime.context("no LIME in the report")?;
        ensure!(lime.samples.to_string() == samples && !lime.options.until_stable);
        let peak = page.peak_memory()? / 1_000_000;
        println!(
            "{}: LIME of {} samples{} in {time:.1} s, {peak} MB at most",
            model.name,
            lime.samples,
            if lime.stable { " (stable)" } else { "" },
        );
        page.close().await?;
    }
    Ok(())
}

/// Two rounds of each by turns, so that a busy neighbour slows both; helpers have loaded the model before.
#[tokio::test]
#[ignore = "measures, and tells nothing true or false: cargo xtask bench page"]
async fn two_workers_beside_one() -> Result<()> {
    let loader = std::fs::read_to_string(sightline_e2e::dist().join("engine_loader.js"))?;
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..2 {
        for workers in [1, 2] {
            let server = Server::start()?;
            let cores = format!(
                "Object.defineProperty(navigator, 'hardwareConcurrency', {{ value: {workers} }});{loader}"
            );
            server.answer_instead("engine_loader.js", cores.into_bytes());
            let page = open(&server, "?device=cpu").await?;
            let adapter = page.text("adapter").await?;
            ensure!(adapter.contains(&format!("{workers} worker")), "{adapter}");
            page.element("sample-1").await?.click().await?;
            page.wait_for(&["ready"], READ).await?;
            choose(&page, "lime-samples", "50").await?;
            choose(&page, "explain-method", "lime").await?;
            page.wait_for(&["explaining"], READ).await?;
            page.element("lime-until-stable").await?.click().await?;
            page.wait_for(&["ready"], PATIENT).await?;
            choose(&page, "lime-samples", "400").await?;
            page.wait_for(&["explaining"], READ).await?;
            let start = std::time::Instant::now();
            page.wait_for(&["ready"], PATIENT).await?;
            seconds[workers - 1].push(start.elapsed().as_secs_f64());
            page.close().await?;
        }
    }
    let sum = seconds.each_ref().map(|all| all.iter().sum::<f64>());
    println!(
        "400 samples of LIME: {:.1?} s with one worker, {:.1?} s with two; {:.2} times the throughput",
        seconds[0],
        seconds[1],
        sum[0] / sum[1]
    );
    Ok(())
}

#[tokio::test]
async fn the_model_card_is_read_in_the_page_and_runs_nothing() -> Result<()> {
    let (name, folder) = model()?;
    let server = Server::start()?;
    let card = std::fs::read_to_string(folder.join("card.md"))?;
    let hostile = "\n\n<img src=x onerror=\"window.ran = 1\"> [here](javascript:window.ran=1)\n";
    let card = format!("{card}{hostile}").into_bytes();
    server.answer_instead(&format!("models/{name}/card.md"), card);
    let page = open(&server, "?device=cpu").await?;
    page.driver
        .find(By::Css("details.card summary"))
        .await?
        .click()
        .await?;
    page.element("model-card-button").await?.click().await?;
    let shown = "const card = document.querySelector(\"[data-testid='model-card']\"); \
                 const pictures = [...card.querySelectorAll('img')]; \
                 return card.open && pictures.length > 0 && pictures.every(p => p.complete && p.naturalWidth > 0)";
    let start = std::time::Instant::now();
    while page.script(shown, vec![]).await? != serde_json::json!(true) {
        ensure!(start.elapsed() < READ, "no card, or not its pictures");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let text = page.text("model-card").await?;
    ensure!(
        text.contains("Area under the ROC curve") && text.contains("onerror"),
        "{text}"
    );
    page.screenshot("wide-card").await?;
    for link in page
        .driver
        .find_all(By::Css("[data-testid='model-card'] a"))
        .await?
    {
        page.script("arguments[0].removeAttribute('target'); if (arguments[0].href.startsWith('javascript:')) arguments[0].click()", vec![link.to_json()?]).await?;
    }
    ensure!(
        page.script("return window.ran ?? null", vec![])
            .await?
            .is_null(),
        "the card ran a script"
    );
    ensure!(server.foreign().is_empty(), "{:?}", server.foreign());
    page.close().await
}

#[tokio::test]
async fn on_a_phone_nothing_is_wider_than_the_screen() -> Result<()> {
    let server = Server::start()?;
    let options = Options {
        width: 500,
        height: 900,
        ..Options::default()
    };
    let page = Page::open(&server, "?device=cpu", options).await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.screenshot("phone-idle").await?;
    page.element("sample-0").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    page.screenshot("phone-ready").await?;
    let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
    let widths = page.script(script, vec![]).await?;
    ensure!(
        widths[0].as_i64() <= widths[1].as_i64(),
        "the page is wider than the screen: {widths}"
    );
    page.close().await
}
