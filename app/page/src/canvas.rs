//! Pixels on a canvas.

use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::look::Look;
use sightline_core::explain::overlay::{layer, overlay};
use sightline_core::radiograph::{GreyImage, Region};
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

/// The longer side of a thumbnail, in pixels.
pub const THUMBNAIL_SIDE: usize = 192;

/// The canvas's context; `None` if the browser is out of them.
pub fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok().flatten()?.dyn_into().ok()
}

/// Paints a picture without a map, and makes the canvas its size; black and white exchanged if `inverted`.
pub fn paint_picture(canvas: &HtmlCanvasElement, image: &GreyImage, inverted: bool) {
    let turned = if inverted { 255 } else { 0 };
    let greys = image.pixels.iter().map(|grey| grey ^ turned);
    let rgba: Vec<u8> = greys.flat_map(|grey| [grey, grey, grey, 255]).collect();
    paint(canvas, (image.width, image.height), &rgba);
}

/// Paints a map alone, to be laid over the part of a picture that it covers: what is not evidence is transparent.
pub fn paint_layer(
    canvas: &HtmlCanvasElement,
    map: &HeatMap,
    (width, height): (usize, usize),
    look: Look,
) {
    paint(canvas, (width, height), &layer(map, width, height, look));
}

/// Paints a picture with a map on it, as one.
pub fn paint_overlay(
    canvas: &HtmlCanvasElement,
    image: &GreyImage,
    map: &HeatMap,
    region: Region,
    (look, opacity): (Look, f32),
) {
    let rgba = overlay(image, map, region, look, opacity);
    paint(canvas, (image.width, image.height), &rgba);
}

/// Leaves nothing on a canvas.
pub fn clear(canvas: &HtmlCanvasElement) {
    if let Some(context) = context(canvas) {
        let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
        context.clear_rect(0.0, 0.0, width, height);
    }
}

/// Paints red, green, blue and opacity of each pixel, and makes the canvas that size.
pub fn paint(canvas: &HtmlCanvasElement, (width, height): (usize, usize), rgba: &[u8]) {
    let (width, height) = (width as u32, height as u32);
    if canvas.width() != width || canvas.height() != height {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let data = ImageData::new_with_u8_clamped_array(Clamped(rgba), width);
    if let (Some(context), Ok(data)) = (context(canvas), data) {
        // Fails only for an empty picture, and there is none.
        let _ = context.put_image_data(&data, 0.0, 0.0);
    }
}

/// The part of a picture that a map does not cover is worth a word.
pub fn is_cropped(region: Region) -> bool {
    region.width < 0.999 || region.height < 0.999
}
