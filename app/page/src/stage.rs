//! The radiograph with what lies on it, in layers: the picture, painted once; a map, painted when it changes and scaled by the browser; what is
//! drawn on top. Opacity is the browser's: it repaints nothing.

use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::radiograph::Region;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{HtmlCanvasElement, ResizeObserver};

use super::canvas::{THUMBNAIL_SIDE, clear, paint, paint_layer, paint_picture};
use super::contours::Contours;
use super::effect::effect;
use super::shades::Shades;
use super::state::State;
use super::viewing::Pointers;

/// The longer side of a map's layer, in pixels: twice that of the picture on which LIME's regions are found, and cheap to paint.
const LAYER_SIDE: usize = 448;

/// How large a stage is painted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Full,
    Thumbnail,
}

/// A radiograph, and on it perhaps a map and what else is given.
#[component]
pub fn Stage(
    /// What is seen, in words.
    #[prop(into)]
    label: Signal<String>,
    #[prop(default = Size::Full)] size: Size,
    /// The map, once it is known. Without this there is no layer for one.
    #[prop(optional, into)]
    map: Option<Signal<Option<HeatMap>>>,
    #[prop(optional)] picture_testid: Option<&'static str>,
    #[prop(optional)] map_testid: Option<&'static str>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let (state, shades) = (expect_context::<State>(), expect_context::<Shades>());
    let canvas = NodeRef::<Canvas>::new();
    effect(move || {
        let Some(canvas) = canvas.get() else {
            return;
        };
        match size {
            Size::Full => paint_full(state, shades, &canvas),
            Size::Thumbnail => {
                if let Some(image) = state.thumbnail.get() {
                    paint_picture(&canvas, &image, false);
                }
            }
        }
    });
    let aspect = move || format!("{:.6}", state.aspect());
    let picture = view! {
        <canvas node_ref=canvas data-testid=picture_testid role="img" aria-label=move || label.get()></canvas>
    };
    let over = view! {
        {map.map(|map| view! {
            <Layer map size testid=map_testid/>
            <Contours map testid={(size == Size::Full).then_some("contour-lines")}/>
        })}
        {children.map(|children| children())}
    };
    match size {
        Size::Thumbnail => {
            view! { <div class="stage" style=("--aspect", aspect)>{picture}{over}</div> }.into_any()
        }
        Size::Full => view! { <Viewport picture over aspect/> }.into_any(),
    }
}

/// A stage on which the radiograph can be moved, made larger and turned.
#[component]
fn Viewport(
    picture: impl IntoView + 'static,
    over: impl IntoView + 'static,
    aspect: impl Fn() -> String + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let (state, shades) = (expect_context::<State>(), expect_context::<Shades>());
    let stage = NodeRef::<Div>::new();
    let (below, above) = (NodeRef::<Div>::new(), NodeRef::<Div>::new());
    let detail = NodeRef::<Canvas>::new();
    let pointers = Pointers::new(state);
    let transform = Memo::new(move |_| {
        let ([x, y], quarters, scale) = state
            .viewing
            .presentation
            .with(|look| look.transform(state.aspect()));
        let turn = 90 * u32::from(quarters);
        format!(
            "translate({:.4}%, {:.4}%) rotate({turn}deg) scale({scale:.6})",
            100.0 * x,
            100.0 * y
        )
    });
    for plane in [below, above] {
        effect(move || {
            if let Some(plane) = plane.get() {
                // A known property takes any transform.
                let _ =
                    web_sys::HtmlElement::style(&plane).set_property("transform", &transform.get());
            }
        });
    }
    effect(move || {
        if let Some(detail) = detail.get() {
            paint_detail(state, shades, &detail);
        }
    });
    effect(move || {
        if let Some(stage) = stage.get() {
            observe(state, &stage);
        }
    });
    let larger = move || {
        state
            .viewing
            .presentation
            .with(|look| look.magnification > 1.0)
    };
    view! {
        <div
            class="stage full"
            class:larger=larger
            node_ref=stage
            style=("--aspect", aspect)
            on:wheel=move |event| pointers.wheel(&event)
            on:pointerdown=move |event| pointers.pressed(&event)
            on:pointermove=move |event| pointers.moved(&event)
            on:pointerup=move |event| pointers.released(&event)
            on:pointercancel=move |event| pointers.released(&event)
            on:contextmenu=move |event| event.prevent_default()
        >
            <div class="plane" node_ref=below>{picture}</div>
            <canvas class="detail" aria-hidden="true" node_ref=detail></canvas>
            <div class="plane" node_ref=above>{over}</div>
        </div>
    }
}

/// Keeps the size of the stage in mind as long as it is there.
fn observe(state: State, stage: &web_sys::HtmlDivElement) {
    let viewport = state.viewing.viewport;
    let seen = stage.clone();
    let measure = Closure::<dyn FnMut()>::new(move || {
        let size = [seen.client_width(), seen.client_height()].map(f64::from);
        if viewport
            .try_get_untracked()
            .is_some_and(|known| known != size)
        {
            viewport.set(size);
        }
    });
    let observer = ResizeObserver::new(measure.as_ref().unchecked_ref());
    if let Ok(observer) = observer {
        observer.observe(stage);
        let kept = StoredValue::new_local((observer, measure));
        on_cleanup(move || {
            kept.with_value(|(observer, _)| observer.disconnect());
        });
    }
}

/// The whole picture through the window that is chosen. Nobody sees it where the samples cover it.
fn paint_full(state: State, shades: Shades, canvas: &HtmlCanvasElement) {
    if shades.covered.get() {
        return;
    }
    match shades.whole.get() {
        Some(painted) => paint(canvas, painted.size, &painted.rgba),
        None => {
            if let Some(image) = state.preview.get() {
                paint_picture(canvas, &image, shades.seen.get().1);
            }
        }
    }
}

/// The samples themselves, where the picture is shown larger than its preview.
fn paint_detail(state: State, shades: Shades, canvas: &HtmlCanvasElement) {
    if shades.closer.get().is_none() {
        return clear(canvas);
    }
    match shades.part.get() {
        Some(painted) => paint(canvas, painted.size, &painted.rgba),
        None => state.tell(|session| session.look_closer()),
    }
}

/// A map over the part of the picture that it covers.
#[component]
fn Layer(map: Signal<Option<HeatMap>>, size: Size, testid: Option<&'static str>) -> impl IntoView {
    let state = expect_context::<State>();
    let canvas = NodeRef::<Canvas>::new();
    // Only between nothing and something is there anything to paint.
    let is_visible = Memo::new(move |_| state.opacity.get() > 0.0);
    effect(move || {
        let (Some(canvas), Some(image), Some(region)) =
            (canvas.get(), state.preview.get(), state.region.get())
        else {
            return;
        };
        let side = match size {
            Size::Full => LAYER_SIDE,
            Size::Thumbnail => THUMBNAIL_SIDE,
        };
        let covered = [
            region.width * image.width as f64,
            region.height * image.height as f64,
        ];
        let scale = (side as f64 / covered[0].max(covered[1])).min(1.0);
        let [width, height] = covered.map(|length| ((scale * length).round() as usize).max(1));
        let (look, lines) = (state.look(), state.contours.get());
        map.with(|map| match map {
            Some(map) if is_visible.get() && !lines => {
                paint_layer(&canvas, map, (width, height), look);
            }
            _ => clear(&canvas),
        });
    });
    // One property each: a whole style attribute is what the page's policy forbids.
    effect(move || {
        let Some(canvas) = canvas.get() else {
            return;
        };
        let whole = Region {
            x: 0.0,
            y: 0.0,
            width: 1.0,
            height: 1.0,
        };
        let region = state.region.get().unwrap_or(whole);
        let places = [
            ("left", region.x),
            ("top", region.y),
            ("width", region.width),
            ("height", region.height),
            ("opacity", f64::from(state.opacity.get())),
        ];
        let style = web_sys::HtmlElement::style(&canvas);
        for (name, share) in places {
            // A known property takes any share.
            let _ = style.set_property(name, &format!("{:.3}%", 100.0 * share));
        }
    });
    let hidden = move || size == Size::Full && state.viewing.hides_map.get();
    view! { <canvas class="layer" class:hidden=hidden aria-hidden="true" node_ref=canvas data-testid=testid></canvas> }
}
