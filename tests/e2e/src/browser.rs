//! Chromium by WebDriver.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::*;

use crate::Server;
use crate::schemas::fits_report;

/// States that last as long as some work: a moment, where it is quick.
const PASSING: [&str; 3] = ["loading", "reading", "explaining"];

/// What the driver does, in the browser's folder.
const LOG: &str = "driver.log";

/// Notes the states that `status` leaves.
const NOTE_STATES: &str = "
    window.passedStates = [];
    new MutationObserver(changes => changes
        .filter(change => change.target.dataset.testid === 'status')
        .forEach(change => window.passedStates.push(change.oldValue)))
        .observe(document, { subtree: true, attributes: true, attributeFilter: ['data-state'], attributeOldValue: true });";

/// Whether the browser has WebGPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Webgpu {
    No,
    /// SwiftShader: a software adapter.
    Software,
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub webgpu: Webgpu,
    pub width: u32,
    pub height: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            webgpu: Webgpu::No,
            width: 1400,
            height: 1000,
        }
    }
}

/// The page in a browser of its own.
pub struct Page {
    pub driver: WebDriver,
    chromedriver: Child,
    /// Whether the test came to its end.
    closed: bool,
    /// Profile, downloads and caches of this browser: up to 200 MB, gone with it.
    folder: TempDir,
}

impl Page {
    /// Opens the test server's page at `query` (`""`, or `?device=cpu`).
    pub async fn open(server: &Server, query: &str, options: Options) -> Result<Self> {
        // Everything goes through the test's server, loopback addresses too.
        let proxy = [
            format!("--proxy-server=http://{}", server.address),
            "--proxy-bypass-list=<-loopback>".to_owned(),
        ];
        Self::start(
            &format!("{}/", server.address),
            query,
            options,
            proxy.into(),
        )
        .await
    }

    /// Opens the page of another server of this machine, at an address that ends in a slash.
    pub async fn open_at(address: &str, query: &str, options: Options) -> Result<Self> {
        Self::start(address, query, options, Vec::new()).await
    }

    async fn start(
        address: &str,
        query: &str,
        options: Options,
        proxy: Vec<String>,
    ) -> Result<Self> {
        let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let chromedriver = Command::new(&program)
            .arg(format!("--port={port}"))
            .arg("--log-level=ALL")
            .arg(format!("--log-path={}", folder.path().join(LOG).display()))
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > Duration::from_secs(30) {
                bail!("chromedriver does not answer");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-default-apps".to_owned(),
            "--disable-domain-reliability".to_owned(),
            "--disable-client-side-phishing-detection".to_owned(),
            // Accounts and updates, which cannot be switched off, are asked of the test's server: it is to see no other place than the page
            // asks for.
            format!("--gaia-url=http://{address}"),
            format!("--component-updater=url-source=http://{address}updates"),
            format!("--window-size={},{}", options.width, options.height),
        ];
        arguments.extend(proxy);
        // Only the last list of features counts.
        let mut off =
            "OptimizationHints,MediaRouter,Translate,NetworkTimeServiceQuerying,AutofillServerCommunication".to_owned();
        match options.webgpu {
            Webgpu::No => off.push_str(",WebGPU,WebGPUService"),
            Webgpu::Software => arguments.extend(
                [
                    "--enable-unsafe-webgpu",
                    "--use-webgpu-adapter=swiftshader",
                    "--enable-features=Vulkan",
                    "--use-vulkan=swiftshader",
                ]
                .map(str::to_owned),
            ),
        }
        arguments.push(format!("--disable-features={off}"));
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in &arguments {
            capabilities.add_arg(argument)?;
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await?;
        let page = Self {
            driver,
            chromedriver,
            closed: false,
            folder,
        };
        page.driver
            .set_script_timeout(Duration::from_secs(120))
            .await?;
        let noted = json!({ "source": NOTE_STATES });
        page.tools("Page.addScriptToEvaluateOnNewDocument", noted)
            .await?;
        page.driver.goto(format!("http://{address}{query}")).await?;
        Ok(page)
    }

    pub async fn close(mut self) -> Result<()> {
        self.closed = true;
        Ok(self.driver.clone().quit().await?)
    }

    /// The end of what the driver wrote down, without what is long in it: what it was at when a test failed.
    fn last_of_log(&self) -> String {
        const LINES: usize = 60;
        const LETTERS: usize = 200;
        let log = std::fs::read(self.folder.path().join(LOG)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].iter();
        let short = last.map(|line| line.chars().take(LETTERS).collect::<String>());
        short.collect::<Vec<_>>().join("\n")
    }

    /// The most memory, in bytes, that the page's process with its workers has held so far.
    ///
    /// # Errors
    /// Where there is no `/proc` to ask.
    pub fn peak_memory(&self) -> Result<u64> {
        self.memory_by("VmHWM:")
    }

    /// The memory, in bytes, that the page's process with its workers holds now.
    ///
    /// # Errors
    /// Where there is no `/proc` to ask.
    pub fn memory(&self) -> Result<u64> {
        self.memory_by("VmRSS:")
    }

    /// A number of kilobytes in the status of the largest of this browser's processes that show pages, in bytes.
    fn memory_by(&self, what: &str) -> Result<u64> {
        let mut most = 0;
        for id in self.processes()? {
            let read = |file| std::fs::read_to_string(format!("/proc/{id}/{file}"));
            if read("cmdline").is_ok_and(|command| command.contains("--type=renderer")) {
                most = most.max(1024 * field(&read("status")?, what).unwrap_or(0));
            }
        }
        Ok(most)
    }

    /// Ids of the driver and of all processes that came from it.
    fn processes(&self) -> Result<Vec<u64>> {
        let mut others = Vec::new(); // id, parent
        for entry in std::fs::read_dir("/proc").context("no /proc")? {
            let Ok(status) = std::fs::read_to_string(entry?.path().join("status")) else {
                continue; // not a process, or gone by now
            };
            others.extend(field(&status, "Pid:").zip(field(&status, "PPid:")));
        }
        let mut family = vec![u64::from(self.chromedriver.id())];
        let mut read = 0;
        while let Some(&parent) = family.get(read) {
            family.extend(
                others
                    .iter()
                    .filter(|(_, of)| *of == parent)
                    .map(|(id, _)| id),
            );
            read += 1;
        }
        Ok(family)
    }

    /// The element with this `data-testid`, once it is there.
    pub async fn element(&self, testid: &str) -> Result<WebElement> {
        let css = format!("[data-testid='{testid}']");
        let found = self
            .driver
            .query(By::Css(css))
            .wait(Duration::from_secs(20), Duration::from_millis(50));
        found
            .first()
            .await
            .with_context(|| format!("no {testid} on the page"))
    }

    pub async fn text(&self, testid: &str) -> Result<String> {
        loop {
            match self.element(testid).await?.text().await {
                Err(error) if is_stale(&error) => {}
                text => return Ok(text?),
            }
        }
    }

    /// What stands in a field.
    pub async fn value(&self, testid: &str) -> Result<String> {
        loop {
            match self.element(testid).await?.prop("value").await {
                Err(error) if is_stale(&error) => {}
                value => return Ok(value?.unwrap_or_default()),
            }
        }
    }

    pub async fn exists(&self, testid: &str) -> Result<bool> {
        Ok(!self
            .driver
            .find_all(By::Css(format!("[data-testid='{testid}']")))
            .await?
            .is_empty())
    }

    /// Waits until `status` is in one of these states and says which. Work that is over already, since the last wait, counts.
    pub async fn wait_for(&self, states: &[&str], limit: Duration) -> Result<String> {
        let start = Instant::now();
        loop {
            let look = "return [
                window.passedStates?.splice(0) ?? [],
                document.querySelector(\"[data-testid='status']\")?.dataset.state ?? '',
            ]";
            let seen = self.script(look, Vec::new()).await?;
            let (passed, state): (Vec<String>, String) = serde_json::from_value(seen)?;
            let over = passed
                .into_iter()
                .filter(|state| PASSING.contains(&state.as_str()));
            let mut seen = std::iter::once(state.clone()).chain(over);
            if let Some(state) = seen.find(|state| states.contains(&state.as_str())) {
                return Ok(state);
            }
            if start.elapsed() > limit {
                let error = if self.exists("error").await? {
                    self.text("error").await?
                } else {
                    String::new()
                };
                bail!("after {limit:?} the page is {state:?}, not one of {states:?}; {error}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn state(&self) -> Result<String> {
        let state = self.element("status").await?.attr("data-state").await?;
        state.context("the status has no state")
    }

    /// Chooses a file by the button, as a person does.
    pub async fn choose(&self, path: &std::path::Path) -> Result<()> {
        let path = path.canonicalize()?;
        let input = self.element("file-input").await?;
        Ok(input
            .send_keys(path.to_str().context("a path in UTF-8")?)
            .await?)
    }

    /// Drops a file of these bytes on the drop zone, or pastes it.
    pub async fn give(&self, how: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let script = r#"
            const [how, name, encoded] = arguments;
            const bytes = Uint8Array.from(atob(encoded), c => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            const options = { bubbles: true, cancelable: true };
            const event = how === 'paste'
                ? new ClipboardEvent('paste', { ...options, clipboardData: transfer })
                : new DragEvent('drop', { ...options, dataTransfer: transfer });
            document.querySelector("[data-testid='drop-zone']").dispatchEvent(event);
        "#;
        self.script(
            script,
            vec![json!(how), json!(name), json!(BASE64.encode(bytes))],
        )
        .await?;
        Ok(())
    }

    /// Drops files and folders of this machine on the page, as a person does.
    pub async fn drop_paths(&self, paths: &[&std::path::Path]) -> Result<()> {
        let mut files = Vec::new();
        for path in paths {
            let path = path.canonicalize()?;
            files.push(path.to_str().context("a path in UTF-8")?.to_owned());
        }
        if paths.iter().all(|path| path.is_file()) {
            return self.drop_files(&files).await;
        }
        let tools = self.driver.cdp();
        for kind in ["dragEnter", "dragOver", "drop"] {
            let event = json!({
                "type": kind, "x": 300, "y": 200,
                "data": { "items": [], "files": files, "dragOperationsMask": 1 },
            });
            tools.send_raw("Input.dispatchDragEvent", event).await?;
        }
        Ok(())
    }

    /// Drops files by an event of the page's own: a drag of the browser's, which folders need, is sometimes not answered for a minute.
    async fn drop_files(&self, files: &[String]) -> Result<()> {
        let make = "const input = document.createElement('input');
            Object.assign(input, { type: 'file', multiple: true, id: 'dropped-files' });
            document.body.append(input);";
        self.script(make, Vec::new()).await?;
        let input = self.driver.find(By::Id("dropped-files")).await?;
        input.send_keys(files.join("\n")).await?;
        let drop = "const input = document.getElementById('dropped-files');
            const transfer = new DataTransfer();
            for (const file of input.files) transfer.items.add(file);
            input.remove();
            const options = { bubbles: true, cancelable: true, dataTransfer: transfer };
            document.body.dispatchEvent(new DragEvent('drop', options));";
        self.script(drop, Vec::new()).await?;
        Ok(())
    }

    /// Drops or pastes data of kinds like `text/html`, without a file.
    pub async fn give_data(&self, how: &str, data: &[(&str, &str)]) -> Result<()> {
        let script = r#"
            const [how, data] = arguments;
            const transfer = new DataTransfer();
            for (const [kind, text] of data) transfer.setData(kind, text);
            const options = { bubbles: true, cancelable: true };
            const event = how === 'paste'
                ? new ClipboardEvent('paste', { ...options, clipboardData: transfer })
                : new DragEvent('drop', { ...options, dataTransfer: transfer });
            document.querySelector("[data-testid='drop-zone']").dispatchEvent(event);
        "#;
        self.script(script, vec![json!(how), json!(data)]).await?;
        Ok(())
    }

    /// Runs a script before any of the page's own each time that the page is loaded from now on, and loads it again.
    pub async fn reload_with(&self, script: &str) -> Result<()> {
        let tools = self.driver.cdp();
        let script = json!({ "source": script });
        tools
            .send_raw("Page.addScriptToEvaluateOnNewDocument", script)
            .await?;
        Ok(self.driver.refresh().await?)
    }

    /// Calls a command of Chromium's developer tools.
    pub async fn tools(&self, command: &str, options: Value) -> Result<Value> {
        Ok(self.driver.cdp().send_raw(command, options).await?)
    }

    /// Makes the browser a phone's: a screen of so many pixels, and a finger in place of a mouse.
    pub async fn become_phone(&self, width: u32, height: u32) -> Result<()> {
        let screen =
            json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true });
        self.tools("Emulation.setDeviceMetricsOverride", screen)
            .await?;
        let touch = json!({ "enabled": true, "maxTouchPoints": 5 });
        self.tools("Emulation.setTouchEmulationEnabled", touch)
            .await?;
        Ok(())
    }

    /// What axe-core finds wrong with the page as it is: the rules that are broken, and where.
    ///
    /// # Errors
    /// When axe-core is not there: it is named by `SIGHTLINE_AXE`, or is where `cargo xtask test` puts it.
    pub async fn violations(&self) -> Result<Vec<String>> {
        let file = std::env::var_os("SIGHTLINE_AXE").map_or_else(
            || {
                let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
                root.join("target/tools/node_modules/axe-core/axe.min.js")
            },
            std::path::PathBuf::from,
        );
        let axe = std::fs::read_to_string(&file)
            .with_context(|| format!("axe-core is not at {}", file.display()))?;
        self.script(&axe, Vec::new()).await?;
        let ask = r#"
            const done = arguments[arguments.length - 1];
            const said = ({ id, help, nodes }) => `${id} (${help}): ${nodes.map(node => node.target.join(' ')).join(', ')}`;
            axe.run(document, { resultTypes: ['violations'] }).then(
                ({ violations }) => done(violations.map(said)),
                error => done([`axe-core fails: ${error}`]));
        "#;
        let answer = self.driver.execute_async(ask, Vec::new()).await?;
        Ok(serde_json::from_value(answer.json().clone())?)
    }

    /// Waits until the page shows a problem with these words.
    pub async fn wait_for_error(&self, words: &str, limit: Duration) -> Result<()> {
        self.wait_for_words("error", words, limit).await
    }

    /// Waits until an element says these words.
    pub async fn wait_for_words(&self, testid: &str, words: &str, limit: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let shown = if self.exists(testid).await? {
                self.text(testid).await?
            } else {
                String::new()
            };
            if shown.contains(words) {
                return Ok(());
            }
            if start.elapsed() > limit {
                bail!("no word of {words:?} after {limit:?}; {testid} says {shown:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        let answer = self.driver.execute(script, arguments).await;
        let begin: String = script.trim().chars().take(100).collect();
        let answer = answer.with_context(|| format!("a script fails: {begin}"))?;
        Ok(answer.json().clone())
    }

    /// The scores on the page by finding; `None` where it says "not trained".
    pub async fn scores(&self) -> Result<Vec<Option<f64>>> {
        let mut scores = Vec::new();
        // All rows come together with the first.
        self.element("finding-0").await?;
        while self.exists(&format!("finding-{}", scores.len())).await? {
            let index = scores.len();
            let row = self.element(&format!("finding-{index}")).await?;
            let trained = row.attr("data-trained").await?.context("data-trained")?;
            let score = row.attr("data-score").await?;
            scores.push(match (trained.as_str(), score) {
                ("true", Some(score)) => Some(score.parse()?),
                ("false", None) => None,
                (trained, score) => bail!("finding {index}: trained {trained}, score {score:?}"),
            });
        }
        Ok(scores)
    }

    /// A hash of a canvas's pixels, to see whether it changed.
    pub async fn canvas_pixels(&self, testid: &str) -> Result<(i64, i64, i64)> {
        let script = r#"
            const canvas = document.querySelector(`[data-testid='${arguments[0]}']`);
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            let hash = 17, coloured = 0;
            for (let i = 0; i < data.length; i += 4) {
                hash = (hash * 31 + data[i] * 65536 + data[i + 1] * 256 + data[i + 2]) % 2147483647;
                if (data[i] !== data[i + 1] || data[i + 1] !== data[i + 2]) coloured++;
            }
            return [canvas.width, hash, coloured];
        "#;
        let answer = self.script(script, vec![json!(testid)]).await?;
        let number = |at: usize| {
            answer[at]
                .as_i64()
                .ok_or_else(|| anyhow!("no pixels: {answer}"))
        };
        Ok((number(0)?, number(1)?, number(2)?))
    }

    /// What a click on `testid` saves: the file's name, its type and its bytes.
    pub async fn saved_by(&self, testid: &str) -> Result<(String, Vec<u8>)> {
        let script = r#"
            const done = arguments[arguments.length - 1];
            const click = HTMLAnchorElement.prototype.click;
            HTMLAnchorElement.prototype.click = function () {
                HTMLAnchorElement.prototype.click = click;
                const name = this.download;
                // The page's policy forbids fetching blobs, so they are caught where they are made.
                const reader = new FileReader();
                reader.onload = () => done([name, reader.result.split(',')[1]]);
                reader.readAsDataURL(window.__lastBlob);
            };
            const make = URL.createObjectURL;
            URL.createObjectURL = blob => { window.__lastBlob = blob; return make.call(URL, blob); };
            document.querySelector(`[data-testid='${arguments[0]}']`).click();
        "#;
        let answer = self
            .driver
            .execute_async(script, vec![json!(testid)])
            .await?
            .json()
            .clone();
        let text = |at: usize| {
            answer[at]
                .as_str()
                .map(str::to_owned)
                .context("nothing was saved")
        };
        let (name, bytes) = (text(0)?, BASE64.decode(text(1)?)?);
        if testid == "export-json" {
            fits_report(&bytes)?;
        }
        Ok((name, bytes))
    }

    /// Saves a picture of the page to the folder named by `SIGHTLINE_SCREENSHOTS`, if there is one.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        if let Some(folder) = std::env::var_os("SIGHTLINE_SCREENSHOTS") {
            std::fs::create_dir_all(&folder)?;
            self.driver
                .screenshot(&std::path::Path::new(&folder).join(format!("{name}.png")))
                .await?;
        }
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if !self.closed {
            println!("the driver's last words:\n{}", self.last_of_log());
        }
        // Who asks a driver that is gone to quit waits for two minutes.
        let _ = self.driver.clone().leak();
        // A failed test leaves no browser behind, and a browser that hangs does not end with its driver.
        for id in self.processes().unwrap_or_default() {
            let _ = Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .stderr(Stdio::null())
                .status();
        }
        let _ = self.chromedriver.kill();
        let _ = self.chromedriver.wait();
    }
}

/// Whether another element took an element's place between finding it and asking it.
fn is_stale(error: &WebDriverError) -> bool {
    error.to_string().contains("stale")
}

/// A number in a process's status.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
