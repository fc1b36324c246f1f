//! A map laid over its radiograph.

use super::colormap::Colormap;
use crate::heat_map::HeatMap;
use crate::radiograph::{GreyImage, Region};

/// The picture with the positive evidence on it, as RGBA bytes.
///
/// A colour stands for the evidence's share of its maximum. Where there is none the picture shows through, and
/// `opacity` (0..1) is how much the colour covers at the maximum.
pub fn overlay(
    image: &GreyImage,
    evidence: &HeatMap,
    region: Region,
    colormap: Colormap,
    opacity: f32,
) -> Vec<u8> {
    let part = |start: f64, length: f64, side: usize| {
        let first = ((start * side as f64).round().max(0.0) as usize).min(side - 1);
        let length = ((length * side as f64).round() as usize).clamp(1, side - first);
        (first, length)
    };
    let (left, width) = part(region.x, region.width, image.width);
    let (top, height) = part(region.y, region.height, image.height);
    let most = evidence.max();
    let map = evidence.positive().upsample(width, height);
    let palette = palette(colormap);
    let mut rgba = Vec::with_capacity(image.pixels.len() * 4);
    for (index, &grey) in image.pixels.iter().enumerate() {
        let (x, y) = (index % image.width, index / image.width);
        let inside = x >= left && y >= top && x < left + width && y < top + height;
        let heat = if inside && most > 0.0 {
            map.values[(y - top) * width + x - left] / most
        } else {
            0.0
        };
        let color = palette[(heat * 255.0) as usize];
        let cover = opacity * cover(heat);
        let mix = |c: u8| (f32::from(grey) * (1.0 - cover) + f32::from(c) * cover) as u8;
        rgba.extend_from_slice(&[mix(color[0]), mix(color[1]), mix(color[2]), 255]);
    }
    rgba
}

/// A map alone, as RGBA bytes of `width * height` pixels: laid over what it covers of a picture with some opacity, it gives what [`overlay`] gives.
pub fn layer(evidence: &HeatMap, width: usize, height: usize, colormap: Colormap) -> Vec<u8> {
    let most = evidence.max();
    let map = evidence.positive().upsample(width, height);
    let palette = palette(colormap);
    let mut rgba = Vec::with_capacity(map.values.len() * 4);
    for value in map.values {
        let heat = if most > 0.0 { value / most } else { 0.0 };
        let [r, g, b] = palette[(heat * 255.0) as usize];
        rgba.extend_from_slice(&[r, g, b, (255.0 * cover(heat)).round() as u8]);
    }
    rgba
}

fn palette(colormap: Colormap) -> Vec<[u8; 3]> {
    let levels = 0..=255;
    levels
        .map(|level| colormap.rgb(level as f32 / 255.0))
        .collect()
}

/// How much a colour covers: faint evidence is faint, and from half of the maximum on it is full.
fn cover(heat: f32) -> f32 {
    (2.0 * heat).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Region = Region {
        x: 0.0,
        y: 0.0,
        width: 1.0,
        height: 1.0,
    };

    #[test]
    fn without_evidence_or_opacity_the_picture_is_untouched() {
        let image = GreyImage {
            width: 4,
            height: 2,
            pixels: vec![9, 50, 100, 150, 200, 250, 255, 0],
        };
        let expected: Vec<u8> = image
            .pixels
            .iter()
            .flat_map(|g| [*g, *g, *g, 255])
            .collect();
        let empty = HeatMap::new(2, 2, vec![-1.0; 4]);
        assert_eq!(
            overlay(&image, &empty, WHOLE, Colormap::Inferno, 1.0),
            expected
        );
        let full = HeatMap::new(2, 2, vec![1.0; 4]);
        assert_eq!(
            overlay(&image, &full, WHOLE, Colormap::Inferno, 0.0),
            expected
        );
    }

    #[test]
    fn the_map_covers_only_the_region_that_the_network_saw() {
        let image = GreyImage {
            width: 8,
            height: 8,
            pixels: vec![100; 64],
        };
        let whole = HeatMap::new(1, 1, vec![1.0]);
        let corner = HeatMap::new(2, 2, vec![1.0, 0.0, 0.0, 0.0]);
        let middle = Region {
            x: 0.25,
            y: 0.25,
            width: 0.5,
            height: 0.5,
        };
        let [whole, corner] =
            [whole, corner].map(|map| overlay(&image, &map, middle, Colormap::Jet, 1.0));
        let coloured =
            |shown: &[u8], x: usize, y: usize| shown[(y * 8 + x) * 4..][..3] != [100, 100, 100];
        assert!(coloured(&whole, 2, 2) && coloured(&whole, 5, 5));
        for (x, y) in [(1, 2), (2, 1), (6, 5), (5, 6)] {
            assert!(!coloured(&whole, x, y), "{x}, {y}");
        }
        // Neither mirrored nor turned.
        assert!(coloured(&corner, 2, 2));
        for (x, y) in [(5, 2), (2, 5), (5, 5)] {
            assert!(!coloured(&corner, x, y), "{x}, {y}");
        }
    }

    #[test]
    fn a_layer_laid_over_the_picture_is_the_overlay() {
        let image = GreyImage {
            width: 16,
            height: 12,
            pixels: (0..192).map(|place| (place % 251) as u8).collect(),
        };
        let map = HeatMap::new(2, 2, vec![1.0, -0.5, 0.3, 0.0]);
        for opacity in [0.0, 0.35, 1.0] {
            let one = overlay(&image, &map, WHOLE, Colormap::Inferno, opacity);
            let layer = layer(&map, 16, 12, Colormap::Inferno);
            for (place, (one, layer)) in one.chunks(4).zip(layer.chunks(4)).enumerate() {
                let cover = opacity * f32::from(layer[3]) / 255.0;
                for channel in 0..3 {
                    let mixed = f32::from(image.pixels[place]) * (1.0 - cover)
                        + f32::from(layer[channel]) * cover;
                    assert!(
                        (mixed - f32::from(one[channel])).abs() < 2.0,
                        "{place}: {mixed} {one:?}"
                    );
                }
            }
        }
    }
}
