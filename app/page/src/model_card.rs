//! What the model is and what it is not for.

use leptos::html::Dialog;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::effect::effect;
use super::fetch;
use super::live::live;
use super::state::State;

#[component]
pub fn ModelCard() -> impl IntoView {
    let state = expect_context::<State>();
    // A memo of its own compares manifests: the one that lasts counts as changed now and then.
    let manifest = Memo::new(move |_| state.manifest.get());
    view! {
        {live(move || manifest.get().map(|manifest| {
            let training = manifest.training.clone();
            let limits = manifest.limits.clone();
            let folder = state.folder();
            view! {
                <details class="card">
                    <summary>{format!("About the model: {}", manifest.title)}</summary>
                    <p lang="en" translate="no">{manifest.intended_use.clone()}</p>
                    <dl>
                        <dt>"Trained on"</dt>
                        <dd lang="en" translate="no">{match (training.images, training.patients) {
                            (Some(images), Some(patients)) => {
                                format!("{} ({images} images of {patients} patients)", training.data)
                            }
                            (Some(images), None) => {
                                format!("{} ({images} images of an unknown number of patients)", training.data)
                            }
                            (None, _) => training.data.clone(),
                        }}</dd>
                        <dt>"Training recipe"</dt>
                        <dd lang="en" translate="no">{format!("{}; {}", training.recipe, training.date)}</dd>
                        <dt>"Licence"</dt>
                        <dd lang="en" translate="no">{manifest.licence.clone()}</dd>
                        <dt>"Attribution"</dt>
                        <dd lang="en" translate="no">{manifest.attribution.clone()}</dd>
                    </dl>
                    <ul lang="en" translate="no">{limits.into_iter().map(|limit| view! { <li>{limit}</li> }).collect_view()}</ul>
                    <WholeCard folder/>
                </details>
            }
        }))}
    }
}

/// The package's `card.md`, in a window of its own within the page.
#[component]
fn WholeCard(
    /// The package's folder; `None` where this browser keeps the package.
    folder: Option<String>,
) -> impl IntoView {
    let state = expect_context::<State>();
    let dialog = NodeRef::<Dialog>::new();
    // Not among the values that last: it goes with this view, and the dialog opens each time that it changes.
    let card = Memo::new(move |_| state.of_session(|session| session.card().clone()));
    let open = move |_| {
        let Some(folder) = folder.clone() else {
            return state.tell(|session| session.show_kept_card());
        };
        spawn_local(async move {
            let card = fetch::text(&format!("{folder}/card.md")).await;
            state.tell(|session| session.show_card(card, folder));
        });
    };
    effect(move || {
        let is_there = card.with(|(_, card)| !card.is_empty());
        if let (Some(dialog), true) = (dialog.get(), is_there) {
            // It fails only where it is open already.
            let _ = dialog.show_modal();
        }
    });
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <button type="button" data-testid="model-card-button" on:click=open>"Show the whole model card"</button>
        <dialog node_ref=dialog class="whole-card" data-testid="model-card" aria-label="The model card">
            <form method="dialog"><button type="button" on:click=close>"Close"</button></form>
            <article lang="en" translate="no" inner_html=move || card.get().1></article>
        </dialog>
    }
}
