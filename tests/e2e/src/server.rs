//! Serves the built page, counts requests, and can answer some paths with something else.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tiny_http::{Header, Method, Response};

/// What the server has seen and how it answers.
#[derive(Default)]
struct Record {
    /// Paths of the page's own origin, in the order they were asked for.
    paths: Vec<String>,
    /// Requests to any other place.
    foreign: Vec<String>,
    /// What to answer instead of the file.
    instead: HashMap<String, Vec<u8>>,
    /// How long to wait before answering.
    delay: HashMap<String, Duration>,
    /// What to send half of.
    cut: HashSet<String>,
    /// Whether nothing is answered any more.
    stopped: bool,
}

/// The built page: the folder named by `SIGHTLINE_DIST`, or the workspace's `dist`.
pub fn dist() -> PathBuf {
    match std::env::var_os("SIGHTLINE_DIST") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist"),
    }
}

/// A running server; it ends with the test.
pub struct Server {
    pub address: String,
    record: Arc<Mutex<Record>>,
    http: Arc<tiny_http::Server>,
}

impl Server {
    /// Serves the built page.
    pub fn start() -> Result<Self> {
        let dist = dist();
        if !dist.join("index.html").is_file() {
            return Err(anyhow!(
                "{} holds no page; run `cargo xtask test`, or `trunk build` first",
                dist.display()
            ));
        }
        let http = Arc::new(tiny_http::Server::http("127.0.0.1:0").map_err(|e| anyhow!("{e}"))?);
        let address = http
            .server_addr()
            .to_ip()
            .context("an IP address")?
            .to_string();
        let record = Arc::new(Mutex::new(Record::default()));
        let server = Self {
            address: address.clone(),
            record: record.clone(),
            http: http.clone(),
        };
        for _ in 0..4 {
            let (http, record, dist, address) =
                (http.clone(), record.clone(), dist.clone(), address.clone());
            std::thread::spawn(move || {
                while let Ok(request) = http.recv() {
                    answer(request, &record, &dist, &address);
                }
            });
        }
        Ok(server)
    }

    /// Answers `path` with these bytes from now on.
    pub fn answer_instead(&self, path: &str, bytes: Vec<u8>) {
        self.lock().instead.insert(path.to_owned(), bytes);
    }

    /// Answers `path` only after a while from now on.
    pub fn delay(&self, path: &str, delay: Duration) {
        self.lock().delay.insert(path.to_owned(), delay);
    }

    /// Breaks the connection half-way through `path` from now on, or sends it whole again.
    pub fn cut(&self, path: &str, cut: bool) {
        let mut record = self.lock();
        match cut {
            true => record.cut.insert(path.to_owned()),
            false => record.cut.remove(path),
        };
    }

    /// Answers nothing any more. Requests fail in the browser, as they do without a network.
    pub fn stop(&self) {
        self.lock().stopped = true;
    }

    /// Paths of the page's own origin, in the order they were asked for.
    pub fn paths(&self) -> Vec<String> {
        self.lock().paths.clone()
    }

    /// How often a path of the page's own origin was asked for.
    pub fn count(&self, path: &str) -> usize {
        self.lock().paths.iter().filter(|p| *p == path).count()
    }

    /// How many requests to the page's own origin there were.
    pub fn total(&self) -> usize {
        self.lock().paths.len()
    }

    /// Requests to any other place than the page's own origin. No place is excepted: what the browser asks its maker for by itself is
    /// switched off, or asked of this server (see [`crate::Page::open`]).
    pub fn foreign(&self) -> Vec<String> {
        self.lock().foreign.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for _ in 0..4 {
            self.http.unblock();
        }
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(request: tiny_http::Request, record: &Mutex<Record>, dist: &Path, address: &str) {
    let url = request.url().to_owned();
    let own = url
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_prefix(address))
        .or_else(|| url.starts_with('/').then_some(url.as_str()));
    let Some(own) = own.filter(|_| *request.method() != Method::Connect) else {
        lock(record).foreign.push(url);
        let _ = request.respond(Response::empty(403));
        return;
    };
    let path = own
        .split(['?', '#'])
        .next()
        .unwrap_or("/")
        .trim_start_matches('/')
        .to_owned();
    let path = if path.is_empty() {
        "index.html".to_owned()
    } else {
        path
    };
    let (instead, delay, cut, stopped) = {
        let mut record = lock(record);
        record.paths.push(path.clone());
        (
            record.instead.get(&path).cloned(),
            record.delay.get(&path).copied(),
            record.cut.contains(&path),
            record.stopped,
        )
    };
    if stopped {
        return broken(request, b"no answer");
    }
    if let Some(delay) = delay {
        std::thread::sleep(delay);
    }
    let bytes = if path.split('/').any(|part| part == "..") {
        None
    } else {
        std::fs::read(dist.join(&path)).ok()
    };
    let _ = match instead.or(bytes) {
        Some(bytes) if cut => {
            // A length that is no number ends the transfer: tiny_http closes no connection by itself.
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let half = &bytes[..bytes.len() / 2];
            let start = format!("{head}{:x}\r\n", half.len());
            return broken(
                request,
                &[start.as_bytes(), half, b"\r\nbroken off"].concat(),
            );
        }
        Some(bytes) => {
            let kind = match path.rsplit('.').next() {
                Some("html") => "text/html; charset=utf-8",
                Some("js") => "text/javascript",
                Some("wasm") => "application/wasm",
                Some("css") => "text/css",
                Some("json" | "webmanifest") => "application/json",
                Some("svg") => "image/svg+xml",
                Some("jpg") => "image/jpeg",
                _ => "application/octet-stream",
            };
            let header = Header::from_bytes("Content-Type", kind).expect("a valid header");
            request.respond(Response::from_data(bytes).with_header(header))
        }
        None => request.respond(Response::from_string("not found").with_status_code(404)),
    };
}

/// Sends something that is no whole answer: the browser gives the request up.
fn broken(request: tiny_http::Request, bytes: &[u8]) {
    let mut writer = request.into_writer();
    // The browser may have gone.
    let _ = writer.write_all(bytes);
    let _ = writer.write_all(b"\r\n\r\n");
    let _ = writer.flush();
}
