//! Sightline for programs: the session and the worker of the page, without the page. `packages/sightline/` makes promises of it.
//!
//! One thing is asked for at a time. Each time that something happened, whoever made an [`Engine`] is called, and asks what came of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use js_sys::{Array, Float32Array, Function, JSON, Object, Reflect};
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::method::Method;
use sightline_core::json::{Layout, text};
use sightline_core::package::ModelEntry;
use sightline_core::radiograph::in_memory::{self, InMemory};
use sightline_session::errand::{Errand, UnderWay};
use sightline_session::messages::{Adapter, Answer, DeviceChoice, PackagePlace, Request};
use sightline_session::picture::ReadPicture;
use sightline_session::session::{Effect, Session};
use sightline_wire::{Heard, Role, Spawned, program};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

/// The file of a picture in memory: see [`InMemory`].
///
/// # Errors
/// When it is no picture.
#[wasm_bindgen(js_name = samplesAsFile)]
#[allow(clippy::too_many_arguments)] // An object's values, of which each is a call of the browser's.
pub fn samples_as_file(
    width: usize,
    height: usize,
    samples: &[u8],
    allocated: u8,
    stored: u8,
    signed: bool,
    inverted: bool,
    centre: f64,
    window: f64,
    slope: f64,
    intercept: f64,
) -> Result<Vec<u8>, JsError> {
    let picture = InMemory {
        width,
        height,
        samples,
        allocated,
        stored,
        signed,
        inverted,
        window: (!centre.is_nan() && !window.is_nan()).then_some([centre, window]),
        rescale: [slope, intercept],
    };
    Ok(in_memory::dicom(&picture)?)
}

/// The file of a canvas's pixels.
///
/// # Errors
/// When there are not as many as width and height say.
#[wasm_bindgen(js_name = pixelsAsFile)]
pub fn pixels_as_file(width: usize, height: usize, rgba: &[u8]) -> Result<Vec<u8>, JsError> {
    Ok(in_memory::png(width, height, rgba)?)
}

/// A session, and the engine that it drives.
#[wasm_bindgen]
pub struct Engine(Rc<Inner>);

struct Inner {
    session: RefCell<Session>,
    under_way: RefCell<Option<UnderWay>>,
    worker: RefCell<Option<Spawned<Request, Answer>>>,
    /// The file that was given last, and its name.
    file: RefCell<Option<(Blob, String)>>,
    /// Where each model's folder is.
    folders: HashMap<String, String>,
    /// Where the engine's program is.
    home: String,
    changed: Function,
}

#[wasm_bindgen]
impl Engine {
    /// `home`: the folder of the engine's program; `models`: objects of `name` and `folder`, an address; `changed` is called each time that
    /// something happened.
    #[wasm_bindgen(constructor)]
    pub fn new(home: String, device: &str, models: &Array, changed: Function) -> Engine {
        console_error_panic_hook::set_once();
        let text = |of: &JsValue, name: &str| {
            let value = Reflect::get(of, &name.into()).ok();
            value
                .and_then(|value| value.as_string())
                .unwrap_or_default()
        };
        let device = match device {
            "cpu" => DeviceChoice::Cpu,
            "webgpu" => DeviceChoice::WebGpu,
            _ => DeviceChoice::Best,
        };
        let folders = models.iter();
        let folders = folders.map(|entry| (text(&entry, "name"), text(&entry, "folder")));
        Engine(Rc::new(Inner {
            session: RefCell::new(Session::new(device)),
            under_way: RefCell::default(),
            worker: RefCell::default(),
            file: RefCell::default(),
            folders: folders.collect(),
            home,
            changed,
        }))
    }

    /// Begins to load a model.
    pub fn load(&self, model: String) {
        // The session's list has the one model: it loads the first.
        let entry = ModelEntry {
            name: model,
            path: None,
        };
        self.0
            .begin(Errand::Load, |session| session.list(Ok(vec![entry])));
    }

    /// Begins to read a file.
    pub fn read(&self, file: Blob, name: String) {
        self.0.file.replace(Some((file, name.clone())));
        self.0.begin(Errand::Read, |session| {
            // Maps of another method would be made of each picture.
            session.explain_by(Method::GradCam);
            session.give(vec![name], Vec::new());
        });
    }

    /// Begins to make the maps of a method. `samples` and `seed` are LIME's.
    ///
    /// # Errors
    /// When there is no such method or finding.
    pub fn explain(
        &self,
        method: &str,
        finding: Option<String>,
        samples: Option<u32>,
        seed: Option<u32>,
    ) -> Result<(), JsError> {
        let method: Method = method.parse().map_err(|why: String| JsError::new(&why))?;
        if let Some(finding) = finding {
            self.0.place(&finding)?;
        }
        self.0.begin(Errand::Explain(method), |session| {
            // What is chosen while another method is in view asks for nothing yet.
            session.explain_by(Method::GradCam);
            session.choose(|settings| settings.lime.ask(samples, seed));
        });
        Ok(())
    }

    /// Begins to measure the map of a finding; without one, of that with the highest score.
    ///
    /// # Errors
    /// When there is no such method or finding.
    pub fn measure(&self, method: &str, finding: Option<String>) -> Result<(), JsError> {
        let method: Method = method.parse().map_err(|why: String| JsError::new(&why))?;
        let finding = match finding.or(self.highest()) {
            Some(finding) => self.0.place(&finding)?,
            None => 0,
        };
        self.0.begin(Errand::Measure(finding, method), |_| {});
        Ok(())
    }

    /// Ends what is under way.
    pub fn cancel(&self) {
        self.0.under_way.replace(None);
        self.0.tell(Session::cancel);
    }

    /// Nothing while the errand is under way; an empty text once it is done; else why it cannot be done.
    pub fn outcome(&self) -> Option<String> {
        let under_way = self.0.under_way.borrow();
        let outcome = under_way.as_ref()?.outcome()?;
        Some(match outcome {
            Ok(()) => String::new(),
            Err(why) => why.clone(),
        })
    }

    /// How far it is: an object of `step`, `done` and `total`, of which the last is 0 where nobody knows.
    pub fn progress(&self) -> JsValue {
        let session = self.0.session.borrow();
        let Some(progress) = session.progress() else {
            return JsValue::UNDEFINED;
        };
        object([
            ("step", progress.step.name().into()),
            ("done", (progress.done as f64).into()),
            ("total", (progress.total as f64).into()),
        ])
    }

    /// What it computes on.
    pub fn adapter(&self) -> Option<String> {
        self.0.session.borrow().adapter().map(Adapter::label)
    }

    /// The model's manifest.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn manifest(&self) -> Result<JsValue, JsValue> {
        let session = self.0.session.borrow();
        match session.manifest() {
            Some(manifest) => parsed(text(manifest.as_ref(), Layout::Compact)),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// The report of what was read, and all that was found out since.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn report(&self) -> Result<JsValue, JsValue> {
        let session = self.0.session.borrow();
        match session.picture() {
            Some(picture) => parsed(text(&picture.report, Layout::Compact)),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// The name of the finding with the highest score.
    pub fn highest(&self) -> Option<String> {
        let session = self.0.session.borrow();
        let picture = session.picture()?;
        let first = *picture.trained().first()?;
        Some(picture.report.findings[first].name.name().to_owned())
    }

    /// The maps of a method, or that of one finding: objects of `finding`, `width`, `height`, `values` and `region`.
    pub fn maps(&self, method: &str, finding: Option<String>) -> Array {
        let maps = Array::new();
        let session = self.0.session.borrow();
        let (Some(picture), Ok(method)) = (session.picture(), method.parse::<Method>()) else {
            return maps;
        };
        for (place, known) in picture.report.findings.iter().enumerate() {
            let wanted = finding
                .as_deref()
                .is_none_or(|name| name == known.name.name());
            let map = picture.map(place, method, None, session.settings());
            if let Some(map) = map.filter(|_| wanted && known.trained) {
                maps.push(&self::map(picture, known.name.name(), &map));
            }
        }
        maps
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It would be kept by what hears of its worker.
        self.0.worker.replace(None);
    }
}

impl Inner {
    fn begin(self: &Rc<Self>, errand: Errand, event: impl FnOnce(&mut Session)) {
        let begun = UnderWay::begin(&mut self.session.borrow_mut(), errand);
        self.under_way.replace(Some(begun));
        self.tell(event);
    }

    /// Tells the session what happened, does what comes of it, and calls whoever waits.
    fn tell(self: &Rc<Self>, event: impl FnOnce(&mut Session)) {
        let effects = {
            let session = &mut *self.session.borrow_mut();
            event(session);
            if let Some(under_way) = self.under_way.borrow_mut().as_mut() {
                under_way.go_on(session);
            }
            session.effects()
        };
        for effect in effects {
            self.perform(effect);
        }
        // What it throws is its own.
        let _ = self.changed.call0(&JsValue::UNDEFINED);
    }

    fn perform(self: &Rc<Self>, effect: Effect) {
        match effect {
            // The list was given, and has no rows to be read in the background. No weights are dropped here.
            Effect::FetchList | Effect::FetchRow { .. } | Effect::SendWithWeights(_) => {}
            Effect::StopEngine => drop(self.worker.replace(None)),
            Effect::StartEngine => self.start(),
            Effect::Send(mut request) => {
                if let Request::Load { package, .. } = &mut request
                    && let PackagePlace::Beside { name, folder } = package
                    && let Some(said) = self.folders.get(name)
                {
                    said.clone_into(folder);
                }
                self.send(&request, None);
            }
            Effect::SendWithFile(request, _) => {
                let file = self.file.borrow().as_ref().map(|(file, _)| file.clone());
                self.send(&request, file);
            }
            Effect::Fetch { id, .. } => {
                let name = self.file.borrow().as_ref().map(|(_, name)| name.clone());
                self.tell(|session| session.fetched(id, Ok(name.unwrap_or_default())));
            }
        }
    }

    fn start(self: &Rc<Self>) {
        let webgpu = self.session.borrow().may_use_webgpu();
        let program = program(&self.home, Role::Engine, webgpu).unwrap_or_default();
        // The engine that there was ends.
        self.worker.replace(None);
        let inner = Rc::downgrade(self);
        let hear = move |heard| {
            if let Some(inner) = inner.upgrade() {
                match heard {
                    Heard::Answer(answer, _) => inner.tell(|session| session.hear(answer)),
                    Heard::Ended(end) => inner.tell(|session| session.ended(end)),
                }
            }
        };
        match Spawned::start(&program, hear) {
            Ok(worker) => drop(self.worker.replace(Some(worker))),
            Err(end) => self.tell(|session| session.ended(end)),
        }
    }

    fn send(&self, request: &Request, file: Option<Blob>) {
        if let Some(worker) = self.worker.borrow().as_ref() {
            worker.send_with(request, file);
        }
    }

    /// A finding's position in the report.
    fn place(&self, finding: &str) -> Result<usize, JsError> {
        let session = self.session.borrow();
        let findings = &session.vocabulary().findings;
        let place = findings.iter().position(|known| known.name() == finding);
        place.ok_or_else(|| {
            let names: Vec<&str> = findings.iter().map(|known| known.name()).collect();
            let names = names.join(", ");
            JsError::new(&format!(
                "The model has no finding {finding:?}. It has: {names}."
            ))
        })
    }
}

fn map(picture: &ReadPicture, finding: &str, map: &HeatMap) -> JsValue {
    let region = picture.region().map_or(JsValue::UNDEFINED, |region| {
        object([
            ("x", region.x.into()),
            ("y", region.y.into()),
            ("width", region.width.into()),
            ("height", region.height.into()),
        ])
    });
    object([
        ("finding", finding.into()),
        ("width", map.width.into()),
        ("height", map.height.into()),
        ("values", Float32Array::from(map.values.as_slice()).into()),
        ("region", region),
    ])
}

fn object<const N: usize>(values: [(&str, JsValue); N]) -> JsValue {
    let object = Object::new();
    for (name, value) in values {
        // A new object takes all.
        let _ = Reflect::set(&object, &name.into(), &value);
    }
    object.into()
}

fn parsed<E: std::fmt::Display>(json: Result<String, E>) -> Result<JsValue, JsValue> {
    JSON::parse(&json.map_err(|error| error.to_string())?)
}
