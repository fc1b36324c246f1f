//! What is said in the corner of the radiograph: window, level and zoom.

use leptos::prelude::*;

use crate::live::live;
use crate::state::State;

#[component]
pub fn Corner() -> impl IntoView {
    let state = expect_context::<State>();
    let window = move || match state.window_in_view() {
        Some(window) => format!("W {} L {}", short(window.width), short(window.center)),
        None => "the file's table".to_owned(),
    };
    let zoom = move || {
        let share = state.zoom()?;
        Some(format!("{:.0}%", 100.0 * share))
    };
    view! {
        <p class="corner">
            <span data-testid="window-level" title="Window: the width of the values from black to white, and the value in their middle">
                {live(window)}
            </span>
            <span data-testid="zoom" title="At 100%, a pixel of the file is a pixel of the screen">{live(zoom)}</span>
        </p>
    }
}

/// A number without decimals that say nothing.
fn short(value: f64) -> String {
    match value.abs() {
        value_is if value_is < 10.0 && value.fract() != 0.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}
