//! Does a map look at the patient?

use std::collections::VecDeque;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::heat_map::HeatMap;
use crate::radiograph::GreyImage;

/// Where a map's positive evidence is.
#[derive(
    Clone, Copy, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Elsewhere {
    /// The share on the dark around the body.
    pub background: f64,
    /// The share on letters and markers.
    pub markers: f64,
}

/// Levels up to this are dark, as a share of the picture's 99th percentile.
const DARK: f32 = 0.08;
/// Levels from this on are bright.
const BRIGHT: f32 = 0.92;
/// Markers are smaller than this share of the picture, and lie in its margin.
const LARGEST_MARKER: f64 = 0.01;
const MARGIN: f64 = 0.2;

/// How much of a map's positive evidence lies where there is no patient: on the dark that reaches the border, or on small
/// bright things in the margin. `None` for a map without evidence for the finding.
pub fn elsewhere(picture: &GreyImage, map: &HeatMap) -> Option<Elsewhere> {
    let (width, height) = (picture.width, picture.height);
    let map = map.positive().upsample(width, height).values;
    let total: f64 = map.iter().map(|v| f64::from(*v)).sum();
    if total <= 0.0 {
        return None;
    }
    let mut sorted = picture.pixels.clone();
    sorted.sort_unstable();
    let white = f32::from(sorted[sorted.len() * 99 / 100]).max(1.0);
    let share = |chosen: &[bool]| {
        let sum = map.iter().zip(chosen).filter(|(_, chosen)| **chosen);
        sum.map(|(v, _)| f64::from(*v)).sum::<f64>() / total
    };

    let dark: Vec<bool> = picture
        .pixels
        .iter()
        .map(|p| f32::from(*p) <= DARK * white)
        .collect();
    let on_border = |i: &usize| {
        let (x, y) = (i % width, i / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let mut background = vec![false; dark.len()];
    for component in components(&dark, width) {
        if component.iter().any(on_border) {
            component.into_iter().for_each(|i| background[i] = true);
        }
    }
    let bright: Vec<bool> = picture
        .pixels
        .iter()
        .map(|p| f32::from(*p) >= BRIGHT * white)
        .collect();
    let in_margin = |i: usize| {
        let (x, y) = (
            (i % width) as f64 / width as f64,
            (i / width) as f64 / height as f64,
        );
        x.min(y).min(1.0 - x).min(1.0 - y) < MARGIN
    };
    let mut markers = vec![false; dark.len()];
    for component in components(&bright, width) {
        let small = component.len() as f64 <= LARGEST_MARKER * dark.len() as f64;
        if small && component.iter().all(|i| in_margin(*i)) {
            component.into_iter().for_each(|i| markers[i] = true);
        }
    }
    Some(Elsewhere {
        background: share(&background),
        markers: share(&markers),
    })
}

/// The pixels of each connected part (by sides) of a mask.
fn components(mask: &[bool], width: usize) -> Vec<Vec<usize>> {
    let mut seen = vec![false; mask.len()];
    let mut parts = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut queue = VecDeque::from([start]);
        let mut part = Vec::new();
        while let Some(at) = queue.pop_front() {
            part.push(at);
            let x = at % width;
            let neighbours = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then(|| at + 1),
                at.checked_sub(width),
                (at + width < mask.len()).then(|| at + width),
            ];
            for next in neighbours.into_iter().flatten() {
                if mask[next] && !seen[next] {
                    seen[next] = true;
                    queue.push_back(next);
                }
            }
        }
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_on_the_dark_and_on_markers_is_found() {
        // A body in the middle, dark around it, a marker in the upper left corner.
        let pixel = |i: usize| match (i % 64, i / 64) {
            (2..=4, 2..=4) => 255,
            (12..52, 8..64) => 140 + (i % 3) as u8,
            _ => 0,
        };
        let mut picture = GreyImage {
            width: 64,
            height: 64,
            pixels: (0..64 * 64).map(pixel).collect(),
        };
        // Something as bright within the body is no marker.
        picture.pixels[30 * 64 + 30] = 255;
        picture.pixels[..64]
            .iter_mut()
            .for_each(|p| *p = (*p).max(1));
        let at = |x: usize, y: usize| {
            let mut values = vec![0.0; 64 * 64];
            values[y * 64 + x] = 1.0;
            elsewhere(&picture, &HeatMap::new(64, 64, values)).expect("evidence")
        };
        assert_eq!(
            at(30, 40),
            Elsewhere {
                background: 0.0,
                markers: 0.0
            }
        );
        assert_eq!(
            at(30, 30),
            Elsewhere {
                background: 0.0,
                markers: 0.0
            }
        );
        assert_eq!(
            at(60, 30),
            Elsewhere {
                background: 1.0,
                markers: 0.0
            }
        );
        assert_eq!(
            at(3, 3),
            Elsewhere {
                background: 0.0,
                markers: 1.0
            }
        );
        assert_eq!(elsewhere(&picture, &HeatMap::new(1, 1, vec![-1.0])), None);
    }
}
