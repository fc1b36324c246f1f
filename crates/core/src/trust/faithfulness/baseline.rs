//! What a map must beat: maps that know nothing of what the network looks at.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use crate::heat_map::HeatMap;

/// Blots are drawn on a grid of this side: fine enough for their order to be round.
const BLOT_SIDE: usize = 56;
/// How far a blot's centre lies from the middle: the standard deviation along each side, as a share of it.
const SPREAD: f64 = 0.1;

/// The map laid elsewhere: mirrored, turned and shifted by whole cells around the edges, each way as likely as the other. So it has the
/// map's values and its smoothness, and what it marks has nothing to do with the picture.
pub(super) fn moved(map: &HeatMap, random: &mut ChaCha8Rng) -> HeatMap {
    let (width, height) = (map.width, map.height);
    // Only a square can be turned.
    let turns = if width == height { 8 } else { 4 };
    let ways = width * height * turns;
    // Way 0 would leave the map where it is.
    let way = match ways {
        0..2 => 0,
        _ => 1 + below(ways - 1, random),
    };
    let (turn, right, down) = (way % turns, way / turns % width, way / turns / width);
    let value = |cell: usize| {
        let (mut x, mut y) = (
            (cell % width + right) % width,
            (cell / width + down) % height,
        );
        if turn & 1 == 1 {
            x = width - 1 - x;
        }
        if turn & 2 == 2 {
            y = height - 1 - y;
        }
        if turn & 4 == 4 {
            (x, y) = (y, x);
        }
        map.values[y * width + x]
    };
    HeatMap::new(width, height, (0..width * height).map(value).collect())
}

/// A round blot about the middle of the picture, where most of what a radiograph shows lies.
pub(super) fn blot(random: &mut ChaCha8Rng) -> HeatMap {
    let mut centre = || 0.5 + SPREAD * normal(random);
    let (across, down) = (centre(), centre());
    let middle = |cell: usize| (cell as f64 + 0.5) / BLOT_SIDE as f64;
    let value = |cell: usize| {
        let (x, y) = (middle(cell % BLOT_SIDE), middle(cell / BLOT_SIDE));
        -((x - across).powi(2) + (y - down).powi(2)) as f32
    };
    let values = (0..BLOT_SIDE * BLOT_SIDE).map(value);
    HeatMap::new(BLOT_SIDE, BLOT_SIDE, values.collect())
}

/// A number below `end`; of 2^64 draws, hardly one more for one number than for another.
fn below(end: usize, random: &mut ChaCha8Rng) -> usize {
    (random.next_u64() % end as u64) as usize
}

/// A value of the normal distribution (Box and Muller).
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let mut uniform = || (f64::from(random.next_u32()) + 0.5) / 2f64.powi(32);
    let (a, b) = (uniform(), uniform());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn a_moved_map_has_the_same_values_in_other_places() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for (width, height) in [(7, 7), (3, 5)] {
            let values = (0..width * height).map(|cell| cell as f32);
            let map = HeatMap::new(width, height, values.collect());
            for _ in 0..200 {
                let other = moved(&map, &mut random);
                let mut sorted = other.values.clone();
                sorted.sort_by(f32::total_cmp);
                assert_eq!(sorted, map.values);
                assert_ne!(other.values, map.values);
            }
        }
        let cell = HeatMap::new(1, 1, vec![3.0]);
        assert_eq!(moved(&cell, &mut random), cell);
    }

    #[test]
    fn a_map_is_moved_to_every_place_equally_often() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let mut map = HeatMap::new(4, 4, vec![0.0; 16]);
        map.values[5] = 1.0;
        let mut counts = [0; 16];
        for _ in 0..16_000 {
            let other = moved(&map, &mut random);
            counts[other.values.iter().position(|v| *v == 1.0).expect("kept")] += 1;
        }
        assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
    }

    #[test]
    fn blots_lie_about_the_middle() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let peak = |map: HeatMap| {
            let highest = |a: &usize, b: &usize| map.values[*a].total_cmp(&map.values[*b]);
            let cell = (0..map.values.len()).max_by(highest).expect("cells");
            let at = |index: usize| (index as f64 + 0.5) / BLOT_SIDE as f64;
            (at(cell % BLOT_SIDE), at(cell / BLOT_SIDE))
        };
        let peaks = (0..400).map(|_| peak(blot(&mut random)));
        let peaks: Vec<(f64, f64)> = peaks.collect();
        let mean = |of: fn(&(f64, f64)) -> f64| peaks.iter().map(of).sum::<f64>() / 400.0;
        assert!((mean(|p| p.0) - 0.5).abs() < 0.02 && (mean(|p| p.1) - 0.5).abs() < 0.02);
        let near = |p: &&(f64, f64)| (p.0 - 0.5).hypot(p.1 - 0.5) < 2.5 * SPREAD;
        assert!(peaks.iter().filter(near).count() > 360);
    }
}
