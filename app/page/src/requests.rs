//! Every request of the page, its engine and its service worker since the start.
//!
//! The browser lists what the page asks for, and in each worker what that one asks for; workers pass it on. What no part of the page can
//! see is the browser's own look at `sw.js`: it is listed when the page causes it.

use js_sys::{Array, Reflect};
use leptos::prelude::*;
use sightline_wire as wire;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{
    BroadcastChannel, MessageEvent, PerformanceObserver, PerformanceObserverEntryList,
    PerformanceObserverInit, PerformanceResourceTiming, Url,
};

/// What was asked for, and what is known of the answer.
#[derive(Clone, PartialEq)]
pub struct Asked {
    /// Relative to the page, where it is on the page's own server.
    pub address: String,
    /// Which part of the page asked.
    pub by: &'static str,
    /// Seconds after the page's start.
    pub at: f64,
    /// In bytes, where it is known.
    pub size: Option<f64>,
    /// Where the answer came from.
    pub from: &'static str,
}

/// What an engine's request has until it is answered.
const UNANSWERED: &str = "no answer so far";

/// The list of requests, and what workers say beside it. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Requests {
    pub all: RwSignal<Vec<Asked>>,
    pub notes: RwSignal<Vec<String>>,
}

impl Requests {
    /// Begins to listen. What the page asked for before is listed too.
    pub fn listen() -> Self {
        let requests = Self {
            all: RwSignal::new(Vec::new()),
            notes: RwSignal::new(Vec::new()),
        };
        let started = started();
        let hear: Closure<dyn FnMut(PerformanceObserverEntryList)> =
            Closure::new(move |list: PerformanceObserverEntryList| {
                for entry in list.get_entries() {
                    let entry: PerformanceResourceTiming = entry.unchecked_into();
                    requests.add(
                        "the page",
                        &entry.name(),
                        started + entry.start_time(),
                        Some([
                            entry.transfer_size(),
                            entry.decoded_body_size(),
                            entry.worker_start(),
                        ]),
                    );
                }
            });
        if let Ok(observer) = PerformanceObserver::new(hear.as_ref().unchecked_ref()) {
            hear.forget();
            for kind in ["navigation", "resource"] {
                // One kind at a time, which the bindings do not know: only so are earlier ones told.
                let what = PerformanceObserverInit::new(&wasm_bindgen::JsValue::UNDEFINED);
                let _ = Reflect::set(&what, &"type".into(), &kind.into());
                what.set_buffered(true);
                observer.observe(&what);
            }
        }
        if let Ok(channel) = BroadcastChannel::new(&wire::channel()) {
            let hear: Closure<dyn FnMut(MessageEvent)> =
                Closure::new(move |event: MessageEvent| {
                    requests.hear("the engine", &event.data().unchecked_into());
                });
            channel.set_onmessage(Some(hear.as_ref().unchecked_ref()));
            hear.forget();
            StoredValue::new_local(channel);
        }
        requests
    }

    /// Takes what a worker said: a note, an address with its time, or these with size in transfer, size, and the time when a service
    /// worker took it.
    pub fn hear(self, by: &'static str, said: &Array) {
        let Some(first) = said.get(0).as_string() else {
            return;
        };
        let number = |at: u32| said.get(at).as_f64().unwrap_or(0.0);
        match said.length() {
            1 => self.note(first),
            2 => self.add(by, &first, number(1), None),
            _ => {
                let sizes = [number(2), number(3), number(4)];
                self.add(by, &first, number(1), Some(sizes));
            }
        }
    }

    /// Says something once.
    pub fn note(self, text: String) {
        self.notes.update(|notes| {
            if !notes.contains(&text) {
                notes.push(text);
            }
        });
    }

    /// Lists what is asked for now, of which the browser will tell nothing.
    pub fn unseen(self, by: &'static str, path: &str) {
        let home = home();
        let now = js_sys::Date::now();
        self.add(by, &format!("{home}{path}"), now, Some([-1.0, 0.0, 0.0]));
    }

    fn add(self, by: &'static str, url: &str, at: f64, sizes: Option<[f64; 3]>) {
        let size = sizes.map(|[_, size, _]| size).filter(|size| *size > 0.0);
        let asked = Asked {
            address: relative(url),
            by,
            at: ((at - started()) / 1000.0).max(0.0),
            size,
            from: sizes.map_or(UNANSWERED, |sizes| source(sizes)),
        };
        self.all.update(|all| {
            let mut open = all.iter_mut();
            let open = open.find(|known| {
                known.from == UNANSWERED && known.by == by && known.address == asked.address
            });
            match open {
                Some(known) if sizes.is_some() => *known = asked,
                _ => all.push(asked),
            }
        });
    }
}

/// Where an answer came from, as far as the browser tells: bytes of the transfer, bytes of the answer, when a service worker took it.
fn source([transfer, size, worker]: [f64; 3]) -> &'static str {
    if transfer > 0.0 {
        "network"
    } else if worker > 0.0 {
        "service worker"
    } else if size > 0.0 && transfer == 0.0 {
        "browser's cache"
    } else {
        "not told"
    }
}

/// When the page started, in milliseconds since 1970.
fn started() -> f64 {
    window()
        .performance()
        .map_or(0.0, |times| times.time_origin())
}

/// The page's folder.
fn home() -> String {
    let page = document().base_uri().ok().flatten().unwrap_or_default();
    Url::new_with_base(".", &page).map_or(page, |folder| folder.href())
}

fn relative(url: &str) -> String {
    let home = home();
    match url.strip_prefix(&home) {
        Some("") => "./".to_owned(),
        Some(path) => path.to_owned(),
        None => {
            let origin = window().location().origin().unwrap_or_default();
            let path = url
                .strip_prefix(&origin)
                .filter(|path| path.starts_with('/'));
            path.unwrap_or(url).to_owned()
        }
    }
}
