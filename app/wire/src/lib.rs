//! How the page reaches its engine, and an engine its helpers: a worker is started, messages go both ways, and its end is noticed.
//!
//! The worker's program is a blob that loads `engine.js`, or `engine-webgpu.js` where WebGPU may be used and there is an adapter. A worker from a blob has the policy of the page that made it, so what the page
//! may not fetch, no engine can either; a worker from a file would have the policy of that file's headers, and plain servers send none.
//!
//! Messages of the two programs are bytes, and beside them perhaps a file: a handle, which copies none of its bytes. A few words of text go
//! beside them: which version the engine is of, that it lives, that it ended. They can be understood by programs of any version.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;

use borsh::{BorshDeserialize, BorshSerialize};
use gloo::timers::callback::Interval;
use js_sys::{Array, Reflect, Uint8Array};
use sightline_session::messages;
use sightline_session::session::End;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, BlobPropertyBag, BroadcastChannel, DedicatedWorkerGlobalScope, ErrorEvent, Event,
    MessageEvent, Url, Worker,
};

/// Names the sources that this program was built from: page and engine must be of the same.
pub const VERSION: &str = env!("SIGHTLINE_BUILD");

/// The engine's programs: what they are called without `.js` and `_bg.wasm`.
const WITHOUT: &str = "engine";
const WITH_WEBGPU: &str = "engine-webgpu";
/// The global name under which a worker has the name of its program.
const PROGRAM: &str = "program";

/// What an engine says first, followed by its version and the name of its program.
const READY: &str = "ready ";
/// The engine is at its end, followed by why.
const ENDED: &str = "ended ";
/// The engine's program cannot be started, followed by why.
const FAILED: &str = "failed ";
/// Asks whether the engine lives. It answers between two steps of its work.
const PING: &str = "ping";

/// How often an engine is asked whether it lives, in milliseconds, and how many questions may stay without an answer: a step of a large
/// model on a slow machine takes a minute.
const BEAT: u32 = 2_000;
const PATIENCE: u32 = 60;

/// What a worker said, or that it is not there any more.
pub enum Heard<A> {
    /// An answer, and a file that came beside it.
    Answer(A, Option<Blob>),
    Ended(End),
}

/// A running worker, which takes `Q` and answers with `A`. It ends at once when this is dropped.
pub struct Spawned<Q, A> {
    worker: Worker,
    /// What is sent as soon as the engine is there; `None` once it is.
    waiting: Rc<RefCell<Option<Vec<Message>>>>,
    program: Rc<RefCell<String>>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(Event)>,
    _garbled: Closure<dyn FnMut(MessageEvent)>,
    _heartbeat: Interval,
    _speaks: PhantomData<(Q, A)>,
}

/// The bytes of a message, and a file beside them.
type Message = (Vec<u8>, Option<Blob>);

impl<Q: BorshSerialize, A: BorshDeserialize + 'static> Spawned<Q, A> {
    /// Starts a worker from the program at `address`: see [`program`].
    ///
    /// # Errors
    /// When the browser starts no worker.
    pub fn start(address: &str, hear: impl Fn(Heard<A>) + 'static) -> Result<Self, End> {
        let worker = Worker::new(address).map_err(|error| End::NotLoaded(text(&error)))?;
        let waiting = Rc::new(RefCell::new(Some(Vec::<Message>::new())));
        let program = Rc::new(RefCell::default());
        let unanswered = Rc::new(Cell::new(0));
        let over = Cell::new(false);
        let hear = {
            let worker = worker.clone();
            Rc::new(move |heard: Heard<A>| {
                let ends = matches!(heard, Heard::Ended(_));
                if over.replace(over.get() || ends) {
                    return;
                }
                if ends {
                    worker.terminate();
                }
                hear(heard);
            })
        };

        let message = {
            let (hear, waiting, worker) = (hear.clone(), waiting.clone(), worker.clone());
            let (unanswered, program) = (unanswered.clone(), program.clone());
            Closure::new(move |event: MessageEvent| {
                unanswered.set(0);
                let data = event.data();
                match data.as_string() {
                    None => match decode(&data) {
                        Some((answer, file)) => hear(Heard::Answer(answer, file)),
                        None => hear(Heard::Ended(garbled())),
                    },
                    Some(said) => {
                        if let Some(ready) = said.strip_prefix(READY) {
                            let (version, name) = ready.split_once(' ').unwrap_or_default();
                            if version != VERSION {
                                return hear(Heard::Ended(End::OtherVersion));
                            }
                            name.clone_into(&mut program.borrow_mut());
                            for message in waiting.take().unwrap_or_default() {
                                post(message, |data, moved| {
                                    worker.post_message_with_transfer(data, moved)
                                });
                            }
                        } else if let Some(why) = said.strip_prefix(FAILED) {
                            hear(Heard::Ended(End::NotLoaded(why.to_owned())));
                        } else if let Some(why) = said.strip_prefix(ENDED) {
                            hear(Heard::Ended(End::Died(why.to_owned())));
                        }
                    }
                }
            })
        };
        let error = {
            let (hear, waiting) = (hear.clone(), waiting.clone());
            Closure::new(move |event: Event| {
                let why = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message);
                let why = why.unwrap_or_default();
                hear(Heard::Ended(match *waiting.borrow() {
                    Some(_) => End::NotLoaded(why),
                    None => End::Died(why),
                }));
            })
        };
        let unreadable = {
            let hear = hear.clone();
            Closure::new(move |_| hear(Heard::Ended(garbled())))
        };
        let heartbeat = {
            let worker = worker.clone();
            Interval::new(BEAT, move || {
                unanswered.set(unanswered.get() + 1);
                if unanswered.get() > PATIENCE {
                    hear(Heard::Ended(End::Silent));
                } else {
                    // It fails only for what cannot be copied, which text can.
                    let _ = worker.post_message(&PING.into());
                }
            })
        };
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        worker.set_onmessageerror(Some(unreadable.as_ref().unchecked_ref()));
        Ok(Self {
            worker,
            waiting,
            program,
            _message: message,
            _error: error,
            _garbled: unreadable,
            _heartbeat: heartbeat,
            _speaks: PhantomData,
        })
    }

    /// The name of the worker's program; empty while it is not there.
    pub fn program(&self) -> String {
        self.program.borrow().clone()
    }

    /// Sends a request, now or as soon as the worker is there.
    pub fn send(&self, request: &Q) {
        self.send_with(request, None);
    }

    /// Sends a request with a file beside it.
    pub fn send_with(&self, request: &Q, file: Option<Blob>) {
        let message = (messages::encode(request), file);
        match self.waiting.borrow_mut().as_mut() {
            Some(waiting) => waiting.push(message),
            None => post(message, |data, moved| {
                self.worker.post_message_with_transfer(data, moved)
            }),
        }
    }
}

impl<Q, A> Drop for Spawned<Q, A> {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.set_onmessageerror(None);
        self.worker.terminate();
    }
}

fn garbled() -> End {
    End::Died("a message that cannot be understood".to_owned())
}

/// What a worker is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A worker that owns the device and the model, and serves the page.
    Engine,
    /// A worker that scores pictures for an engine.
    Helper,
}

/// The address of a program that starts a worker. `home`: the page's address; `webgpu`: whether it may compute on a graphics card.
///
/// # Errors
/// When the browser makes no blobs.
pub fn program(home: &str, role: Role, webgpu: bool) -> Result<String, JsValue> {
    let home = js_sys::JSON::stringify(&home.into())?;
    let home = String::from(home);
    let channel = channel();
    // An error that nobody catches comes to the worker's owner by itself, but not one within a promise. A trap is the end of the engine.
    let script = format!(
        "self.home = {home};
self.isHelper = {};
addEventListener('message', event => {{ if (event.data === '{PING}') postMessage('alive'); }});
addEventListener('unhandledrejection', event => {{
  if (event.reason instanceof WebAssembly.RuntimeError) postMessage('{ENDED}' + event.reason);
}});
const failed = error => postMessage('{FAILED}' + error);
self.{CHANNEL} = '{channel}';
try {{
  const page = new BroadcastChannel('{channel}');
  const ask = self.fetch;
  self.fetch = (what, ...rest) => {{
    page.postMessage([String(what.url ?? what), performance.timeOrigin + performance.now()]);
    return ask(what, ...rest);
  }};
  new PerformanceObserver(list => list.getEntries().forEach(({{ name, startTime, transferSize, decodedBodySize, workerStart }}) =>
    page.postMessage([name, performance.timeOrigin + startTime, transferSize, decodedBodySize, workerStart])
  )).observe({{ type: 'resource', buffered: true }});
}} catch {{
  // A browser without one of these works, and its page lists less.
}}
const chosen = async () => {{
  if ({webgpu} && await navigator.gpu?.requestAdapter().catch(() => null)) try {{
    importScripts(new URL('{WITH_WEBGPU}.js', home).href);
    return '{WITH_WEBGPU}';
  }} catch {{
    // Without network, and not kept: the other one may be.
  }}
  importScripts(new URL('{WITHOUT}.js', home).href);
  return '{WITHOUT}';
}};
chosen().then(name => {{
  self.{PROGRAM} = name;
  return wasm_bindgen({{ module_or_path: new URL(name + '_bg.wasm', home).href }});
}}).catch(failed);
",
        role == Role::Helper
    );
    script_address(&script)
}

/// The address of a script that starts a worker.
///
/// # Errors
/// When the browser makes no blobs.
pub fn script_address(script: &str) -> Result<String, JsValue> {
    let kind = BlobPropertyBag::new();
    kind.set_type("text/javascript");
    let blob = Blob::new_with_str_sequence_and_options(&Array::of1(&script.into()), &kind)?;
    Url::create_object_url_with_blob(&blob)
}

/// The global name under which a program has its [`channel`]'s name.
const CHANNEL: &str = "sightlineChannel";

/// The name of the broadcast channel on which workers tell the page what they ask the server for, when they begin and when they are done,
/// and what it should know beside. A page has one of its own; its engine and the helpers have the page's.
pub fn channel() -> String {
    let global = js_sys::global();
    let known = Reflect::get(&global, &CHANNEL.into()).ok();
    if let Some(known) = known.and_then(|known| known.as_string()) {
        return known;
    }
    let made = format!("sightline {}", js_sys::Math::random());
    // It fails for what is frozen, which no global object is.
    let _ = Reflect::set(&global, &CHANNEL.into(), &made.as_str().into());
    made
}

/// Tells the page something that it should say, while everything goes on.
pub fn note(text: &str) {
    if let Ok(page) = BroadcastChannel::new(&channel()) {
        // It fails only for what cannot be copied, which text can.
        let _ = page.post_message(&Array::of1(&text.into()));
        page.close();
    }
}

/// What this worker is for.
pub fn role() -> Role {
    let helper = Reflect::get(&scope(), &"isHelper".into());
    match helper.is_ok_and(|helper| helper.is_truthy()) {
        true => Role::Helper,
        false => Role::Engine,
    }
}

/// The page's address, in a worker.
pub fn home() -> String {
    let home = Reflect::get(&scope(), &"home".into()).ok();
    home.and_then(|home| home.as_string()).unwrap_or_default()
}

/// The address of something on the page's own server. `path` is relative to the page.
///
/// # Errors
/// When it leads anywhere else.
pub fn address(path: &str) -> Result<String, String> {
    let home = home();
    let no_address = |_| format!("{path:?} is no address");
    let (address, home) = (Url::new_with_base(path, &home), Url::new(&home));
    let (address, home) = (address.map_err(no_address)?, home.map_err(no_address)?);
    if address.origin() == home.origin() {
        Ok(address.href())
    } else {
        Err(format!("{path:?} is not on this page's own server"))
    }
}

/// Serves whoever started this worker: says that it is there, and hands over every request with the file beside it.
pub fn serve<Q: BorshDeserialize>(received: impl Fn(Q, Option<Blob>) + 'static) {
    let hear: Closure<dyn FnMut(MessageEvent)> = Closure::new(move |event: MessageEvent| {
        let data = event.data();
        if data.is_string() {
            return;
        }
        match decode(&data) {
            Some((request, file)) => received(request, file),
            None => end("a request that cannot be understood"),
        }
    });
    let listener = hear.as_ref().unchecked_ref();
    if scope()
        .add_event_listener_with_callback("message", listener)
        .is_ok()
    {
        hear.forget();
        let program = Reflect::get(&scope(), &PROGRAM.into()).ok();
        let program = program.and_then(|name| name.as_string());
        say(&format!("{READY}{VERSION} {}", program.unwrap_or_default()));
    }
}

/// Answers whoever started this worker.
pub fn answer(answer: &impl BorshSerialize) {
    post((messages::encode(answer), None), |data, moved| {
        scope().post_message_with_transfer(data, moved)
    });
}

/// Answers with a file beside the answer.
pub fn answer_with(answer: &impl BorshSerialize, file: Blob) {
    post((messages::encode(answer), Some(file)), |data, moved| {
        scope().post_message_with_transfer(data, moved)
    });
}

/// Tells whoever started it that this worker is at its end (lost device, out of memory, a bug) and answers no more.
pub fn end(why: &str) {
    say(&format!("{ENDED}{why}"));
}

fn say(text: &str) {
    // Nobody is there to hear that it failed.
    let _ = scope().post_message(&text.into());
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Sends a message; its bytes are handed over, not copied.
fn post((bytes, file): Message, send: impl FnOnce(&JsValue, &JsValue) -> Result<(), JsValue>) {
    let bytes = Uint8Array::from(bytes.as_slice());
    let moved = Array::of1(&bytes.buffer());
    let file = file.map_or(JsValue::UNDEFINED, JsValue::from);
    if let Err(error) = send(&Array::of2(&bytes, &file), &moved) {
        web_sys::console::error_1(&error);
    }
}

fn decode<T: BorshDeserialize>(data: &JsValue) -> Option<(T, Option<Blob>)> {
    let parts: &Array = data.dyn_ref()?;
    let message = messages::decode(&parts.get(0).dyn_ref::<Uint8Array>()?.to_vec())?;
    Some((message, parts.get(1).dyn_into().ok()))
}

/// An error in the browser's words.
pub fn text(error: &JsValue) -> String {
    error
        .as_string()
        .unwrap_or_else(|| String::from(js_sys::Object::from(error.clone()).to_string()))
}
