//! How far a map and a mark lie over each other.

use super::tables::Rectangle;

/// Maps and marks are compared on a grid of this side over the whole picture.
pub const SIDE: usize = 224;

/// Which pixels of the grid are in one of the rectangles, by their middles in shares of the picture's width and height.
pub fn grid(rectangles: &[Rectangle]) -> Vec<bool> {
    let middle = |index: usize| (index as f64 + 0.5) / SIDE as f64;
    let marked = (0..SIDE * SIDE).map(|place| {
        let (x, y) = (middle(place % SIDE), middle(place / SIDE));
        rectangles.iter().any(|rectangle| rectangle.contains(x, y))
    });
    marked.collect()
}

/// Where the map is highest; of a plateau, such as a region of LIME, the pixel nearest to its middle. `None` for a
/// map that is 0 everywhere.
pub fn peak(map: &[f32]) -> Option<usize> {
    let most = map.iter().copied().fold(0.0, f32::max);
    if most == 0.0 {
        return None;
    }
    let places: Vec<usize> = (0..map.len()).filter(|place| map[*place] == most).collect();
    let mean = |coordinate: fn(usize) -> usize| {
        let sum: usize = places.iter().map(|place| coordinate(*place)).sum();
        sum as f64 / places.len() as f64
    };
    let (x, y) = (mean(|place| place % SIDE), mean(|place| place / SIDE));
    let distance =
        |place: &usize| ((place % SIDE) as f64 - x).powi(2) + ((place / SIDE) as f64 - y).powi(2);
    places
        .iter()
        .copied()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// Otsu's threshold (1979) over 256 levels between 0 and the maximum.
pub fn otsu(map: &[f32]) -> f32 {
    const LEVELS: usize = 256;
    let most = map.iter().copied().fold(0.0, f32::max);
    if most == 0.0 {
        return 0.0;
    }
    let mut counts = [0.0; LEVELS];
    for value in map {
        counts[((value / most * LEVELS as f32) as usize).min(LEVELS - 1)] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    let moment: f64 = counts
        .iter()
        .enumerate()
        .map(|(level, count)| level as f64 * count)
        .sum();
    let (mut below, mut moment_below) = (0.0, 0.0);
    let mut best = (f64::NEG_INFINITY, 0);
    for (level, count) in counts.iter().enumerate().take(LEVELS - 1) {
        below += count;
        moment_below += level as f64 * count;
        let above = total - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let between = moment_below / below - (moment - moment_below) / above;
        let variance = below * above * between * between;
        if variance > best.0 {
            best = (variance, level + 1);
        }
    }
    best.1 as f32 / LEVELS as f32 * most
}

/// Intersection over union of the marks and just as much of the map, its highest values. Of values that are equal, such as a region of LIME
/// or the part without evidence, as many as are wanted: which ones is chance, so each counts by its share.
pub fn iou_of_same_area(map: &[f32], marks: &[bool]) -> f64 {
    let area = marks.iter().filter(|marked| **marked).count();
    if area == 0 {
        return 0.0;
    }
    let mut sorted = map.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let threshold = sorted[area - 1];
    let above = map.iter().filter(|value| **value > threshold).count();
    let ties = map.iter().filter(|value| **value == threshold).count();
    let share = (area - above) as f64 / ties as f64;
    let both = map.iter().zip(marks).filter(|(_, marked)| **marked);
    let both = both.map(|(value, _)| match value {
        value if *value > threshold => 1.0,
        value if *value == threshold => share,
        _ => 0.0,
    });
    let both: f64 = both.sum();
    both / (2.0 * area as f64 - both)
}

/// Intersection over union of the marks and what of the map is above 0 and not below the threshold.
pub fn iou(map: &[f32], threshold: f32, marks: &[bool]) -> f64 {
    let (mut both, mut either) = (0.0, 0.0);
    for (value, marked) in map.iter().zip(marks) {
        let shown = *value > 0.0 && *value >= threshold;
        both += f64::from(u8::from(shown && *marked));
        either += f64::from(u8::from(shown || *marked));
    }
    if either == 0.0 { 0.0 } else { both / either }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(left: usize, top: usize, side: usize) -> Vec<bool> {
        let inside = |place: usize| {
            let (x, y) = (place % SIDE, place / SIDE);
            (left..left + side).contains(&x) && (top..top + side).contains(&y)
        };
        (0..SIDE * SIDE).map(inside).collect()
    }

    fn map_of(marks: &[bool], value: f32) -> Vec<f32> {
        marks
            .iter()
            .map(|marked| if *marked { value } else { 0.0 })
            .collect()
    }

    #[test]
    fn a_map_that_is_the_mark_hits_it_and_covers_it() {
        let mark = square(20, 40, 30);
        let map = map_of(&mark, 0.7);
        assert!(mark[peak(&map).expect("a peak")]);
        assert_eq!(iou(&map, otsu(&map), &mark), 1.0);
        assert_eq!(iou_of_same_area(&map, &mark), 1.0);
        // Of a plateau the middle.
        assert_eq!(peak(&map), Some(54 * SIDE + 34));
    }

    #[test]
    fn half_beside_the_mark_is_a_third() {
        let map = map_of(&square(20, 40, 30), 1.0);
        let half = square(35, 40, 30);
        assert!((iou(&map, otsu(&map), &half) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_map_without_evidence_hits_nothing() {
        let mark = square(0, 0, SIDE);
        let map = vec![0.0; SIDE * SIDE];
        assert_eq!(peak(&map), None);
        assert_eq!(iou(&map, otsu(&map), &mark), 0.0);
    }

    #[test]
    fn of_a_plateau_as_much_counts_as_the_mark_covers() {
        // A plateau of four times the mark's area around it: a quarter of it is taken, wherever the plateau begins.
        let (mark, plateau) = (square(40, 40, 20), square(30, 30, 40));
        let share = |map: &[f32]| iou_of_same_area(map, &mark);
        let expected = 0.25 / 1.75;
        assert!((share(&map_of(&plateau, 0.5)) - expected).abs() < 1e-12);
        // What is higher comes first, and the plateau gives the rest.
        let mut map = map_of(&plateau, 0.5);
        for (value, top) in map.iter_mut().zip(square(40, 40, 10)) {
            *value += f32::from(top);
        }
        let both = 100.0 + 300.0 * (300.0 / 1500.0);
        assert!((share(&map) - both / (800.0 - both)).abs() < 1e-12);
        // A map that marks nothing is as good as chance.
        let chance = 400.0 / (SIDE * SIDE) as f64;
        let nothing = share(&[0.0; SIDE * SIDE]);
        assert!(
            (nothing - chance / (2.0 - chance)).abs() < 1e-12,
            "{nothing}"
        );
        assert_eq!(iou_of_same_area(&map, &[false; SIDE * SIDE]), 0.0);
    }

    #[test]
    fn otsu_lies_between_two_heaps() {
        let mut map = vec![0.1; SIDE * SIDE];
        map[..5000].fill(0.9);
        let threshold = otsu(&map);
        assert!(threshold > 0.1 && threshold <= 0.9, "{threshold}");
    }
}
