//! What the model is and what it is not for.

use leptos::html::Dialog;
use leptos::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, html};
use wasm_bindgen_futures::spawn_local;

use super::fetch;
use super::state::State;

#[component]
pub fn ModelCard() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        {move || state.manifest.get().map(|manifest| {
            let training = manifest.training.clone();
            let limits = manifest.limits.clone();
            let folder = state.folder().unwrap_or_default();
            view! {
                <details class="card">
                    <summary>{format!("About the model: {}", manifest.title)}</summary>
                    <p>{manifest.intended_use.clone()}</p>
                    <dl>
                        <dt>"Trained on"</dt>
                        <dd>{match (training.images, training.patients) {
                            (Some(images), Some(patients)) => {
                                format!("{} ({images} images of {patients} patients)", training.data)
                            }
                            (Some(images), None) => {
                                format!("{} ({images} images of an unknown number of patients)", training.data)
                            }
                            (None, _) => training.data.clone(),
                        }}</dd>
                        <dt>"Training recipe"</dt>
                        <dd>{format!("{}; {}", training.recipe, training.date)}</dd>
                        <dt>"Licence"</dt>
                        <dd>{manifest.licence.clone()}</dd>
                        <dt>"Attribution"</dt>
                        <dd>{manifest.attribution.clone()}</dd>
                    </dl>
                    <ul>{limits.into_iter().map(|limit| view! { <li>{limit}</li> }).collect_view()}</ul>
                    <WholeCard folder/>
                </details>
            }
        })}
    }
}

/// The package's `card.md`, in a window of its own within the page.
#[component]
fn WholeCard(folder: String) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let text = RwSignal::new(String::new());
    let open = move |_| {
        let folder = folder.clone();
        spawn_local(async move {
            let card = fetch::text(&format!("{folder}/card.md")).await;
            let card = card.map(|card| rendered(&card, &folder));
            text.set(card.unwrap_or_else(|why| format!("<p>The card cannot be shown: {why}.</p>")));
            if let Some(dialog) = dialog.get_untracked() {
                // It fails only where it is open already.
                let _ = dialog.show_modal();
            }
        });
    };
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <button type="button" data-testid="model-card-button" on:click=open>"Show the whole model card"</button>
        <dialog node_ref=dialog class="whole-card" data-testid="model-card" aria-label="The model card">
            <form method="dialog"><button type="button" on:click=close>"Close"</button></form>
            <article inner_html=move || text.get()></article>
        </dialog>
    }
}

/// A card as HTML. A package may come from anywhere: HTML in it is shown as it is written, its pictures lie in its folder, and its
/// links lead to pages, nowhere else.
fn rendered(card: &str, folder: &str) -> String {
    let events = Parser::new_ext(card, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Image {
            link_type,
            dest_url: format!("{folder}/{}", dest_url.replace([':', '/', '\\'], "")).into(),
            title,
            id,
        }),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: if dest_url.starts_with("https://") {
                dest_url
            } else {
                "".into()
            },
            title,
            id,
        }),
        other => other,
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    page
}
