//! Sightline as a part of other pages: the npm package as it is installed, its examples, and the page in a frame.

use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use super::*;

/// The package as npm installs it, in a fresh folder; `None` where it is left out: `cargo xtask test` says so.
fn installed() -> Result<Option<&'static Path>> {
    static INSTALLED: OnceLock<tempfile::TempDir> = OnceLock::new();
    if std::env::var_os("SIGHTLINE_WITHOUT_NPM").is_some() {
        return Ok(None);
    }
    if let Some(folder) = INSTALLED.get() {
        return Ok(Some(folder.path()));
    }
    let archive = match std::env::var_os("SIGHTLINE_NPM") {
        Some(archive) => PathBuf::from(archive),
        None => www().join("../target/npm/sightline-0.1.0.tgz"),
    };
    let archive = archive.canonicalize().with_context(|| {
        format!(
            "{} is not there: `cargo xtask npm` makes it, SIGHTLINE_WITHOUT_NPM=1 leaves these tests out",
            archive.display()
        )
    })?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("package.json"), r#"{ "private": true }"#)?;
    // It depends on nothing: no network is needed.
    let mut npm = Command::new("npm");
    npm.args(["install", "--offline", "--no-audit", "--no-fund"]);
    run(npm.arg(archive).current_dir(&folder))?;
    Ok(Some(INSTALLED.get_or_init(|| folder).path()))
}

/// The packages of npm's that the tests need.
fn npm_tools() -> PathBuf {
    match std::env::var_os("SIGHTLINE_NPM_TOOLS") {
        Some(folder) => folder.into(),
        None => www().join("../target/tools/npm"),
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} cannot be started"))?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&said)
    );
    Ok(())
}

/// Serves the installed package, with its examples, under `pkg/` beside the page.
fn serve(server: &Server, folder: &Path) -> Result<()> {
    let mut left = vec![folder.join("node_modules/sightline")];
    let root = left[0].clone();
    while let Some(path) = left.pop() {
        for entry in std::fs::read_dir(&path)? {
            let path = entry?.path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(&root)?.to_str().context("a name")?;
                server.answer_instead(&format!("pkg/{name}"), std::fs::read(&path)?);
            }
        }
    }
    Ok(())
}

/// A page of its own, with what the package exports under `window.sightline`.
async fn host(server: &Server, more: &str) -> Result<Page> {
    let html = "<!doctype html><meta charset=utf-8><title>Host</title><script type=module src=host.js></script>";
    server.answer_instead("host.html", html.into());
    let script = format!("import * as all from './pkg/index.js';\n{more}\nwindow.sightline = all;");
    server.answer_instead("host.js", script.into());
    let page = Page::open_at(
        &format!("{}/", server.address),
        "host.html",
        Options::default(),
    )
    .await?;
    until(&page, "return Boolean(window.sightline)", json!(true)).await?;
    Ok(page)
}

/// Waits until a script gives a value.
async fn until(page: &Page, script: &str, value: serde_json::Value) -> Result<()> {
    let start = std::time::Instant::now();
    loop {
        let found = page.script(script, Vec::new()).await?;
        if found == value {
            return Ok(());
        }
        ensure!(
            start.elapsed() < READ,
            "{script} gives {found}, not {value}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What an asynchronous script gives, or throws.
async fn asked(page: &Page, script: &str) -> Result<serde_json::Value> {
    let whole = format!(
        "const done = arguments[arguments.length - 1];
        (async () => {{ {script} }})().then(value => done({{ value }}), error => done({{ error: String(error) }}));"
    );
    let answer = page.driver.execute_async(whole, Vec::new()).await?;
    let answer = answer.json().clone();
    if let Some(error) = answer.get("error") {
        bail!("{error}");
    }
    Ok(answer["value"].clone())
}

/// The scores of a report.
fn scores(report: &Report) -> Vec<Option<f64>> {
    report.findings.iter().map(|f| f.probability).collect()
}

fn same(ours: &[Option<f64>], others: &[Option<f64>], within: f64) -> Result<()> {
    let near = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= within,
        (a, b) => a == b,
    };
    ensure!(
        ours.len() == others.len() && ours.iter().zip(others).all(near),
        "{ours:?}, not {others:?}"
    );
    Ok(())
}

/// The page's own report of a sample.
async fn of_page(server: &Server, sample: &str) -> Result<Report> {
    let page = open(server, "?device=cpu").await?;
    page.element(sample).await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let (_, json) = page.saved_by("export-json").await?;
    page.close().await?;
    Ok(Report::parse(&json)?)
}

#[tokio::test]
async fn the_package_reads_as_the_page_does_explains_measures_and_stops() -> Result<()> {
    let Some(folder) = installed()? else {
        return Ok(());
    };
    let server = Server::start()?;
    let expected = of_page(&server, "sample-1").await?;
    serve(&server, folder)?;
    let page = host(&server, "").await?;
    // Not the first model, by its name; steps are told.
    let loaded = "window.steps = [];
        const onprogress = ({ step, done, total }) => { if (!(done <= total || total === 0)) throw new Error(step); window.steps.push(step); };
        window.s = await sightline.Sightline.load({ models: './models/', device: 'cpu', onprogress });
        window.onprogress_ = onprogress;
        window.file = new File([await (await fetch('samples/effusion.jpg')).blob()], 'effusion.jpg');
        const { models, adapter, manifest, report } = s;
        return [models.length, adapter.startsWith('CPU'), manifest.findings.length, manifest.name === models[0], report === undefined];";
    let said = asked(&page, loaded).await?;
    let findings = expected.findings.len();
    ensure!(said == json!([3, true, findings, true, true]), "{said}");

    let read = asked(
        &page,
        "return s.read(file, { onprogress: window.onprogress_ });",
    )
    .await?;
    let report = Report::parse(&serde_json::to_vec(&read)?)?;
    same(&scores(&report), &scores(&expected), 1e-6)?;
    ensure!(report.image.file == "effusion.jpg" && report.image.sha256 == expected.image.sha256);
    let steps = asked(&page, "return [...new Set(steps)];").await?;
    let steps: Vec<String> = serde_json::from_value(steps)?;
    for step in ["fetch-model", "read"] {
        ensure!(steps.iter().any(|told| told == step), "{steps:?}");
    }

    // Grad-CAM's map is the report's; LIME's is made as it is asked for; what is asked for together is done in order.
    let index = report
        .findings
        .iter()
        .position(|finding| finding.trained)
        .context("a trained finding")?;
    let name = report.findings[index].name.name();
    let explained = format!(
        "const [cam, lime, trust] = await Promise.all([
            s.explain({{ finding: '{name}' }}), s.explain({{ method: 'lime', samples: 60, seed: 7 }}), s.measure({{ finding: '{name}' }})]);
        const [map] = cam.maps;
        return {{
            cam: {{ ...map, values: [...map.values] }}, count: cam.maps.length, typed: map.values instanceof Float32Array,
            lime: lime.maps.map(({{ finding, values }}) => [finding, values.every(Number.isFinite) && values.some(value => value !== 0)]),
            options: s.report.lime.options, samples: s.report.lime.samples, trust, kept: s.report.trust.length,
        }};"
    );
    let said = asked(&page, &explained).await?;
    let cells = &report.findings[index].grad_cam.cells;
    ensure!(said["typed"] == true && said["count"] == 1, "{said}");
    ensure!(said["cam"]["finding"] == name && said["cam"]["width"] == cells.width);
    let values: Vec<f32> = serde_json::from_value(said["cam"]["values"].clone())?;
    ensure!(values == cells.values, "another map");
    let trained = report.findings.iter().filter(|finding| finding.trained);
    let trained: Vec<_> = trained.map(|f| json!([f.name.name(), true])).collect();
    ensure!(said["lime"] == json!(trained), "{}", said["lime"]);
    ensure!(said["options"]["seed"] == 7 && said["samples"] == 60);
    ensure!(said["trust"]["finding"] == name && said["trust"]["method"] == "grad-cam");
    ensure!(said["trust"]["sanity"].as_array().map(Vec::len) > Some(0) && said["kept"] == 1);

    // A signal ends what is under way, and what waits; what comes after works.
    let stopped = "const one = new AbortController(), two = new AbortController(), said = [];
        const note = error => said.push(error.name ?? error);
        const first = s.explain({ method: 'lime', samples: 9000, signal: one.signal, onprogress: () => one.abort() }).catch(note);
        const second = s.read(file, { signal: two.signal }).catch(note);
        two.abort('enough');
        await Promise.all([first, second]);
        const gone = AbortSignal.abort();
        await s.read(file, { signal: gone }).catch(note);
        const again = await s.read(file);
        return [said, again.findings.length];";
    let said = asked(&page, stopped).await?;
    ensure!(
        said == json!([["enough", "AbortError", "AbortError"], findings]),
        "{said}"
    );

    // Errors are said as on the page.
    for (script, words) in [
        (
            "return s.read(new Blob(['hello, this is some text']));",
            "text",
        ),
        (
            "return s.explain({ method: 'saliency' });",
            "there is no method",
        ),
        ("return s.measure({ finding: 'Gout' });", "no finding"),
        ("return s.read({ width: 3 });", "can be read"),
        (
            "return sightline.Sightline.load({ models: './models/', model: 'none' });",
            "There is no model none",
        ),
        (
            "s.close(); return s.read(file);",
            "This Sightline was closed",
        ),
    ] {
        let error = asked(&page, script).await.err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        ensure!(error.contains(words), "{script}: {error:?}");
    }
    page.close().await
}

#[tokio::test]
async fn pixels_of_a_canvas_and_samples_with_a_window_are_read_as_their_files_are() -> Result<()> {
    let Some(folder) = installed()? else {
        return Ok(());
    };
    let server = Server::start()?;
    serve(&server, folder)?;
    let page = host(&server, "").await?;
    let script = "const s = await sightline.Sightline.load({ models: './models/', device: 'cpu' });
        const bitmap = await createImageBitmap(await (await fetch('samples/effusion.jpg')).blob());
        const { width, height } = bitmap;
        const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d');
        context.drawImage(bitmap, 0, 0);
        const data = context.getImageData(0, 0, width, height);
        const of = report => report.findings.map(finding => finding.probability);
        const file = of(await s.read(await canvas.convertToBlob({ type: 'image/png' })));
        const pixels = of(await s.read(data));
        const samples = Uint16Array.from({ length: width * height }, (_, at) => 16 * data.data[4 * at] + 3);
        const report = await s.read({ width, height, samples, bits: 12, window: { center: 2043.5, width: 4081 } }, { file: 'viewport' });
        const narrow = of(await s.read({ width, height, samples, bits: 12, window: { center: 900, width: 300 } }));
        s.close();
        return { file, pixels, samples: of(report), narrow, name: report.image.file, levels: report.image.levels.shown };";
    let said = asked(&page, script).await?;
    let of = |name: &str| -> Result<Vec<Option<f64>>> {
        Ok(serde_json::from_value(said[name].clone())?)
    };
    let file = of("file")?;
    same(&of("pixels")?, &file, 1e-6)?;
    // The window is that of all greys: a grey may fall to its neighbour.
    same(&of("samples")?, &file, 1e-3)?;
    ensure!(same(&of("narrow")?, &file, 0.02).is_err(), "{said}");
    ensure!(said["name"] == "viewport", "{said}");
    ensure!(said["levels"].to_string().contains("4081"), "{said}");
    page.close().await
}

/// Every type that the package has, used as a program would.
const TYPED: &str = r#"
import { Sightline, type Report, type Trust, type Finding, type FindingMap, type Progress, type Samples, type Method } from 'sightline';
import { SightlineViewer } from 'sightline/viewer';
import type { MarkedToPage, Message } from 'sightline/types';

const control = new AbortController();
const onprogress = ({ step, done, total }: Progress) => console.log(step.toUpperCase(), done / total);
const samples: Samples = { width: 2, height: 2, samples: new Uint16Array(4), window: { center: 1, width: 2 }, slope: 1, intercept: 0 };
const sightline: Sightline = await Sightline.load({ base: new URL('https://a.example/'), device: 'cpu', signal: control.signal, onprogress });
const report: Report = await sightline.read(samples, { file: 'a' });
await sightline.read(new File([], 'a.dcm'), { signal: control.signal });
await sightline.read(new ImageData(1, 1));
const names: Finding[] = report.findings.map(finding => finding.name);
const score: number | null | undefined = report.findings[0]?.probability;
const method: Method = 'lime';
const maps: FindingMap[] = (await sightline.explain({ method, finding: names[0], samples: 400, seed: 1, onprogress })).maps;
const value: number | undefined = maps[0]?.values[0];
const trust: Trust = await sightline.measure({ method: 'grad-cam' });
const gap: number = trust.faithfulness.gap;
sightline.close();
const viewer: SightlineViewer = document.createElement('sightline-viewer');
viewer.addEventListener('sightline-report', event => console.log(event.detail.report.model.title, score, value, gap));
viewer.addEventListener('sightline-state', event => console.log(event.detail.state === 'ready'));
viewer.open(new Blob(), 'a.png');
viewer.explain('lime', { samples: 100 });
const message: MarkedToPage & Message = { sightline: 1, type: 'select', finding: 'Edema' };
console.log(message);
// @ts-expect-error: there is no such method.
await sightline.explain({ method: 'saliency' });
// @ts-expect-error: an address is no picture.
await sightline.read('https://a.example/a.png');
// @ts-expect-error: it has no constructor for others.
new Sightline();
"#;

#[test]
fn the_types_are_those_that_a_strict_compiler_wants() -> Result<()> {
    let Some(folder) = installed()? else {
        return Ok(());
    };
    std::fs::write(folder.join("typed.mts"), TYPED)?;
    let compiler = npm_tools().join("node_modules/typescript/bin/tsc");
    let options = "--noEmit --strict --target esnext --module nodenext --lib esnext,dom";
    let mut tsc = Command::new("node");
    tsc.arg(compiler.canonicalize()?)
        .args(options.split(' '))
        .arg("typed.mts");
    run(tsc.current_dir(folder))
}

#[tokio::test]
async fn the_examples_run() -> Result<()> {
    let Some(folder) = installed()? else {
        return Ok(());
    };
    let server = Server::start()?;
    serve(&server, folder)?;
    let highest = of_page(&server, "sample-1").await?;
    let highest = highest.findings.iter().filter(|finding| finding.trained);
    let highest = highest.max_by(|a, b| a.probability.total_cmp_(&b.probability));
    let highest = highest.context("a trained finding")?.clone();
    let probability = highest.probability.context("a score")?;

    let examples = folder.join("node_modules/sightline/examples");
    let bundle = folder.join("bundle.js");
    let mut esbuild = Command::new(
        npm_tools()
            .join("node_modules/.bin/esbuild")
            .canonicalize()?,
    );
    esbuild
        .arg(examples.join("react/main.jsx"))
        .args(["--bundle", "--format=esm", "--jsx=automatic"])
        .arg(format!("--outfile={}", bundle.display()))
        .env(
            "NODE_PATH",
            npm_tools().join("node_modules").canonicalize()?,
        );
    run(esbuild.current_dir(folder))?;
    server.answer_instead("pkg/examples/react/main.js", std::fs::read(bundle)?);

    let status = "return document.getElementById('status')?.textContent";
    let file = sample("effusion.jpg").canonicalize()?;
    let file = file.to_str().context("a path in UTF-8")?;
    let address = format!("{}/", server.address);
    let plain = "pkg/examples/plain/index.html?models=/models/";
    let page = Page::open_at(&address, plain, Options::default()).await?;
    until(&page, status, json!("ready")).await?;
    let input = page.driver.find(By::Id("file")).await?;
    input.send_keys(file).await?;
    until(&page, status, json!("done")).await?;
    let first = page
        .script(
            "const row = document.querySelector('tr'); return [row.cells[0].textContent, Number(row.dataset.score)];",
            Vec::new(),
        )
        .await?;
    let (name, score): (String, f64) = serde_json::from_value(first)?;
    ensure!(name == highest.name.name() && (score - probability).abs() < 1e-6);

    let react = "pkg/examples/react/index.html?base=/pkg/&models=/models/";
    page.driver.goto(format!("http://{address}{react}")).await?;
    until(&page, status, json!("ready")).await?;
    let input = page.driver.find(By::Id("file")).await?;
    input.send_keys(file).await?;
    let said = "return document.getElementById('status')?.textContent.includes(': 0.')";
    until(&page, said, json!(true)).await?;
    let said = page.script(status, Vec::new()).await?;
    let said = said.as_str().unwrap_or_default();
    let (name, score) = said.split_once(": ").context("a score")?;
    ensure!(name == highest.name.name() && (score.parse::<f64>()? - probability).abs() < 1e-6);

    let ohif = "pkg/examples/ohif/index.html?models=/models/&image=/samples/effusion.jpg";
    page.driver.goto(format!("http://{address}{ohif}")).await?;
    until(&page, status, json!("read")).await?;
    let seen = "const map = document.getElementById('map');
        const { data } = map.getContext('2d').getImageData(0, 0, map.width, map.height);
        const opaque = data.filter((value, at) => at % 4 === 3 && value > 90).length;
        return [opaque > 100 && opaque < data.length / 8, report.image.bits, report.image.levels.shown.window?.width];";
    let seen = page.script(seen, Vec::new()).await?;
    ensure!(seen[0] == true && seen[1] == 16, "{seen}");
    page.screenshot("embed-ohif").await?;
    page.close().await
}

/// Scores in order, those that are not there first.
trait TotalCmp {
    fn total_cmp_(&self, other: &Self) -> std::cmp::Ordering;
}

impl TotalCmp for Option<f64> {
    fn total_cmp_(&self, other: &Self) -> std::cmp::Ordering {
        self.unwrap_or(-1.0).total_cmp(&other.unwrap_or(-1.0))
    }
}

/// Collects what a frame says.
const HEARING: &str = "window.heard = []; addEventListener('message', event => heard.push([event.origin, event.data]));";

#[tokio::test]
async fn the_viewer_speaks_with_the_page_around_it_and_with_no_other() -> Result<()> {
    let Some(folder) = installed()? else {
        return Ok(());
    };
    // The page is of one server, and the page around it of another: two origins.
    let (own, around) = (Server::start()?, Server::start()?);
    serve(&around, folder)?;
    let page = host(&around, "import './pkg/viewer.js';").await?;
    page.script(HEARING, Vec::new()).await?;
    let begin = format!(
        "window.viewer = document.createElement('sightline-viewer');
        for (const [name, value] of Object.entries({{
            src: 'http://{}/', device: 'cpu', lang: 'de', finding: 'Cardiomegaly', model: 'densenet121-nih' }}))
            viewer.setAttribute(name, value);
        viewer.style.height = '900px';
        window.events = [];
        for (const type of ['ready', 'state', 'report', 'error']) viewer.addEventListener(`sightline-${{type}}`, event => events.push(event.detail));
        document.body.append(viewer);
        viewer.open(await (await fetch('samples/effusion.jpg')).blob(), 'effusion.jpg');",
        own.address
    );
    asked(&page, &begin).await?;
    until(
        &page,
        "return events.some(({ type }) => type === 'report')",
        json!(true),
    )
    .await?;
    let said = asked(&page, "return events;").await?;
    let messages = said.as_array().context("events")?;
    for message in messages {
        fits_messages(message)?;
    }
    let ready = &messages.iter().find(|m| m["type"] == "ready");
    ensure!(ready.context("ready")?["model"] == "densenet121-nih");
    let report = messages.iter().rfind(|m| m["type"] == "report");
    let report = &report.context("a report")?["report"];
    let report = Report::parse(&serde_json::to_vec(report)?)?;
    ensure!(report.image.file == "effusion.jpg" && report.model.name == "densenet121-nih");
    let densenet = www().join("models/densenet121-nih");
    let native = native_with(&densenet, &sample("effusion.jpg")).await?.1;
    same(&scores(&report), &native.probabilities, 1e-3)?;

    // What is asked for is done, and what cannot be is said.
    asked(
        &page,
        "events.length = 0; viewer.explain('lime', { samples: 60, seed: 3 });",
    )
    .await?;
    until(
        &page,
        "return events.filter(({ type }) => type === 'report').at(-1)?.report.lime?.samples ?? 0",
        json!(60),
    )
    .await?;
    asked(&page, "events.length = 0; viewer.select('Gout');").await?;
    until(
        &page,
        "return events.filter(({ type }) => type === 'error').length",
        json!(1),
    )
    .await?;

    // In the frame: the address's finding, language, and less of the page.
    let frame =
        "return document.querySelector('sightline-viewer').shadowRoot.querySelector('iframe')";
    let frame = page.driver.execute(frame, Vec::new()).await?.element()?;
    frame.enter_frame().await?;
    let inside = page
        .script(
            "const seen = selector => document.querySelector(selector)?.checkVisibility();
            return [document.documentElement.lang, seen('[data-testid=sample-0]'), seen('[data-testid=library]'), seen('.brand svg'),
                document.querySelector('[data-testid=finding-2]').getAttribute('aria-selected')];",
            Vec::new(),
        )
        .await?;
    ensure!(inside[0] == "de", "{inside}");
    ensure!(
        inside[1] == false && inside[2] == false && inside[3] == false,
        "{inside}"
    );
    ensure!(inside[4] == "true", "{inside}");
    page.driver.enter_default_frame().await?;
    page.screenshot("embed-viewer").await?;

    // A page whose origin is not in the list hears nothing, and is not heard.
    let silent = format!(
        "viewer.remove(); heard.length = 0;
        window.frame = document.createElement('iframe');
        frame.src = 'http://{}/?device=cpu&embed=1&origins=https://a.example,*';
        document.body.append(frame);
        await new Promise(told => frame.addEventListener('load', told));",
        own.address
    );
    asked(&page, &silent).await?;
    let frame = page.driver.find(By::Tag("iframe")).await?;
    frame.enter_frame().await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.driver.enter_default_frame().await?;
    let speak = "frame.contentWindow.postMessage({ sightline: 1, type: 'open', name: 'a.jpg',
            file: await (await fetch('samples/effusion.jpg')).blob() }, '*');
        await new Promise(told => setTimeout(told, 1500));
        return heard.length;";
    ensure!(asked(&page, speak).await? == json!(0), "it was heard");
    let frame = page.driver.find(By::Tag("iframe")).await?;
    frame.enter_frame().await?;
    ensure!(page.state().await? == "idle", "a stranger opened a file");
    page.driver.enter_default_frame().await?;
    page.close().await
}

/// Whether a message is as its schema says.
fn fits_messages(message: &serde_json::Value) -> Result<()> {
    static SCHEMA: OnceLock<serde_json::Value> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let file = www().join("../docs/schemas/messages.schema.json");
        let text = std::fs::read(file).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    });
    let validator = jsonschema::draft202012::new(schema)?;
    let wrong: Vec<String> = validator
        .iter_errors(message)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    ensure!(wrong.is_empty(), "{wrong:?}");
    Ok(())
}

#[tokio::test]
async fn the_address_chooses_a_method_and_says_what_is_not_there() -> Result<()> {
    let server = Server::start()?;
    let query = "?device=cpu&model=efficientnet-lite0-nih&method=hirescam&finding=Cardiomegaly";
    let page = open(&server, query).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    until(
        &page,
        "return document.querySelector('[data-testid=explain-method]').value",
        json!("hirescam"),
    )
    .await?;
    let address = format!("http://{}/?device=cpu&model=none", server.address);
    page.driver.goto(address).await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.wait_for_error("a model or a method that is not there", READ)
        .await?;
    page.close().await
}
