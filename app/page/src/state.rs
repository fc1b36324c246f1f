//! What the views show, and what they can ask for. All behaviour is [`Session`]'s; here it is bound to the browser.

use std::sync::Arc;

use js_sys::Array;
use leptos::prelude::*;
use sightline_core::explain::colormap::Colormap;
use sightline_core::explain::fill::Fill;
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::look::{Look, MapKind};
use sightline_core::explain::method::{Explanation, Method, Settings};
use sightline_core::finding::Finding;
use sightline_core::gate::Judgement;
use sightline_core::library::{FOLDER, Library};
use sightline_core::package::{Manifest, ModelEntry};
use sightline_core::radiograph::film::{Film, between};
use sightline_core::radiograph::levels::{UsedLevels, Window};
use sightline_core::radiograph::{GreyImage, MAX_BYTES, Region, resize};
use sightline_core::report::FindingReport;
use sightline_core::report::drawn::Drawn;
use sightline_core::trust::Trust;
use sightline_core::trust::erase::Spot;
use sightline_session::messages::{Adapter, Answer, Progress, Request};
use sightline_session::picture::ReadPicture;
use sightline_session::session::{Depths, Effect, End, Remedy, Session, Status, is_weights};
use sightline_session::validation::TABLES;
use wasm_bindgen_futures::spawn_local;

use super::address;
use super::canvas::THUMBNAIL_SIDE;
use super::download::save_as_named;
use super::effect::effect;
use super::fetch;
use super::handles;
use super::lasting;
use super::tool::Viewing;
use sightline_wire::{self as wire, Heard, Role, Spawned};
use web_sys::{Blob, FileSystemFileEntry};

/// Everything the views show. Cheap to copy.
#[derive(Clone, Copy)]
pub struct State {
    pub status: Memo<Status>,
    pub progress: Memo<Option<Progress>>,
    pub adapter: Memo<Option<Adapter>>,
    /// What the engine fell back to.
    pub fallback: Memo<Option<String>>,
    pub problems: Memo<Vec<String>>,
    /// Whether one of the problems can be dismissed.
    pub complains: Memo<bool>,
    pub remedy: Memo<Option<Remedy>>,
    /// What is to be said beside the radiograph.
    pub notices: Memo<Vec<String>>,
    pub depths: Memo<Option<Depths>>,
    pub models: Memo<Vec<ModelEntry>>,
    pub model: Memo<String>,
    pub manifest: Memo<Option<Arc<Manifest>>>,
    pub picture: Memo<Option<Arc<ReadPicture>>>,
    /// What is shown of the radiograph, large and small.
    pub preview: Memo<Option<Arc<GreyImage>>>,
    pub thumbnail: Memo<Option<Arc<GreyImage>>>,
    /// What the gate says of it, and whether its scores are shown.
    pub gate: Memo<Option<Judgement>>,
    pub scored: Memo<bool>,
    /// The part of it that maps cover.
    pub region: Memo<Option<Region>>,
    /// The finding whose map is shown: a position in the report.
    pub selected: Memo<Option<usize>>,
    pub method: Memo<Method>,
    /// The method whose map is being made.
    pub making: Memo<Option<Method>>,
    /// How maps are made.
    pub settings: Memo<Settings>,
    /// What is painted over, and how it is filled.
    pub spots: Memo<Vec<Spot>>,
    pub fill: Memo<Fill>,
    /// The branch of a combined network whose part of the map is shown; `None`: all of them together.
    pub branch: RwSignal<Option<usize>>,
    pub colormap: RwSignal<Colormap>,
    /// Which of a map's signs are shown, and whether as lines in place of colours.
    pub kind: RwSignal<MapKind>,
    pub contours: RwSignal<bool>,
    /// 0..1.
    pub opacity: RwSignal<f32>,
    /// How the radiograph is looked at.
    pub viewing: Viewing,
    /// The samples, once they were asked for.
    pub film: Memo<Option<Arc<Film>>>,
    /// What was drawn on it.
    pub drawn: Memo<Drawn>,
    /// The case library's index, once it is there.
    pub library: RwSignal<Option<Library>>,
    session: RwSignal<Session>,
    /// Where the rows of the list are.
    given: StoredValue<Vec<Source>, LocalStorage>,
    /// The file that is at hand, and the number under which it was fetched.
    file: StoredValue<Option<(u32, Blob)>, LocalStorage>,
    /// The file that is read in the background, and its number.
    row_file: StoredValue<Option<(u32, Blob)>, LocalStorage>,
    /// The files of the model that was dropped, one after another.
    weights: StoredValue<Option<Blob>, LocalStorage>,
    /// The tables that the model is to be measured with, one behind the other.
    tables: StoredValue<Option<(u32, Blob)>, LocalStorage>,
    engine: StoredValue<Option<Spawned<Request, Answer>>, LocalStorage>,
}

/// Where a radiograph is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, and its name: within a folder the path from the folder on.
    File(web_sys::File, String),
    /// A file in a folder that was dropped, and its path. The browser looks it up when it is to be read.
    Entry(FileSystemFileEntry, String),
    /// Beside the page.
    Sample(&'static str),
    /// In the case library.
    Case(String),
}

impl Source {
    /// As the file is called; empty for a pasted picture without a name.
    pub fn name(&self) -> String {
        match self {
            Source::File(_, name) | Source::Entry(_, name) => name.clone(),
            Source::Sample(file) => (*file).to_owned(),
            Source::Case(file) => file.clone(),
        }
    }

    /// Whether it is a table and no picture, by its name.
    fn is_table(&self) -> bool {
        let name = self.name();
        let (_, ending) = name.rsplit_once('.').unwrap_or_default();
        ending.eq_ignore_ascii_case("csv") || ending.eq_ignore_ascii_case("tsv")
    }

    /// By what a table of cases knows it, if it is one of the page's own, or a copy of one.
    fn case(&self, library: Option<&Library>) -> Option<String> {
        let name = self.name();
        // In whichever folder a copy lies.
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        let is_copy = || library.is_some_and(|library| library.has(&name));
        let own = matches!(self, Source::Sample(_) | Source::Case(_));
        (own || is_copy()).then_some(name)
    }

    /// The radiograph's file, whose bytes stay where they are.
    async fn file(self) -> Result<Blob, String> {
        let name = self.name();
        not_too_long(self.blob().await?, &name)
    }

    /// The file, however long.
    async fn blob(self) -> Result<Blob, String> {
        match self {
            Source::File(file, _) => Ok(file.into()),
            Source::Entry(entry, name) => Ok(handles::file(&entry, &name).await?.into()),
            Source::Sample(file) => {
                let file = fetch::blob(&format!("samples/{file}")).await;
                file.map_err(|why| format!("The sample cannot be fetched: {why}."))
            }
            Source::Case(file) => {
                let file = fetch::blob(&format!("{FOLDER}/{file}")).await;
                file.map_err(|why| format!("The case cannot be fetched: {why}."))
            }
        }
    }
}

/// The file's handle, if it can be read.
fn not_too_long(file: Blob, name: &str) -> Result<Blob, String> {
    if file.size() > MAX_BYTES as f64 {
        return Err(format!(
            "{name} has {:.0} MiB. Files of up to {} MiB can be read.",
            file.size() / f64::from(1 << 20),
            MAX_BYTES >> 20
        ));
    }
    Ok(file)
}

impl State {
    /// The page as it begins: the engine starts, and the first model is loaded.
    pub fn start() -> Self {
        let mut begun = Session::new(address::device());
        begun.begin_with(address::wanted());
        let session = lasting::signal(RwSignal::new(begun));
        let picture = lasting::memo_with(
            move |_| session.with(|session| session.picture().cloned()),
            is_another,
        );
        let preview = lasting::memo_with(
            move |_| picture.with(|picture| Some(picture.as_ref()?.preview.clone())),
            is_another,
        );
        let thumbnail = move |_: Option<&Option<Arc<GreyImage>>>| {
            preview.with(|preview| Some(Arc::new(thumbnail(preview.as_deref()?))))
        };
        let state = Self {
            status: lasting::memo(move |_| session.with(Session::status)),
            progress: lasting::memo(move |_| session.with(|session| session.progress().cloned())),
            adapter: lasting::memo(move |_| session.with(|session| session.adapter().cloned())),
            fallback: lasting::memo(move |_| {
                session.with(|session| session.fallback().map(str::to_owned))
            }),
            problems: lasting::memo(move |_| session.with(Session::problems)),
            complains: lasting::memo(move |_| session.with(Session::complains)),
            remedy: lasting::memo(move |_| session.with(Session::remedy)),
            notices: lasting::memo(move |_| session.with(Session::notices)),
            depths: lasting::memo(move |_| session.with(Session::depths)),
            models: lasting::memo(move |_| session.with(|session| session.models().to_vec())),
            model: lasting::memo(move |_| session.with(|session| session.model().to_owned())),
            manifest: lasting::memo(move |_| session.with(|session| session.manifest().cloned())),
            picture,
            preview,
            thumbnail: lasting::memo_with(thumbnail, is_another),
            gate: lasting::memo(move |_| session.with(|session| session.gate().cloned())),
            scored: lasting::memo(move |_| session.with(Session::shows_scores)),
            region: lasting::memo(move |_| picture.with(|picture| picture.as_ref()?.region())),
            selected: lasting::memo(move |_| session.with(Session::selected)),
            method: lasting::memo(move |_| session.with(Session::method)),
            making: lasting::memo(move |_| session.with(Session::making)),
            settings: lasting::memo(move |_| session.with(|session| session.settings().clone())),
            spots: lasting::memo(move |_| session.with(|session| session.spots().to_vec())),
            fill: lasting::memo(move |_| session.with(Session::fill)),
            branch: lasting::signal(RwSignal::new(None)),
            colormap: lasting::signal(RwSignal::new(Colormap::default())),
            kind: lasting::signal(RwSignal::new(MapKind::default())),
            contours: lasting::signal(RwSignal::new(false)),
            opacity: lasting::signal(RwSignal::new(0.6)),
            viewing: Viewing::default(),
            film: lasting::memo_with(
                move |_| session.with(|session| session.film().cloned()),
                is_another,
            ),
            drawn: lasting::memo(move |_| session.with(|session| session.drawn().clone())),
            library: lasting::signal(RwSignal::new(None)),
            session,
            given: StoredValue::new_local(Vec::new()),
            file: StoredValue::new_local(None),
            row_file: StoredValue::new_local(None),
            weights: StoredValue::new_local(None),
            tables: StoredValue::new_local(None),
            engine: StoredValue::new_local(None),
        };
        state.tell(|_| {});
        state.look_as_at_first();
        state
    }

    /// Another radiograph is seen as it is at first. A preset that was asked for is taken once the samples are there.
    fn look_as_at_first(self) {
        let shown =
            Memo::new(move |_| self.of_picture(|picture| picture.report.image.sha256.clone()));
        effect(move || {
            shown.track();
            self.viewing.presentation.set(Default::default());
            self.viewing.wanted.set(None);
        });
        effect(move || {
            if let (Some(film), Some(place)) = (self.film.get(), self.viewing.wanted.get()) {
                self.viewing.wanted.set(None);
                if let Some(preset) = film.presets.get(place) {
                    let window = Some(preset.window.clone());
                    self.viewing
                        .presentation
                        .update(|look| look.window = window);
                }
            }
        });
    }

    /// Tells the session what happened, and does what comes of it.
    pub fn tell(self, event: impl FnOnce(&mut Session)) {
        let effects = self.session.try_update(|session| {
            event(session);
            session.effects()
        });
        for effect in effects.unwrap_or_default() {
            self.perform(effect);
        }
    }

    fn perform(self, effect: Effect) {
        match effect {
            Effect::FetchList => spawn_local(async move {
                let list = fetch_list().await;
                self.tell(|session| session.list(list));
            }),
            Effect::StartEngine => self.start_engine(),
            Effect::StopEngine => self.engine.set_value(None),
            Effect::Send(request) => self.send(&request, None),
            Effect::SendWithWeights(request) => self.send(&request, self.weights.get_value()),
            Effect::SendWithFile(request, fetched_as) => {
                let files = [&self.file, &self.row_file, &self.tables].map(|file| file.get_value());
                let mut files = files.into_iter().flatten();
                let file = files.find(|(id, _)| *id == fetched_as);
                self.send(&request, file.map(|(_, file)| file));
            }
            Effect::Fetch { id, index } => {
                let source = self.given.with_value(|given| given.get(index).cloned());
                if let Some(source) = source {
                    spawn_local(async move {
                        let name = source.name();
                        let library = self.library.read_untracked();
                        let case = source.case(library.as_ref());
                        drop(library);
                        let fetched = source.file().await.map(|file| {
                            keep(self.file, id, file);
                            name
                        });
                        self.tell(|session| {
                            session.fetched(id, fetched);
                            session.is_case(id, case);
                        });
                        lasting::another_radiograph();
                    });
                }
            }
            Effect::FetchRow { id, index } => {
                let source = self.given.with_value(|given| given.get(index).cloned());
                if let Some(source) = source {
                    spawn_local(async move {
                        let name = source.name();
                        let fetched = source.file().await.map(|file| {
                            keep(self.row_file, id, file);
                            name
                        });
                        self.tell(|session| session.row_fetched(id, fetched));
                    });
                }
            }
        }
    }

    fn send(self, request: &Request, file: Option<Blob>) {
        self.engine.with_value(|engine| {
            if let Some(engine) = engine {
                engine.send_with(request, file);
            }
        });
    }

    /// The name of the engine's program; empty while there is none.
    pub fn program(self) -> String {
        self.engine
            .with_value(|engine| engine.as_ref().map_or_else(String::new, Spawned::program))
    }

    fn start_engine(self) {
        self.branch.set(None);
        let home = document().base_uri().ok().flatten().unwrap_or_default();
        let webgpu = untrack(|| self.of_session(Session::may_use_webgpu));
        let program = wire::program(&home, Role::Engine, webgpu).unwrap_or_default();
        // The engine that there was ends.
        self.engine.set_value(None);
        let hear = move |heard| match heard {
            Heard::Answer(answer, file) => {
                self.tell(|session| session.hear(answer));
                if file.is_some_and(|file| save_as_named(file).is_err()) {
                    self.complain("The browser refused to save the file.");
                }
            }
            Heard::Ended(end) => self.ended(end),
        };
        match Spawned::start(&program, hear) {
            Ok(engine) => self.engine.set_value(Some(engine)),
            Err(end) => self.ended(end),
        }
    }

    fn ended(self, end: End) {
        leptos::logging::error!("the engine ended: {end:?}");
        self.tell(|session| session.ended(end));
    }

    /// Takes files that were given together: radiographs, a model, and tables to measure it with. `folders`: those in which there is no file.
    pub fn give(self, sources: Vec<Source>, folders: Vec<String>) {
        let is_weights = |source: &Source| is_weights(&source.name());
        let (weights, sources): (Vec<_>, Vec<_>) = sources.into_iter().partition(is_weights);
        let (tables, sources): (Vec<_>, Vec<_>) = sources.into_iter().partition(Source::is_table);
        if !weights.is_empty() {
            self.give_model(weights);
        }
        if !tables.is_empty() {
            self.take_tables(tables);
        }
        let names: Vec<String> = sources.iter().map(Source::name).collect();
        let kept = untrack(|| self.of_session(|session| session.rows_kept(names.len())));
        self.given.update_value(|given| {
            given.truncate(kept);
            given.extend(sources);
        });
        self.tell(|session| session.give(names, folders));
        let rows = untrack(|| self.of_session(|session| session.worklist().rows().len()));
        self.given.update_value(|given| given.truncate(rows));
    }

    /// Takes the files of a model.
    pub fn give_model(self, sources: Vec<Source>) {
        spawn_local(async move {
            match one_behind_the_other(sources).await {
                Ok((named, file)) => {
                    self.weights.set_value(Some(file));
                    self.tell(|session| session.drop_model(named));
                }
                Err(why) => self.complain(why),
            }
        });
    }

    /// Takes tables to measure the model with.
    fn take_tables(self, tables: Vec<Source>) {
        spawn_local(async move {
            match one_behind_the_other(tables).await {
                Ok((named, file)) => {
                    self.tables.set_value(Some((TABLES, file)));
                    self.tell(|session| session.validate(named));
                }
                Err(why) => self.complain(why),
            }
        });
    }

    /// Forgets all files of the list.
    pub fn clear_list(self) {
        self.tell(Session::clear_list);
        self.given.set_value(Vec::new());
    }

    /// Says that something cannot be done; what is under way goes on.
    pub fn complain(self, why: impl Into<String>) {
        let why = why.into();
        self.tell(|session| session.complain(why));
    }

    /// What is asked of the session.
    pub fn of_session<T>(self, what: impl FnOnce(&Session) -> T) -> T {
        self.session.with(what)
    }

    /// The findings of the model that is loaded, or of the one before while another is on its way.
    pub fn findings(self) -> Vec<Finding> {
        self.of_session(|session| session.vocabulary().findings.clone())
    }

    /// The chosen package's folder, where there is one on this server. Whoever reads it follows the manifest, which is another where the
    /// folder is; the session changes several times with each reading.
    pub fn folder(self) -> Option<String> {
        self.session.with_untracked(|session| session.folder().ok())
    }

    /// The picture's width as a share of its height.
    pub fn aspect(self) -> f64 {
        self.preview.with(|preview| {
            let image = preview.as_deref();
            image.map_or(1.0, |image| image.width as f64 / image.height as f64)
        })
    }

    /// The window through which the radiograph is seen; `None` where that is a table.
    pub fn window_in_view(self) -> Option<Window> {
        if let Some(window) = self.viewing.presentation.with(|look| look.window.clone()) {
            return Some(window);
        }
        self.of_picture(|picture| {
            let image = &picture.report.image;
            match image.levels.as_ref().map(|levels| &levels.shown) {
                Some(UsedLevels::Window(window)) => Some(window.clone()),
                Some(UsedLevels::Range([low, high])) => Some(between(*low, *high)),
                Some(UsedLevels::Table) => None,
                None => {
                    let bits = image.depth.map_or(8, |depth| depth.bits);
                    Some(between(0.0, f64::from((1u32 << bits) - 1)))
                }
            }
        })?
    }

    /// Pixels of the screen for each pixel of the file, in a row.
    pub fn zoom(self) -> Option<f64> {
        let [width, _] = self.viewing.viewport.get();
        let scale = self
            .viewing
            .presentation
            .with(|look| look.transform(self.aspect()).2);
        let pixels = self.of_picture(|picture| picture.report.image.width)?;
        (width > 0.0).then(|| width * scale * window().device_pixel_ratio() / pixels as f64)
    }

    /// A pixel of the file is a pixel of the screen, where the picture is not smaller than the stage.
    pub fn show_full_size(self) {
        let aspect = self.aspect();
        if let Some(zoom) = untrack(|| self.zoom()) {
            let presentation = self.viewing.presentation;
            presentation.update(|look| look.zoom([0.5, 0.5], 1.0 / zoom, aspect));
        }
    }

    /// Sees the radiograph through one of the windows that there are, as soon as its samples are there.
    pub fn show_preset(self, place: usize) {
        self.tell(|session| session.look_closer());
        self.viewing.wanted.set(Some(place));
    }

    /// The report of the finding whose map is shown.
    pub fn selected_finding(self) -> Option<FindingReport> {
        let selected = self.selected.get()?;
        self.picture
            .with(|picture| picture.as_ref()?.report.findings.get(selected).cloned())
    }

    /// The map of a finding by the chosen method; `None` where it is not known yet.
    pub fn map_of(self, index: usize) -> Option<HeatMap> {
        let (method, branch) = (self.method.get(), self.branch.get());
        self.settings.with(|settings| {
            self.picture
                .with(|picture| picture.as_ref()?.map(index, method, branch, settings))
        })
    }

    /// The explanation that is in view; `None` for Grad-CAM, which is part of the reading.
    pub fn explanation(self) -> Option<Explanation> {
        let method = self.method.get();
        self.settings.with(|settings| {
            self.picture
                .with(|picture| picture.as_ref()?.explanation(method, settings))
        })
    }

    /// The map in view.
    pub fn shown_map(self) -> Option<HeatMap> {
        self.map_of(self.selected.get()?)
    }

    /// How maps are coloured.
    pub fn look(self) -> Look {
        let (kind, colormap) = (self.kind.get(), self.colormap.get());
        Look { kind, colormap }
    }

    /// What was measured of the map in view, if it was.
    pub fn trust(self) -> Option<Trust> {
        self.shown_map()?;
        let (selected, method) = (self.selected.get()?, self.method.get());
        self.picture
            .with(|picture| picture.as_ref()?.trust(selected, method).cloned())
    }

    /// What is asked of the radiograph, if there is one.
    pub fn of_picture<T>(self, what: impl FnOnce(&ReadPicture) -> T) -> Option<T> {
        self.picture.with(|picture| picture.as_deref().map(what))
    }
}

/// The names and lengths of files, and all of them as one. Their bytes stay where they are.
async fn one_behind_the_other(sources: Vec<Source>) -> Result<(Vec<(String, u64)>, Blob), String> {
    let (files, mut named) = (Array::new(), Vec::new());
    for source in sources {
        let name = source.name();
        let file = source.blob().await?;
        named.push((name, file.size() as u64));
        files.push(&file);
    }
    let file = Blob::new_with_blob_sequence(&files);
    let file = file.map_err(|_| "The browser does not hand the files over.".to_owned())?;
    Ok((named, file))
}

/// Keeps a file at hand. One that comes late does not replace one that was asked for after it.
fn keep(place: StoredValue<Option<(u32, Blob)>, LocalStorage>, id: u32, file: Blob) {
    place.update_value(|kept| {
        if kept.as_ref().is_none_or(|(known, _)| *known < id) {
            *kept = Some((id, file));
        }
    });
}

/// Each time that one of these changes it is another one: what is in it need not be compared.
pub fn is_another<T>(old: Option<&Option<Arc<T>>>, new: Option<&Option<Arc<T>>>) -> bool {
    if lasting::all_changed() {
        return true;
    }
    match (old.and_then(Option::as_ref), new.and_then(Option::as_ref)) {
        (Some(old), Some(new)) => !Arc::ptr_eq(old, new),
        (None, None) => false,
        _ => true,
    }
}

fn thumbnail(image: &GreyImage) -> GreyImage {
    let side = image.width.max(image.height);
    if side <= THUMBNAIL_SIDE {
        return image.clone();
    }
    let scaled = |length: usize| (length * THUMBNAIL_SIDE / side).max(1);
    resize(image, scaled(image.width), scaled(image.height))
}

async fn fetch_list() -> Result<Vec<ModelEntry>, String> {
    let url = "models/index.json";
    let failed = |why: String| format!("The list of models ({url}) cannot be fetched: {why}.");
    let index = fetch::json(url).await.map_err(failed)?;
    let models = index.list("models", |entry| {
        let name = entry.text("name")?;
        let path = match entry.get("path") {
            Ok(_) => Some(entry.text("path")?),
            Err(_) => None,
        };
        Ok(ModelEntry { name, path })
    });
    let models = models.map_err(failed)?;
    if models.is_empty() {
        return Err(failed(
            "it is empty. Copy a model package into models/ and name it in models/index.json"
                .to_owned(),
        ));
    }
    Ok(models)
}
