//! Do two maps say the same, and does a map look at the patient?

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::explain::heat_map::HeatMap;
use crate::radiograph::GreyImage;

/// Maps are compared on a grid of this side.
const SIDE: usize = 28;
/// The part of a map that counts as its top.
const TOP: f64 = 0.2;

/// How far two maps agree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Spearman's, over the whole picture: 1 the same order, 0 none; `None` where a map is the same everywhere.
    pub rank_correlation: Option<f64>,
    /// The share of one map's top fifth that is in the other's, too; 0.2 by chance.
    pub top_overlap: f64,
}

/// Compares two maps of the same picture.
pub fn agreement(a: &HeatMap, b: &HeatMap) -> Agreement {
    let (a, b) = (a.upsample(SIDE, SIDE).values, b.upsample(SIDE, SIDE).values);
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
    let top = |values: &[f32]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let count = (TOP * values.len() as f64).round() as usize;
        let least = sorted[count - 1];
        values
            .iter()
            .map(|value| *value >= least)
            .collect::<Vec<bool>>()
    };
    let (top_a, top_b) = (top(&a), top(&b));
    let both = top_a.iter().zip(&top_b).filter(|(a, b)| **a && **b).count();
    let larger = [&top_a, &top_b].map(|top| top.iter().filter(|t| **t).count());
    Agreement {
        rank_correlation: rank_correlation(&wide(&a), &wide(&b)),
        top_overlap: both as f64 / larger[0].max(larger[1]) as f64,
    }
}

/// Spearman's rank correlation; ties have their mean rank. `None` where one side is the same everywhere.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (mid_ranks(a), mid_ranks(b));
    let middle = (a.len() as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - middle) * (b - middle))
            .sum()
    };
    let spread = (product(&a, &a) * product(&b, &b)).sqrt();
    (spread > 0.0).then(|| product(&a, &b) / spread)
}

fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for ties in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = before as f64 + (ties.len() as f64 + 1.0) / 2.0;
        for place in ties {
            ranks[*place] = rank;
        }
        before += ties.len();
    }
    ranks
}

/// Where a map's positive evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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

    fn map(value: impl Fn(usize, usize) -> f32) -> HeatMap {
        HeatMap::new(7, 7, (0..49).map(|i| value(i % 7, i / 7)).collect())
    }

    #[test]
    fn a_map_agrees_with_itself_and_not_with_its_opposite() {
        let slope = map(|x, y| (3 * x + y) as f32);
        let same = agreement(&slope, &slope);
        assert!(
            (same.rank_correlation.expect("it varies") - 1.0).abs() < 1e-12
                && same.top_overlap == 1.0
        );
        let opposite = agreement(&slope, &map(|x, y| -((3 * x + y) as f32)));
        assert!((opposite.rank_correlation.expect("it varies") + 1.0).abs() < 1e-9);
        assert_eq!(opposite.top_overlap, 0.0);
        assert_eq!(agreement(&slope, &map(|_, _| 1.0)).rank_correlation, None);
    }

    #[test]
    fn ranks_of_ties_are_their_mean() {
        assert_eq!(mid_ranks(&[5.0, 1.0, 5.0, 0.0]), [3.5, 2.0, 3.5, 1.0]);
    }

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
