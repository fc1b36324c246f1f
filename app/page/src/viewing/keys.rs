//! Keys that change how the radiograph is looked at, and the list of them.

use leptos::ev::{self, KeyboardEvent};
use leptos::html::Dialog;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::state::State;
use crate::tool::Tool;

/// What can be pressed or dragged, and what it does.
const BINDINGS: [(&str, &str); 15] = [
    ("wheel, pinch", "zoom at the pointer"),
    ("right drag", "zoom"),
    ("middle drag", "move"),
    (
        "left drag",
        "as chosen: erase a place, change the window, measure",
    ),
    ("=", "the whole picture"),
    ("i", "exchange black and white"),
    (
        "1 to 5",
        "windows: the file's own first, then percentiles, lung, bone",
    ),
    ("r, l", "turn to the right, to the left"),
    ("b", "hide the map, and show it again"),
    (
        "w",
        "the left button changes the window; once more: it erases",
    ),
    ("space", "as it was at first"),
    ("up, down", "in the list of findings: the next one's map"),
    (
        "n, p",
        "the next and the previous radiograph of the worklist",
    ),
    ("Escape", "close a dialog"),
    ("?", "this list"),
];

/// Keys are heard wherever the focus is, but for fields and what a key presses.
pub fn listen_for_keys(state: State) {
    let handle = window_event_listener(ev::keydown, move |event| {
        if pressed(state, &event) {
            event.prevent_default();
        }
    });
    on_cleanup(move || handle.remove());
}

/// Whether the key meant something.
fn pressed(state: State, event: &KeyboardEvent) -> bool {
    let target: Option<Element> = event.target().and_then(|target| target.dyn_into().ok());
    let is_in = |selector: &str| {
        let found = target.as_ref().and_then(|at| at.closest(selector).ok());
        found.flatten().is_some()
    };
    let taken = event.ctrl_key() || event.alt_key() || event.meta_key();
    if taken || is_in("input, select, textarea, dialog") {
        return false;
    }
    let step = match event.key().as_str() {
        "n" => 1,
        "p" => -1,
        _ => 0,
    };
    if step != 0 && untrack(|| state.of_session(|session| session.worklist().is_shown())) {
        state.tell(|session| session.open_next(step));
        return true;
    }
    if state.picture.with_untracked(Option::is_none) {
        return false;
    }
    let viewing = state.viewing;
    let aspect = state.aspect();
    match event.key().as_str() {
        "i" => viewing.presentation.update(|p| p.inverted = !p.inverted),
        "=" => viewing.presentation.update(|p| p.fit()),
        "r" => viewing.presentation.update(|p| p.turn(true, aspect)),
        "l" => viewing.presentation.update(|p| p.turn(false, aspect)),
        "b" => viewing.hides_map.update(|hides| *hides = !*hides),
        "w" => viewing.tool.update(|tool| {
            *tool = match tool {
                Tool::Window => Tool::Paint,
                _ => Tool::Window,
            }
        }),
        "?" => show_list(),
        " " if !is_in("button, a, summary, [role='button'], [role='listbox'], [tabindex]") => {
            viewing.presentation.set(Default::default());
        }
        key => match key.parse::<usize>() {
            Ok(place @ 1..=5) => state.show_preset(place - 1),
            _ => return false,
        },
    }
    true
}

fn show_list() {
    let found = document().query_selector("dialog.keys").ok().flatten();
    let dialog = found.and_then(|found| found.dyn_into::<web_sys::HtmlDialogElement>().ok());
    if let Some(dialog) = dialog.filter(|dialog| !dialog.open()) {
        // Fails only for a dialog that is open.
        let _ = dialog.show_modal();
    }
}

/// The list of keys, and the button that shows it.
#[component]
pub fn Keys() -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let close = move |_| {
        if let Some(dialog) = dialog.get() {
            dialog.close();
        }
    };
    view! {
        <button type="button" data-testid="keys" title="Keys and mouse (?)" aria-label="Keys and mouse" on:click=move |_| show_list()>"?"</button>
        <dialog node_ref=dialog class="keys whole-card" aria-labelledby="keys-title">
            <h2 id="keys-title">"Keys and mouse"</h2>
            <dl>
                {BINDINGS
                    .map(|(keys, what)| view! {
                        <dt>{keys}</dt>
                        <dd>{what}</dd>
                    })
                    .collect_view()}
            </dl>
            <button type="button" on:click=close>"Close"</button>
        </dialog>
    }
}
