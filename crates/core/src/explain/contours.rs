//! Contour lines of a map: where it has a fixed share of its largest value. By marching squares (Lorensen and Cline's marching cubes, in the
//! plane), over the map as the colours show it: scaled up bilinearly, its edges replicated.

use super::look::MapKind;
use crate::heat_map::HeatMap;

/// The shares of the largest value that have lines.
pub const SHARES: [f32; 3] = [0.25, 0.5, 0.75];
/// Values along a side of the map that lines are found on, at least: between them lines are straight.
const FEWEST: usize = 112;

/// The lines of one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Contour {
    /// Which of [`SHARES`] it is; negative where the lines are of evidence against.
    pub share: f32,
    pub lines: Vec<Line>,
}

/// One line. It is closed, or begins and ends at the map's border.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Across and down, as shares of what the map covers.
    pub points: Vec<[f32; 2]>,
    pub closed: bool,
}

/// The contour lines of a map: of evidence for from the lowest share up, then of evidence against where the kind shows it. A share without a
/// line is left out.
pub fn contours(map: &HeatMap, kind: MapKind) -> Vec<Contour> {
    // An odd number of values for each cell: one is at its middle, and the map is straight between that and its neighbours.
    let odd = |cells: usize| cells * (FEWEST.div_ceil(cells) | 1);
    let side = |cells: usize| odd(cells.max(1));
    let map = kind.shares(map, side(map.width), side(map.height));
    let signs: &[f32] = match kind {
        MapKind::Positive => &[1.0],
        MapKind::Both => &[1.0, -1.0],
    };
    let all = signs.iter().flat_map(|sign| {
        let nodes = Nodes { map: &map, sign };
        SHARES.map(move |share| Contour {
            share: sign * share,
            lines: nodes.lines(share),
        })
    });
    all.filter(|contour| !contour.lines.is_empty()).collect()
}

/// The map's values, and around them the border, which has the values that are nearest to it.
#[derive(Clone, Copy)]
struct Nodes<'a> {
    map: &'a HeatMap,
    /// The sign of what counts as much.
    sign: &'a f32,
}

/// No edge.
const NONE: usize = usize::MAX;

impl Nodes<'_> {
    fn columns(self) -> usize {
        self.map.width + 2
    }

    fn rows(self) -> usize {
        self.map.height + 2
    }

    fn value(self, row: usize, column: usize) -> f32 {
        let row = row.clamp(1, self.map.height) - 1;
        let column = column.clamp(1, self.map.width) - 1;
        self.sign * self.map.values[row * self.map.width + column]
    }

    /// Two edges begin at each node: one to the right, and one down.
    fn edge(self, row: usize, column: usize, down: bool) -> usize {
        2 * (row * self.columns() + column) + usize::from(down)
    }

    /// Where an edge has a value, as shares of what the map covers.
    fn crossing(self, edge: usize, level: f32) -> [f32; 2] {
        let (row, column) = (edge / 2 / self.columns(), edge / 2 % self.columns());
        let down = edge % 2;
        let (to_row, to_column) = (row + down, column + 1 - down);
        let [from, to] = [self.value(row, column), self.value(to_row, to_column)];
        let share = (level - from) / (to - from);
        let place =
            |node: usize, count: usize| ((node as f32 - 0.5) / count as f32).clamp(0.0, 1.0);
        let between = |from: f32, to: f32| from + (to - from) * share;
        [
            between(
                place(column, self.map.width),
                place(to_column, self.map.width),
            ),
            between(place(row, self.map.height), place(to_row, self.map.height)),
        ]
    }

    /// For each edge that has a value between its ends, the one or two that its line goes on to; and those edges.
    fn links(self, level: f32) -> (Vec<[usize; 2]>, Vec<usize>) {
        let mut links = vec![[NONE; 2]; 2 * self.rows() * self.columns()];
        let mut crossed = Vec::new();
        let mut link = |a: usize, b: usize| {
            for (edge, other) in [(a, b), (b, a)] {
                let [first, second] = &mut links[edge];
                if *first == NONE {
                    crossed.push(edge);
                    *first = other;
                } else {
                    *second = other;
                }
            }
        };
        for row in 0..self.rows() - 1 {
            for column in 0..self.columns() - 1 {
                // Clockwise from the top left, as the edges are from the top.
                let corners = [(0, 0), (0, 1), (1, 1), (1, 0)];
                let values = corners.map(|(down, right)| self.value(row + down, column + right));
                let inside = values.map(|value| value >= level);
                let edges = [
                    self.edge(row, column, false),
                    self.edge(row, column + 1, true),
                    self.edge(row + 1, column, false),
                    self.edge(row, column, true),
                ];
                let mut cut = (0..4).filter(|edge| inside[*edge] != inside[(*edge + 1) % 4]);
                match [cut.next(), cut.next(), cut.next()] {
                    [Some(a), Some(b), None] => link(edges[a], edges[b]),
                    [Some(_), Some(_), Some(_)] => {
                        // A saddle: what the middle is joined to stays in one piece.
                        let middle = values.iter().sum::<f32>() / 4.0 >= level;
                        let [first, second] = match middle == inside[0] {
                            true => [[0, 1], [2, 3]],
                            false => [[3, 0], [1, 2]],
                        };
                        link(edges[first[0]], edges[first[1]]);
                        link(edges[second[0]], edges[second[1]]);
                    }
                    _ => {}
                }
            }
        }
        (links, crossed)
    }

    fn lines(self, level: f32) -> Vec<Line> {
        let (links, crossed) = self.links(level);
        let mut done = vec![false; links.len()];
        let mut lines = Vec::new();
        let at_border = |edge: &usize| links[*edge][1] == NONE;
        // From the border first: what is left then is closed.
        let ends = crossed.iter().filter(|edge| at_border(edge));
        for &start in ends.chain(&crossed) {
            if done[start] {
                continue;
            }
            let mut points = Vec::new();
            let mut next = Some(start);
            while let Some(edge) = next {
                done[edge] = true;
                points.push(self.crossing(edge, level));
                let mut on = links[edge].iter().copied();
                next = on.find(|other| *other != NONE && !done[*other]);
            }
            let closed = !at_border(&start);
            lines.push(Line { points, closed });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of this many cells along a side, from the places of their middles.
    fn map(side: usize, value: impl Fn(f32, f32) -> f32) -> HeatMap {
        let at = |index: usize| (index as f32 + 0.5) / side as f32;
        let values = (0..side * side).map(|cell| value(at(cell % side), at(cell / side)));
        HeatMap::new(side, side, values.collect())
    }

    fn distance(x: f32, y: f32, from: [f32; 2]) -> f32 {
        (x - from[0]).hypot(y - from[1])
    }

    /// The map at a place: bilinear, its edges replicated.
    fn sampled(map: &HeatMap, [x, y]: [f32; 2]) -> f32 {
        let at = |share: f32, side: usize| {
            let at = (share * side as f32 - 0.5).clamp(0.0, (side - 1) as f32);
            let first = (at as usize).min(side - 2);
            (first, at - first as f32)
        };
        let ((column, across), (row, down)) = (at(x, map.width), at(y, map.height));
        let value = |row: usize, column: usize| map.values[row * map.width + column];
        let along =
            |row: usize| value(row, column) * (1.0 - across) + value(row, column + 1) * across;
        along(row) * (1.0 - down) + along(row + 1) * down
    }

    #[test]
    fn the_lines_of_a_cone_are_circles_about_its_tip() {
        // 0 at a distance of 0.4, 1 at the tip, which is the middle of a cell.
        let tip = [22.5 / 57.0, 30.5 / 57.0];
        let cone = map(57, |x, y| 1.0 - distance(x, y, tip) / 0.4);
        let found = contours(&cone, MapKind::Positive);
        assert_eq!(found.len(), SHARES.len());
        for (contour, share) in found.iter().zip(SHARES) {
            assert_eq!(contour.share, share);
            let [line] = contour.lines.as_slice() else {
                panic!("{} lines", contour.lines.len());
            };
            assert!(line.closed);
            let radius = 0.4 * (1.0 - share);
            for point in &line.points {
                let far = distance(point[0], point[1], tip);
                assert!((far - radius).abs() < 0.004, "{share}: {far}, not {radius}");
            }
            // All around, without a gap.
            let twice = line
                .points
                .iter()
                .cycle()
                .zip(line.points.iter().cycle().skip(1));
            let steps = twice.take(line.points.len());
            let lengths = steps.map(|(a, b)| distance(a[0], a[1], *b));
            let (longest, whole) = lengths.fold((0.0f32, 0.0), |(most, sum), length| {
                (most.max(length), sum + length)
            });
            assert!(longest < 2.0 / 112.0, "{longest}");
            let circle = std::f32::consts::TAU * radius;
            assert!((whole - circle).abs() < 0.02 * circle, "{whole} {circle}");
        }
    }

    #[test]
    fn the_map_has_its_contours_share_at_every_point_of_their_lines() {
        // Cells as few as a network's, with hills, a saddle and a slope to the border.
        let cells = map(7, |x, y| (9.0 * x).sin() * (7.0 * y).cos() + 0.4 * x - 0.1);
        for kind in MapKind::ALL {
            let shown = match kind {
                MapKind::Positive => cells.positive(),
                MapKind::Both => cells.clone(),
            };
            let found = contours(&cells, kind);
            assert!(found.len() >= 3, "{kind:?}");
            for contour in &found {
                let level = contour.share * kind.most(&cells);
                for line in &contour.lines {
                    let on_border =
                        |point: &[f32; 2]| point.iter().any(|at| *at < 1e-6 || *at > 1.0 - 1e-6);
                    let [first, last] = [line.points.first(), line.points.last()]
                        .map(|point| point.is_some_and(on_border));
                    assert!(line.closed || (first && last), "a line ends within the map");
                    for point in &line.points {
                        let value = sampled(&shown, *point);
                        assert!((value - level).abs() < 1e-4, "{value}, not {level}");
                    }
                }
            }
        }
    }

    #[test]
    fn evidence_against_has_lines_of_its_own_only_where_both_are_shown() {
        // A hill on the left, and a deeper hole on the right.
        let hill = |x: f32, y: f32, at: [f32; 2]| (1.0 - distance(x, y, at) / 0.2).max(0.0);
        let cells = map(41, |x, y| {
            hill(x, y, [0.25, 0.5]) - 2.0 * hill(x, y, [0.75, 0.5])
        });
        let positive = contours(&cells, MapKind::Positive);
        let all = |found: &[Contour], keep: fn(f32) -> bool| -> Vec<[f32; 2]> {
            let kept = found.iter().filter(|contour| keep(contour.share));
            let lines = kept.flat_map(|contour| &contour.lines);
            lines.flat_map(|line| line.points.clone()).collect()
        };
        assert_eq!(positive.len(), 3);
        assert!(all(&positive, |_| true).iter().all(|point| point[0] < 0.5));
        let both = contours(&cells, MapKind::Both);
        let (supporting, opposing) = (
            all(&both, |share| share > 0.0),
            all(&both, |share| share < 0.0),
        );
        assert!(!supporting.is_empty() && supporting.iter().all(|point| point[0] < 0.5));
        assert!(!opposing.is_empty() && opposing.iter().all(|point| point[0] > 0.5));
        // The scale is of both signs: the hill reaches half of the hole's depth.
        let shares: Vec<f32> = both.iter().map(|contour| contour.share).collect();
        assert!(
            shares.contains(&-0.75) && !shares.contains(&0.75),
            "{shares:?}"
        );
    }

    #[test]
    fn a_flat_map_has_no_lines() {
        for value in [0.0, 1.0, -1.0] {
            for kind in MapKind::ALL {
                assert_eq!(contours(&map(7, |_, _| value), kind), []);
            }
        }
        let none = HeatMap::new(0, 0, Vec::new());
        assert_eq!(contours(&none, MapKind::Both), []);
    }

    #[test]
    fn a_saddle_is_cut_so_that_its_middle_stays_joined() {
        // Two hills at opposite corners: low between them, then high.
        for (low, pieces) in [(0.0, 2), (0.6, 1)] {
            let cells = HeatMap::new(2, 2, vec![1.0, low, low, 1.0]);
            let found = contours(&cells, MapKind::Positive);
            let highest = found.iter().find(|contour| contour.share == 0.75);
            let lines = &highest.expect("a line").lines;
            assert!(lines.iter().all(|line| !line.closed) && lines.len() == 2);
            // Two corners of their own, or a band between two corners that are none.
            let around = |corner: [f32; 2]| {
                lines.iter().any(|line| {
                    let far = line.points.iter().map(|p| distance(p[0], p[1], corner));
                    far.fold(0.0, f32::max) < 0.75
                })
            };
            assert_eq!(around([0.0, 0.0]) && around([1.0, 1.0]), pieces == 2);
            assert_eq!(around([1.0, 0.0]) && around([0.0, 1.0]), pieces == 1);
        }
    }
}
