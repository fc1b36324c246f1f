//! The page in a frame of another page, and the messages between the two: [`sightline_core::embedding`] says what they are.
//!
//! Messages are heard from the frame's parent alone, and only where its origin is in the list that the address has under `origins`. What is
//! said goes to no other origin.

use std::rc::Rc;

use js_sys::{Array, JSON, Object, Reflect};
use leptos::prelude::*;
use sightline_core::embedding::{Handle, MARK, ToPage, VERSION};
use sightline_core::explain::method::Method;
use sightline_core::json::{Layout, text};
use sightline_session::session::{Session, Status};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, MessageEvent, Url, Window};

use super::address::parameter;
use super::effect::effect;
use super::fetch::Json;
use super::language::said;
use super::state::{Source, State};

/// The page around this one, as far as it may be spoken to.
struct Around {
    window: Window,
    /// Origins that it may be of.
    origins: Vec<String>,
}

/// Shows less of the page where it is a part of another one, and speaks with that.
pub fn begin(state: State) {
    if parameter("embed").as_deref() == Some("1")
        && let Some(root) = document().document_element()
    {
        // It fails for what is no name, which this is.
        let _ = root.set_attribute("data-embed", "");
    }
    let listed = parameter("origins").unwrap_or_default();
    let listed = listed.split(',').filter(|origin| is_origin(origin));
    let origins: Vec<String> = listed.map(str::to_owned).collect();
    let Some(parent) = window().parent().ok().flatten() else {
        return;
    };
    if origins.is_empty() || parent == window() {
        return;
    }
    let around = Rc::new(Around {
        window: parent,
        origins,
    });
    let hearing = around.clone();
    let hear: Closure<dyn FnMut(MessageEvent)> = Closure::new(move |event: MessageEvent| {
        let parent: &JsValue = &hearing.window;
        let from_parent = event.source().is_some_and(|from| *from == *parent);
        if from_parent && hearing.origins.contains(&event.origin()) {
            let message = Json::of(event.data());
            let version = message.get(MARK).and_then(|version| version.number());
            if version == Ok(f64::from(VERSION))
                && let Err(why) = read(&message).and_then(|asked| take(state, asked, &message))
            {
                hearing.say("error", &[("why", why.into())]);
            }
        }
    });
    window().set_onmessage(Some(hear.as_ref().unchecked_ref()));
    hear.forget();
    effect(move || around.tell(state));
}

/// Whether it is an origin as browsers write it: no pattern, and no other address.
fn is_origin(text: &str) -> bool {
    Url::new(text).is_ok_and(|address| address.origin() == text)
}

impl Around {
    /// Says what is to be seen, each time that something of it changes.
    fn tell(&self, state: State) {
        let status = state.status.get();
        let progress = state.progress.get().map_or(JsValue::NULL, |progress| {
            (progress.done as f64 / progress.total.max(1) as f64).into()
        });
        let manifest = state.manifest.get();
        let problems = state.problems.get();
        let picture = state.picture.get().filter(|_| state.scored.get());
        let name = status.name().into();
        self.say("state", &[("state", name), ("progress", progress)]);
        if !problems.is_empty() {
            let problems: Array = problems
                .iter()
                .map(|why| JsValue::from(said(why)))
                .collect();
            self.say("error", &[("why", problems.join(" ").into())]);
        }
        match (status, manifest) {
            (Status::Idle, Some(manifest)) => {
                let findings = manifest.findings.iter();
                let findings: Array = findings
                    .map(|finding| JsValue::from(finding.name.name()))
                    .collect();
                let model = manifest.name.as_str().into();
                self.say("ready", &[("model", model), ("findings", findings.into())]);
            }
            (Status::Ready, ..) => {
                if let Some(picture) = picture
                    && let Ok(json) = text(&picture.report, Layout::Lines)
                    && let Ok(report) = JSON::parse(&json)
                {
                    self.say("report", &[("report", report)]);
                }
            }
            _ => {}
        }
    }

    fn say(&self, kind: &str, values: &[(&str, JsValue)]) {
        let message = Object::new().into();
        let own = [(MARK, VERSION.into()), ("type", kind.into())];
        for (name, value) in own.iter().chain(values) {
            // A new object takes all.
            let _ = Reflect::set(&message, &(*name).into(), value);
        }
        for origin in &self.origins {
            // The browser hands it over where the page around is of this origin.
            let _ = self.window.post_message(&message, origin);
        }
    }
}

/// Reads a message, and says what is wrong with it.
fn read(message: &Json) -> Result<ToPage, String> {
    let number = |name| {
        let number = message.get(name).and_then(|number| number.number());
        number.ok().map(|number| number as u32)
    };
    Ok(match message.text("type")?.as_str() {
        "open" => ToPage::Open {
            file: Handle,
            name: message.text("name").ok(),
        },
        "select" => ToPage::Select {
            finding: message.text("finding")?,
        },
        "explain" => ToPage::Explain {
            method: Method::named(&message.text("method")?).ok_or(NO_SUCH)?,
            samples: number("samples"),
            seed: number("seed"),
        },
        "measure" => ToPage::Measure,
        "load" => ToPage::Load {
            model: message.text("model")?,
        },
        "cancel" => ToPage::Cancel,
        _ => return Err(NO_SUCH.to_owned()),
    })
}

/// Said of a message, a finding or a model that is not there.
const NO_SUCH: &str = "there is none of that name";

/// Does what a message asks for.
fn take(state: State, asked: ToPage, message: &Json) -> Result<(), String> {
    let mut known = true;
    match asked {
        ToPage::Open { name, .. } => {
            let file = message.get("file")?;
            let name = name.or(file.text("name").ok()).unwrap_or_default();
            match file.into_value().dyn_into::<Blob>() {
                // It is asked for no more than a blob has.
                Ok(file) => {
                    state.give(vec![Source::File(file.unchecked_into(), name)], Vec::new());
                }
                Err(_) => known = false,
            }
        }
        ToPage::Select { finding } => state.tell(|session| {
            let findings = &session.vocabulary().findings;
            let place = findings.iter().position(|known| known.name() == finding);
            known = place.is_some();
            session.select(place.unwrap_or(usize::MAX));
        }),
        ToPage::Explain {
            method,
            samples,
            seed,
        } => state.tell(|session| {
            // What is chosen while another method is in view asks for nothing yet.
            session.explain_by(Method::GradCam);
            session.choose(|settings| settings.lime.ask(samples, seed));
            session.explain_by(method);
        }),
        ToPage::Measure => state.tell(Session::measure),
        ToPage::Load { model } => state.tell(|session| {
            known = session.models().iter().any(|entry| entry.name == model);
            if known {
                session.load(&model);
            }
        }),
        ToPage::Cancel => state.tell(Session::cancel),
    }
    match known {
        true => Ok(()),
        false => Err(NO_SUCH.to_owned()),
    }
}
