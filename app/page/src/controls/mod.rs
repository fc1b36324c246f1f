//! What can be chosen of the map: how it is made, and how it looks.

mod choice;
mod contours;
mod lime;
mod map_kind;

pub use choice::Choice;

use leptos::prelude::*;
use sightline_core::explain::colormap::Colormap;
use sightline_core::explain::look::MapKind;
use sightline_core::explain::method::Method;
use sightline_session::picture::ReadPicture;

use super::state::State;
use crate::live::live;
use crate::show::Show;
use contours::ContoursTick;
use lime::LimeControls;
use map_kind::MapKindChoice;

#[component]
pub fn Controls() -> impl IntoView {
    let state = expect_context::<State>();
    let methods = Method::ALL
        .iter()
        .map(|method| (*method, method.name().to_owned(), method.title().to_owned()));
    let colormaps = Colormap::ALL.map(|map| (map, map.name().to_owned(), map.name().to_owned()));
    let branches = Memo::new(move |_| state.of_picture(ReadPicture::branches).unwrap_or_default());
    let networks = move || {
        let all = (None, String::new(), "all networks".to_owned());
        let each = branches.get().into_iter().enumerate();
        let each = each.map(|(index, name)| (Some(index), index.to_string(), name));
        std::iter::once(all).chain(each).collect::<Vec<_>>()
    };
    let choose_opacity = move |event| {
        // A whole number: to read any other takes a table that is 3% of the page's program.
        if let Ok(percent) = event_target_value(&event).parse::<u8>() {
            state.opacity.set((f32::from(percent) / 100.0).min(1.0));
        }
    };
    view! {
        <div class="controls">
            <Choice
                title="Explanation"
                testid="explain-method"
                options=methods.collect()
                chosen=state.method
                choose=move |method| state.tell(|session| session.explain_by(method))
            />
            <LimeControls/>
            {live(move || (state.method.get() == Method::GradCam && !branches.with(Vec::is_empty)).then(|| view! {
                <Choice
                    title="Network"
                    testid="branch"
                    options=networks()
                    chosen=state.branch
                    choose=move |branch| state.branch.set(branch)
                />
            }))}
            <label>
                <span>"Opacity"</span>
                <input
                    type="range" min="0" max="100" step="1"
                    data-testid="opacity"
                    prop:value=move || (state.opacity.get() * 100.0).round().to_string()
                    on:input=choose_opacity
                />
            </label>
            <MapKindChoice/>
            <ContoursTick/>
            // The other kind has colours of its own, and so have lines.
            <Show when=move || state.kind.get() == MapKind::Positive && !state.contours.get()>
                <Choice
                    title="Colours"
                    testid="colormap"
                    options=colormaps.clone().into()
                    chosen=state.colormap
                    choose=move |map| state.colormap.set(map)
                />
            </Show>
        </div>
    }
}
