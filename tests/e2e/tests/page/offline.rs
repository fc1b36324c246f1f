//! What is kept on the reader's machine: reading without network, new versions, damaged copies, full storage; and the list of requests.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;

/// The page, with everything kept that reading without network needs.
async fn open_and_keep(server: &Server) -> Result<Page> {
    let page = open(server, "?device=cpu").await?;
    page.element("offline-ready").await?;
    Ok(page)
}

/// An empty page of the server, for what has to be set before the page is opened.
async fn open_beside(server: &Server) -> Result<Page> {
    Page::open(server, "nothing", Options::default()).await
}

async fn go(page: &Page, server: &Server) -> Result<()> {
    let address = format!("http://{}/?device=cpu", server.address);
    Ok(page.driver.goto(address).await?)
}

async fn read_sample(page: &Page) -> Result<()> {
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(page, &sample("effusion.jpg")).await
}

fn weights() -> Result<String> {
    Ok(format!("models/{}/weights.bpk", model()?.0))
}

/// Flips a bit in the middle of each kept file whose address contains `part`, and says how many there were.
async fn damage(page: &Page, part: &str) -> Result<u64> {
    let script = "
        const [part, done] = arguments;
        const damage = async () => {
            let damaged = 0;
            for (const name of await caches.keys()) {
                const cache = await caches.open(name);
                for (const request of await cache.keys()) {
                    if (!request.url.includes(part)) continue;
                    const response = await cache.match(request);
                    const { headers } = response;
                    const bytes = new Uint8Array(await response.arrayBuffer());
                    bytes[bytes.length >> 1] ^= 1;
                    await cache.put(request, new Response(bytes, { headers }));
                    damaged++;
                }
            }
            return damaged;
        };
        damage().then(done, error => done(String(error)));";
    let damaged = page.driver.execute_async(script, vec![json!(part)]).await?;
    let damaged = damaged.json().clone();
    damaged
        .as_u64()
        .with_context(|| format!("{part} cannot be damaged: {damaged}"))
}

/// Puts another build on the server, whose pages have `window.isAnother`.
fn publish_another(server: &Server) -> Result<()> {
    let hash = |bytes: &[u8]| -> String {
        let hash = Sha256::digest(bytes);
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let read = |name: &str| std::fs::read_to_string(sightline_e2e::dist().join(name));
    let (boot, worker) = (read("boot.js")?, read("sw.js")?);
    let other = format!("{boot}\nwindow.isAnother = true;\n");
    let (old, new) = (hash(boot.as_bytes()), hash(other.as_bytes()));
    ensure!(
        worker.contains(&old),
        "sw.js does not have the hash of boot.js"
    );
    let name = worker
        .split("\"name\":\"")
        .nth(1)
        .and_then(|rest| rest.get(..16))
        .context("the build has no name")?;
    let worker = worker.replace(&old, &new).replace(name, "another-build-00");
    server.answer_instead("boot.js", other.into_bytes());
    server.answer_instead("sw.js", worker.into_bytes());
    Ok(())
}

async fn is_another(page: &Page) -> Result<bool> {
    let script = "return window.isAnother === true";
    Ok(page.script(script, Vec::new()).await? == true)
}

#[tokio::test]
async fn after_one_visit_the_page_reads_without_its_server() -> Result<()> {
    let server = Server::start()?;
    let page = open_and_keep(&server).await?;
    read_sample(&page).await?;
    let scores = page.scores().await?;
    server.stop();
    let asked = "const [path, done] = arguments; fetch(path).then(() => done('an answer'), () => done('none'))";
    let asked = page
        .driver
        .execute_async(asked, vec![json!("SOURCES-that-nobody-keeps")])
        .await?;
    ensure!(*asked.json() == "none", "the server still answers");
    // The engine is started anew, too.
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    read_sample(&page).await?;
    ensure!(page.scores().await? == scores, "other scores");
    page.element("offline-ready").await?;
    page.screenshot("wide-offline").await?;
    page.close().await
}

#[tokio::test]
async fn after_one_visit_the_graphics_card_reads_without_the_server() -> Result<()> {
    let server = Server::start()?;
    let page = open_with_webgpu(&server, "?device=webgpu").await?;
    page.wait_for(&["idle"], SLOW).await?;
    page.element("offline-ready").await?;
    // The other engine is not needed here.
    ensure!(server.count("engine.js") + server.count("engine_bg.wasm") == 0);
    server.stop();
    page.driver.refresh().await?;
    page.wait_for(&["idle"], SLOW).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    let adapter = page.text("adapter").await?;
    ensure!(adapter.starts_with("WebGPU: "), "{adapter}");
    page.close().await
}

#[tokio::test]
async fn a_new_version_is_offered_and_comes_when_it_is_asked_for() -> Result<()> {
    let server = Server::start()?;
    let page = open_and_keep(&server).await?;
    ensure!(!page.exists("update").await?, "there is none yet");
    publish_another(&server)?;
    // Reloaded in the browser's way, it stays as it is, and so does its engine.
    for _ in 0..2 {
        page.driver.refresh().await?;
        page.wait_for(&["idle"], LOAD).await?;
        page.element("update").await?;
        ensure!(!is_another(&page).await?, "the update was forced");
    }
    read_sample(&page).await?;
    page.screenshot("wide-update").await?;
    page.element("update-reload").await?.click().await?;
    let start = std::time::Instant::now();
    while !is_another(&page).await.unwrap_or_default() {
        ensure!(start.elapsed() < LOAD, "the update does not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    page.wait_for(&["idle"], LOAD).await?;
    page.element("offline-ready").await?;
    ensure!(!page.exists("update").await?, "it is offered again");
    read_sample(&page).await?;
    // What is kept is the new build.
    server.stop();
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    ensure!(is_another(&page).await?, "the old build came back");
    page.close().await
}

#[tokio::test]
async fn files_of_two_builds_are_not_kept() -> Result<()> {
    let server = Server::start()?;
    server.answer_instead("engine.js", engine_after("// another")?);
    let page = open(&server, "?device=cpu").await?;
    page.wait_for_words("offline-not", "engine.js", READ)
        .await?;
    read_sample(&page).await?;
    ensure!(
        !page.exists("offline-ready").await?,
        "it is said to be kept"
    );
    page.close().await
}

#[tokio::test]
async fn damaged_copies_are_said_and_fetched_again() -> Result<()> {
    let server = Server::start()?;
    let page = open_and_keep(&server).await?;
    let weights = weights()?;
    for (part, file) in [
        ("weights?sha256=", weights.as_str()),
        ("engine.js", "engine.js"),
    ] {
        let asked = server.count(file);
        ensure!(damage(&page, part).await? == 1, "{part} is not kept once");
        // A copy is checked once while the service worker runs, which browsers end soon.
        for command in ["ServiceWorker.enable", "ServiceWorker.stopAllWorkers"] {
            page.tools(command, json!({})).await?;
        }
        page.driver.refresh().await?;
        page.wait_for(&["idle"], LOAD).await?;
        page.wait_for_words("offline-notes", "damaged", READ)
            .await
            .with_context(|| file.to_owned())?;
        ensure!(
            server.count(file) == asked + 1,
            "{file} was not fetched again"
        );
        page.element("offline-ready").await?;
        read_sample(&page).await?;
        // The copy is whole again.
        page.driver.refresh().await?;
        page.wait_for(&["idle"], LOAD).await?;
        ensure!(server.count(file) == asked + 1, "{file} was fetched twice");
    }
    page.close().await
}

#[tokio::test]
async fn a_model_that_comes_half_way_is_said_and_loads_again() -> Result<()> {
    let server = Server::start()?;
    let weights = weights()?;
    server.cut(&weights, true);
    let page = Page::open(&server, "?device=cpu", Options::default()).await?;
    page.wait_for(&["error"], LOAD).await?;
    page.wait_for_error("broke off", READ).await?;
    server.cut(&weights, false);
    let again = page.driver.find(By::Css(".remedies button")).await?;
    again.click().await?;
    page.wait_for(&["idle"], LOAD).await?;
    read_sample(&page).await?;
    // Whole, it is kept.
    page.element("offline-ready").await?;
    let asked = server.count(&weights);
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    ensure!(server.count(&weights) == asked, "it is fetched again");
    page.close().await
}

#[tokio::test]
async fn with_full_storage_the_page_reads_and_says_that_it_is_not_kept() -> Result<()> {
    let server = Server::start()?;
    let page = open_beside(&server).await?;
    let origin = format!("http://{}", server.address);
    let full = json!({ "origin": origin, "quotaSize": 100_000 });
    let tools = page.driver.cdp();
    tools
        .send_raw("Storage.overrideQuotaForOrigin", full)
        .await?;
    go(&page, &server).await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.wait_for_words("offline-not", "full", READ).await?;
    read_sample(&page).await?;
    ensure!(
        !page.exists("offline-ready").await?,
        "it is said to be kept"
    );
    page.close().await
}

/// A stand-in for a private window that has neither service workers nor storage: browsers differ in what they leave out.
#[tokio::test]
async fn where_nothing_can_be_kept_the_page_reads_and_says_so() -> Result<()> {
    let server = Server::start()?;
    // The engine has no storage either.
    server.answer_instead(
        "engine.js",
        engine_after("Object.defineProperty(self, 'caches', { value: undefined });")?,
    );
    let page = open_beside(&server).await?;
    page.reload_with(
        "Object.defineProperty(Navigator.prototype, 'serviceWorker', { value: undefined });",
    )
    .await?;
    go(&page, &server).await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.wait_for_words("offline-not", "private window", READ)
        .await?;
    read_sample(&page).await?;
    // The engine's requests are listed without a service worker, too.
    page.wait_for_words("requests", &weights()?, READ).await?;
    page.close().await
}

#[tokio::test]
async fn every_request_is_listed() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    read_sample(&page).await?;
    page.element("offline-ready").await?;
    page.wait_for_words("privacy-panel", "none with data", READ)
        .await?;
    // Updates and accounts are asked for by the browser, for itself.
    let dist = sightline_e2e::dist();
    let mut asked = server.paths();
    asked.retain(|path| dist.join(path).is_file());
    asked.sort();
    asked.dedup();
    ensure!(asked.contains(&weights()?), "{asked:?}");
    let script =
        "return Array.from(document.querySelectorAll('[data-testid=requests] > li'), row =>
        [row.querySelector('code').textContent, row.textContent])";
    let start = std::time::Instant::now();
    loop {
        let rows = page.script(script, Vec::new()).await?;
        let rows: Vec<(String, String)> = serde_json::from_value(rows)?;
        for (address, row) in &rows {
            ensure!(!address.contains("://"), "another server: {address}");
            ensure!(row.contains("after ") && row.contains("by "), "{row}");
        }
        let listed = |path: &&String| {
            rows.iter().any(|(address, _)| {
                address == *path || (*path == "index.html" && address == "?device=cpu")
            })
        };
        let missing: Vec<&String> = asked.iter().filter(|path| !listed(path)).collect();
        if missing.is_empty() {
            break;
        }
        // The browser lists what is done, a moment later.
        ensure!(
            start.elapsed() < READ,
            "not listed: {missing:?} in {rows:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (name, folder) = model()?;
    let bytes = std::fs::metadata(folder.join("weights.bpk"))?.len() as f64;
    let rows = page.script(script, Vec::new()).await?;
    let rows: Vec<(String, String)> = serde_json::from_value(rows)?;
    let of_weights = format!("models/{name}/weights.bpk");
    let row = rows.iter().find(|(address, _)| *address == of_weights);
    let (_, row) = row.context("no row for the weights")?;
    let size = format!("{:.1} kB", bytes / 1000.0);
    ensure!(row.contains(&size) && row.contains("network"), "{row}");
    page.screenshot("wide-requests").await?;
    page.close().await
}
