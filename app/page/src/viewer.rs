//! The radiograph, and beside it the same with a map on it.

use leptos::prelude::*;
use sightline_core::explain::look::MapKind;
use sightline_core::explain::method::Method;
use sightline_core::output::Output;
use sightline_session::session::Depths;

use super::account::Account;
use super::audit::Audit;
use super::canvas::is_cropped;
use super::color_bar::ColorBar;
use super::controls::Controls;
use super::erase::{Easel, EraseTools};
use super::export::ExportButtons;
use super::live::live;
use super::multiples::Multiples;
use super::show::Show;
use super::stage::Stage;
use super::state::State;
use super::teaching::Boxes;
use super::viewing::{Corner, Drawing, ViewingBar};

#[component]
pub fn Viewer() -> impl IntoView {
    let state = expect_context::<State>();
    let label = Signal::derive(move || {
        let name = state.selected_finding().map(|finding| finding.name.name());
        let method = state.method.get();
        let against = match state.kind.get() {
            MapKind::Positive => "",
            MapKind::Both => ", and what speaks against it",
        };
        format!(
            "The radiograph with a {} map: {} {}{against}",
            method.title(),
            method.shows(),
            name.unwrap_or("no finding")
        )
    });
    // A memo: what paints it also reads the preview, which is made of the picture, and would not notice that the picture has another map if it
    // read the picture itself (reactive_graph 0.2 takes the picture for known as soon as the preview was asked whether it changed).
    let map = Memo::new(move |_| state.shown_map());
    view! {
        <Show when=move || state.picture.with(Option::is_some)>
            <div class="pair">
                <figure>
                    <Stage label="The radiograph".to_owned() picture_testid="original-canvas">
                        <Show when=move || state.scored.get()><Easel/></Show>
                        <Drawing/>
                        <Boxes testid="boxes"/>
                    </Stage>
                    <Corner/>
                    <figcaption>
                        <span data-testid="radiograph-info">{live(move || file_line(state))}</span>
                        " "
                        <Show when=move || state.scored.get()><EraseTools/></Show>
                    </figcaption>
                </figure>
                <Show when=move || state.scored.get()>
                <figure>
                    <Stage label=label map=map map_testid="overlay-canvas">
                        <Boxes testid="boxes-on-map"/>
                    </Stage>
                    <figcaption>
                        {live(move || state.method.get().title())}": "{live(move || state.method.get().shows())}" "
                        <strong>{live(move || state.selected_finding().map(|f| f.name.name()))}</strong>". "
                        {live(move || said(state))}
                        {live(move || state
                            .region
                            .get()
                            .is_some_and(is_cropped)
                            .then_some(" The model sees only the middle of the picture."))}
                    </figcaption>
                </figure>
                </Show>
            </div>
            <ViewingBar/>
            <Notices/>
            <Show when=move || state.scored.get()>
                <ColorBar/>
                <Account/>
                <Audit/>
            </Show>
        </Show>
    }
}

/// What is done with the map in view.
#[component]
pub fn Tools() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <Show when=move || state.scored.get()>
            <section class="tools" aria-label="The map">
                <Controls/>
                <Multiples/>
                <ExportButtons/>
            </section>
        </Show>
    }
}

/// What is to be said of the map in view: how far it is, and how good.
fn said(state: State) -> Option<String> {
    match (state.method.get(), state.explanation()) {
        (Method::GradCam, _) => None,
        (_, Some(made)) => Some(made.said(Output(state.selected.get()?))),
        (_, None) => Some("The first pictures are being scored.".to_owned()),
    }
}

fn file_line(state: State) -> Option<String> {
    state.picture.with(|picture| {
        let image = &picture.as_ref()?.report.image;
        let name = if image.file.is_empty() {
            "Pasted picture"
        } else {
            &image.file
        };
        Some(format!("{name}, {}", image.said()))
    })
}

/// What is to be said of the file that is shown, a sentence or two each: other files that were given with it, and the like.
#[component]
fn Notices() -> impl IntoView {
    let state = expect_context::<State>();
    let lines = move || {
        state
            .notices
            .get()
            .into_iter()
            .map(|line| view! { <li>{line}</li> })
    };
    view! {
        <Show when=move || state.notices.with(|all| !all.is_empty())>
            <div class="notices">
                <div role="status">
                    <ul data-testid="notices">{live(move || lines().collect_view())}</ul>
                </div>
                {live(move || state.depths.get().map(|depths| view! { <DepthChoice depths/> }))}
            </div>
        </Show>
    }
}

/// Where a file does not say how many bits of its samples are used: both readings.
#[component]
fn DepthChoice(depths: Depths) -> impl IntoView {
    let state = expect_context::<State>();
    let [most, fewer] = {
        let [a, b] = depths.offered();
        [a.max(b), a.min(b)]
    };
    let options = [fewer, most].map(|bits| {
        let how = if bits == most { "darker" } else { "brighter" };
        view! {
            <option value=bits.to_string() selected={bits == depths.bits()}>{format!("{bits} bits: {how}")}</option>
        }
    });
    let choose = move |event| {
        if let Ok(bits) = event_target_value(&event).parse() {
            state.tell(|session| session.choose_depth(bits));
        }
    };
    view! {
        <label class="choice">
            "The file does not say how many bits of its pixels are used. Read it as "
            <select data-testid="depth" on:change=choose>{Vec::from(options)}</select>
        </label>
    }
}
