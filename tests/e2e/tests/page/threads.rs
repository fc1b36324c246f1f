//! A picture that is computed on several cores, and pages on which it is not.

use super::*;

/// The program that Chromium loads, and the one for browsers without relaxed SIMD.
const PROGRAM: &str = "threads-relaxed.wasm";
const PLAIN: &str = "threads.wasm";

/// An engine on a machine of three cores, which tells the server of every worker that it starts and of every program of threads that it asks for.
fn on_three_cores(more: &str) -> Result<Vec<u8>> {
    engine_after(&format!(
        "Object.defineProperty(navigator, 'hardwareConcurrency', {{ value: 3 }});
        const Real = self.Worker;
        self.Worker = function (...all) {{
            fetch(new URL('/a-worker', self.home)).catch(() => {{}});
            return new Real(...all);
        }};
        const ask = self.fetch;
        self.fetch = address => {{
            const name = String(address).split('/').pop();
            if (name.startsWith('threads')) ask(new URL(`/engine-asks-${{name}}`, self.home)).catch(() => {{}});
            return ask(address);
        }};
        {more}"
    ))
}

async fn is_isolated(page: &Page) -> Result<bool> {
    let isolated = "return window.crossOriginIsolated";
    Ok(page.script(isolated, Vec::new()).await? == true)
}

async fn read_sample(page: &Page) -> Result<()> {
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(page, &sample("effusion.jpg")).await
}

/// Reads and explains with every core and a program.
async fn every_core_computes(engine: Vec<u8>, program: &str) -> Result<()> {
    const SAMPLES: usize = 100;
    let server = Server::start()?;
    server.isolate();
    server.answer_instead("engine.js", engine);
    let page = open(&server, "?device=cpu").await?;
    ensure!(is_isolated(&page).await?);
    // Beside the engine itself.
    ensure!(server.count("a-worker") == 2);
    let adapter = page.text("adapter").await?;
    ensure!(adapter == "CPU, 3 workers", "{adapter}");
    page.element("sample-2").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    read_sample(&page).await?;
    explain_by_lime(&page, SAMPLES).await?;
    ensure!(server.count("a-worker") == 2, "helpers were started");
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let ours = report.explanations.lime.context("no LIME in the report")?;
    let radiograph = Radiograph::decode(&std::fs::read(sample("effusion.jpg"))?)?;
    let native = explained(&reader(&model()?.1)?, &radiograph, &ours).await?;
    assert_coefficients_are(&ours, &native)?;
    // Both are kept by the service worker, which asks for them, too.
    let mut asked = server.paths();
    asked.retain(|path| path.starts_with("engine-asks-"));
    ensure!(asked == [format!("engine-asks-{program}")], "{asked:?}");
    page.close().await
}

#[tokio::test]
async fn every_core_computes_and_the_answers_are_the_native_ones() -> Result<()> {
    every_core_computes(on_three_cores("")?, PROGRAM).await
}

#[tokio::test]
async fn a_browser_without_relaxed_simd_has_a_program_without_it() -> Result<()> {
    let refuses = "const validate = WebAssembly.validate;
        WebAssembly.validate = bytes => {
            const relaxed = new Uint8Array(bytes.buffer ?? bytes).join().includes('253,133,2,');
            return !relaxed && validate(bytes);
        };";
    every_core_computes(on_three_cores(refuses)?, PLAIN).await
}

#[tokio::test]
async fn where_memory_is_not_shared_one_core_computes_with_the_program() -> Result<()> {
    let server = Server::start()?;
    server.answer_instead("engine.js", on_three_cores("")?);
    let page = open(&server, "?device=cpu").await?;
    ensure!(!is_isolated(&page).await?);
    let asked = format!("engine-asks-{PROGRAM}");
    ensure!(server.count(&asked) == 1);
    ensure!(server.count("a-worker") == 0);
    read_sample(&page).await?;
    let notes = page.text("offline-notes").await?;
    ensure!(notes.is_empty(), "{notes}");
    page.close().await
}

#[tokio::test]
async fn the_service_worker_isolates_the_page_at_the_second_visit() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("offline-ready").await?;
    ensure!(!is_isolated(&page).await?, "its server has headers");
    read_sample(&page).await?;
    let scores = page.scores().await?;
    // What it needs is kept.
    server.stop();
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    ensure!(is_isolated(&page).await?);
    read_sample(&page).await?;
    ensure!(page.scores().await? == scores, "other scores");
    page.wait_for_words("requests", PROGRAM, READ).await?;
    page.close().await
}

#[tokio::test]
async fn where_the_threads_do_not_start_one_core_computes_and_the_page_says_so() -> Result<()> {
    let server = Server::start()?;
    server.isolate();
    server.answer_instead("engine.js", on_three_cores("")?);
    server.answer_instead(PROGRAM, b"no program".to_vec());
    let page = open(&server, "?device=cpu").await?;
    page.wait_for_words("offline-notes", "one core", READ)
        .await?;
    ensure!(server.count("a-worker") == 0);
    read_sample(&page).await?;
    page.close().await
}

#[tokio::test]
async fn threads_that_trap_end_the_engine_and_the_page_says_so() -> Result<()> {
    let server = Server::start()?;
    server.isolate();
    let trap = "const Real_ = WebAssembly.Instance;
        WebAssembly.Instance = function (...all) {
            const { exports } = new Real_(...all);
            const pass = () => { throw new WebAssembly.RuntimeError('unreachable'); };
            return { exports: { ...exports, pass } };
        };";
    server.answer_instead("engine.js", on_three_cores(trap)?);
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for_error("The engine stopped", READ).await?;
    page.screenshot("wide-threads-trap").await?;
    // The engine that comes next is well.
    server.answer_instead("engine.js", on_three_cores("")?);
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    read_sample(&page).await?;
    page.close().await
}
