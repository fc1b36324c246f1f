//! The page behind a web server with the headers that `deploy/web/` has for it.

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
    /// Serves the built page at the root and in a folder below.
    fn start() -> Result<Self> {
        let program = std::env::var("SIGHTLINE_NGINX").unwrap_or_else(|_| "nginx".to_owned());
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let folder = tempfile::tempdir()?;
        let place = folder.path();
        let dist = std::path::absolute(sightline_e2e::dist())?;
        let headers = www().join("../deploy/web/nginx.conf").canonicalize()?;
        let (dist, headers) = (dist.display(), headers.display());
        // As whoever runs the test, who may read the files.
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {}/{what};", place.display()))
            .join(" ");
        let configuration = format!(
            "daemon off; master_process off; pid {}/pid; error_log stderr;
             events {{}}
             http {{
                 access_log off; {temporary}
                 server {{
                     listen {address};
                     location / {{ root {dist}; include {headers}; }}
                     location /tools/sightline/ {{ alias {dist}/; include {headers}; }}
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

/// `SIGHTLINE_WITHOUT_NGINX`, which `cargo xtask test` sets where nginx cannot be had, leaves it out.
#[tokio::test]
async fn behind_nginx_with_the_headers_of_deploy_the_page_reads_and_explains() -> Result<()> {
    if std::env::var_os("SIGHTLINE_WITHOUT_NGINX").is_some() {
        return Ok(());
    }
    let nginx = Nginx::start()?;
    for folder in ["", "tools/sightline/"] {
        let address = format!("{}/{folder}", nginx.address);
        let page = Page::open_at(&address, "?device=cpu", Options::default()).await?;
        page.wait_for(&["idle"], LOAD).await?;
        let isolated = page
            .script("return window.crossOriginIsolated", Vec::new())
            .await?;
        ensure!(isolated == true, "other pages could share its memory");
        page.element("sample-1").await?.click().await?;
        page.wait_for(&["ready"], READ).await?;
        assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
        page.element("offline-ready").await?;
        let kind = "const ask = new XMLHttpRequest(); ask.open('HEAD', 'engine_bg.wasm', false); ask.send();
            return ask.getResponseHeader('Content-Type')";
        ensure!(page.script(kind, Vec::new()).await? == "application/wasm");
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
        let text = std::fs::read_to_string(www().join("../deploy/web").join(name))?;
        ensure!(
            text.contains(&format!("{policy}; frame-ancestors 'self'")),
            "{name} has another policy"
        );
    }
    Ok(())
}
