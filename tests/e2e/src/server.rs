//! Serves the built page, counts requests, and can answer some paths with something else.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};

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
    /// Whether answers have the headers that make a page cross-origin isolated.
    isolates: bool,
    /// Whether nothing is answered any more.
    stopped: bool,
    /// Whether the test is over.
    over: bool,
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
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let record = Arc::new(Mutex::new(Record::default()));
        let server = Self {
            address: address.clone(),
            record: record.clone(),
        };
        // A thread for each connection, and a connection for each request: a browser with a page, an engine and a service worker opens many at
        // once, and none waits for another.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if lock(&record).over {
                    return;
                }
                let (record, dist, address) = (record.clone(), dist.clone(), address.clone());
                std::thread::spawn(move || {
                    // The browser may have gone.
                    let _ = answer(stream, &record, &dist, &address);
                });
            }
        });
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

    /// Sends the headers that make a page cross-origin isolated, from now on.
    pub fn isolate(&self) {
        self.lock().isolates = true;
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
        self.lock().over = true;
        // Wakes the listener, which sees that it is over.
        let _ = TcpStream::connect(&self.address);
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The method and the target of a request. Its body is not read: the page sends none.
fn request(stream: &mut TcpStream) -> std::io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => return Ok(None),
            length => bytes.extend(&part[..length]),
        }
    }
    let head = String::from_utf8_lossy(&bytes);
    let mut words = head.split_whitespace().map(str::to_owned);
    Ok(words.next().zip(words.next()))
}

/// What makes a page cross-origin isolated.
const ISOLATION: &str =
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n";

/// Sends the head of an answer of so many bytes. `more`: header lines.
fn begin(
    stream: &mut TcpStream,
    status: &str,
    kind: &str,
    length: usize,
    more: &str,
) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n",
    )
}

fn refuse(stream: &mut TcpStream, status: &str, why: &[u8]) -> std::io::Result<()> {
    begin(stream, status, "text/plain", why.len(), "")?;
    stream.write_all(why)
}

fn answer(
    mut stream: TcpStream,
    record: &Mutex<Record>,
    dist: &Path,
    address: &str,
) -> std::io::Result<()> {
    let Some((method, url)) = request(&mut stream)? else {
        return Ok(());
    };
    let own = url
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_prefix(address))
        .or_else(|| url.starts_with('/').then_some(url.as_str()));
    let Some(own) = own.filter(|_| method != "CONNECT") else {
        lock(record).foreign.push(url.clone());
        return refuse(&mut stream, "403 Forbidden", b"");
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
    let (instead, delay, cut, isolates, stopped) = {
        let mut record = lock(record);
        record.paths.push(path.clone());
        (
            record.instead.get(&path).cloned(),
            record.delay.get(&path).copied(),
            record.cut.contains(&path),
            record.isolates,
            record.stopped,
        )
    };
    // A connection that ends without an answer.
    if stopped {
        return Ok(());
    }
    if let Some(delay) = delay {
        std::thread::sleep(delay);
    }
    let bytes = if path.split('/').any(|part| part == "..") {
        None
    } else {
        std::fs::read(dist.join(&path)).ok()
    };
    let Some(bytes) = instead.or(bytes) else {
        return refuse(&mut stream, "404 Not Found", b"not found");
    };
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
    let more = if isolates { ISOLATION } else { "" };
    begin(&mut stream, "200 OK", kind, bytes.len(), more)?;
    let sent = if cut { bytes.len() / 2 } else { bytes.len() };
    stream.write_all(&bytes[..sent])
}
