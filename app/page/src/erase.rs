//! Painting over places of the radiograph: the scores follow the brush.

use leptos::ev::PointerEvent;
use leptos::prelude::*;
use leptos::svg::Svg;
use sightline_core::explain::fill::Fill;
use sightline_core::trust::erase::Spot;

use super::state::State;

/// The brush's radius, as a share of the picture's width.
const RADIUS: f32 = 0.04;
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
    let easel = NodeRef::<Svg>::new();
    // A circle stays one, whatever the picture's proportions: units are shares of its width.
    let aspect = move || {
        state.picture.with(|picture| {
            let image = picture
                .as_ref()
                .map(|p| (p.preview.width, p.preview.height));
            image.map_or(1.0, |(width, height)| width as f32 / height as f32)
        })
    };
    let view_box = move || format!("0 0 1 {}", 1.0 / aspect());
    let paint = move |event: PointerEvent| {
        // A mouse or pen paints with its button held down. A finger that moves scrolls the page, so it paints by tapping.
        let paints = match event.pointer_type().as_str() {
            "touch" => event.type_() == "pointerup",
            _ => event.buttons() & 1 == 1,
        };
        if !paints {
            return;
        }
        if let Some(easel) = easel.get() {
            let place = easel.get_bounding_client_rect();
            let share = |at: i32, from: f64, length: f64| ((f64::from(at) - from) / length) as f32;
            let spot = Spot {
                x: share(event.client_x(), place.left(), place.width()),
                y: share(event.client_y(), place.top(), place.height()),
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
    view! {
        <svg
            node_ref=easel
            viewBox=view_box
            data-testid="easel"
            role="img"
            aria-label="Paint over places of the radiograph to see the scores without them"
            on:pointerdown=paint
            on:pointermove=paint
            on:pointerup=paint
        >
            {move || {
                let height = 1.0 / aspect();
                state.spots.with(|spots| {
                    spots
                        .iter()
                        .map(|spot| view! {
                            <circle cx=spot.x.to_string() cy=(spot.y * height).to_string() r=spot.radius.to_string()/>
                        })
                        .collect_view()
                })
            }}
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
