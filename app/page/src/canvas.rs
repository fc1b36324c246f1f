//! Pixels on a canvas.

use sightline_core::explain::colormap::Colormap;
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::overlay::overlay;
use sightline_core::radiograph::{GreyImage, Region};
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

/// How a map is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub colormap: Colormap,
    pub opacity: f32,
}

/// The canvas's context; `None` if the browser is out of them.
pub fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok().flatten()?.dyn_into().ok()
}

/// Makes the canvas the picture's size and paints it, with a map if there is one.
pub fn paint(canvas: &HtmlCanvasElement, image: &GreyImage, map: Option<(&HeatMap, Region, Look)>) {
    let rgba = match map {
        Some((cells, region, look)) => overlay(image, cells, region, look.colormap, look.opacity),
        None => image
            .pixels
            .iter()
            .flat_map(|grey| [*grey, *grey, *grey, 255])
            .collect(),
    };
    if canvas.width() as usize != image.width || canvas.height() as usize != image.height {
        canvas.set_width(image.width as u32);
        canvas.set_height(image.height as u32);
    }
    let data = ImageData::new_with_u8_clamped_array(Clamped(&rgba), image.width as u32);
    if let (Some(context), Ok(data)) = (context(canvas), data) {
        // Fails only for an empty picture, and there is none.
        let _ = context.put_image_data(&data, 0.0, 0.0);
    }
}

/// The part of a picture that a map does not cover is worth a word.
pub fn is_cropped(region: Region) -> bool {
    region.width < 0.999 || region.height < 0.999
}
