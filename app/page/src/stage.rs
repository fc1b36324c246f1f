//! The radiograph with what lies on it, in layers: the picture, painted once; a map, painted when it changes and scaled by the browser; what is
//! drawn on top. Opacity is the browser's: it repaints nothing.

use leptos::html::Canvas;
use leptos::prelude::*;
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::radiograph::Region;

use super::canvas::{THUMBNAIL_SIDE, clear, paint_layer, paint_picture};
use super::state::State;

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
    let state = expect_context::<State>();
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move |_| {
        let image = match size {
            Size::Full => state.preview.get(),
            Size::Thumbnail => state.thumbnail.get(),
        };
        if let (Some(canvas), Some(image)) = (canvas.get(), image) {
            paint_picture(&canvas, &image);
        }
    });
    let aspect = move || {
        let aspect = state.preview.get();
        let aspect = aspect.map_or(1.0, |image| image.width as f32 / image.height as f32);
        format!("{aspect:.6}")
    };
    view! {
        <div class="stage" style=("--aspect", aspect)>
            <canvas node_ref=canvas data-testid=picture_testid role="img" aria-label=move || label.get()></canvas>
            {map.map(|map| view! { <Layer map size testid=map_testid/> })}
            {children.map(|children| children())}
        </div>
    }
}

/// A map over the part of the picture that it covers.
#[component]
fn Layer(map: Signal<Option<HeatMap>>, size: Size, testid: Option<&'static str>) -> impl IntoView {
    let state = expect_context::<State>();
    let canvas = NodeRef::<Canvas>::new();
    // Only between nothing and something is there anything to paint.
    let is_visible = Memo::new(move |_| state.opacity.get() > 0.0);
    Effect::new(move |_| {
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
        let colormap = state.colormap.get();
        map.with(|map| match map {
            Some(map) if is_visible.get() => {
                paint_layer(&canvas, map, (width, height), colormap);
            }
            _ => clear(&canvas),
        });
    });
    // One property each: a whole style attribute is what the page's policy forbids.
    Effect::new(move |_| {
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
    view! { <canvas class="layer" aria-hidden="true" node_ref=canvas data-testid=testid></canvas> }
}
