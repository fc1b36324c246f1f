//! The model measured on pictures of one's own: tables and pictures are given, and the figures are shown when all are read.

use leptos::html::Input;
use leptos::prelude::*;
use sightline_session::session::Session;

use super::folders;
use super::live::live;
use super::show::Show;
use super::state::State;

/// Where tables and pictures are given, how far the measuring is, and the figures. What is dropped here is dropped on the page, which tells
/// tables from pictures.
#[component]
pub fn Validation() -> impl IntoView {
    let state = expect_context::<State>();
    let input = NodeRef::<Input>::new();
    let choose = move |_| state.give(folders::chosen(input), Vec::new());
    let said = Memo::new(move |_| state.of_session(Session::validation_said));
    let stage = move || state.of_session(|session| session.validation().state());
    let html = Memo::new(move |_| state.of_session(|session| session.validation().html().cloned()));
    view! {
        <section class="validation" aria-label="The model on your pictures">
            <label class="button" data-testid="validate-drop" data-state=stage>
                "Measure the model on your pictures"
                <input node_ref=input type="file" multiple on:change=choose/>
            </label>
            <small>"Drop the pictures with a CSV of their labels, and with one of boxes if there is one, or choose them here."</small>
            <p role="status" data-testid="validation-status">{live(move || said.get())}</p>
            <Show when=move || html.with(Option::is_some)>
                <div
                    class="validation-table"
                    data-testid="validation-table"
                    role="region"
                    aria-label="Figures of the model on your pictures"
                    tabindex="0"
                    inner_html=move || html.get().map_or(String::new(), |html| html.to_string())
                ></div>
            </Show>
        </section>
    }
}
