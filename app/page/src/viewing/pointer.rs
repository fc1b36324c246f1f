//! Mouse, pen and fingers on a stage.

use leptos::ev::{MouseEvent, PointerEvent, WheelEvent};
use leptos::prelude::*;
use sightline_core::radiograph::levels::Window;
use wasm_bindgen::JsCast;
use web_sys::Element;

use crate::state::State;
use crate::tool::Tool;

/// The radiograph grows by this factor for a drag over the whole stage, as its natural logarithm.
const ZOOM_OF_A_DRAG: f64 = 3.0;
/// And for each pixel of a wheel's turn: a notch is some 100.
const ZOOM_OF_A_WHEEL: f64 = 0.002;

/// The place of an event as shares of the stage that it is on; `None` outside of one.
fn place_on_stage(event: &MouseEvent) -> Option<[f64; 2]> {
    let on: Element = event.target()?.dyn_into().ok()?;
    let rect = on.closest(".stage").ok()??.get_bounding_client_rect();
    let shares = [
        (f64::from(event.client_x()) - rect.left()) / rect.width(),
        (f64::from(event.client_y()) - rect.top()) / rect.height(),
    ];
    (rect.width() > 0.0 && rect.height() > 0.0).then_some(shares)
}

/// The place of the radiograph under an event, as shares of its width and height.
pub fn place_in_picture(state: State, event: &MouseEvent) -> Option<[f64; 2]> {
    let at = place_on_stage(event)?;
    let aspect = state.aspect();
    let presentation = state.viewing.presentation.read_untracked();
    Some(presentation.in_picture(at, aspect))
}

/// The pointers that are down on a stage, and what a drag began with.
#[derive(Clone, Copy)]
pub struct Pointers {
    state: State,
    down: StoredValue<Vec<(i32, [f64; 2])>>,
    /// The window when the drag began.
    from: StoredValue<Option<(Window, [f64; 2])>>,
}

/// What a drag does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drag {
    Window,
    Zoom,
    Pan,
}

impl Pointers {
    pub fn new(state: State) -> Self {
        Self {
            state,
            down: StoredValue::new(Vec::new()),
            from: StoredValue::new(None),
        }
    }

    pub fn wheel(self, event: &WheelEvent) {
        if let Some(at) = place_on_stage(event) {
            event.prevent_default();
            // Lines and pages are of some pixels each.
            let pixels = match event.delta_mode() {
                0 => event.delta_y(),
                1 => 33.0 * event.delta_y(),
                _ => 300.0 * event.delta_y(),
            };
            self.zoom(at, (-pixels * ZOOM_OF_A_WHEEL).exp());
        }
    }

    pub fn pressed(self, event: &PointerEvent) {
        let Some(at) = place_on_stage(event) else {
            return;
        };
        self.down.update_value(|down| {
            down.retain(|(id, _)| *id != event.pointer_id());
            down.push((event.pointer_id(), at));
        });
        let drag = self.drag(event);
        if drag == Some(Drag::Window) {
            self.state.tell(|session| session.look_closer());
            self.from
                .set_value(self.state.window_in_view().map(|window| (window, at)));
        }
        if drag.is_some() || self.down.with_value(|down| down.len() > 1) {
            // A drag that leaves the stage goes on. Where the browser refuses, it ends there.
            if let Some(target) = event.target().and_then(|at| at.dyn_into::<Element>().ok()) {
                let _ = target.set_pointer_capture(event.pointer_id());
            }
            event.prevent_default();
        }
    }

    pub fn moved(self, event: &PointerEvent) {
        let Some(at) = place_on_stage(event) else {
            return;
        };
        let before = self.down.with_value(|down| down.clone());
        let Some((_, last)) = before.iter().find(|(id, _)| *id == event.pointer_id()) else {
            return;
        };
        self.down.update_value(|down| {
            for (id, place) in down {
                if *id == event.pointer_id() {
                    *place = at;
                }
            }
        });
        let by = [at[0] - last[0], at[1] - last[1]];
        let other = before.iter().find(|(id, _)| *id != event.pointer_id());
        if let Some((_, other)) = other {
            return self.pinch(*last, at, *other);
        }
        match self.drag(event) {
            Some(Drag::Pan) => self
                .state
                .viewing
                .presentation
                .update(|presentation| presentation.pan(by, self.state.aspect())),
            Some(Drag::Zoom) => self.zoom([0.5, 0.5], (-by[1] * ZOOM_OF_A_DRAG).exp()),
            Some(Drag::Window) => self.window(at),
            None => {}
        }
    }

    pub fn released(self, event: &PointerEvent) {
        self.down
            .update_value(|down| down.retain(|(id, _)| *id != event.pointer_id()));
    }

    /// What a drag with the buttons that are held does. One finger paints by tapping and moves what is larger than the stage.
    fn drag(self, event: &PointerEvent) -> Option<Drag> {
        let tool = self.state.viewing.tool.get_untracked();
        let moves = self
            .state
            .viewing
            .presentation
            .with_untracked(|presentation| presentation.magnification > 1.0);
        match (event.pointer_type().as_str(), event.buttons()) {
            ("touch", _) if tool == Tool::Window => Some(Drag::Window),
            ("touch", _) if moves && tool == Tool::Paint => Some(Drag::Pan),
            ("touch", _) => None,
            (_, 2) => Some(Drag::Zoom),
            (_, 4) => Some(Drag::Pan),
            (_, 1) if tool == Tool::Window => Some(Drag::Window),
            _ => None,
        }
    }

    fn zoom(self, at: [f64; 2], factor: f64) {
        let aspect = self.state.aspect();
        let viewing = self.state.viewing;
        viewing
            .presentation
            .update(|presentation| presentation.zoom(at, factor, aspect));
    }

    fn window(self, at: [f64; 2]) {
        let Some(film) = self.state.film.get_untracked() else {
            return;
        };
        if self.from.with_value(Option::is_none) {
            self.from
                .set_value(self.state.window_in_view().map(|window| (window, at)));
        }
        if let Some((from, start)) = self.from.get_value() {
            let by = [at[0] - start[0], at[1] - start[1]];
            let viewing = self.state.viewing;
            viewing
                .presentation
                .update(|presentation| presentation.drag_window(by, film.range, &from));
        }
    }

    /// Two fingers: one has moved from `last` to `at`.
    fn pinch(self, last: [f64; 2], at: [f64; 2], other: [f64; 2]) {
        let aspect = self.state.aspect();
        let distance = |place: [f64; 2]| {
            ((place[0] - other[0]) * aspect)
                .hypot(place[1] - other[1])
                .max(0.01)
        };
        let middle = |place: [f64; 2]| [0, 1].map(|axis| (place[axis] + other[axis]) / 2.0);
        let (before, now) = (middle(last), middle(at));
        let viewing = self.state.viewing;
        viewing.presentation.update(|presentation| {
            presentation.zoom(before, distance(at) / distance(last), aspect);
            presentation.pan([now[0] - before[0], now[1] - before[1]], aspect);
        });
    }
}
