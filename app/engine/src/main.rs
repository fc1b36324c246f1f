//! The engine worker: owns the device and the model, and does all the computing.
//!
//! It answers the page's requests one after another; a newer request ends the work for an older one.

mod device;
mod pool;
mod weights;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use device::Opened;
use futures::channel::oneshot;
use gloo::timers::future::TimeoutFuture;
use js_sys::Reflect;
use pool::{Pool, Scoring};
use sightline::explain::fill::Fill;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::lime::{self, Lime, Scored};
use sightline::package::sha256;
use sightline::radiograph::{self, GreyImage, Radiograph, Region, resize};
use sightline::reader::Reader;
use sightline::reading::ReadError;
use sightline::report::{Report, Timings, Trust};
use sightline::trust::agreement::agreement;
use sightline::trust::elsewhere::elsewhere;
use sightline::trust::erase::{Erased, Spot, erase};
use sightline::trust::faithfulness::{self, Curves};
use sightline::trust::sanity::Randomised;
use sightline::trust::sanity::{self, Sanity};
use sightline_session::messages::{
    Adapter, Answer, DeviceChoice, PREVIEW_SIDE, Progress, ReadingAnswer, Request, What,
};
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel};

use sightline_wire as wire;

/// Pictures that are scored at once for LIME. The CPU backend is fastest with one at a time; a second lets less of it
/// be lost between them.
const CPU_BATCH: usize = 2;
const GPU_BATCH: usize = 16;
/// The largest tensor that a network makes of a picture, in bytes for each of its pixels: 64 channels of float32, as VGG's first
/// layers have them at full size; the other families' are smaller.
const BYTES_PER_PIXEL: f64 = 64.0 * 4.0;
/// Between two partial explanations, in milliseconds, at least: each costs a fit here, and the page's thread a picture.
const SHOWN_EVERY: f64 = 1000.0;
/// Between two reports of one step's progress: the page draws each.
const REPORTED_EVERY: f64 = 200.0;
/// How often the time that a partial explanation took is spent on samples before the next.
const SCORED_PER_SHOWN: f64 = 5.0;

#[derive(Default)]
struct Engine {
    model: Rc<RefCell<Option<Rc<Model>>>>,
    /// Counts requests; work for an older one stops at its next step.
    current: Rc<Cell<u64>>,
}

struct Model {
    reader: Reader,
    adapter: Adapter,
    /// Pictures that are scored at once, at most.
    at_once: usize,
    /// Where other engines find the package.
    name: String,
    folder: String,
    /// They are started when there is work for them.
    pool: RefCell<Option<Rc<Pool>>>,
    /// The picture that was read last.
    last: RefCell<Option<Last>>,
}

#[derive(Clone)]
struct Last {
    /// The number of its reading.
    id: u32,
    /// As the network sees it.
    square: GreyImage,
    /// The part of the picture that the network sees.
    region: Region,
    /// The picture's width over its height.
    aspect: f32,
}

impl Model {
    /// The picture that was read as number `id`.
    fn last(&self, id: u32) -> Result<Last, Stop> {
        let last = self.last.borrow().clone();
        last.filter(|last| last.id == id).ok_or_else(|| {
            Stop::Refused("The picture to explain is not there any more. Open it again.".to_owned())
        })
    }

    /// The other engines; started here if they are not yet.
    fn pool(&self) -> Rc<Pool> {
        let count = match self.adapter {
            Adapter::Cpu { workers, .. } => workers - 1,
            Adapter::WebGpu { .. } => 0,
        };
        let start = || Rc::new(Pool::start(count, &self.name, &self.folder));
        self.pool.borrow_mut().get_or_insert_with(start).clone()
    }

    /// Pictures that are scored at once, here.
    fn batch(&self) -> usize {
        match self.adapter {
            Adapter::Cpu { .. } => CPU_BATCH.min(self.at_once),
            Adapter::WebGpu { .. } => self.at_once,
        }
    }

    /// Scores pictures that `next` makes, here and with the helpers, and gives what is scored by now, in the order of the pictures.
    async fn score(
        &self,
        scoring: &mut Scoring<'_>,
        next: impl FnMut(usize) -> Vec<f32>,
    ) -> Result<Vec<Vec<Scored>>, Stop> {
        let batch = self.batch();
        wire::answer(&Answer::Scoring(batch * self.pool().workers()));
        let scored = async {
            scoring.step(batch, next).await?;
            let mut all = Vec::new();
            while let Some(scored) = scoring.take().await? {
                all.push(scored);
            }
            Ok(all)
        };
        let scored: Result<_, ReadError> = scored.await;
        // A batch that ended, well or not, is not what a later death is due to. A device that failed is this engine's end.
        if !matches!(scored, Err(ReadError::Device(_))) {
            wire::answer(&Answer::Scoring(0));
        }
        Ok(scored?)
    }
}

/// Where an answer goes, and whether anyone still waits for it.
#[derive(Clone)]
struct Line {
    current: Rc<Cell<u64>>,
    request: u64,
    /// Which step's progress was reported last, and when.
    reported: Rc<RefCell<(String, f64)>>,
}

impl Line {
    fn answer(&self, answer: Answer) {
        // Another engine asks for the next scores before it has the last.
        let scores = match &answer {
            Answer::Scores { .. } => true,
            Answer::Refused { what, .. } => matches!(what, What::Score(_)),
            _ => false,
        };
        if scores || self.current.get() == self.request {
            wire::answer(&answer);
        }
    }

    /// Says how far it is and lets waiting messages in.
    async fn progress(&self, step: &str, done: u64, total: u64) -> Result<(), Stop> {
        self.report(step, done, total);
        let_messages_in().await;
        if self.current.get() == self.request {
            Ok(())
        } else {
            Err(Stop::Cancelled)
        }
    }

    fn report(&self, step: &str, done: u64, total: u64) {
        let (last, at) = &mut *self.reported.borrow_mut();
        if last == step && now() - *at < REPORTED_EVERY {
            return;
        }
        step.clone_into(last);
        *at = now();
        self.answer(Answer::Progress(Progress {
            step: step.to_owned(),
            done,
            total,
        }));
    }
}

/// Why work ended without its result.
enum Stop {
    Cancelled,
    Refused(String),
    /// The device failed: nothing more can be computed on it.
    Device(String),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Device(why) => Stop::Device(why),
            ReadError::NotANumber => Stop::Refused(format!("The reading failed: {error}.")),
        }
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Stop::Refused(why)
    }
}

/// Serves the page that started this worker.
fn main() {
    // A panic ends the engine: its memory may be in any state. The page is told and starts a new one.
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        wire::end(&info.to_string());
        js_sys::global()
            .unchecked_into::<DedicatedWorkerGlobalScope>()
            .close();
    }));
    let engine = Engine::default();
    wire::serve(move |request| engine.received(request));
}

impl Engine {
    fn received(&self, request: Request) {
        let number = self.current.get() + 1;
        self.current.set(number);
        let line = Line {
            current: self.current.clone(),
            request: number,
            reported: Rc::default(),
        };
        let slot = self.model.clone();
        match request {
            Request::Cancel => {}
            Request::LoadModel {
                name,
                folder,
                device,
                at_once,
            } => {
                *slot.borrow_mut() = None;
                wasm_bindgen_futures::spawn_local(async move {
                    match load(&line, &name, &folder, device, at_once).await {
                        Ok((model, manifest)) => {
                            let adapter = model.adapter.clone();
                            *slot.borrow_mut() = Some(Rc::new(model));
                            line.answer(Answer::Ready { adapter, manifest });
                        }
                        Err(stop) => end(&line, What::Model, stop),
                    }
                });
            }
            Request::Explain { id, options } => {
                with_model(slot, line, What::Job(id), async move |line, model| {
                    explain(line, model, id, options).await
                });
            }
            Request::Score { ticket, values } => {
                with_model(slot, line, What::Score(ticket), async move |_, model| {
                    let scored = model.reader.score(values).await?;
                    Ok(Answer::Scores { ticket, scored })
                });
            }
            Request::Probe { id, mask, fill } => {
                with_model(slot, line, What::Job(id), async move |_, model| {
                    let erased = probe(model, id, mask, fill).await?;
                    Ok(Answer::Probed { id, erased })
                });
            }
            Request::Measure {
                id,
                finding,
                method,
                map,
                other,
                options,
            } => {
                with_model(slot, line, What::Job(id), async move |line, model| {
                    let maps = (&map, other.as_ref());
                    let trust = measure(line, model, id, finding, method, maps, options).await?;
                    Ok(Answer::Measured { id, trust })
                });
            }
            Request::Read {
                id,
                file,
                bytes,
                depth,
            } => {
                with_model(slot, line, What::File(id), async move |line, model| {
                    let reading = read(line, model, id, (file, bytes), depth).await?;
                    Ok(Answer::Reading(Box::new(reading)))
                });
            }
        }
    }
}

/// Does a job with the model that is loaded, and answers with what comes of it.
fn with_model(
    slot: Rc<RefCell<Option<Rc<Model>>>>,
    line: Line,
    what: What,
    job: impl AsyncFnOnce(&Line, &Model) -> Result<Answer, Stop> + 'static,
) {
    let model = slot.borrow().clone();
    wasm_bindgen_futures::spawn_local(async move {
        let done = match model {
            Some(model) => job(&line, &model).await,
            None => Err(Stop::Refused("No model is loaded yet.".to_owned())),
        };
        match done {
            Ok(answer) => line.answer(answer),
            Err(stop) => end(&line, what, stop),
        }
    });
}

fn end(line: &Line, what: What, stop: Stop) {
    match stop {
        Stop::Cancelled => {}
        Stop::Refused(why) => line.answer(Answer::Refused { what, why }),
        Stop::Device(why) => wire::end(&why),
    }
}

async fn load(
    line: &Line,
    name: &str,
    folder: &str,
    choice: DeviceChoice,
    most: usize,
) -> Result<(Model, String), Stop> {
    line.progress("Looking for a device", 0, 0).await?;
    let Opened {
        device,
        mut adapter,
        largest_buffer,
    } = device::open(choice).await?;
    line.answer(Answer::Opened {
        adapter: adapter.clone(),
    });
    line.progress("Fetching the model", 0, 0).await?;
    let (manifest, text) = weights::manifest(name, folder).await?;
    let total = manifest.weights.bytes;
    if let Adapter::Cpu { workers, .. } = &mut adapter {
        *workers = (1 + pool::helpers(&manifest)).min((most / CPU_BATCH).max(1));
    }
    let network = weights::network(name, folder, &manifest, &device, |done| {
        line.report("Fetching the model", done, total);
    })
    .await?;
    let size = manifest.input.size;
    let reader = Reader::new(manifest, network, device);
    if let Adapter::WebGpu { .. } = adapter {
        // The first pass compiles every shader; better now than under the reader's first picture.
        line.progress("Compiling shaders for the GPU", 0, 0).await?;
        let blank = GreyImage {
            width: size,
            height: size,
            pixels: vec![0; size * size],
        };
        reader.read(&blank).await?;
    }
    let picture = BYTES_PER_PIXEL * (size * size) as f64;
    let fitting = match adapter {
        Adapter::Cpu { .. } => usize::MAX,
        Adapter::WebGpu { .. } => ((largest_buffer / picture) as usize).min(GPU_BATCH),
    };
    let model = Model {
        reader,
        adapter,
        at_once: fitting.min(most).max(1),
        name: name.to_owned(),
        folder: folder.to_owned(),
        pool: RefCell::default(),
        last: RefCell::default(),
    };
    Ok((model, text))
}

async fn read(
    line: &Line,
    model: &Model,
    id: u32,
    (file, bytes): (String, Vec<u8>),
    depth: Option<u8>,
) -> Result<ReadingAnswer, Stop> {
    line.progress("Decoding the picture", 0, 0).await?;
    let start = now();
    let options = radiograph::Options {
        depth,
        ..radiograph::Options::default()
    };
    let radiograph = Radiograph::decode_with(&bytes, options);
    let radiograph = radiograph.map_err(|error| Stop::Refused(error.to_string()))?;
    let decode = now() - start;
    line.progress("Reading", 0, 0).await?;
    let start = now();
    let reading = model.reader.read(&radiograph.image).await?;
    let image = &radiograph.image;
    model.last.replace(Some(Last {
        id,
        square: model.reader.manifest.input.square(image),
        region: reading.region,
        aspect: image.width as f32 / image.height as f32,
    }));
    let timings = Timings {
        decode,
        read: now() - start,
    };
    let adapter = model.adapter.label();
    let hash = sha256(&bytes);
    let report = Report::new(
        &model.reader.manifest,
        &radiograph,
        &file,
        hash,
        &reading,
        &adapter,
        timings,
    );
    let preview = preview(radiograph.image);
    Ok(ReadingAnswer {
        id,
        width: preview.width,
        height: preview.height,
        pixels: preview.pixels,
        report: serde_json::to_string(&report).map_err(|error| Stop::Refused(error.to_string()))?,
    })
}

/// LIME, batch by batch. A cancelled one ends within a batch.
async fn explain(
    line: &Line,
    model: &Model,
    id: u32,
    options: lime::Options,
) -> Result<Answer, Stop> {
    line.progress("Finding regions", 0, 0).await?;
    let square = model.last(id)?.square;
    let total = options.samples as u64;
    let mut lime = Lime::new(&square, &model.reader.manifest.input, options);
    let (mut shown, mut every) = (now(), SHOWN_EVERY);
    let pool = model.pool();
    let mut scoring = Scoring::new(&pool, &model.reader);
    while !lime.is_done() {
        line.progress("LIME", lime.scored() as u64, total).await?;
        for scored in model
            .score(&mut scoring, |most| lime.next_batch(most))
            .await?
        {
            lime.push(scored);
        }
        if lime.scored() > 0 && !lime.is_done() && now() - shown > every {
            let start = now();
            line.answer(explanation(id, &lime, false)?);
            shown = now();
            every = SHOWN_EVERY.max(SCORED_PER_SHOWN * (shown - start));
        }
    }
    explanation(id, &lime, true)
}

/// The scores of the picture with places painted over.
async fn probe(model: &Model, id: u32, spots: Vec<Spot>, fill: Fill) -> Result<String, Stop> {
    let last = model.last(id)?;
    let picture = erase(&last.square, last.region, last.aspect, &spots, fill);
    let values = model.reader.manifest.input.normalise(&picture);
    let scored = model.reader.score(values).await?.swap_remove(0);
    let erased = Erased {
        fill,
        spots,
        probabilities: scored.probabilities,
    };
    serde_json::to_string(&erased).map_err(|error| Stop::Refused(error.to_string()))
}

/// Deletion and insertion of a map, and what can be said of it without the network.
async fn measure(
    line: &Line,
    model: &Model,
    id: u32,
    finding: usize,
    method: String,
    (map, other): (&HeatMap, Option<&HeatMap>),
    options: faithfulness::Options,
) -> Result<String, Stop> {
    let square = model.last(id)?.square;
    let manifest = &model.reader.manifest;
    let curves = Curves::new(&square, &manifest.input, map, options);
    let mut curves = curves.map_err(|error| Stop::Refused(error.to_string()))?;
    let pool = model.pool();
    let mut scoring = Scoring::new(&pool, &model.reader);
    while !curves.is_done() {
        let (done, total) = (curves.scored() as u64, curves.total() as u64);
        line.progress("Measuring the map", done, total).await?;
        for scored in model
            .score(&mut scoring, |most| curves.next_batch(most))
            .await?
        {
            let scored = scored.into_iter();
            let scores: Option<Vec<f64>> = scored.map(|s| s.probabilities[finding]).collect();
            curves.push(scores.ok_or("The finding was not trained.".to_owned())?);
        }
    }
    let faithfulness = curves.result().ok_or("Nothing was measured.".to_owned())?;
    let mut checks = Vec::new();
    if method == "grad-cam" {
        for randomised in [Randomised::Classifier, Randomised::LastStage] {
            let seeds = sanity::seeds(options.seed);
            // Messages are let in between networks that take a pass each; those that differ in their classifier take one together.
            let at_once = match randomised {
                Randomised::Classifier => seeds.len(),
                Randomised::LastStage => 1,
            };
            let mut drawn = Vec::new();
            for seeds in seeds.chunks(at_once) {
                let (done, total) = (drawn.len() as u64, sanity::DRAWS as u64);
                line.progress("Forgetting what was learned", done, total)
                    .await?;
                let reader = &model.reader;
                let maps = reader.read_randomised(&square, finding, randomised, seeds);
                drawn.extend(maps.await?);
            }
            checks.extend(Sanity::new(randomised, map, &drawn));
        }
    }
    let trust = Trust {
        sanity: checks,
        finding: manifest.findings[finding].name,
        method,
        faithfulness,
        elsewhere: elsewhere(&square, map),
        agreement: other.map(|other| agreement(map, other)),
    };
    serde_json::to_string(&trust).map_err(|error| Stop::Refused(error.to_string()))
}

/// What LIME knows so far.
fn explanation(id: u32, lime: &Lime, done: bool) -> Result<Answer, Stop> {
    let explanation = lime
        .explanation()
        .ok_or("Nothing was explained.".to_owned())?;
    let lime = serde_json::to_string(&explanation);
    let lime = lime.map_err(|error| Stop::Refused(error.to_string()))?;
    Ok(Answer::Explanation { id, done, lime })
}

fn preview(image: GreyImage) -> GreyImage {
    let side = image.width.max(image.height);
    if side <= PREVIEW_SIDE {
        return image;
    }
    let scaled = |length: usize| (length * PREVIEW_SIDE / side).max(1);
    resize(&image, scaled(image.width), scaled(image.height))
}

/// Waits until messages that are there were heard. A timer would do, but browsers let one that follows others wait for 4 ms.
async fn let_messages_in() {
    let (sender, heard) = oneshot::channel();
    let Ok(channel) = MessageChannel::new() else {
        return TimeoutFuture::new(0).await;
    };
    let hear = Closure::once_into_js(move || {
        // Nobody waits where the work was given up.
        let _ = sender.send(());
    });
    channel.port1().set_onmessage(Some(hear.unchecked_ref()));
    if channel.port2().post_message(&JsValue::NULL).is_ok() {
        let _ = heard.await;
    }
    channel.port1().close();
}

/// Milliseconds since the worker began.
fn now() -> f64 {
    let now = || {
        let performance = Reflect::get(&js_sys::global(), &"performance".into()).ok()?;
        Some(performance.dyn_into::<web_sys::Performance>().ok()?.now())
    };
    now().unwrap_or_default()
}
