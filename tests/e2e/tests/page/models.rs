//! Packages: loading, caching, refusing, importing.

use sightline::finding::Finding;
use sightline::vocabulary::TORCHXRAYVISION;

use super::*;

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

/// Weights as PyTorch saved them, in a folder.
pub fn unpacked(folder: &Path, file: &str) -> Result<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/import");
    let packed = std::fs::File::open(fixtures.join(format!("{file}.gz")))?;
    let weights = folder.join(file);
    let mut plain = flate2::read::GzDecoder::new(packed);
    std::io::copy(&mut plain, &mut std::fs::File::create(&weights)?)?;
    Ok(weights)
}

/// Makes a package of weights by the command line.
pub fn import(weights: &Path, package: &Path, arguments: &[&str]) -> Result<()> {
    // Beside `deps`, where this test is; built by the native tests, which run before.
    let trainer = std::env::current_exe()?.with_file_name("../sightline-trainer");
    let imported = std::process::Command::new(&trainer)
        .arg("import")
        .args(arguments)
        .arg(weights)
        .arg("--out")
        .arg(package)
        .output()
        .with_context(|| format!("{}: run cargo build --release first", trainer.display()))?;
    let said = String::from_utf8_lossy(&imported.stderr).into_owned();
    ensure!(imported.status.success(), "{said}");
    Ok(())
}

/// Weights as PyTorch saved them, through `import` and the page.
async fn read_an_imported_model(name: &str, file: &str, arguments: &[&str]) -> Result<Page> {
    let folder = tempfile::tempdir()?;
    let weights = unpacked(folder.path(), file)?;
    let package = folder.path().join(name);
    let mut from = vec!["--from"];
    from.extend(arguments);
    import(&weights, &package, &from)?;

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
    let arguments = [
        "torchvision",
        "--architecture",
        "densenet121",
        "--findings",
        "chexpert",
    ];
    let file = "densenet121_2017.pth.tar";
    let page = read_an_imported_model("densenet121", file, &arguments).await?;
    page.close().await
}

#[tokio::test]
async fn a_package_with_findings_of_its_own_has_a_row_for_each() -> Result<()> {
    let (name, file) = ("torchxrayvision", "torchxrayvision.pt");
    let page = read_an_imported_model(name, file, &["torchxrayvision"]).await?;
    let names = TORCHXRAYVISION.map(Finding::name);
    let rows = page.scores().await?.len();
    ensure!(rows == names.len(), "{rows} rows");
    for (index, name) in names.iter().enumerate() {
        let row = page.text(&format!("finding-{index}")).await?;
        ensure!(row.contains(name), "{row:?} is not {name}");
    }
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let named = report.findings.iter().map(|finding| finding.name.name());
    ensure!(named.eq(names), "the report names others");

    // The reader's form has them too.
    page.element("reader-mode").await?.click().await?;
    for (index, name) in names.iter().enumerate() {
        let marks = page.text(&format!("reader-{index}")).await?;
        ensure!(marks.contains(name), "{marks:?} is not {name}");
    }
    ensure!(!page.exists("reader-18").await?);
    page.screenshot("own-findings").await?;
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
        report
            .explanations
            .lime
            .context("no LIME in the report")?
            .samples
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

/// Each in a browser of its own.
#[tokio::test]
async fn every_model_that_is_offered_reads_and_explains() -> Result<()> {
    let samples = std::env::var(LIME_SAMPLES).unwrap_or_else(|_| "50".to_owned());
    let index: sightline::package::ModelIndex =
        serde_json::from_slice(&std::fs::read(www().join("models/index.json"))?)?;
    for model in &index.models {
        let server = Server::start()?;
        // As servers with the headers of deploy/ do.
        server.isolate();
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
        let lime = report.explanations.lime.context("no LIME in the report")?;
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
    let close = By::Css("[data-testid='model-card'] form button");
    page.driver.find(close).await?.click().await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let closed = "return !document.querySelector(\"[data-testid='model-card']\").open";
    ensure!(
        page.script(closed, vec![]).await? == serde_json::json!(true),
        "the card opened again with the next radiograph"
    );
    ensure!(server.foreign().is_empty(), "{:?}", server.foreign());
    page.close().await
}

#[tokio::test]
async fn weights_of_an_older_version_are_removed_from_the_cache() -> Result<()> {
    let server = Server::start()?;
    let (name, _) = model()?;
    let page = open(&server, "?device=cpu").await?;
    let ask = |script: &str| {
        let (page, script) = (&page, script.to_owned());
        async move {
            let answer = page.driver.execute_async(&script, vec![]).await?;
            anyhow::Ok(answer.json().clone())
        }
    };
    let keep = format!(
        "const done = arguments[arguments.length - 1];
        caches.open('sightline-weights').then(async cache => {{
            await cache.put('models/{name}/weights?sha256=0ld', new Response('old'));
            await cache.put('models/another/weights?sha256=1', new Response('another'));
            done();
        }});"
    );
    ask(&keep).await?;
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    let keys = ask("const done = arguments[arguments.length - 1];
        caches.open('sightline-weights').then(cache => cache.keys()).then(keys => done(keys.map(key => key.url)));")
    .await?
    .to_string();
    ensure!(!keys.contains("0ld"), "the old weights are kept: {keys}");
    ensure!(
        keys.contains("another/weights"),
        "another package's are gone: {keys}"
    );
    ensure!(
        keys.contains(&format!("models/{name}/weights?sha256=")),
        "the new ones are not kept: {keys}"
    );
    page.close().await
}

#[tokio::test]
async fn a_packages_path_cannot_leave_the_pages_server() -> Result<()> {
    for path in [
        "/\\t/elsewhere.example/six",
        "//elsewhere.example/six",
        "http:elsewhere.example",
    ] {
        let server = Server::start()?;
        let index = format!(r#"{{"models": [{{"name": "six", "path": "{path}"}}]}}"#);
        server.answer_instead("models/index.json", index.into_bytes());
        let page = Page::open(&server, "?device=cpu", Options::default()).await?;
        page.wait_for_error("own server", LOAD)
            .await
            .context(path)?;
        ensure!(
            server.foreign().is_empty(),
            "{path}: {:?}",
            server.foreign()
        );
        page.close().await?;
    }
    Ok(())
}
