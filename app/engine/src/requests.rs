//! The page's requests. They are answered one after another; a newer one ends the work for an older one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Uint8Array;
use sightline::asked::{Asked, Step, drive};
use sightline::explain::fill::Fill;
use sightline::explain::method::{Asking, Method};
use sightline::package::{Output, sha256};
use sightline::radiograph::{GreyImage, resize};
use sightline::reader::InBatches;
use sightline::report::{Report, Timings};
use sightline::trust::erase::{Spot, erasing};
use sightline::trust::faithfulness;
use sightline::trust::measuring::{Measured, Measuring, parts_to_draw};
use sightline_session::messages::{
    Answer, PREVIEW_SIDE, Reason, Refusal, Request, SMALL_PREVIEW_SIDE, ScoredPicture,
};
use sightline_wire as wire;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::Blob;

use crate::card::rendered;
use crate::clock::now;
use crate::dropped;
use crate::line::{Line, Stop};
use crate::model::{Model, Study, Together};
use crate::validation::measured;

/// Between two partial explanations, in milliseconds, at least: each costs a fit here, and the page's thread a picture.
const SHOWN_EVERY: f64 = 1000.0;
/// How often the time that a partial explanation took is spent on samples before the next.
const SCORED_PER_SHOWN: f64 = 5.0;

type Slot = Rc<RefCell<Option<Rc<Model>>>>;

pub fn serve() {
    let slot = Slot::default();
    let current = Rc::new(Cell::new(0));
    spawn_local(dropped::tell());
    wire::serve(move |request: Request, file| {
        // A card is no work on a picture, and ends none.
        if let Request::Card { markdown, folder } = request {
            return wire::answer(&Answer::Card(rendered(&markdown, &folder)));
        }
        if let Request::Samples { id } = request {
            return answer_samples(&slot, id);
        }
        let request = match about_models(request, file.clone()) {
            Ok(()) => return,
            Err(request) => request,
        };
        if let Request::Validate {
            id,
            tables,
            pictures,
            kept,
        } = request
        {
            let given = (tables, file, pictures);
            return spawn_local(validated(slot.clone(), id, given, kept));
        }
        let line = Line::open(&current);
        spawn_local(received(slot.clone(), line, request, file));
    });
}

/// Answers what is about models and not about the one that is loaded; gives any other request back.
fn about_models(request: Request, file: Option<Blob>) -> Result<(), Request> {
    match request {
        Request::Look { id, files, fields } => spawn_local(dropped::look(id, files, file, fields)),
        Request::Keep { id, files, fields } => spawn_local(dropped::keep(id, files, file, fields)),
        Request::Delete { hash } => spawn_local(dropped::delete(hash)),
        Request::Pack { hash } => spawn_local(dropped::pack(hash)),
        Request::KeptCard { hash } => spawn_local(dropped::card(hash)),
        other => return Err(other),
    }
    Ok(())
}

async fn received(slot: Slot, line: Line, request: Request, file: Option<Blob>) {
    // What it is about, if it is refused.
    let refusal: fn(u32, Reason) -> Refusal = match request {
        Request::Load { .. } => |_, why| Refusal::Model(why),
        Request::Read { .. } => |id, why| Refusal::File { id, why },
        _ => |id, why| Refusal::Job { id, why },
    };
    let (id, done) = match request {
        Request::Cancel
        | Request::Card { .. }
        | Request::Samples { .. }
        | Request::Look { .. }
        | Request::Keep { .. }
        | Request::Delete { .. }
        | Request::Pack { .. }
        | Request::KeptCard { .. }
        | Request::Validate { .. } => return,
        Request::Load {
            package,
            device,
            at_once,
        } => {
            slot.replace(None);
            let model = Model::load(&line, package, device, at_once).await;
            let ready = model.map(|model| {
                let answer = Answer::Ready {
                    adapter: model.adapter.clone(),
                    manifest: Box::new(model.reader.manifest.clone()),
                };
                slot.replace(Some(Rc::new(model)));
                answer
            });
            (0, ready)
        }
        Request::Read {
            id,
            file: name,
            depth,
            keep,
        } => {
            let asked = (depth, keep);
            (id, read(&line, &slot, id, (name, file), asked).await)
        }
        Request::Explain { id, asking } => (id, explain(&line, &slot, id, &asking).await),
        Request::Probe { id, mask, fill } => (id, probe(&slot, id, mask, fill).await),
        Request::Measure {
            id,
            output,
            map,
            other,
            options,
        } => {
            let maps = (map.as_ref(), other.as_ref());
            (id, measure(&line, &slot, id, output, maps, options).await)
        }
    };
    match done {
        Ok(answer) => line.answer(&answer),
        Err(Stop::Cancelled) => {}
        Err(Stop::Refused(why)) => line.answer(&Answer::Refused(refusal(id, why))),
        Err(Stop::Device(why)) => wire::end(&why),
    }
}

/// The samples of a picture. Where it is not there any more nobody waits for them.
fn answer_samples(slot: &Slot, id: u32) {
    if let Ok(study) = model(slot).and_then(|model| model.study(id)) {
        let samples = Box::new(study.radiograph.film());
        wire::answer(&Answer::Samples { id, samples });
    }
}

/// Measures the model on pictures that were read. It is no work on a picture, and ends none.
async fn validated(
    slot: Slot,
    id: u32,
    (tables, file, pictures): (Vec<(String, u64)>, Option<Blob>, Vec<ScoredPicture>),
    kept: Option<String>,
) {
    let measured = async {
        let bytes = bytes("The table", file).await?;
        measured(&model(&slot)?.reader.manifest, &tables, &bytes, pictures)
    };
    match measured.await {
        Ok((html, evaluation, manifest)) => {
            if let Some(hash) = kept.filter(|hash| *hash == manifest.weights.sha256) {
                dropped::record(&hash, &manifest, &evaluation).await;
            }
            let manifest = Box::new(manifest);
            wire::answer(&Answer::Validated { id, html, manifest });
        }
        Err(why) => wire::answer(&Answer::Refused(Refusal::Tables { id, why })),
    }
}

fn model(slot: &Slot) -> Result<Rc<Model>, Reason> {
    slot.borrow().clone().ok_or(Reason::NoModel)
}

async fn read(
    line: &Line,
    slot: &Slot,
    id: u32,
    (file, blob): (String, Option<Blob>),
    (depth, keep): (Option<u8>, bool),
) -> Result<Answer, Stop> {
    let model = model(slot)?;
    // Of what is not kept nobody sees how far it is.
    let begin = async |step| match keep {
        true => line.begin(step).await,
        false => line.pause().await,
    };
    begin(Step::Decode).await?;
    let bytes = bytes(&file, blob).await?;
    if !line.is_open() {
        return Err(Stop::Cancelled);
    }
    let start = now();
    let radiograph = model.reader.decode(&bytes, depth);
    let radiograph = radiograph.map_err(|error| Reason::Radiograph(error.to_string()))?;
    let hash = sha256(&bytes);
    drop(bytes);
    let decode = now() - start;
    begin(Step::Read).await?;
    let start = now();
    let view = model.reader.view(&radiograph.image);
    let reading = model.reader.read(&view).await?;
    let timings = Timings {
        decode,
        read: now() - start,
        devices: model.times,
    };
    let report = Report::new(
        &model.reader.manifest,
        &radiograph,
        &file,
        hash,
        &reading,
        &model.adapter.label(),
        timings,
    );
    let side = if keep {
        PREVIEW_SIDE
    } else {
        SMALL_PREVIEW_SIDE
    };
    let preview = preview(&radiograph.image, side);
    let of_study = radiograph.study;
    if keep && line.is_open() {
        model.keep(Study::new(id, view, reading.evidence, radiograph));
    }
    Ok(Answer::Read {
        id,
        report: Box::new(report),
        preview,
        study: of_study,
    })
}

/// The bytes of a file: from the browser into a buffer of its own, and from there into this program's memory.
async fn bytes(name: &str, file: Option<Blob>) -> Result<Vec<u8>, Reason> {
    let refused = |why: String| Reason::File {
        name: match name {
            "" => "The picture".to_owned(),
            name => name.to_owned(),
        },
        why,
    };
    let file = file.ok_or_else(|| refused("no file came with the request".to_owned()))?;
    let buffer = JsFuture::from(file.array_buffer()).await;
    let buffer = buffer.map_err(|error| {
        let error = js_sys::Error::from(error);
        refused(
            String::from(error.message())
                .trim_end_matches('.')
                .to_owned(),
        )
    })?;
    Ok(Uint8Array::new(buffer.unchecked_ref()).to_vec())
}

/// An explanation, batch by batch. A cancelled one ends within a batch.
async fn explain(line: &Line, slot: &Slot, id: u32, asking: &Asking) -> Result<Answer, Stop> {
    let model = model(slot)?;
    if asking.method().is_of_many() {
        // They load while this engine prepares.
        model.start_helpers();
    }
    line.begin(Step::Prepare).await?;
    let study = model.study(id)?;
    let mut job = asking.start(&study.view, &model.reader.manifest.input);
    let (mut shown, mut every) = (now(), SHOWN_EVERY);
    let mut scorer = Together::new(&model);
    drive(&mut job, &mut scorer, async |job| {
        line.progress(job.progress()).await?;
        if now() - shown > every
            && let Some(so_far) = job.outcome()
        {
            let start = now();
            study.keep(so_far.clone());
            line.answer(&Answer::Explained {
                id,
                done: false,
                explanation: Box::new(so_far),
            });
            shown = now();
            every = SHOWN_EVERY.max(SCORED_PER_SHOWN * (shown - start));
        }
        Ok(())
    })
    .await?;
    let explanation = job.outcome().ok_or(Reason::Nothing)?;
    if line.is_open() {
        study.keep(explanation.clone());
    }
    Ok(Answer::Explained {
        id,
        done: true,
        explanation: Box::new(explanation),
    })
}

/// The scores of the picture with places painted over.
async fn probe(slot: &Slot, id: u32, spots: Vec<Spot>, fill: Fill) -> Result<Answer, Stop> {
    let model = model(slot)?;
    let study = model.study(id)?;
    let mut erasing = erasing(&study.view, &model.reader.manifest.input, spots, fill);
    // One picture: no helper is worth its start.
    let mut alone = InBatches {
        reader: &model.reader,
        batch: 1,
    };
    drive(&mut erasing, &mut alone, async |_| Ok(())).await?;
    let erased = erasing.outcome().ok_or(Reason::Nothing)?;
    Ok(Answer::Probed { id, erased })
}

/// Everything that can be measured of a map.
async fn measure(
    line: &Line,
    slot: &Slot,
    id: u32,
    output: Output,
    (asking, other): (Option<&Asking>, Option<&Asking>),
    options: faithfulness::Options,
) -> Result<Answer, Stop> {
    let model = model(slot)?;
    let study = model.study(id)?;
    let method = asking.map_or(Method::GradCam, Asking::method);
    let other = match (asking, other) {
        (None, None) => None,
        (_, other) => Some((
            other.map_or(Method::GradCam, Asking::method),
            study.map(other, output)?,
        )),
    };
    let measured = Measured {
        output,
        method,
        map: study.map(asking, output)?,
        other,
        drawn: parts_to_draw(method),
    };
    let measuring = Measuring::new(&study.view, &model.reader.manifest, measured, options);
    let mut measuring = measuring.map_err(|error| Reason::Unmeasurable(error.to_string()))?;
    let trust = ask(line, &model, &mut measuring).await?;
    Ok(Answer::Measured {
        id,
        trust: Box::new(trust),
    })
}

/// Asks until all is known, and says how far it is.
async fn ask<A: Asked>(line: &Line, model: &Model, asked: &mut A) -> Result<A::Outcome, Stop> {
    let mut scorer = Together::new(model);
    let each = async |asked: &A| line.progress(asked.progress()).await;
    drive(asked, &mut scorer, each).await?;
    Ok(asked.outcome().ok_or(Reason::Nothing)?)
}

fn preview(image: &GreyImage, most: usize) -> GreyImage {
    let side = image.width.max(image.height);
    if side <= most {
        return image.clone();
    }
    let scaled = |length: usize| (length * most / side).max(1);
    resize(image, scaled(image.width), scaled(image.height))
}
