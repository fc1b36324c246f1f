//! The picture with the map on it.

use anyhow::{Context, Result};
use sightline::explain::colormap::Colormap;
use sightline::explain::overlay::overlay;
use sightline::heat_map::HeatMap;
use sightline::radiograph::{GreyImage, Region};

/// How much of the colour covers the picture where the map is at its highest.
const OPACITY: f32 = 0.6;

/// A PNG of the picture, with the map on the region that the network saw.
///
/// # Errors
/// When the PNG cannot be encoded.
pub fn png(image: &GreyImage, map: &HeatMap, region: Region) -> Result<Vec<u8>> {
    let rgba = overlay(image, map, region, Colormap::Inferno, OPACITY);
    let picture = image::RgbaImage::from_raw(image.width as u32, image.height as u32, rgba);
    let picture = picture.context("an overlay has its picture's size")?;
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png)?;
    Ok(png.into_inner())
}
