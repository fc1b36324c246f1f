//! Whether a map is drawn as lines.

use leptos::prelude::*;

use crate::state::State;

#[component]
pub fn ContoursTick() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <label class="tick" title="Draw lines in place of colours: where the map has 25, 50 and 75% of its largest value">
            <input
                type="checkbox"
                data-testid="contours"
                prop:checked=move || state.contours.get()
                on:change=move |event| state.contours.set(event_target_checked(&event))
            />
            <span>"Contour lines"</span>
        </label>
    }
}
