//! A map laid over its radiograph.

use super::look::Look;
use crate::heat_map::HeatMap;
use crate::radiograph::{GreyImage, Region};

/// The picture with evidence on it, as RGBA bytes.
///
/// A colour stands for the evidence's share of its largest value. Where there is none the picture shows through, and
/// `opacity` (0..1) is how much the colour covers at the maximum.
pub fn overlay(
    image: &GreyImage,
    evidence: &HeatMap,
    region: Region,
    look: impl Into<Look>,
    opacity: f32,
) -> Vec<u8> {
    let look = look.into();
    let part = |start: f64, length: f64, side: usize| {
        let first = ((start * side as f64).round().max(0.0) as usize).min(side - 1);
        let length = ((length * side as f64).round() as usize).clamp(1, side - first);
        (first, length)
    };
    let (left, width) = part(region.x, region.width, image.width);
    let (top, height) = part(region.y, region.height, image.height);
    let map = look.kind.shares(evidence, width, height);
    let palette = palette(look);
    let mut rgba = Vec::with_capacity(image.pixels.len() * 4);
    for (index, &grey) in image.pixels.iter().enumerate() {
        let (x, y) = (index % image.width, index / image.width);
        let inside = x >= left && y >= top && x < left + width && y < top + height;
        let heat = match inside {
            true => map.values[(y - top) * width + x - left],
            false => 0.0,
        };
        let color = palette[place(heat)];
        let cover = opacity * cover(heat);
        let mix = |c: u8| (f32::from(grey) * (1.0 - cover) + f32::from(c) * cover) as u8;
        rgba.extend_from_slice(&[mix(color[0]), mix(color[1]), mix(color[2]), 255]);
    }
    rgba
}

/// A map alone, as RGBA bytes of `width * height` pixels: laid over what it covers of a picture with some opacity, it gives what [`overlay`] gives.
pub fn layer(evidence: &HeatMap, width: usize, height: usize, look: impl Into<Look>) -> Vec<u8> {
    let look = look.into();
    let map = look.kind.shares(evidence, width, height);
    let palette = palette(look);
    let mut rgba = Vec::with_capacity(map.values.len() * 4);
    for heat in map.values {
        let [r, g, b] = palette[place(heat)];
        rgba.extend_from_slice(&[r, g, b, (255.0 * cover(heat)).round() as u8]);
    }
    rgba
}

/// How many colours there are of each sign.
const LEVELS: i32 = 255;

/// The colours of shares from -1 to 1.
fn palette(look: Look) -> Vec<[u8; 3]> {
    let levels = -LEVELS..=LEVELS;
    levels
        .map(|level| look.rgb(level as f32 / LEVELS as f32))
        .collect()
}

/// Where in the palette the colour of a share is.
fn place(share: f32) -> usize {
    (LEVELS + (share * LEVELS as f32) as i32).clamp(0, 2 * LEVELS) as usize
}

/// How much a colour covers: faint evidence is faint, and from half of the largest value on it is full.
pub fn cover(share: f32) -> f32 {
    (2.0 * share.abs()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::colormap::Colormap;
    use crate::explain::look::MapKind;

    const BOTH: Look = Look {
        kind: MapKind::Both,
        colormap: Colormap::Inferno,
    };

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
        let inferno = Look::from(Colormap::Inferno);
        for (look, opacity) in [(inferno, 0.0), (inferno, 0.35), (inferno, 1.0), (BOTH, 0.6)] {
            let one = overlay(&image, &map, WHOLE, look, opacity);
            let layer = layer(&map, 16, 12, look);
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

    #[test]
    fn both_shows_evidence_against_in_another_hue_and_scales_both_signs_alike() {
        let pixel = |map: Vec<f32>, look: Look, at: usize| {
            let map = HeatMap::new(3, 1, map);
            let shown = layer(&map, 3, 1, look);
            let pixel: [u8; 4] = std::array::from_fn(|channel| shown[4 * at + channel]);
            pixel
        };
        let signed = || vec![1.0, 0.0, -2.0];
        let [for_it, nothing, against] = [0, 1, 2].map(|at| pixel(signed(), BOTH, at));
        assert_eq!(nothing[3], 0, "what is no evidence is transparent");
        assert_eq!((for_it[3], against[3]), (255, 255));
        assert!(for_it[0] > for_it[2] && against[2] > against[0]);
        // Half of the largest value, whatever its sign, is half of the scale.
        assert_eq!(for_it[..3], BOTH.rgb(127.0 / 255.0));
        let turned = vec![-1.0, 0.0, 2.0];
        assert_eq!(pixel(turned, BOTH, 0)[..3], BOTH.rgb(-127.0 / 255.0));
        // The other kind shows nothing of it.
        assert_eq!(pixel(signed(), Colormap::Inferno.into(), 2)[3], 0);
        let empty = layer(&HeatMap::new(3, 1, vec![0.0; 3]), 3, 1, BOTH);
        assert!(empty.chunks(4).all(|pixel| pixel[3] == 0));
    }
}
