//! The service worker, `sw.js`: it keeps the page on this machine. A new version is offered, and used when the reader says so.

use js_sys::{Array, Reflect};
use leptos::prelude::*;
use sightline_session::session::Status;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    MessageEvent, RegistrationOptions, ServiceWorker, ServiceWorkerContainer,
    ServiceWorkerRegistration, ServiceWorkerState, ServiceWorkerUpdateViaCache,
};

use super::effect::effect;
use super::requests::Requests;
use super::show::Show;
use super::state::State;

/// Whether what is needed to read without network is on this machine.
#[derive(Clone, PartialEq)]
pub enum Kept {
    NotYet,
    /// The page and the model that is loaded.
    Whole,
    No(String),
}

/// What the page knows of its service worker. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Offline {
    pub kept: RwSignal<Kept>,
    /// Whether a new version waits.
    waits: RwSignal<bool>,
    /// Whether the reader asked for it.
    wanted: StoredValue<bool>,
    /// The weights that the service worker is to look for, and what it is to keep: the manifest, and the engine's program.
    model: StoredValue<[String; 4]>,
    /// Whether the service worker is waited for.
    waited_for: StoredValue<bool>,
    registration: StoredValue<Option<ServiceWorkerRegistration>, LocalStorage>,
    requests: Requests,
}

impl Offline {
    /// Starts the service worker once the first model is there, or has failed: it takes no part of the line from it.
    pub fn start(state: State, requests: Requests) -> Self {
        let offline = Self {
            kept: RwSignal::new(Kept::NotYet),
            waits: RwSignal::new(false),
            wanted: StoredValue::new(false),
            model: StoredValue::new(Default::default()),
            waited_for: StoredValue::new(false),
            registration: StoredValue::new_local(None),
            requests,
        };
        let Some(container) = container() else {
            offline.kept.set(Kept::No(without_one()));
            return offline;
        };
        let hear: Closure<dyn FnMut(MessageEvent)> = Closure::new(move |event: MessageEvent| {
            offline.hear(&event.data().unchecked_into());
        });
        container.set_onmessage(Some(hear.as_ref().unchecked_ref()));
        hear.forget();
        let taken: Closure<dyn FnMut()> = Closure::new(move || {
            if offline.wanted.get_value() {
                reload();
            }
        });
        container.set_oncontrollerchange(Some(taken.as_ref().unchecked_ref()));
        taken.forget();

        let begun = StoredValue::new(false);
        Effect::new({
            let container = container.clone();
            move |_| {
                if state.status.get() != Status::Loading && !begun.get_value() {
                    begun.set_value(true);
                    offline.register(container.clone());
                }
            }
        });
        effect(move || {
            // Whatever begins or ends, the service worker is asked: it then tells what happened meanwhile, too.
            state.status.track();
            let manifest = state.manifest.get();
            let engine = state.program();
            if let (Some(manifest), Some(folder), false) =
                (manifest, state.folder(), engine.is_empty())
            {
                let weights = format!("{folder}/weights?sha256={}", manifest.weights.sha256);
                let manifest = format!("{folder}/manifest.json");
                let [script, program] = [".js", "_bg.wasm"].map(|end| engine.clone() + end);
                offline.keep(&container, [weights, manifest, script, program]);
            }
        });
        offline
    }

    fn register(self, container: ServiceWorkerContainer) {
        let options = RegistrationOptions::new();
        options.set_update_via_cache(ServiceWorkerUpdateViaCache::None);
        self.requests.unseen("the browser", "sw.js");
        spawn_local(async move {
            let registered = container.register_with_options("sw.js", &options);
            match JsFuture::from(registered).await {
                Ok(registration) => self.watch(registration.unchecked_into()),
                // The worker itself has said why, if it was started.
                Err(error) if self.kept.get_untracked() == Kept::NotYet => {
                    self.kept.set(Kept::No(format!(
                        "the service worker cannot be started ({})",
                        String::from(js_sys::Object::from(error).to_string())
                    )));
                }
                Err(_) => {}
            }
        });
    }

    /// Notices each new version that comes.
    fn watch(self, registration: ServiceWorkerRegistration) {
        let installed = move |registration: &ServiceWorkerRegistration| {
            // The first one of all waits for nobody.
            registration.active().is_some() && registration.waiting().is_some()
        };
        self.waits.set(installed(&registration));
        let found: Closure<dyn FnMut()> = {
            let registration = registration.clone();
            let changed: Closure<dyn FnMut()> = {
                let registration = registration.clone();
                Closure::new(move || {
                    let _ = self.waits.try_set(installed(&registration));
                })
            };
            let follow = move |worker: Option<ServiceWorker>| {
                if let Some(worker) = worker.filter(|w| w.state() == ServiceWorkerState::Installing)
                {
                    worker.set_onstatechange(Some(changed.as_ref().unchecked_ref()));
                }
            };
            follow(registration.installing());
            Closure::new(move || follow(registration.installing()))
        };
        registration.set_onupdatefound(Some(found.as_ref().unchecked_ref()));
        found.forget();
        self.registration.set_value(Some(registration));
    }

    /// Has the service worker keep what belongs to a model, and say whether its weights are kept.
    fn keep(self, container: &ServiceWorkerContainer, model: [String; 4]) {
        self.model.set_value(model);
        // One waits for all: where no service worker can be installed, it waits for good, and is never freed.
        if self.waited_for.get_value() {
            return;
        }
        let Ok(ready) = container.ready() else {
            return;
        };
        self.waited_for.set_value(true);
        spawn_local(async move {
            let ready = JsFuture::from(ready).await;
            self.waited_for.set_value(false);
            let Ok(registration) = ready else {
                return;
            };
            let registration: ServiceWorkerRegistration = registration.unchecked_into();
            let [weights, manifest, script, program] = self.model.get_value();
            let parts = [
                "keep",
                &weights,
                "models/index.json",
                &manifest,
                &script,
                &program,
            ];
            tell(registration.active(), &parts);
        });
    }

    fn hear(self, said: &Array) {
        let word = |at: u32| said.get(at).as_string().unwrap_or_default();
        match word(0).as_str() {
            "asked" => self.requests.hear("the service worker", &said.slice(1, 5)),
            "note" => self.requests.note(word(1)),
            // Of a model that is not chosen any more, otherwise.
            "kept" if word(1) == self.model.get_value()[0] => self.kept.set(Kept::Whole),
            "not kept" => self.kept.set(Kept::No(word(1))),
            _ => {}
        }
    }

    fn take_over(self) {
        self.wanted.set_value(true);
        let registration = self.registration.get_value();
        match registration.and_then(|registration| registration.waiting()) {
            Some(waiting) => tell(Some(waiting), &["take over"]),
            // Another tab was faster.
            None => reload(),
        }
    }
}

/// What the browser has for service workers; nothing in some private windows, and over plain HTTP.
fn container() -> Option<ServiceWorkerContainer> {
    let found = Reflect::get(&window().navigator(), &"serviceWorker".into());
    found.ok()?.dyn_into().ok()
}

fn without_one() -> String {
    match window().is_secure_context() {
        true => "this browser keeps no pages, or not in a private window",
        false => "browsers keep only pages that come over HTTPS",
    }
    .to_owned()
}

fn tell(worker: Option<ServiceWorker>, words: &[&str]) {
    if let Some(worker) = worker {
        let words: Array = words.iter().map(|word| JsValue::from(*word)).collect();
        // It fails only for what cannot be copied, which text can.
        let _ = worker.post_message(&words);
    }
}

fn reload() {
    // Whoever stopped it can reload by hand.
    let _ = window().location().reload();
}

/// Offers a new version.
#[component]
pub fn Update(offline: Offline) -> impl IntoView {
    view! {
        <div role="status">
            <Show when=move || offline.waits.get()>
                <div class="update" data-testid="update">
                    <p>"A new version of Sightline is there. This page goes on with its own until you reload it here."</p>
                    <button type="button" data-testid="update-reload" on:click=move |_| offline.take_over()>
                        "Reload with the new version"
                    </button>
                </div>
            </Show>
        </div>
    }
}
