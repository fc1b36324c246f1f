//! This program as a helper: it loads a package, on the CPU, and scores pictures for another engine.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::Device;
use sightline::asked::Wants;
use sightline::pictures::Regions;
use sightline::reader::Reader;
use sightline::reading::ReadError;
use sightline_session::helpers::{Done, Task};
use sightline_session::messages::PackagePlace;
use sightline_wire as wire;
use wasm_bindgen_futures::spawn_local;

use crate::{threads, weights};

pub fn serve() {
    let slot: Rc<RefCell<Option<Rc<Reader>>>> = Rc::default();
    let regions: Rc<RefCell<Regions>> = Rc::default();
    wire::serve(move |task: Task, _| {
        let (slot, regions) = (slot.clone(), regions.clone());
        spawn_local(async move {
            match task {
                Task::Load {
                    package,
                    several_cores,
                } => match load(&package, several_cores).await {
                    Ok(reader) => {
                        slot.replace(Some(Rc::new(reader)));
                        wire::answer(&Done::Loaded);
                    }
                    Err(_) => wire::answer(&Done::NotLoaded),
                },
                Task::Score {
                    ticket,
                    wants,
                    values,
                } => score(&slot, ticket, &wants, values).await,
                Task::Regions(new) => {
                    regions.replace(new);
                }
                Task::ScoreHidden {
                    ticket,
                    wants,
                    shown,
                } => {
                    let values = regions.borrow().values(&shown);
                    score(&slot, ticket, &wants, values).await;
                }
            }
        });
    });
}

async fn score(slot: &RefCell<Option<Rc<Reader>>>, ticket: u32, wants: &Wants, values: Vec<f32>) {
    let reader = slot.borrow().clone();
    let scored = match reader {
        Some(reader) => reader.score(values, wants).await,
        None => Err(ReadError::NotANumber),
    };
    match scored {
        Err(ReadError::Device(why)) => wire::end(&why),
        scored => {
            let scored = scored.ok();
            wire::answer(&Done::Scored { ticket, scored });
        }
    }
}

async fn load(package: &PackagePlace, several_cores: bool) -> Result<Reader, String> {
    let device = Device::flex();
    threads::start(if several_cores { threads::MOST } else { 1 }).await;
    let manifest = weights::manifest(package).await?;
    let network = weights::network(package, &manifest, |_| {}).await?;
    Ok(Reader::packed_by(threads::pack, manifest, network, device))
}
