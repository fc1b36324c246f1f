//! What can be done by a click to see the radiograph otherwise.

use leptos::prelude::*;

use super::drawing::DrawingTools;
use super::keys::Keys;
use crate::fold::Fold;
use crate::live::live;
use crate::state::State;
use crate::tool::Tool;

#[component]
pub fn ViewingBar() -> impl IntoView {
    let state = expect_context::<State>();
    let viewing = state.viewing;
    let choose_tool = move |event| {
        let name = event_target_value(&event);
        let tool = Tool::ALL.into_iter().find(|tool| tool.name() == name);
        viewing.tool.set(tool.unwrap_or_default());
    };
    let choose_preset = move |event| match event_target_value(&event).parse() {
        Ok(place) => state.show_preset(place),
        Err(_) => viewing
            .presentation
            .update(|presentation| presentation.window = None),
    };
    let presets = move || {
        let film = state.film.get();
        let presets = film.as_deref().map(|film| film.presets.as_slice());
        let presets = presets.unwrap_or_default().iter().enumerate();
        presets
            .map(|(place, preset)| (place, preset.name.clone()))
            .map(|(place, name)| view! { <option value=place.to_string()>{name}</option> })
            .collect_view()
    };
    let turn = move |clockwise| {
        let aspect = state.aspect();
        viewing
            .presentation
            .update(|presentation| presentation.turn(clockwise, aspect));
    };
    // The samples are fetched when someone looks for what they can be seen through.
    let want = move || state.tell(|session| session.look_closer());
    view! {
        <Fold title="View">
        <div class="viewing-bar" role="group" aria-label="View">
            <label>
                <span>"Left button"</span>
                <select data-testid="tool" on:change=choose_tool>
                    {Tool::ALL
                        .map(|tool| view! {
                            <option value=tool.name() prop:selected=move || viewing.tool.get() == tool>{tool.title()}</option>
                        })
                        .collect_view()}
                </select>
            </label>
            <label>
                <span>"Window"</span>
                <select data-testid="preset" on:change=choose_preset on:focus=move |_| want() on:pointerenter=move |_| want()>
                    <option value="" prop:selected=move || viewing.presentation.with(|p| p.window.is_none())>"as the model sees it"</option>
                    {live(presets)}
                </select>
            </label>
            <button type="button" data-testid="fit" title="The whole picture (=)" on:click=move |_| viewing.presentation.update(|p| p.fit())>
                "Fit"
            </button>
            <button type="button" data-testid="full-size" title="A pixel of the file is a pixel of the screen" on:click=move |_| state.show_full_size()>
                "100%"
            </button>
            <button
                type="button"
                data-testid="invert"
                title="Black and white exchanged (i)"
                aria-pressed=move || viewing.presentation.with(|p| p.inverted).to_string()
                on:click=move |_| viewing.presentation.update(|p| p.inverted = !p.inverted)
            >
                "Invert"
            </button>
            <button type="button" title="Turn to the left (l)" aria-label="Turn to the left" on:click=move |_| turn(false)>"↺"</button>
            <button type="button" title="Turn to the right (r)" aria-label="Turn to the right" on:click=move |_| turn(true)>"↻"</button>
            <button type="button" data-testid="reset" title="As it was at first (space)" on:click=move |_| viewing.presentation.set(Default::default())>
                "Reset"
            </button>
            <Keys/>
        </div>
        </Fold>
        <DrawingTools/>
    }
}
