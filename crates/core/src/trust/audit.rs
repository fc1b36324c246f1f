//! A map held to account: what it credits a place with, and what the logit falls by when the place is erased.

use super::erase::{Spot, covered};
use crate::explain::account::signed;
use crate::heat_map::HeatMap;
use crate::radiograph::Region;

/// What a map credits an erased place with, and the logit with and without the place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audit {
    pub credit: f64,
    pub before: f64,
    pub after: f64,
}

/// The figures of an audit with three decimals: the differences are those of the numbers as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub credit: String,
    pub before: String,
    pub after: String,
    /// What the logit falls by.
    pub fall: String,
    /// The credit less the fall.
    pub gap: String,
}

impl Audit {
    pub fn written(&self) -> Written {
        let [credit, before, after] =
            [self.credit, self.before, self.after].map(|logits| (1000.0 * logits).round() as i64);
        let fall = before - after;
        Written {
            credit: signed(credit),
            before: signed(before),
            after: signed(after),
            fall: signed(fall),
            gap: signed(credit - fall),
        }
    }
}

/// The sum of a map's cells, each weighted by the share of its pixels that lie under spots: those that [`erase`](super::erase::erase)
/// fills. The map covers the network's view, which is `side` pixels wide and high and shows `region` of a picture of this `aspect`, its width
/// over its height.
pub fn credit(cells: &HeatMap, side: usize, region: Region, aspect: f32, spots: &[Spot]) -> f64 {
    let count = cells.values.len();
    let (mut hidden, mut all) = (vec![0.0; count], vec![0.0; count]);
    let cell = |pixel: usize, cells: usize| (2 * pixel + 1) * cells / (2 * side);
    for (pixel, covered) in covered((side, side), region, aspect, spots)
        .into_iter()
        .enumerate()
    {
        let (row, column) = (pixel / side, pixel % side);
        let at = cell(row, cells.height) * cells.width + cell(column, cells.width);
        all[at] += 1.0;
        if covered {
            hidden[at] += 1.0;
        }
    }
    let shares = hidden
        .iter()
        .zip(&all)
        .map(|(hidden, all)| hidden / f64::max(*all, 1.0));
    let parts = cells.values.iter().zip(shares);
    parts.map(|(value, share)| f64::from(*value) * share).sum()
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

    fn spot(x: f32, y: f32, radius: f32) -> Spot {
        Spot { x, y, radius }
    }

    fn cells() -> HeatMap {
        HeatMap::new(7, 7, (0..49).map(|cell| cell as f32 - 20.0).collect())
    }

    #[test]
    fn everything_is_credited_with_all_cells_and_nothing_with_none() {
        let all = credit(&cells(), 224, WHOLE, 1.0, &[spot(0.5, 0.5, 2.0)]);
        assert!(
            (all - (48.0 * 49.0 / 2.0 - 20.0 * 49.0)).abs() < 1e-9,
            "{all}"
        );
        assert_eq!(credit(&cells(), 224, WHOLE, 1.0, &[]), 0.0);
        // A place that the network does not see.
        let right = Region {
            x: 0.5,
            width: 0.5,
            ..WHOLE
        };
        let beyond = credit(&cells(), 224, right, 1.0, &[spot(0.2, 0.5, 0.1)]);
        assert_eq!(beyond, 0.0);
    }

    #[test]
    fn a_cell_counts_by_the_share_of_its_area_and_no_place_counts_twice() {
        let pi = std::f64::consts::PI;
        // A disc within one cell of four: 0.1 of the side, of a cell of 0.5.
        let quarters = HeatMap::new(2, 2, vec![0.0, 8.0, 0.0, 0.0]);
        let inside = spot(0.75, 0.25, 0.1);
        let share = pi * 0.01 / 0.25;
        let one = credit(&quarters, 448, WHOLE, 1.0, &[inside]);
        assert!((one - 8.0 * share).abs() < 0.01, "{one}");
        assert_eq!(credit(&quarters, 448, WHOLE, 1.0, &[inside; 3]), one);
        // In the middle of four cells, a quarter of it lies in each.
        let signed = HeatMap::new(2, 2, vec![8.0, -4.0, 2.0, -1.0]);
        let middle = credit(&signed, 448, WHOLE, 1.0, &[spot(0.5, 0.5, 0.1)]);
        assert!((middle - 5.0 * share / 4.0).abs() < 0.01, "{middle}");
        // Of a picture twice as wide as high, the radius is a share of the width: of the height it is twice as much.
        let wide = credit(&quarters, 448, WHOLE, 2.0, &[inside]);
        assert!((wide - 2.0 * one).abs() < 0.02, "{wide}");
        // The network sees the right half: a disc of 0.1 of the width is one of 0.2 across in its view, and lies in the upper left cell.
        let right = Region {
            x: 0.5,
            width: 0.5,
            ..WHOLE
        };
        let left = HeatMap::new(2, 2, vec![8.0, 0.0, 0.0, 0.0]);
        let stretched = credit(&left, 448, right, 1.0, &[spot(0.625, 0.25, 0.1)]);
        assert!((stretched - 2.0 * one).abs() < 0.02, "{stretched}");
    }

    #[test]
    fn cells_that_do_not_divide_the_view_are_still_all_of_it() {
        // 10 pixels, 4 cells: 2 or 3 pixels each.
        let uneven = HeatMap::new(4, 4, vec![1.0; 16]);
        let all = credit(&uneven, 10, WHOLE, 1.0, &[spot(0.5, 0.5, 2.0)]);
        assert_eq!(all, 16.0);
        // More cells than pixels: those without a pixel are credited with nothing.
        let fine = HeatMap::new(4, 4, vec![1.0; 16]);
        assert_eq!(credit(&fine, 2, WHOLE, 1.0, &[spot(0.5, 0.5, 2.0)]), 4.0);
    }

    #[test]
    fn the_gap_is_the_difference_of_the_numbers_that_are_shown() {
        let audit = Audit {
            credit: 0.8124,
            before: 1.2036,
            after: 0.8005,
        };
        let written = audit.written();
        assert_eq!(written.credit, "+0.812");
        assert_eq!((&*written.before, &*written.after), ("+1.204", "+0.801"));
        assert_eq!((&*written.fall, &*written.gap), ("+0.403", "+0.409"));
        let rises = Audit {
            credit: -0.25,
            before: -1.0,
            after: -0.5,
        };
        let written = rises.written();
        assert_eq!((&*written.fall, &*written.gap), ("-0.500", "+0.250"));
    }
}
