//! Painting over places of the radiograph: the scores follow the brush.

use leptos::ev::{KeyboardEvent, PointerEvent};
use leptos::prelude::*;
use sightline_core::explain::fill::Fill;
use sightline_core::trust::erase::Spot;

use super::live::live;
use super::show::Show;
use super::state::State;
use super::tool::Tool;
use super::viewing::place_in_picture;

/// The brush's radius, as a share of the picture's width.
const RADIUS: f32 = 0.04;
/// How far an arrow key moves the brush.
const STEP: f32 = RADIUS / 2.0;
/// What can be filled in, and its name.
pub const FILLS: [(Fill, &str); 5] = [
    (Fill::Mean, "own mean"),
    (Fill::PictureMean, "picture's mean"),
    (Fill::Blur, "blur"),
    (Fill::Grey(128), "grey"),
    (Fill::Grey(0), "black"),
];

/// What is painted, over the radiograph; and the brush.
#[component]
pub fn Easel() -> impl IntoView {
    let state = expect_context::<State>();
    // A circle stays one, whatever the picture's proportions: units are shares of its width.
    let aspect = move || state.aspect() as f32;
    let view_box = move || format!("0 0 1 {}", 1.0 / aspect());
    let paint = move |event: PointerEvent| {
        // A mouse or pen paints with its button held down. A finger that moves scrolls the page, so it paints by tapping.
        let paints = match event.pointer_type().as_str() {
            "touch" => event.type_() == "pointerup",
            _ => event.buttons() & 1 == 1,
        };
        if !paints || state.viewing.tool.get_untracked() != Tool::Paint {
            return;
        }
        if let Some(at) = place_in_picture(state, &event) {
            let [x, y] = at.map(|share| share as f32);
            let spot = Spot {
                x,
                y,
                radius: RADIUS,
            };
            let near = |old: &Spot| {
                let (across, down) = (old.x - spot.x, old.y - spot.y);
                (across * across + down * down).sqrt() < RADIUS / 3.0
            };
            // A brush that hardly moved paints nothing new.
            if !state
                .spots
                .with_untracked(|spots| spots.last().is_some_and(near))
            {
                state.tell(|session| session.erase(|spots| spots.push(spot)));
            }
        }
    };
    // Without a mouse: arrow keys move the brush, and Enter or the space bar paints.
    let brush = RwSignal::new([0.5_f32, 0.5]);
    let keys = move |event: KeyboardEvent| {
        let [across, down] = match event.key().as_str() {
            "ArrowLeft" => [-STEP, 0.0],
            "ArrowRight" => [STEP, 0.0],
            "ArrowUp" => [0.0, -STEP],
            "ArrowDown" => [0.0, STEP],
            "Enter" | " " => [0.0; 2],
            _ => return,
        };
        event.prevent_default();
        if [across, down] == [0.0; 2] {
            let [x, y] = brush.get_untracked();
            let spot = Spot {
                x,
                y,
                radius: RADIUS,
            };
            return state.tell(|session| session.erase(|spots| spots.push(spot)));
        }
        // Down is a share of the picture's height, and a step is one of its width.
        let down = down * aspect();
        brush.update(|[x, y]| {
            (*x, *y) = ((*x + across).clamp(0.0, 1.0), (*y + down).clamp(0.0, 1.0));
        });
    };
    view! {
        <svg
            viewBox=view_box
            data-testid="easel"
            role="application"
            tabindex="0"
            aria-label="Paint over places of the radiograph to see the scores without them. Arrow keys move the brush, Enter paints."
            on:keydown=keys
            on:pointerdown=paint
            on:pointermove=paint
            on:pointerup=paint
        >
            {live(move || {
                let height = 1.0 / aspect();
                state.spots.with(|spots| {
                    spots
                        .iter()
                        .map(|spot| view! {
                            <circle cx=spot.x.to_string() cy=(spot.y * height).to_string() r=spot.radius.to_string()/>
                        })
                        .collect_view()
                })
            })}
            <circle
                class="brush"
                cx=move || brush.get()[0].to_string()
                cy=move || (brush.get()[1] / aspect()).to_string()
                r=RADIUS.to_string()
            />
        </svg>
    }
}

/// What to do with what is painted.
#[component]
pub fn EraseTools() -> impl IntoView {
    let state = expect_context::<State>();
    let none = move || state.spots.with(Vec::is_empty);
    let choose = move |event| {
        let name = event_target_value(&event);
        if let Some((fill, _)) = FILLS.into_iter().find(|(_, known)| *known == name) {
            state.tell(|session| session.choose_fill(fill));
        }
    };
    view! {
        <span class="erase">
            <Show when=none fallback=move || view! {
                <button type="button" data-testid="undo" on:click=move |_| state.tell(|session| session.erase(|spots| { spots.pop(); }))>"Undo"</button>
                <button type="button" data-testid="clear" on:click=move |_| state.tell(|session| session.erase(Vec::clear))>"Clear"</button>
                <label>
                    "filled with "
                    <select data-testid="fill" on:change=choose>
                        {FILLS
                            .map(|(fill, name)| view! {
                                <option value=name prop:selected=move || state.fill.get() == fill>{name}</option>
                            })
                            .collect_view()}
                    </select>
                </label>
            }>
                <small>"Paint on the radiograph to erase a place. The scores are updated."</small>
            </Show>
        </span>
    }
}
