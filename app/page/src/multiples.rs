//! The maps of several findings side by side.

use leptos::prelude::*;
use sightline_session::picture::ReadPicture;

use super::fold::Fold;
use super::live::live;
use super::stage::{Size, Stage};
use super::state::State;

/// The maps of all findings that are called, and at least of the highest scores, side by side.
#[component]
pub fn Multiples() -> impl IntoView {
    let state = expect_context::<State>();
    let name = move |index: usize| {
        let name =
            state.of_picture(|picture| picture.report.findings.get(index).map(|f| f.name.name()));
        name.flatten().unwrap_or_default().to_owned()
    };
    let shown = Memo::new(move |_| {
        state
            .of_picture(ReadPicture::side_by_side)
            .unwrap_or_default()
    });
    view! {
        <Fold title="Maps of the findings that are called">
        <div class="multiples">
            <For each=move || shown.get() key=|index| *index let:index>
                <button
                    type="button"
                    class:selected=move || state.selected.get() == Some(index)
                    on:click=move |_| state.tell(|session| session.select(index))
                    on:mouseenter=move |_| state.tell(|session| session.select(index))
                >
                    <Stage
                        label=Signal::derive(move || name(index))
                        size=Size::Thumbnail
                        map=Memo::new(move |_| state.map_of(index))
                        map_testid="top-canvas"
                    />
                    <span>{live(move || name(index))}</span>
                </button>
            </For>
        </div>
        </Fold>
    }
}
