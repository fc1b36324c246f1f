//! The page: what a person sees and does. It owns no tensors.
//!
//! [`state::State`] holds the signals and binds the session to the browser; the other files are the views, one for each thing on the
//! page.

mod account;
mod address;
mod audit;
mod canvas;
mod color_bar;
mod compare;
mod contours;
mod controls;
mod download;
mod dropped;
mod effect;
mod embedding;
mod erase;
mod export;
mod fetch;
mod findings;
mod fold;
mod folders;
mod gate;
mod handles;
mod header;
mod language;
mod lasting;
mod library;
mod live;
mod model_card;
mod multiples;
mod offline;
mod open;
mod print;
mod privacy;
mod requests;
mod shades;
mod show;
mod stage;
mod state;
mod storage;
mod teaching;
mod theme;
mod tool;
mod trust;
mod validation;
mod viewer;
mod viewing;
mod worklist;

use leptos::prelude::*;

use state::State;

fn main() {
    console_error_panic_hook::set_once();
    mount_to_body(Page);
}

/// The whole page.
#[component]
fn Page() -> impl IntoView {
    let state = State::start();
    provide_context(state);
    provide_context(shades::Shades::new(state));
    let requests = requests::Requests::listen();
    let offline = offline::Offline::start(state, requests);
    provide_context(print::Reference::new(state));
    open::listen_for_paste_and_drop(state);
    embedding::begin(state);
    viewing::listen_for_keys(state);
    view! {
        <a class="skip" href="#content">"Skip to the radiograph"</a>
        <header::Header/>
        <main id="content" tabindex="-1">
            <open::Problem/>
            <dropped::ModelReview/>
            <offline::Update offline/>
            <div class="columns">
                <section class="pictures" aria-label="Radiograph">
                    <open::OpenPanel/>
                    <library::CaseLibrary/>
                    <worklist::Worklist/>
                    <viewer::Viewer/>
                    <compare::Compare/>
                </section>
                <section class="findings-part" aria-label="Findings">
                    <gate::Gate/>
                    <teaching::Teaching/>
                    <findings::Findings/>
                </section>
                <viewer::Tools/>
                <section class="trust-part" aria-label="Trust">
                    <trust::TrustPanel/>
                    <model_card::ModelCard/>
                    <validation::Validation/>
                </section>
            </div>
        </main>
        <privacy::PrivacyPanel offline requests/>
        <footer>
            <div>
                <p>
                    <strong>"Not a medical device. "</strong>
                    "For research and teaching only: do not use it to diagnose or to decide on treatment."
                </p>
                <p>
                    "Everything is computed in this browser. No pixel leaves this machine."
                </p>
            </div>
            <div class="controls">
                <language::LanguageChoice/>
                <theme::ThemeChoice/>
            </div>
        </footer>
        <print::Sheet/>
    }
}
