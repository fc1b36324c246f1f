//! A map as lines in place of colours.

use leptos::prelude::*;
use sightline_core::explain::contours::{Contour, Line, SHARES, contours};
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::look::MapKind;
use sightline_core::radiograph::{GreyImage, Region};
use wasm_bindgen::JsValue;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::canvas::{context, paint_overlay, paint_picture};
use super::live::live;
use super::show::Show;
use super::state::State;

/// What is drawn under the lines, so that they are seen on bright and dark places alike; and the lines of evidence for and against.
const UNDER: &str = "#000";
const COLOURS: [&str; 2] = ["#ffbe5c", "#8ccdff"];
/// How wide the lines of a share are, in pixels: the wider, the larger the share.
const WIDTHS: [f64; SHARES.len()] = [1.0, 1.8, 2.8];
/// How much wider what is under a line is.
const MARGIN: f64 = 1.6;
/// The dashes of evidence against, in pixels.
const DASHES: [f64; 2] = [6.0, 4.0];

/// The lines' colour, and how wide they are.
fn pen(contour: &Contour) -> (&'static str, f64) {
    let colour = COLOURS[usize::from(contour.share < 0.0)];
    let place = SHARES
        .iter()
        .position(|share| *share == contour.share.abs());
    (colour, WIDTHS[place.unwrap_or_default()])
}

/// A line's points as shares of the picture of which the map covers a region.
fn on_picture(line: &Line, region: Region) -> impl Iterator<Item = [f64; 2]> {
    line.points.iter().map(move |[x, y]| {
        [
            region.x + f64::from(*x) * region.width,
            region.y + f64::from(*y) * region.height,
        ]
    })
}

/// Lines as an SVG path has them.
fn path(contour: &Contour, region: Region) -> String {
    let mut path = String::new();
    for line in &contour.lines {
        for (index, [x, y]) in on_picture(line, region).enumerate() {
            let step = if index == 0 { 'M' } else { 'L' };
            path += &format!("{step}{x:.4} {y:.4}");
        }
        if line.closed {
            path.push('Z');
        }
    }
    path
}

/// The contour lines of a map over the picture, where lines are chosen.
#[component]
pub fn Contours(map: Signal<Option<HeatMap>>, testid: Option<&'static str>) -> impl IntoView {
    let state = expect_context::<State>();
    let lines = move || {
        let region = state.region.get()?;
        let found = map.with(|map| Some(contours(map.as_ref()?, state.kind.get())))?;
        let drawn = found.iter().map(|contour| {
            let (colour, width) = pen(contour);
            let path = path(contour, region);
            let dashes = (contour.share < 0.0).then(|| DASHES.map(|dash| dash.to_string()).join(" "));
            view! {
                <path d=path.clone() stroke=UNDER stroke-width=width + MARGIN stroke-dasharray=dashes.clone()></path>
                <path
                    d=path
                    stroke=colour
                    stroke-width=width
                    stroke-dasharray=dashes
                    data-share=contour.share.to_string()
                ></path>
            }
        });
        Some(drawn.collect_view())
    };
    view! {
        <Show when=move || state.contours.get()>
            <svg
                class="contours"
                viewBox="0 0 1 1"
                preserveAspectRatio="none"
                aria-hidden="true"
                data-testid=testid
                style:opacity=move || state.opacity.get().to_string()
            >
                {live(lines)}
            </svg>
        </Show>
    }
}

/// The width of a picture on which the page draws lines as wide as they are said to be.
const USUAL: f64 = 512.0;

/// Draws the contour lines of a map onto a picture of this size, as wide for it as they are on the page.
fn draw(
    context: &CanvasRenderingContext2d,
    (map, kind): (&HeatMap, MapKind),
    region: Region,
    [width, height]: [f64; 2],
    opacity: f32,
) -> Result<(), JsValue> {
    let scale = (width / USUAL).max(1.0);
    context.set_global_alpha(f64::from(opacity));
    for contour in contours(map, kind) {
        let (colour, thickness) = pen(&contour);
        let mut dashes = js_sys::Array::new();
        if contour.share < 0.0 {
            dashes.extend(DASHES.map(|dash| JsValue::from(scale * dash)));
        }
        context.set_line_dash(&dashes)?;
        context.begin_path();
        for line in &contour.lines {
            for (index, [x, y]) in on_picture(line, region).enumerate() {
                match index {
                    0 => context.move_to(x * width, y * height),
                    _ => context.line_to(x * width, y * height),
                }
            }
            if line.closed {
                context.close_path();
            }
        }
        for (colour, thickness) in [(UNDER, thickness + MARGIN), (colour, thickness)] {
            context.set_stroke_style_str(colour);
            context.set_line_width(scale * thickness);
            context.stroke();
        }
    }
    Ok(())
}

/// Paints a radiograph with its map as the page shows it: in colours, or as lines.
pub fn paint_shown(
    state: State,
    canvas: &HtmlCanvasElement,
    image: &GreyImage,
    map: &HeatMap,
    region: Region,
) -> Result<(), JsValue> {
    let (look, opacity) = (state.look(), state.opacity.get());
    if !state.contours.get() {
        paint_overlay(canvas, image, map, region, (look, opacity));
        return Ok(());
    }
    paint_picture(canvas, image, false);
    let context = context(canvas).ok_or("no canvas")?;
    let size = [canvas.width(), canvas.height()].map(f64::from);
    draw(&context, (map, look.kind), region, size, opacity)
}
