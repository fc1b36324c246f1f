//! What the colours or the lines of the map in view mean.

use leptos::prelude::*;
use sightline_core::explain::look::{Look, MapKind};
use sightline_core::explain::overlay::cover;

use super::live::live;
use super::show::Show;
use super::state::State;

/// Steps of the bar.
const STEPS: u32 = 32;

/// Red, green, blue and opacity of a place on the bar, 0..1, as CSS has them. On a diverging scale, what is near 0 is transparent, as on
/// the map.
pub fn colour(look: Look, at: f32) -> String {
    let lowest = look.lowest();
    let share = lowest + (1.0 - lowest) * at;
    let [r, g, b] = look.rgb(share);
    match look.kind {
        MapKind::Positive => format!("rgb({r},{g},{b})"),
        MapKind::Both => format!("rgba({r},{g},{b},{:.2})", cover(share)),
    }
}

/// What full colours, or lines, stand for.
pub fn said(kind: MapKind, most: f32) -> String {
    match kind {
        MapKind::Positive => format!("25, 50 and 75% of +{most:.2}"),
        MapKind::Both => {
            format!("25, 50 and 75% of +{most:.2} (solid, for) and of -{most:.2} (dashed, against)")
        }
    }
}

/// What the map means, in its unit.
#[component]
pub fn ColorBar() -> impl IntoView {
    let state = expect_context::<State>();
    let gradient = move || {
        let look = state.look();
        let stops = (0..=STEPS).map(|step| colour(look, step as f32 / STEPS as f32));
        let stops: Vec<String> = stops.collect();
        format!("linear-gradient(to right, {})", stops.join(","))
    };
    let most = Memo::new(move |_| {
        let kind = state.kind.get();
        state.shown_map().map_or(0.0, |map| kind.most(&map))
    });
    let both = move || state.kind.get() == MapKind::Both;
    view! {
        <div class="color-bar" data-testid="color-bar">
            <Show
                when=move || { most.get() > 0.0 }
                fallback=move || view! {
                    <p>{live(move || match (state.shown_map(), both()) {
                        (Some(_), false) => "No part of the picture adds to the score of this finding: its map is empty.",
                        (Some(_), true) => "No part of the picture changes the score of this finding: its map is empty.",
                        (None, _) => "The map is being computed.",
                    })}</p>
                }
            >
                <Show
                    when=move || !state.contours.get()
                    fallback=move || view! { <span>"Lines: "{live(move || said(state.kind.get(), most.get()))}</span> }
                >
                    <span>{live(move || match both() {
                        true => format!("-{:.2}", most.get()),
                        false => "0".to_owned(),
                    })}</span>
                    <div class="gradient" style:background=gradient></div>
                    <span>{live(move || format!("+{:.2}", most.get()))}</span>
                </Show>
                <small>
                    {live(move || state.method.get().unit())}
                    {live(move || (both() && !state.contours.get()).then_some(". Orange: for the finding; blue: against it"))}
                </small>
            </Show>
        </div>
    }
}
