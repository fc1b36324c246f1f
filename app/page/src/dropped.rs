//! Models of the reader's own: chosen or dropped, looked over, opened, saved and deleted. Their forms are the engine's.

use js_sys::Array;
use leptos::html::{Form, Input};
use leptos::prelude::*;
use sightline_session::session::Session;
use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlSelectElement};

use super::folders;
use super::lasting;
use super::live::live;
use super::show::Show;
use super::state::State;

/// What the button offers to choose.
const ACCEPTED: &str = ".pth,.pt,.tar,.ckpt,.safetensors,.json,.bin,.onnx,.pkl";

/// A button that opens weights, and those for a model that this browser keeps.
#[component]
pub fn OwnModels() -> impl IntoView {
    let state = expect_context::<State>();
    let input = NodeRef::<Input>::new();
    let choose = move |_| state.give_model(folders::chosen(input));
    let is_kept = lasting::memo(move |_| state.of_session(|all| all.kept_model().is_some()));
    view! {
        <label class="button" title="PyTorch (.pth, .pt, .ckpt), .safetensors or .onnx. They stay on this machine.">
            "Open weights"
            <input node_ref=input type="file" multiple accept=ACCEPTED data-testid="model-drop" on:change=choose/>
        </label>
        <Show when=move || is_kept.get()>
            <button type="button" data-testid="model-save" on:click=move |_| state.tell(Session::pack_model)>"Save the model"</button>
            <button type="button" data-testid="model-delete" on:click=move |_| state.tell(Session::delete_model)>"Delete the model"</button>
        </Show>
    }
}

/// The weights that were dropped: what they are taken for, to be corrected.
#[component]
pub fn ModelReview() -> impl IntoView {
    let state = expect_context::<State>();
    let review = lasting::memo(move |_| state.of_session(|all| all.review().cloned()));
    let of_review = move |what: fn(&sightline_session::session::Review) -> String| {
        live(move || review.with(|review| review.as_ref().map(what)))
    };
    let busy = move || review.with(|review| review.as_ref().is_none_or(|review| review.busy));
    let form = NodeRef::<Form>::new();
    let fields = move || {
        let data = form.get_untracked();
        let data = data.and_then(|form| FormData::new_with_form(&form).ok());
        let pairs = data.map(|data| Array::from(&data)).unwrap_or_default();
        let text = |pair: &Array, place| pair.get(place).as_string().unwrap_or_default();
        let pairs = pairs.iter().map(|pair| pair.unchecked_into::<Array>());
        pairs
            .map(|pair| (text(&pair, 0), text(&pair, 1)))
            .collect::<Vec<_>>()
    };
    // What decides the other fields: they are proposed anew.
    let changed = move |event: web_sys::Event| {
        let name = event
            .target()
            .and_then(|at| at.dyn_into::<HtmlSelectElement>().ok());
        let decides = ["title", "source", "prefix", "order"];
        if name.is_some_and(|select| decides.contains(&&*select.name())) {
            let mut fields = fields();
            fields.retain(|(name, _)| decides.contains(&&**name));
            state.tell(|session| session.look_at_model(fields));
        }
    };
    view! {
        <Show when=move || review.with(Option::is_some)>
            <form
                node_ref=form
                class="review"
                data-testid="model-review"
                aria-label="A model to open"
                aria-busy=move || busy().to_string()
                on:change=changed
                on:submit=move |event| {
                    event.prevent_default();
                    state.tell(|session| session.accept_model(fields()));
                }
            >
                <h2 translate="no">{of_review(|review| review.file.clone())}</h2>
                <div class="fields" inner_html=move || review.with(|review| {
                    review.as_ref().map_or_else(String::new, |review| review.form.clone())
                })></div>
                <p class="note">"Look these over: a wrong order of findings, or other pixels than it was trained on, make every score wrong. Nothing is known of this model until it is measured."</p>
                <div class="controls">
                    <button type="submit" data-testid="model-accept" disabled=busy>"Open the model"</button>
                    <button type="button" on:click=move |_| state.tell(Session::leave_model)>"Cancel"</button>
                    <Show when=busy><span role="status">"Reading the weights"</span></Show>
                </div>
            </form>
        </Show>
    }
}
