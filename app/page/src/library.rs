//! The case library: radiographs beside the page. A picture is fetched when it is chosen, and no other.

use std::collections::BTreeMap;

use leptos::prelude::*;
use sightline_core::finding::Finding;
use sightline_core::library::{BoundingBox, Case, FOLDER, Library};
use wasm_bindgen_futures::spawn_local;

use super::fetch::{self, Json};
use super::fold::opens_at_first;
use super::live::live;
use super::show::Show;
use super::state::{Source, State};

/// The cases by number: a name or a small picture would tell what is to be found.
#[component]
pub fn CaseLibrary() -> impl IntoView {
    let state = expect_context::<State>();
    spawn_local(async move {
        let index = fetch::json(&format!("{FOLDER}/index.json")).await;
        match index.and_then(|index| library(&index)) {
            Ok(library) => state.library.set(Some(library)),
            // A server may do without a library.
            Err(why) => leptos::logging::warn!("there is no case library: {why}"),
        }
    });
    let files = move || {
        state.library.with(|library| {
            let cases = library.iter().flat_map(|library| &library.cases);
            let cases = cases.filter(|case| !case.is_sample());
            cases.map(|case| case.file.clone()).collect::<Vec<String>>()
        })
    };
    view! {
        <Show when=move || state.library.with(Option::is_some)>
            <details class="library" data-testid="library" open=opens_at_first()>
                <summary>"Case library"</summary>
                <p class="hint">
                    "Radiographs of NIH ChestX-ray14 that the shipped models were not trained on. Tick “Read first” to read them before the model does."
                </p>
                <div class="cases">
                    {live(move || files()
                        .into_iter()
                        .enumerate()
                        .map(|(index, file)| {
                            let number = index + 1;
                            view! {
                                <button
                                    type="button"
                                    data-testid=format!("case-{index}")
                                    aria-label=format!("Case {number}")
                                    on:click=move |_| state.give(vec![Source::Case(file.clone())], Vec::new())
                                >
                                    {number}
                                </button>
                            }
                        })
                        .collect_view())}
                </div>
            </details>
        </Show>
    }
}

/// The library, as [`Library::parse`] reads it.
fn library(index: &Json) -> Result<Library, String> {
    let cases = index.list("cases", |case| {
        // One by one: a map that is collected brings a sort into the program.
        let mut labels = BTreeMap::new();
        for (name, label) in case.entries("labels")? {
            labels.insert(finding(&name)?, label.number()? as i8);
        }
        Ok(Case {
            file: case.text("file")?,
            source: case.text("source")?,
            labels,
            boxes: case.list("boxes", |drawn| {
                let share = |name| Ok::<f32, String>(drawn.get(name)?.number()? as f32);
                Ok(BoundingBox {
                    finding: finding(&drawn.text("finding")?)?,
                    x: share("x")?,
                    y: share("y")?,
                    w: share("w")?,
                    h: share("h")?,
                })
            })?,
        })
    });
    Ok(Library {
        licence: index.text("licence")?,
        cases: cases?,
    })
}

fn finding(name: &str) -> Result<Finding, String> {
    Finding::named(name).map_err(|error| error.to_string())
}
