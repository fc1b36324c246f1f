//! Lines that are drawn on the radiograph to measure it.

use leptos::ev::PointerEvent;
use leptos::prelude::*;
use sightline_core::report::drawn::{Line, Purpose};

use super::pointer::place_in_picture;
use crate::live::live;
use crate::show::Show;
use crate::state::State;
use crate::tool::Tool;

/// The lines over the radiograph, and the one that is being drawn.
#[component]
pub fn Drawing() -> impl IntoView {
    let state = expect_context::<State>();
    let begun = RwSignal::new(None::<[[f64; 2]; 2]>);
    let purpose = move || match state.viewing.tool.get() {
        Tool::Draw(purpose) => Some(purpose),
        _ => None,
    };
    let begin = move |event: PointerEvent| {
        if purpose().is_some() && event.button() == 0 {
            event.prevent_default();
            begun.set(place_in_picture(state, &event).map(|at| [at, at]));
        }
    };
    let go_on = move |event: PointerEvent| {
        if let (Some([from, _]), Some(to)) =
            (begun.get_untracked(), place_in_picture(state, &event))
        {
            begun.set(Some([from, to]));
        }
    };
    let end = move |event: PointerEvent| {
        go_on(event);
        let ends = begun.get_untracked();
        begun.set(None);
        if let (Some([from, to]), Some(purpose)) = (ends, purpose())
            && (from[0] - to[0]).hypot(from[1] - to[1]) > 0.005
        {
            state.tell(|session| session.draw(purpose, [from, to]));
        }
    };
    let height = move || 1.0 / state.aspect();
    let line = move |[from, to]: [[f64; 2]; 2], class: &'static str| {
        let height = height();
        view! {
            <line
                class=class
                x1=from[0].to_string()
                y1=(from[1] * height).to_string()
                x2=to[0].to_string()
                y2=(to[1] * height).to_string()
            />
        }
    };
    let lines = move || {
        let drawn = state.drawn.get();
        drawn
            .lines
            .iter()
            .map(|drawn| line(drawn.ends, class(drawn.purpose)))
            .collect_view()
    };
    let being_drawn = move || {
        let [from, mut to] = begun.get()?;
        let purpose = purpose()?;
        if purpose != Purpose::Length {
            to[1] = from[1];
        }
        Some(line([from, to], class(purpose)))
    };
    view! {
        <svg
            class="drawing"
            class:active=move || purpose().is_some()
            viewBox=move || format!("0 0 1 {}", height())
            data-testid="drawing"
            role="img"
            aria-label="Lines that are drawn on the radiograph"
            on:pointerdown=begin
            on:pointermove=go_on
            on:pointerup=end
        >
            {live(lines)}
            {live(being_drawn)}
        </svg>
    }
}

fn class(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Length => "length",
        Purpose::Heart => "heart",
        Purpose::Chest => "chest",
    }
}

/// What was measured, and how to take it back.
#[component]
pub fn DrawingTools() -> impl IntoView {
    let state = expect_context::<State>();
    let said = move || {
        let drawn = state.drawn.get();
        let name = |line: &Line| match line.purpose {
            Purpose::Length => "length",
            Purpose::Heart => "heart",
            Purpose::Chest => "chest",
        };
        let lines = drawn.lines.iter();
        let lines: Vec<String> = lines
            .map(|line| format!("{} {}", name(line), line.said()))
            .collect();
        let ratio = drawn.cardiothoracic_ratio.map(|ratio| {
            format!("; cardiothoracic ratio {ratio:.2} (on an upright PA radiograph of an adult, up to 0.50 is usual)")
        });
        let detector = state.of_picture(|picture| {
            let facts = picture.report.image.dicom.as_ref()?;
            (facts.spacing_mm.is_some() && facts.spacing_on_detector).then_some(
                ". Millimetres are those on the detector, where a body is seen larger than it is",
            )
        });
        format!(
            "Measured: {}{}{}.",
            lines.join(", "),
            ratio.unwrap_or_default(),
            detector.flatten().unwrap_or_default()
        )
    };
    view! {
        <Show when=move || state.drawn.with(|drawn| !drawn.lines.is_empty())>
            <p class="measured">
                <span data-testid="measured" role="status">{live(said)}</span>
                " "
                <button type="button" data-testid="undo-drawing" on:click=move |_| state.tell(|session| session.undo_drawing())>
                    "Take back the last line"
                </button>
            </p>
        </Show>
    }
}
