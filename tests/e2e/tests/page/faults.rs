//! Faults of the machine: the GPU is lost, memory is gone, the tab is hidden, a program comes half-way, storage is full. Each is said
//! plainly and recovered from. Engines that end or hang are in `engine.rs`; models that come half-way, full storage at the first visit and
//! damaged copies in `offline.rs`; a GPU with little memory in `devices.rs`; a helper that dies in `explain.rs`.

use serde_json::json;

use super::*;

/// Names how many readings are made in a row: more than a test needs.
const READINGS: &str = "SIGHTLINE_READINGS";

/// As often as it is long enough to see growth in a test run.
const FEW_READINGS: usize = 60;

/// How many readings lie between two times that the page forgets the views that are gone: both measurements lie as far behind one.
const FORGETS_EVERY: usize = 8;

/// The engine reads the samples in half of this, and a large detector's picture in more: pages of 64 KiB.
const PAGES_OF_ENGINE: u32 = 850;

/// The page shows a picture in a third of this, and a large detector's samples in more.
const PAGES_OF_PAGE: u32 = 400;

/// A number of a WebAssembly program (LEB128), and how many bytes it has.
fn number(bytes: &[u8]) -> Result<(u32, usize)> {
    let mut number = 0u64;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 127) << (7 * at);
        if byte & 128 == 0 {
            return Ok((u32::try_from(number)?, at + 1));
        }
    }
    bail!("no number")
}

fn write_number(mut number: u32, to: &mut Vec<u8>) {
    while number > 127 {
        to.push((number as u8 & 127) | 128);
        number >>= 7;
    }
    to.push(number as u8);
}

/// A WebAssembly program that may have so many pages of memory, and no more: as on a machine that has no more.
fn with_little_memory(program: &[u8], pages: u32) -> Result<Vec<u8>> {
    const MEMORY: u8 = 5;
    let mut at = 8;
    while at < program.len() {
        let (length, bytes) = number(&program[at + 1..])?;
        let (start, end) = (at + 1 + bytes, at + 1 + bytes + length as usize);
        if program[at] == MEMORY {
            let section = &program[start..end];
            ensure!(section[..1] == [1], "more than one memory");
            let (least, _) = number(&section[2..])?;
            ensure!(least < pages, "it begins with {least} pages");
            let mut limited = vec![1, 1];
            write_number(least, &mut limited);
            write_number(pages, &mut limited);
            let mut out = program[..=at].to_vec();
            write_number(u32::try_from(limited.len())?, &mut out);
            out.extend(limited);
            out.extend(&program[end..]);
            return Ok(out);
        }
        at = end;
    }
    bail!("a program without memory")
}

fn program(name: &str) -> Result<Vec<u8>> {
    Ok(std::fs::read(sightline_e2e::dist().join(name))?)
}

async fn read_sample(page: &Page) -> Result<()> {
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(page, &sample("effusion.jpg")).await
}

/// A file of a large detector's picture, in a folder of its own.
fn large_file() -> Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("large.dcm");
    std::fs::write(&file, look::large())?;
    Ok((folder, file))
}

async fn open_on_gpu(server: &Server) -> Result<Page> {
    let page = open_with_webgpu(server, "?device=webgpu").await?;
    page.wait_for(&["idle"], SLOW).await?;
    let adapter = page.text("adapter").await?;
    ensure!(adapter.starts_with("WebGPU: "), "{adapter}");
    Ok(page)
}

/// The CPU has read the sample, and the page says why it was the CPU.
async fn is_read_on_cpu(page: &Page) -> Result<()> {
    page.wait_for_words("status", "continues on the CPU", SLOW)
        .await?;
    page.wait_for(&["ready"], SLOW).await?;
    let adapter = page.text("adapter").await?;
    ensure!(adapter.starts_with("CPU"), "{adapter}");
    ensure!(!page.exists("error").await?, "an error is shown");
    assert_scores_are_native(page, &sample("effusion.jpg")).await
}

/// The browser's GPU process ends, as it does when a driver is reset.
#[tokio::test]
async fn a_gpu_that_is_lost_between_readings_gives_way_to_the_cpu() -> Result<()> {
    let server = Server::start()?;
    let page = open_on_gpu(&server).await?;
    page.driver
        .cdp()
        .send_raw("Browser.crashGpuProcess", json!({}))
        .await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    page.element("sample-1").await?.click().await?;
    is_read_on_cpu(&page).await?;
    page.screenshot("wide-gpu-lost").await?;
    page.close().await
}

#[tokio::test]
async fn a_gpu_that_is_lost_in_a_reading_gives_way_to_the_cpu_which_reads_the_same_picture()
-> Result<()> {
    let server = Server::start()?;
    // The engine's device is destroyed when the page says so: what is under way on it fails.
    let loses = "const open = GPUAdapter.prototype.requestDevice;
        GPUAdapter.prototype.requestDevice = async function (...wishes) {
            const device = await open.apply(this, wishes);
            new BroadcastChannel('lose').onmessage = () => {
                device.destroy();
                fetch(new URL('/the-gpu-is-lost', self.home)).catch(() => {});
            };
            return device;
        };";
    server.answer_instead(GPU_ENGINE, program_after(loses, GPU_ENGINE)?);
    let page = open_on_gpu(&server).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["reading"], READ).await?;
    let lose = "new BroadcastChannel('lose').postMessage(1)";
    page.script(lose, Vec::new()).await?;
    is_read_on_cpu(&page).await?;
    ensure!(
        server.count("the-gpu-is-lost") == 1,
        "no GPU was lost; there is nothing to see"
    );
    page.close().await
}

#[tokio::test]
async fn an_engine_without_memory_names_the_file_and_the_next_one_is_read() -> Result<()> {
    let server = Server::start()?;
    let limited = with_little_memory(&program("engine_bg.wasm")?, PAGES_OF_ENGINE)?;
    server.answer_instead("engine_bg.wasm", limited);
    let page = open(&server, "?device=cpu").await?;
    read_sample(&page).await?;
    let (_folder, file) = large_file()?;
    page.choose(&file).await?;
    page.wait_for_error("while it read large.dcm, most likely out of memory", READ)
        .await?;
    ensure!(page.state().await? == "error", "{}", page.state().await?);
    page.screenshot("wide-no-memory").await?;
    // Another file loads the engine again; nobody has to ask for it.
    page.choose(&sample("effusion.jpg")).await?;
    page.wait_for(&["ready"], LOAD).await?;
    ensure!(!page.exists("error").await?, "the error stays");
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    page.close().await
}

#[tokio::test]
async fn a_page_without_memory_says_that_it_stopped_and_comes_back_by_its_button() -> Result<()> {
    let server = Server::start()?;
    let limited = with_little_memory(&program("page_bg.wasm")?, PAGES_OF_PAGE)?;
    server.answer_instead("page_bg.wasm", limited);
    let page = open(&server, "?device=cpu").await?;
    let (_folder, file) = large_file()?;
    page.choose(&file).await?;
    page.wait_for(&["ready"], READ).await?;
    // Its samples have no room here.
    page.element("full-size").await?.click().await?;
    page.wait_for_words("page-ended", "ran out of memory", READ)
        .await?;
    let inert = "return document.querySelector('main').inert";
    ensure!(page.script(inert, Vec::new()).await? == true);
    page.screenshot("wide-page-ended").await?;
    server.answer_instead("page_bg.wasm", program("page_bg.wasm")?);
    let reload = page.driver.find(By::Css(".ended button")).await?;
    reload.click().await?;
    let start = std::time::Instant::now();
    while page.exists("page-ended").await.unwrap_or(true) {
        ensure!(start.elapsed() < READ, "the page is not loaded again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    page.wait_for(&["idle"], LOAD).await?;
    read_sample(&page).await?;
    page.close().await
}

#[tokio::test]
async fn a_program_that_comes_half_way_is_said_and_comes_again() -> Result<()> {
    let server = Server::start()?;
    server.cut("engine_bg.wasm", true);
    let page = Page::open(&server, "?device=cpu", Options::default()).await?;
    page.wait_for_error("The engine could not be loaded", LOAD)
        .await?;
    server.cut("engine_bg.wasm", false);
    let again = page.driver.find(By::Css(".remedies button")).await?;
    again.click().await?;
    page.wait_for(&["idle"], LOAD).await?;
    read_sample(&page).await?;
    page.close().await?;

    let server = Server::start()?;
    server.cut("page_bg.wasm", true);
    let page = Page::open(&server, "?device=cpu", Options::default()).await?;
    let start = std::time::Instant::now();
    loop {
        let said = page
            .script("return document.body.textContent", Vec::new())
            .await?;
        if said.to_string().contains("Sightline could not start") {
            break;
        }
        ensure!(start.elapsed() < LOAD, "{said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.cut("page_bg.wasm", false);
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.close().await
}

/// LIME of the sample under way, so that it takes some seconds.
async fn explain_slowly(page: &Page) -> Result<()> {
    read_sample(page).await?;
    choose(page, "lime-samples", "200").await?;
    choose(page, "explain-method", "lime").await?;
    page.wait_for_words("status", "of 200 samples", SLOW).await
}

/// LIME's coefficients are the native engine's.
async fn assert_explained_as_natively(page: &Page) -> Result<()> {
    page.wait_for(&["ready"], SLOW).await?;
    ensure!(
        !page.exists("error").await?,
        "{}",
        page.text("error").await?
    );
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let ours = report.explanations.lime.context("no LIME in the report")?;
    let radiograph = Radiograph::decode(&std::fs::read(sample("effusion.jpg"))?)?;
    let native = explained(&reader(&model()?.1)?, &radiograph, &ours).await?;
    assert_coefficients_are(&ours, &native)
}

#[tokio::test]
async fn work_goes_on_in_a_tab_that_is_hidden() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    explain_slowly(&page).await?;
    // The driver stays with the first tab, which is behind this one now. A tab that the driver opens itself would be the one behind.
    let another = json!({ "url": "about:blank" });
    page.driver
        .cdp()
        .send_raw("Target.createTarget", another)
        .await?;
    let hidden = "return document.visibilityState";
    let start = std::time::Instant::now();
    while page.script(hidden, Vec::new()).await? != "hidden" {
        ensure!(start.elapsed() < READ, "the tab is not hidden");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_explained_as_natively(&page).await?;
    let click = "document.querySelector('[data-testid=sample-0]').click()";
    choose(&page, "explain-method", "grad-cam").await?;
    page.script(click, Vec::new()).await?;
    page.wait_for_words("radiograph-info", "cardiomegaly.jpg", READ)
        .await?;
    page.wait_for(&["ready"], READ).await?;
    ensure!(page.script(hidden, Vec::new()).await? == "hidden");
    assert_scores_are_native(&page, &sample("cardiomegaly.jpg")).await?;
    page.close().await
}

/// Browsers freeze tabs that were hidden for minutes: page and engine stand still.
#[tokio::test]
async fn work_goes_on_after_a_tab_was_frozen() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    explain_slowly(&page).await?;
    let tools = page.driver.cdp();
    let set = |state: &'static str| {
        tools.send_raw("Page.setWebLifecycleState", json!({ "state": state }))
    };
    set("frozen").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let said = "return document.querySelector('[data-testid=status]').textContent";
    let before = page.script(said, Vec::new()).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = page.script(said, Vec::new()).await?;
    ensure!(before == after, "it is not frozen: {before}, {after}");
    ensure!(before.to_string().contains("of 200 samples"), "{before}");
    set("active").await?;
    assert_explained_as_natively(&page).await?;
    page.close().await
}

#[tokio::test]
async fn a_second_model_without_room_in_storage_reads_and_is_said_not_to_be_kept() -> Result<()> {
    const SECOND: &str = "densenet121-nih";
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("offline-ready").await?;
    let full = json!({ "origin": format!("http://{}", server.address), "quotaSize": 100_000 });
    let tools = page.driver.cdp();
    tools
        .send_raw("Storage.overrideQuotaForOrigin", full)
        .await?;
    choose(&page, "model-select", SECOND).await?;
    page.wait_for(&["loading"], READ).await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.wait_for_words("offline-not", "the storage that the browser gives", READ)
        .await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let folder = www().join("models").join(SECOND);
    let (_, expected) = native_with(&folder, &sample("effusion.jpg")).await?;
    assert_scores_are(&page, &expected).await?;
    // What was kept before is kept still.
    server.stop();
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    read_sample(&page).await?;
    page.close().await
}

/// What the two programs and their process hold, in bytes.
#[derive(Debug)]
struct Held {
    engine: f64,
    /// Without what is free in the program's memory: free memory hides a leak of hundreds of kilobytes from the memory's size.
    page: f64,
    process: f64,
}

impl Held {
    async fn now(page: &Page) -> Result<Self> {
        let tools = page.driver.cdp();
        tools
            .send_raw("HeapProfiler.collectGarbage", json!({}))
            .await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        // Blocks are taken until the memory grows, and given back: the last one alone was not free before.
        let ask = "const done = arguments[arguments.length - 1];
            const { memory, __wbindgen_malloc: take, __wbindgen_free: give } = window.program;
            const held = () => {
                const [block, overhead] = [1000, 8];
                const size = memory.buffer.byteLength;
                const taken = [];
                while (memory.buffer.byteLength === size) taken.push(take(block, 8) >>> 0);
                for (const at of taken) give(at, block, 8);
                return size - (taken.length - 1) * (block + overhead);
            };
            const told = new BroadcastChannel('told');
            told.onmessage = event => {
                told.close();
                done([event.data, held()]);
            };
            new BroadcastChannel('ask').postMessage('how much');";
        let programs = page.driver.execute_async(ask, Vec::new()).await?;
        let [engine, of_page]: [f64; 2] = serde_json::from_value(programs.json().clone())?;
        Ok(Self {
            engine,
            page: of_page,
            process: page.memory()? as f64,
        })
    }
}

/// Sixty readings in each test run, which show a leak of half a kilobyte with each; with `SIGHTLINE_READINGS=500` as many as that, in a
/// minute or two.
#[tokio::test]
async fn many_readings_do_not_make_memory_grow() -> Result<()> {
    // The process holds more than the programs: what the browser has compiled again, because it is run often, comes in the first hundred
    // readings and grew an idle page's process by 5% in all. A twentieth of a small program is less than what it asks for at once. What the
    // page holds went up and down by 4 kB in 500 readings.
    const AT_ONCE: f64 = 256.0 * 1024.0;
    const OF_PAGE: f64 = 16.0 * 1024.0;
    let count = match std::env::var(READINGS) {
        Ok(count) => count.parse()?,
        Err(_) => FEW_READINGS,
    };
    let first = 10 + count.saturating_sub(10) % FORGETS_EVERY;
    ensure!(count > first, "{count} readings show nothing");
    let remember = |then: &str| {
        format!(
            "const start = WebAssembly.instantiateStreaming;
            WebAssembly.instantiateStreaming = async (...all) => {{
                const made = await start.apply(WebAssembly, all);
                const memory = made.instance.exports.memory;
                {then}
                return made;
            }};"
        )
    };
    let server = Server::start()?;
    let tells = remember(
        "new BroadcastChannel('ask').onmessage = () =>
            new BroadcastChannel('told').postMessage(memory.buffer.byteLength);",
    );
    server.answer_instead("engine.js", engine_after(&tells)?);
    let page = open(&server, "?device=cpu").await?;
    page.reload_with(&remember("window.program = made.instance.exports;"))
        .await?;
    page.wait_for(&["idle"], LOAD).await?;
    let file = std::fs::read(sample("effusion.jpg"))?;
    let read = r#"
        const [bytes, count, done] = arguments;
        const file = new File([Uint8Array.from(bytes)], 'effusion.jpg');
        const input = document.querySelector("[data-testid='file-input']");
        const status = document.querySelector("[data-testid='status']");
        const until = state => new Promise(seen => {
            // A reading may be over before anyone looks.
            const look = (changes = []) => {
                const was = changes.some(change => change.oldValue === state);
                if (status.dataset.state !== state && !was) return false;
                watch.disconnect();
                seen();
                return true;
            };
            const watch = new MutationObserver(look);
            if (!look()) watch.observe(status, { attributes: true, attributeOldValue: true });
        });
        const readings = async () => {
            for (let made = 0; made < count; made++) {
                const transfer = new DataTransfer();
                transfer.items.add(file);
                input.files = transfer.files;
                input.dispatchEvent(new Event('change', { bubbles: true }));
                await until('reading');
                await until('ready');
            }
        };
        readings().then(() => done('read'), error => done(String(error)));"#;
    let read = async |count: usize| -> Result<()> {
        let arguments = vec![json!(file), json!(count)];
        let done = page.driver.execute_async(read, arguments).await?;
        ensure!(*done.json() == "read", "{}", done.json());
        Ok(())
    };
    read(first).await?;
    let before = Held::now(&page).await?;
    let mut made = first;
    while made < count {
        let next = (count - made).min(50);
        read(next).await?;
        made += next;
    }
    let after = Held::now(&page).await?;
    println!("after {first} readings {before:?}, after {count} {after:?}");
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    let engine = AT_ONCE.max(0.05 * before.engine);
    let process = AT_ONCE.max(0.08 * before.process);
    for (name, before, after, more) in [
        ("engine", before.engine, after.engine, engine),
        ("page", before.page, after.page, OF_PAGE),
        ("process", before.process, after.process, process),
    ] {
        ensure!(before > 0.0, "the {name} holds nothing");
        ensure!(
            after <= before + more,
            "the {name} holds {after} bytes after {count} readings, {before} after {first}"
        );
    }
    page.close().await
}
