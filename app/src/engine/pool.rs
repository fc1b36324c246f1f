//! Other engines, each in a worker of its own, that score pictures beside this one: the CPU backend computes on one core.
//!
//! They load the same package (from the browser's cache) and are used as soon as they have it. One that does not answer is not asked
//! again, and its pictures are scored here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, select};
use gloo::timers::future::TimeoutFuture;
use gloo::worker::{Spawnable, WorkerBridge};
use js_sys::Reflect;
use sightline::explain::lime::Scored;
use sightline::package::Manifest;
use sightline::reading::{ReadError, Reader};

use super::Engine;
use crate::messages::{Answer, DeviceChoice, Request};

/// More bring little, and each holds the model.
const MOST: usize = 7;
/// What the helpers may hold together, in bytes, and what each holds beside the weights.
const MEMORY: u64 = 500 << 20;
const BESIDE_WEIGHTS: u64 = 120 << 20;
/// In milliseconds: a helper that has not answered by then is taken for dead.
const PATIENCE: u32 = 60_000;

/// How many helpers a package may have on this machine.
pub fn helpers(manifest: &Manifest) -> usize {
    let cores = Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"hardwareConcurrency".into()));
    let cores = cores.ok().and_then(|cores| cores.as_f64()).unwrap_or(1.0) as usize;
    // Weights are stored in half precision, held in single, and both while they are loaded.
    let each = 4 * manifest.weights.bytes + BESIDE_WEIGHTS;
    cores
        .saturating_sub(1)
        .min(MOST)
        .min((MEMORY / each) as usize)
}

pub struct Pool {
    helpers: Vec<Helper>,
}

struct Helper {
    bridge: WorkerBridge<Engine>,
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    ready: Cell<bool>,
    tickets: Cell<u32>,
    /// The answer that is waited for.
    waiting: RefCell<Option<(u32, oneshot::Sender<Vec<Scored>>)>>,
}

impl Pool {
    /// Starts helpers, which load the package in their own time.
    pub fn start(count: usize, name: &str, folder: &str) -> Self {
        let helper = |_| Helper::start(name, folder);
        Self {
            helpers: (0..count).map(helper).collect(),
        }
    }

    /// Who scores: this engine, and the helpers that are ready.
    pub fn workers(&self) -> usize {
        1 + self
            .helpers
            .iter()
            .filter(|helper| helper.state.ready.get())
            .count()
    }

    /// What there is to say of normalised pictures, in their order.
    pub async fn score(&self, reader: &Reader, values: Vec<f32>) -> Result<Vec<Scored>, ReadError> {
        let input = &reader.manifest.input;
        let picture = input.channels * input.size * input.size;
        let share = (values.len() / picture).div_ceil(self.workers()).max(1);
        let mut parts = values.chunks(share * picture);
        let own = parts.next().unwrap_or_default();
        let ready = self
            .helpers
            .iter()
            .filter(|helper| helper.state.ready.get());
        // As many parts as workers: no helper is asked twice.
        let asked: Vec<_> = parts
            .zip(ready)
            .map(|(part, helper)| (part, helper.ask(part)))
            .collect();
        let mut scored = reader.score(own.to_vec()).await?;
        for (part, (state, answer)) in asked {
            let found = match select(answer, TimeoutFuture::new(PATIENCE)).await {
                Either::Left((Ok(found), _)) => found,
                // Asked something newer meanwhile, or dead: then it is not ready any more.
                Either::Left((Err(_), _)) => reader.score(part.to_vec()).await?,
                Either::Right(_) => {
                    state.ready.set(false);
                    reader.score(part.to_vec()).await?
                }
            };
            scored.extend(found);
        }
        Ok(scored)
    }
}

impl Helper {
    fn start(name: &str, folder: &str) -> Self {
        let state = Rc::new(State::default());
        let heard = state.clone();
        let bridge = Engine::spawner()
            .with_loader(true)
            .as_module(false)
            .callback(move |answer| heard.hear(answer))
            .spawn("engine_loader.js");
        bridge.send(Request::LoadModel {
            name: name.to_owned(),
            folder: folder.to_owned(),
            device: DeviceChoice::Cpu,
            at_once: 1,
        });
        Self { bridge, state }
    }

    fn ask(&self, values: &[f32]) -> (Rc<State>, oneshot::Receiver<Vec<Scored>>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.state.tickets.get() + 1;
        self.state.tickets.set(ticket);
        self.state.waiting.replace(Some((ticket, sender)));
        let values = values.to_vec();
        self.bridge.send(Request::Score { ticket, values });
        (self.state.clone(), receiver)
    }
}

impl State {
    fn hear(&self, answer: Answer) {
        match answer {
            Answer::Ready { .. } => self.ready.set(true),
            Answer::Scores { ticket, scored } => {
                // An answer to a question that was given up is not the one waited for.
                let waited = self
                    .waiting
                    .borrow()
                    .as_ref()
                    .is_some_and(|(t, _)| *t == ticket);
                if waited && let Some((_, sender)) = self.waiting.take() {
                    // Nobody may be there any more.
                    let _ = sender.send(scored);
                }
            }
            Answer::Refused { .. } | Answer::Died { .. } => {
                self.ready.set(false);
                self.waiting.take();
            }
            _ => {}
        }
    }
}
