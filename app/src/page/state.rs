//! The page's signals, and what can be done to them.

use std::sync::Arc;

use gloo::worker::{Spawnable, WorkerBridge};
use leptos::prelude::*;
use sightline::explain::colormap::Colormap;
use sightline::explain::erase::{Erased, Spot};
use sightline::explain::faithfulness;
use sightline::explain::fill::Fill;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::lime;
use sightline::finding::Finding;
use sightline::package::{Manifest, ModelEntry, ModelIndex, PackageError};
use sightline::radiograph::GreyImage;
use sightline::report::{FindingReport, Report, Trust};
use wasm_bindgen_futures::spawn_local;

use crate::engine::Engine;
use crate::messages::{Adapter, Answer, DeviceChoice, Progress, ReadingAnswer, Request};

/// What the page is doing; `data-state` of the status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Loading,
    Idle,
    Reading,
    Explaining,
    Ready,
    Error,
}

/// How the map is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    #[default]
    GradCam,
    Lime,
}

impl Method {
    pub const ALL: [Self; 2] = [Method::GradCam, Method::Lime];

    /// In the page's options and the command line.
    pub fn name(self) -> &'static str {
        match self {
            Method::GradCam => "grad-cam",
            Method::Lime => "lime",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Method::GradCam => "Grad-CAM",
            Method::Lime => "LIME",
        }
    }
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Loading => "loading",
            Status::Idle => "idle",
            Status::Reading => "reading",
            Status::Explaining => "explaining",
            Status::Ready => "ready",
            Status::Error => "error",
        }
    }
}

/// A radiograph that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPicture {
    pub preview: GreyImage,
    pub report: Report,
}

/// A file as it was given.
#[derive(Debug)]
pub struct GivenFile {
    pub name: String,
    pub bytes: Vec<u8>,
}

type Bridge = WorkerBridge<Engine>;

/// Everything the views show. Cheap to copy.
#[derive(Clone, Copy)]
pub struct State {
    pub status: RwSignal<Status>,
    pub progress: RwSignal<Option<Progress>>,
    pub adapter: RwSignal<Option<Adapter>>,
    /// Something the reader should know and can go on with, such as a fall back to the CPU.
    pub note: RwSignal<Option<String>>,
    pub error: RwSignal<Option<String>>,
    pub models: RwSignal<Vec<ModelEntry>>,
    pub model: RwSignal<String>,
    pub manifest: RwSignal<Option<Arc<Manifest>>>,
    pub picture: RwSignal<Option<Arc<ReadPicture>>>,
    /// The finding whose map is shown: a position in the report.
    pub selected: RwSignal<usize>,
    /// Of a combined network, the branch whose part of the map is shown; `None`: all of them together.
    pub branch: RwSignal<Option<usize>>,
    pub method: RwSignal<Method>,
    /// How LIME is made.
    pub lime: RwSignal<lime::Options>,
    /// What is painted over, and how it is filled.
    pub spots: RwSignal<Vec<Spot>>,
    pub fill: RwSignal<Fill>,
    pub colormap: RwSignal<Colormap>,
    /// 0..1.
    pub opacity: RwSignal<f32>,
    bridge: StoredValue<Option<Bridge>, LocalStorage>,
    /// Pictures that may be scored at once: fewer after an engine failed with more.
    at_once: StoredValue<usize>,
    device: StoredValue<DeviceChoice>,
    /// The last file given: read once a model is there, and again when the model changes.
    file: StoredValue<Option<Arc<GivenFile>>>,
    /// The number of the reading that is waited for.
    reading: StoredValue<u32>,
    /// What the engine is at, while the status is [`Status::Explaining`]: answers to anything else come too late.
    job: StoredValue<Option<Job>>,
    /// Whether the engine is at a picture with places painted over.
    probing: StoredValue<bool>,
}

/// Work whose result is waited for beside a reading.
#[derive(Clone, PartialEq)]
enum Job {
    Lime(lime::Options),
    /// Of a finding, by a method.
    Measure(Finding, &'static str),
}

impl State {
    /// The page as it begins: the engine starts, and the first model is loaded.
    pub fn start() -> Self {
        let state = Self {
            status: RwSignal::new(Status::Loading),
            progress: RwSignal::new(None),
            adapter: RwSignal::new(None),
            note: RwSignal::new(None),
            error: RwSignal::new(None),
            models: RwSignal::new(Vec::new()),
            model: RwSignal::new(String::new()),
            manifest: RwSignal::new(None),
            picture: RwSignal::new(None),
            selected: RwSignal::new(0),
            branch: RwSignal::new(None),
            method: RwSignal::new(Method::default()),
            lime: RwSignal::new(lime::Options::default()),
            spots: RwSignal::new(Vec::new()),
            fill: RwSignal::new(Fill::PictureMean),
            colormap: RwSignal::new(Colormap::default()),
            opacity: RwSignal::new(0.6),
            bridge: StoredValue::new_local(None),
            device: StoredValue::new(device_of_address()),
            at_once: StoredValue::new(usize::MAX),
            file: StoredValue::new(None),
            reading: StoredValue::new(0),
            job: StoredValue::new(None),
            probing: StoredValue::new(false),
        };
        state.load_index();
        state
    }

    /// Fetches the list of packages and loads the first.
    fn load_index(self) {
        self.error.set(None);
        self.status.set(Status::Loading);
        spawn_local(async move {
            match fetch_index().await {
                Ok(index) => {
                    let first = index.models[0].name.clone();
                    self.models.set(index.models);
                    self.load_model(first);
                }
                Err(why) => self.fail(why),
            }
        });
    }

    /// Loads a package in a fresh engine; a radiograph that is open is then read with it.
    pub fn load_model(self, name: String) {
        if name.is_empty() {
            return self.load_index();
        }
        self.model.set(name.clone());
        self.manifest.set(None);
        let folder = match self.folder() {
            Ok(folder) => folder,
            Err(why) => return self.fail(format!("The model {name} is refused: {why}.")),
        };
        self.adapter.set(None);
        self.picture.set(None);
        self.branch.set(None);
        self.error.set(None);
        self.progress.set(None);
        self.status.set(Status::Loading);
        self.start_engine();
        self.send(Request::LoadModel {
            name,
            folder,
            device: self.device.get_value(),
            at_once: self.at_once.get_value(),
        });
    }

    /// The chosen package's folder: an address relative to the page.
    pub fn folder(self) -> Result<String, PackageError> {
        let name = self.model.get_untracked();
        self.models.with_untracked(|models| {
            let entry = models.iter().find(|entry| entry.name == name);
            let beside_the_page = ModelEntry { name, path: None };
            entry.unwrap_or(&beside_the_page).folder()
        })
    }

    /// Reads a file, now or as soon as a model is loaded.
    pub fn open(self, file: GivenFile) {
        self.file.set_value(Some(Arc::new(file)));
        self.note.set(None);
        self.error.set(None);
        self.picture.set(None);
        if self.manifest.with_untracked(Option::is_some) {
            self.read_file();
        } else if self.status.get_untracked() != Status::Loading {
            // The model failed to load: perhaps it can be had now.
            self.load_model(self.model.get_untracked());
        }
    }

    /// Ends what is under way. While loading the engine is dropped; a reading's answer is no longer waited for.
    pub fn cancel(self) {
        self.send(Request::Cancel);
        if self.status.get_untracked() == Status::Explaining {
            // What is known so far stays, and the controls say how it was made.
            self.progress.set(None);
            let made = self.picture.with_untracked(|picture| {
                let lime = picture.as_ref()?.report.lime.as_ref()?;
                Some(lime.options.clone())
            });
            match made {
                Some(options) => self.lime.set(options),
                None => self.method.set(Method::GradCam),
            }
            self.status.set(Status::Ready);
            return self.catch_up();
        }
        self.file.set_value(None);
        let was_loading = self.status.get_untracked() == Status::Loading;
        self.reading.update_value(|number| *number += 1);
        self.progress.set(None);
        if was_loading {
            self.bridge.set_value(None);
            self.fail("Loading the model was cancelled. Choose a model to load it.".to_owned());
        } else {
            self.status.set(Status::Idle);
        }
    }

    /// The report of the finding whose map is shown.
    pub fn selected_finding(self) -> Option<FindingReport> {
        let selected = self.selected.get();
        self.picture
            .with(|picture| picture.as_ref()?.report.findings.get(selected).cloned())
    }

    /// The map of a finding by the chosen method; `None` where it is not known yet.
    pub fn map_of(self, index: usize) -> Option<HeatMap> {
        let (method, branch) = (self.method.get(), self.branch.get());
        self.picture.with(|picture| {
            let report = &picture.as_ref()?.report;
            if method == Method::Lime {
                return report.lime.as_ref()?.map(index);
            }
            let map = &report.findings.get(index)?.grad_cam;
            let branch = branch.and_then(|index| map.branches.get(index));
            Some(branch.map_or(&map.cells, |branch| &branch.cells).clone())
        })
    }

    /// Shows the maps of a method, and makes them if they are not there.
    pub fn explain_by(self, method: Method) {
        self.method.set(method);
        self.explain();
    }

    /// Asks for LIME if it is chosen and not there as it is wanted.
    pub fn explain(self) {
        let options = self.lime.get_untracked();
        let there = self.picture.with_untracked(|picture| {
            picture.as_ref().map(|picture| {
                let lime = picture.report.lime.as_ref();
                lime.is_some_and(|lime| {
                    let enough = options.until_stable && lime.stable;
                    lime.options == options && (enough || lime.samples == options.samples)
                })
            })
        });
        let idle = matches!(
            self.status.get_untracked(),
            Status::Ready | Status::Explaining
        );
        // Perhaps it is being made already.
        let job = Job::Lime(options.clone());
        let wanted = there == Some(false) && self.job.get_value() != Some(job.clone());
        if self.method.get_untracked() == Method::Lime && wanted && idle {
            self.progress.set(None);
            self.status.set(Status::Explaining);
            self.send(Request::Explain {
                id: self.reading.get_value(),
                options,
            });
            self.job.set_value(Some(job));
        }
    }

    /// What was measured of the method's map of all networks together, if it was.
    pub fn trust(self) -> Option<Trust> {
        let (finding, method) = (self.selected_finding()?.name, self.method.get().name());
        self.picture.with(|picture| {
            let mut trust = picture.as_ref()?.report.trust.iter();
            trust
                .find(|t| t.finding == finding && t.method == method)
                .cloned()
        })
    }

    /// Measures the map in view.
    pub fn measure(self) {
        let (finding, method) = (self.selected.get_untracked(), self.method.get_untracked());
        let maps = self.picture.with_untracked(|picture| {
            let report = &picture.as_ref()?.report;
            let grad_cam = report.findings.get(finding)?.grad_cam.cells.clone();
            let lime = report.lime.as_ref().and_then(|lime| lime.map(finding));
            let name = report.findings.get(finding)?.name;
            match method {
                Method::GradCam => Some((name, grad_cam, lime)),
                Method::Lime => Some((name, lime?, Some(grad_cam))),
            }
        });
        let ready = self.status.get_untracked() == Status::Ready;
        if let (Some((name, map, other)), true) = (maps, ready) {
            self.progress.set(None);
            self.status.set(Status::Explaining);
            self.send(Request::Measure {
                id: self.reading.get_value(),
                finding,
                method: method.name().to_owned(),
                map,
                other,
                options: faithfulness::Options::default(),
            });
            self.job.set_value(Some(Job::Measure(name, method.name())));
        }
    }

    /// Paints over a place, or takes places back; the scores follow.
    pub fn erase(self, change: impl FnOnce(&mut Vec<Spot>)) {
        self.spots.update(change);
        self.probe();
    }

    /// Asks for the scores of what is painted now. While an answer is waited for nothing is asked: it asks again.
    pub fn probe(self) {
        let spots = self.spots.get_untracked();
        if spots.is_empty() {
            return self.set_erased(None);
        }
        let ready = self.status.get_untracked() == Status::Ready;
        if ready && !self.probing.get_value() {
            self.send(Request::Probe {
                id: self.reading.get_value(),
                mask: spots,
                fill: self.fill.get_untracked(),
            });
        }
    }

    fn set_erased(self, erased: Option<Erased>) {
        self.picture.update(|picture| {
            if let Some(picture) = picture {
                Arc::make_mut(picture).report.erased = erased;
            }
        });
    }

    /// The score of a finding without what is painted over.
    pub fn erased_score(self, index: usize) -> Option<f64> {
        self.picture.with(|picture| {
            let erased = picture.as_ref()?.report.erased.as_ref()?;
            *erased.probabilities.get(index)?
        })
    }

    /// The networks that a combined model joins; none for a model of one.
    pub fn branches(self) -> Vec<String> {
        self.picture.with(|picture| {
            let first = picture.as_ref().and_then(|p| p.report.findings.first());
            let branches = first.map(|finding| &finding.grad_cam.branches);
            let names = branches.into_iter().flatten().map(|b| b.network.clone());
            names.collect()
        })
    }

    /// Positions in the report: trained findings from the highest score down, then the untrained ones.
    pub fn ranking(self) -> Vec<usize> {
        self.picture.with(|picture| {
            let Some(picture) = picture else {
                return Vec::new();
            };
            let findings = &picture.report.findings;
            let mut order: Vec<usize> = (0..findings.len()).collect();
            let score = |index: &usize| findings[*index].probability.unwrap_or(-1.0);
            order.sort_by(|a, b| score(b).total_cmp(&score(a)));
            order
        })
    }

    /// Shows the map of the finding `step` places further down the ranking.
    pub fn select_by(self, step: isize) {
        let trained = |index: &usize| {
            self.picture.with_untracked(|p| {
                p.as_ref()
                    .is_some_and(|p| p.report.findings[*index].trained)
            })
        };
        let order: Vec<usize> = untrack(|| self.ranking())
            .into_iter()
            .filter(trained)
            .collect();
        if let Some(at) = order
            .iter()
            .position(|index| *index == self.selected.get_untracked())
        {
            let next = (at as isize + step).clamp(0, order.len() as isize - 1);
            self.selected.set(order[next as usize]);
        }
    }

    /// Says why a file cannot be opened. As with one that the engine cannot read, nothing else is open any more.
    pub fn refuse_file(self, why: String) {
        if self.manifest.with_untracked(Option::is_some) {
            self.send(Request::Cancel);
        }
        self.reading.update_value(|number| *number += 1);
        self.file.set_value(None);
        self.picture.set(None);
        self.fail(why);
    }

    /// Says that something did not work, and what to do.
    pub fn fail(self, why: String) {
        self.progress.set(None);
        self.error.set(Some(why));
        self.status.set(Status::Error);
    }

    fn start_engine(self) {
        let bridge = Engine::spawner()
            .with_loader(true)
            .as_module(false)
            .callback(move |answer| self.hear(answer))
            .spawn("engine_loader.js");
        // The old engine closes when its bridge is dropped.
        self.bridge.set_value(Some(bridge));
    }

    fn send(self, request: Request) {
        // The engine works for the newest request only: any other ends a probe without an answer.
        self.probing
            .set_value(matches!(request, Request::Probe { .. }));
        self.job.set_value(None);
        self.bridge.with_value(|bridge| {
            if let Some(bridge) = bridge {
                bridge.send(request);
            }
        });
    }

    fn read_file(self) {
        let Some(file) = self.file.get_value() else {
            return;
        };
        self.reading.update_value(|number| *number += 1);
        self.progress.set(None);
        self.status.set(Status::Reading);
        self.send(Request::Read {
            id: self.reading.get_value(),
            file: file.name.clone(),
            bytes: file.bytes.clone(),
        });
    }

    fn hear(self, answer: Answer) {
        match answer {
            Answer::Progress(progress) => {
                if matches!(
                    self.status.get_untracked(),
                    Status::Loading | Status::Reading | Status::Explaining
                ) {
                    self.progress.set(Some(progress));
                }
            }
            Answer::Opened { adapter } => self.adapter.set(Some(adapter)),
            Answer::Ready { adapter, manifest } => {
                self.progress.set(None);
                match Manifest::parse(manifest.as_bytes()) {
                    Ok(manifest) => self.manifest.set(Some(Arc::new(manifest))),
                    Err(error) => return self.fail(error.to_string()),
                }
                self.adapter.set(Some(adapter));
                self.error.set(None);
                self.status.set(Status::Idle);
                self.read_file();
            }
            Answer::Reading(reading) => {
                if reading.id == self.reading.get_value() {
                    self.show(*reading);
                }
            }
            Answer::Explanation { id, done, lime } => {
                if id == self.reading.get_value() {
                    self.show_lime(&lime, done);
                }
            }
            // Between engines.
            Answer::Scores { .. } => {}
            Answer::Probed { id, erased } => {
                self.probing.set_value(false);
                if id == self.reading.get_value() {
                    self.show_erased(&erased);
                }
            }
            Answer::Measured { id, trust } => {
                if id == self.reading.get_value() {
                    self.show_trust(&trust);
                }
            }
            Answer::Refused { id, why } => {
                if id.is_none_or(|id| id == self.reading.get_value()) {
                    // A file that cannot be read is not tried again with the next model.
                    if id.is_some() {
                        self.file.set_value(None);
                    }
                    self.fail(why);
                }
            }
            Answer::Died { why, scoring } => self.engine_died(&why, scoring),
        }
    }

    fn show(self, reading: ReadingAnswer) {
        let ReadingAnswer {
            width,
            height,
            pixels,
            report,
            ..
        } = reading;
        self.progress.set(None);
        match serde_json::from_str::<Report>(&report) {
            Ok(report) => {
                let preview = GreyImage {
                    width,
                    height,
                    pixels,
                };
                self.error.set(None);
                self.spots.set(Vec::new());
                self.probing.set_value(false);
                self.picture
                    .set(Some(Arc::new(ReadPicture { preview, report })));
                self.selected
                    .set(untrack(|| self.ranking()).first().copied().unwrap_or(0));
                self.status.set(Status::Ready);
                self.explain();
            }
            Err(error) => self.fail(format!(
                "The engine's answer cannot be understood: {error}."
            )),
        }
    }

    fn show_lime(self, lime: &str, done: bool) {
        match serde_json::from_str::<lime::Explanation>(lime) {
            // Sent before the engine heard of something else: the answer to that is yet to come.
            Ok(lime) if self.job.get_value() != Some(Job::Lime(lime.options.clone())) => return,
            Ok(lime) => self.picture.update(|picture| {
                if let Some(picture) = picture {
                    let report = &mut Arc::make_mut(picture).report;
                    // What was measured of another map of LIME's is not of this one.
                    report
                        .trust
                        .retain(|trust| trust.method != Method::Lime.name());
                    for trust in &mut report.trust {
                        trust.agreement = None;
                    }
                    report.lime = Some(lime);
                }
            }),
            Err(error) => {
                return self.fail(format!(
                    "The engine's answer cannot be understood: {error}."
                ));
            }
        }
        if done {
            self.end_job();
        }
    }

    fn show_erased(self, erased: &str) {
        match serde_json::from_str::<Erased>(erased) {
            Ok(erased) => {
                let (spots, fill) = (self.spots.get_untracked(), self.fill.get_untracked());
                let behind = erased.spots != spots || erased.fill != fill;
                if !spots.is_empty() {
                    self.set_erased(Some(erased));
                }
                if behind {
                    self.probe();
                }
            }
            Err(error) => self.fail(format!(
                "The engine's answer cannot be understood: {error}."
            )),
        }
    }

    fn show_trust(self, trust: &str) {
        match serde_json::from_str::<Trust>(trust) {
            Ok(trust) if !self.is_measuring(&trust) => return,
            Ok(trust) => self.picture.update(|picture| {
                if let Some(picture) = picture {
                    let all = &mut Arc::make_mut(picture).report.trust;
                    all.retain(|old| old.finding != trust.finding || old.method != trust.method);
                    all.push(trust);
                }
            }),
            Err(error) => {
                return self.fail(format!(
                    "The engine's answer cannot be understood: {error}."
                ));
            }
        }
        self.end_job();
    }

    fn is_measuring(self, trust: &Trust) -> bool {
        self.job.with_value(|job| match job {
            Some(Job::Measure(finding, method)) => {
                (*finding, *method) == (trust.finding, trust.method.as_str())
            }
            _ => false,
        })
    }

    fn end_job(self) {
        self.job.set_value(None);
        self.progress.set(None);
        self.status.set(Status::Ready);
        self.catch_up();
    }

    /// Asks for the scores of what was painted meanwhile.
    fn catch_up(self) {
        if !self.spots.with_untracked(Vec::is_empty) {
            self.probe();
        }
    }

    /// Most likely for want of memory, of which half as many pictures need half as much. A GPU that fails with one picture is not tried
    /// again: the CPU goes on. A CPU that does is the end.
    fn engine_died(self, why: &str, scoring: usize) {
        leptos::logging::error!("the engine ended: {why}");
        let on_cpu = matches!(self.adapter.get_untracked(), Some(Adapter::Cpu { .. }))
            || self.device.get_value() == DeviceChoice::Cpu;
        if scoring > 1 {
            self.at_once.set_value(scoring / 2);
            self.load_model(self.model.get_untracked());
            self.note.set(Some(format!(
                "The {} could not score {scoring} pictures at once. It begins again with {} at a time.",
                if on_cpu { "engine" } else { "GPU" },
                scoring / 2
            )));
        } else if on_cpu {
            self.manifest.set(None);
            self.file.set_value(None);
            self.fail(
                "The engine stopped, most likely out of memory. Close other tabs, then open the file again, \
                 or choose a smaller model."
                    .to_owned(),
            );
        } else {
            self.device.set_value(DeviceChoice::Cpu);
            self.load_model(self.model.get_untracked());
            self.note.set(Some(
                "The GPU failed, so this page goes on with the CPU.".to_owned(),
            ));
        }
    }
}

/// `?device=cpu` and `?device=webgpu` force a device.
fn device_of_address() -> DeviceChoice {
    let search = window().location().search().unwrap_or_default();
    let parameters = web_sys::UrlSearchParams::new_with_str(&search).ok();
    match parameters.and_then(|p| p.get("device")).as_deref() {
        Some("cpu") => DeviceChoice::Cpu,
        Some("webgpu") => DeviceChoice::WebGpu,
        _ => DeviceChoice::Best,
    }
}

async fn fetch_index() -> Result<ModelIndex, String> {
    let url = "models/index.json";
    let failed = |why: String| format!("The list of models ({url}) cannot be fetched: {why}");
    let response = gloo::net::http::Request::get(url).send().await;
    let response = response.map_err(|error| failed(error.to_string()))?;
    if !response.ok() {
        return Err(failed(format!("the server said {}.", response.status())));
    }
    let index: ModelIndex = response
        .json()
        .await
        .map_err(|error| failed(error.to_string()))?;
    if index.models.is_empty() {
        return Err(failed(
            "it is empty. Train a model, or copy a package into models/.".to_owned(),
        ));
    }
    Ok(index)
}
