//! The page behind a web server with the headers that `deploy/web/` has for it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::*;

/// nginx on this machine alone; it ends with the test.
struct Nginx {
    address: String,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Serves what these lines of a `server` block say.
    fn start(locations: &str) -> Result<Self> {
        Self::start_with("", locations)
    }

    /// With lines for the beginning of the configuration.
    fn start_with(begin: &str, locations: &str) -> Result<Self> {
        let program = std::env::var("SIGHTLINE_NGINX").unwrap_or_else(|_| "nginx".to_owned());
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let folder = tempfile::tempdir()?;
        let place = folder.path();
        // As whoever runs the test, who may read the files.
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {}/{what};", place.display()))
            .join(" ");
        let configuration = format!(
            "{begin} daemon off; master_process off; pid {}/pid; error_log stderr;
             events {{}}
             http {{
                 access_log off; {temporary}
                 server {{
                     listen {address};
                     {locations}
                 }}
             }}",
            place.display()
        );
        let file = place.join("nginx.conf");
        std::fs::write(&file, configuration)?;
        let process = Command::new(&program)
            .arg("-p")
            .arg(place)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let nginx = Self {
            address,
            process,
            _folder: folder,
        };
        let start = std::time::Instant::now();
        while TcpStream::connect(&nginx.address).is_err() {
            ensure!(
                start.elapsed() < Duration::from_secs(20),
                "nginx does not answer"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether nginx is left out: `cargo xtask test` says so where it cannot be had.
fn is_left_out() -> bool {
    std::env::var_os("SIGHTLINE_WITHOUT_NGINX").is_some()
}

fn of_deploy(name: &str) -> PathBuf {
    www().join("../deploy/web").join(name)
}

async fn reads_and_keeps(page: &Page) -> Result<()> {
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(page, &sample("effusion.jpg")).await?;
    page.element("offline-ready").await?;
    Ok(())
}

#[tokio::test]
async fn behind_nginx_with_the_headers_of_deploy_the_page_reads_and_explains() -> Result<()> {
    if is_left_out() {
        return Ok(());
    }
    let dist = std::path::absolute(sightline_e2e::dist())?;
    let headers = of_deploy("nginx.conf").canonicalize()?;
    let (dist, headers) = (dist.display(), headers.display());
    let nginx = Nginx::start(&format!(
        "location / {{ root {dist}; include {headers}; }}
         location /tools/sightline/ {{ alias {dist}/; include {headers}; }}"
    ))?;
    for folder in ["", "tools/sightline/"] {
        let address = format!("{}/{folder}", nginx.address);
        let page = Page::open_at(&address, "?device=cpu", Options::default()).await?;
        page.wait_for(&["idle"], LOAD).await?;
        let isolated = page
            .script("return window.crossOriginIsolated", Vec::new())
            .await?;
        ensure!(isolated == true, "other pages could share its memory");
        reads_and_keeps(&page).await?;
        let kind = "const ask = new XMLHttpRequest(); ask.open('HEAD', 'engine_bg.wasm', false); ask.send();
            return ask.getResponseHeader('Content-Type')";
        ensure!(page.script(kind, Vec::new()).await? == "application/wasm");
        choose(&page, "lime-samples", "50").await?;
        choose(&page, "explain-method", "lime").await?;
        page.wait_for(&["explaining"], READ).await?;
        page.wait_for(&["ready"], SLOW).await?;
        page.close().await?;
    }
    Ok(())
}

/// What `cargo xtask compress` puts beside a file is sent in its place, to whoever can read it.
#[test]
fn nginx_sends_the_compressed_files_that_are_there() -> Result<()> {
    if is_left_out() || std::env::var_os("SIGHTLINE_WITHOUT_BROTLI").is_some() {
        return Ok(());
    }
    let module = std::env::var("SIGHTLINE_NGINX_BROTLI").context(
        "SIGHTLINE_NGINX_BROTLI names no module; SIGHTLINE_WITHOUT_BROTLI leaves this out",
    )?;
    let folder = tempfile::tempdir()?;
    for (end, text) in [("", "as it is"), (".br", "Brotli"), (".gz", "gzip")] {
        std::fs::write(folder.path().join(format!("page.wasm{end}")), text)?;
    }
    let text = std::fs::read_to_string(of_deploy("nginx.conf"))?;
    let with_brotli = text.replace("#brotli_static on;", "brotli_static on;");
    ensure!(with_brotli != text, "there is no line for Brotli");
    let headers = folder.path().join("headers.conf");
    std::fs::write(&headers, with_brotli)?;
    let (place, headers) = (folder.path().display(), headers.display());
    let nginx = Nginx::start_with(
        &format!("load_module {module};"),
        &format!("location / {{ root {place}; include {headers}; }}"),
    )?;
    for (accepts, kind, body) in [
        ("br, gzip", Some("br"), "Brotli"),
        ("gzip", Some("gzip"), "gzip"),
        ("identity", None, "as it is"),
    ] {
        let answer = answer_of(&nginx, accepts)?;
        let encoding = answer
            .lines()
            .find_map(|line| line.strip_prefix("Content-Encoding: "));
        ensure!(encoding == kind, "{accepts}: {answer}");
        ensure!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        ensure!(
            answer.contains("Content-Type: application/wasm"),
            "{answer}"
        );
    }
    Ok(())
}

/// The answer for `page.wasm` to someone who reads these encodings.
fn answer_of(nginx: &Nginx, accepts: &str) -> Result<String> {
    let mut connection = TcpStream::connect(&nginx.address)?;
    let request = format!(
        "GET /page.wasm HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {accepts}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// As GitHub Pages serves a repository: in a folder, kept for ten minutes, with no header of the repository's own.
#[tokio::test]
async fn in_a_folder_without_headers_the_page_reads_and_its_own_policy_holds() -> Result<()> {
    if is_left_out() {
        return Ok(());
    }
    let dist = std::path::absolute(sightline_e2e::dist())?;
    let nginx = Nginx::start(&format!(
        "types {{ text/html html; text/css css; text/javascript js; application/wasm wasm; application/json json; image/svg+xml svg;
             image/png png; image/jpeg jpg; application/manifest+json webmanifest; text/markdown md; }}
         default_type application/octet-stream;
         location = /sightline {{ return 301 /sightline/$is_args$args; }}
         location /sightline/ {{ alias {}/; index index.html; add_header Cache-Control max-age=600; }}",
        dist.display()
    ))?;
    // Where nothing but the repository's name was typed, the server adds the slash.
    for folder in ["sightline/", "sightline"] {
        let address = format!("{}/{folder}", nginx.address);
        let page = Page::open_at(&address, "?device=cpu", Options::default()).await?;
        page.wait_for(&["idle"], LOAD).await?;
        let isolated = page
            .script("return window.crossOriginIsolated", Vec::new())
            .await?;
        ensure!(isolated == false, "it has headers: there is nothing to see");
        reads_and_keeps(&page).await?;
        // Of the same server under another name, which is another origin.
        let elsewhere = nginx.address.replace("127.0.0.1", "localhost");
        let ask = "const [elsewhere, done] = arguments;
            const refused = new Promise(told => document.addEventListener('securitypolicyviolation',
                event => told(event.effectiveDirective), { once: true }));
            fetch(`http://${elsewhere}/sightline/`, { mode: 'no-cors' }).then(() => done('an answer'), () => refused.then(done));";
        let said = page
            .driver
            .execute_async(ask, vec![elsewhere.into()])
            .await?;
        ensure!(*said.json() == "connect-src", "{}", said.json());
        page.close().await?;
    }
    Ok(())
}

/// All servers get the policy that the page has, and one thing more, which a page cannot say itself.
#[test]
fn every_servers_policy_is_the_pages_own() -> Result<()> {
    let page = std::fs::read_to_string(www().join("index.html"))?;
    let policy = page.split("Content-Security-Policy\" content=\"").nth(1);
    let policy = policy
        .and_then(|rest| rest.split('"').next())
        .context("a policy")?;
    for name in ["nginx.conf", "Caddyfile", "_headers"] {
        let text = std::fs::read_to_string(of_deploy(name))?;
        ensure!(
            text.contains(&format!("{policy}; frame-ancestors 'self'")),
            "{name} has another policy"
        );
    }
    Ok(())
}

#[test]
fn every_server_sends_the_same_headers() -> Result<()> {
    let text = std::fs::read_to_string(of_deploy("nginx.conf"))?;
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("add_header "));
    let mut count = 0;
    for line in lines {
        let (name, value) = line.split_once(" \"").context("a header")?;
        let value = value
            .strip_suffix("\" always;")
            .context("a value for all answers")?;
        for (file, written) in [
            ("Caddyfile", format!("        {name} \"{value}\"\n")),
            ("_headers", format!("  {name}: {value}\n")),
        ] {
            let text = std::fs::read_to_string(of_deploy(file))?;
            ensure!(text.contains(&written), "{file} has no {name} of {value:?}");
        }
        count += 1;
    }
    ensure!(count >= 8, "{count} headers");
    Ok(())
}
