//! Occlusion (Zeiler and Fergus, ECCV 2014): a window slides over the picture, and what it hides is worth what the score falls by.
//!
//! As captum computes it: along a side of n cells there are `ceil((n - window) / stride) + 1` windows, the last cut at the edge. A cell's value is the
//! mean, over all windows that cover it, of the score with nothing hidden less the score with the window hidden.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::Explain;
use super::fill::Fill;
use crate::asked::{Asked, Progress, Scored, Step, Wants};
use crate::heat_map::HeatMap;
use crate::output::Output;
use crate::pictures::Pictures;
use crate::radiograph::Input;
use crate::view::View;

/// In cells of a grid over the network's view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "OcclusionOptions"))]
pub struct Options {
    /// Cells along each side; 1 to [`Options::FINEST`].
    pub grid: usize,
    /// Side of the window, in cells; 1 to `grid`.
    pub window: usize,
    /// How far the window moves, in cells; 1 to `window`, so that every cell is covered.
    pub stride: usize,
    /// What hidden pixels become.
    pub fill: Fill,
}

impl Options {
    /// Finer grids take as long as there are windows, and show nothing that a network of 7 by 7 cells could tell.
    pub const FINEST: usize = 56;

    /// The nearest options that make sense.
    fn sound(self) -> Self {
        let grid = self.grid.clamp(1, Self::FINEST);
        let window = self.window.clamp(1, grid);
        Self {
            grid,
            window,
            stride: self.stride.clamp(1, window),
            fill: self.fill,
        }
    }

    /// Windows along a side.
    fn windows(&self) -> usize {
        (self.grid - self.window).div_ceil(self.stride) + 1
    }

    /// Windows in all.
    fn total(&self) -> usize {
        self.windows().pow(2)
    }

    /// The cells along a side that a window covers.
    fn covered(&self, window: usize) -> std::ops::Range<usize> {
        let start = window * self.stride;
        start..(start + self.window).min(self.grid)
    }
}

impl Default for Options {
    /// Windows of a seventh of the side, half of it apart: 169 pictures.
    fn default() -> Self {
        Self {
            grid: 14,
            window: 2,
            stride: 1,
            fill: Fill::PictureMean,
        }
    }
}

/// The maps, as far as windows were scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Occlusion"))]
pub struct Explanation {
    pub options: Options,
    /// Windows that were scored.
    pub windows: usize,
    /// In the order of the manifest's findings; `None` for those that were not trained. How much the score falls where a cell is hidden.
    pub maps: Vec<Option<HeatMap>>,
}

impl Explain for Explanation {
    const NAME: &'static str = "occlusion";
    const TITLE: &'static str = "Occlusion";
    const SHOWS: &'static str = "where hiding a part lowers the score of";
    const UNIT: &'static str = "taken from the score by hiding a window there";

    type Options = Options;
    type Job = Occlusion;

    fn start(view: &View, input: &Input, options: Options) -> Occlusion {
        let hidden = options.fill.levels(&view.square, |_| 0, 1);
        let hidden = input.normalise_levels(&hidden);
        Occlusion::new(input.normalise(&view.square), hidden, input.size, options)
    }

    fn start_again(&self, view: &View, input: &Input) -> Result<Occlusion, String> {
        let total = self.options.clone().sound().total();
        if self.windows > total {
            return Err(format!(
                "it contradicts itself: {} windows of at most {total}",
                self.windows
            ));
        }
        let mut occlusion = Self::start(view, input, self.options.clone());
        occlusion.ends_at = Some(1 + self.windows);
        Ok(occlusion)
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn is_complete(&self, options: &Options) -> bool {
        self.windows == options.clone().sound().total()
    }

    fn map(&self, output: Output) -> Option<HeatMap> {
        self.maps.get(output.0)?.clone()
    }

    fn said(&self, _: Output) -> String {
        let total = self.options.clone().sound().total();
        match self.windows == total {
            true => format!("{total} windows were hidden, one after the other."),
            false => format!("{} of {total} windows are scored so far.", self.windows),
        }
    }
}

/// Windows that are being scored.
#[derive(Debug)]
pub struct Occlusion {
    options: Options,
    /// Height and width of the network's input.
    side: usize,
    /// The whole picture, and the picture with everything hidden, as the network takes them.
    shown: Vec<f32>,
    hidden: Vec<f32>,
    /// Pictures that were given: the whole one, then window by window, row by row.
    given: usize,
    /// Picture by picture, the probabilities.
    scores: Vec<Vec<Option<f64>>>,
    /// After how many pictures it ends, if not after all: an explanation that is made again.
    ends_at: Option<usize>,
}

impl Occlusion {
    /// `shown` and `hidden`: the picture, and what its pixels become, `channels * side * side` values each.
    pub fn new(shown: Vec<f32>, hidden: Vec<f32>, side: usize, options: Options) -> Self {
        Self {
            options: options.sound(),
            side,
            shown,
            hidden,
            given: 0,
            scores: Vec::new(),
            ends_at: None,
        }
    }

    /// Pictures to score, in all.
    fn pictures(&self) -> usize {
        self.ends_at.unwrap_or(1 + self.options.total())
    }

    /// The picture with a window hidden.
    fn picture(&self, window: usize) -> Vec<f32> {
        let windows = self.options.windows();
        let pixels = |window: usize| {
            let cells = self.options.covered(window);
            let edge = |cell: usize| (cell * self.side).div_ceil(self.options.grid);
            edge(cells.start)..edge(cells.end)
        };
        let (rows, columns) = (pixels(window / windows), pixels(window % windows));
        let mut picture = self.shown.clone();
        let channels = picture.len() / (self.side * self.side);
        for row in (0..channels).flat_map(|channel| {
            let first = channel * self.side;
            first + rows.start..first + rows.end
        }) {
            let place = row * self.side + columns.start..row * self.side + columns.end;
            picture[place.clone()].copy_from_slice(&self.hidden[place]);
        }
        picture
    }
}

impl Asked for Occlusion {
    type Outcome = Explanation;

    fn wants(&self) -> Wants {
        Wants::Scores
    }

    fn next_pictures(&mut self, most: usize) -> Pictures {
        let end = (self.given + most).min(self.pictures());
        let mut values = Vec::new();
        for picture in self.given..end {
            match picture {
                0 => values.extend_from_slice(&self.shown),
                window => values.extend(self.picture(window - 1)),
            }
        }
        self.given = end;
        Pictures::Whole(values)
    }

    fn push(&mut self, answers: Vec<Scored>) {
        self.scores
            .extend(answers.into_iter().map(|answer| answer.probabilities));
    }

    fn progress(&self) -> Progress {
        Progress {
            step: Step::Explain,
            done: self.scores.len() as u64,
            total: self.pictures() as u64,
        }
    }

    fn is_done(&self) -> bool {
        self.scores.len() >= self.pictures()
    }

    fn outcome(&self) -> Option<Explanation> {
        let (whole, windows) = self.scores.split_first()?;
        let (grid, along) = (self.options.grid, self.options.windows());
        let map = |(output, whole): (usize, &Option<f64>)| {
            let whole = (*whole)?;
            let (mut sums, mut counts) = (vec![0.0; grid * grid], vec![0.0; grid * grid]);
            for (window, scores) in windows.iter().enumerate() {
                let fall = whole - scores[output]?;
                for row in self.options.covered(window / along) {
                    for column in self.options.covered(window % along) {
                        sums[row * grid + column] += fall;
                        counts[row * grid + column] += 1.0;
                    }
                }
            }
            // A cell that no window has covered yet says nothing.
            let values = sums.iter().zip(&counts).map(|(s, c)| s / f64::max(*c, 1.0));
            Some(HeatMap::new(
                grid,
                grid,
                values.map(|value| value as f32).collect(),
            ))
        };
        Some(Explanation {
            options: self.options.clone(),
            windows: windows.len(),
            maps: whole.iter().enumerate().map(map).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(probability: f64) -> Scored {
        Scored {
            probabilities: vec![Some(probability), None],
            ..Scored::default()
        }
    }

    /// A network that sees the mean of one cell's pixels.
    fn run(options: Options, cell: usize, batch: usize) -> Explanation {
        const SIDE: usize = 24;
        let shown = vec![1.0; SIDE * SIDE];
        let grid = options.grid;
        let mut occlusion = Occlusion::new(shown, vec![0.0; SIDE * SIDE], SIDE, options);
        while !occlusion.is_done() {
            let values = occlusion.next_batch(batch);
            assert!(!values.is_empty());
            let pictures = values.chunks_exact(SIDE * SIDE).map(|picture| {
                let inside = |place: &usize| {
                    (place % SIDE) * grid / SIDE == cell % grid
                        && (place / SIDE) * grid / SIDE == cell / grid
                };
                let places: Vec<usize> = (0..SIDE * SIDE).filter(inside).collect();
                let sum: f32 = places.iter().map(|place| picture[*place]).sum();
                scored(f64::from(sum) / places.len() as f64)
            });
            occlusion.push(pictures.collect());
        }
        occlusion.outcome().expect("an explanation")
    }

    #[test]
    fn only_windows_that_cover_what_the_network_sees_lower_its_score() {
        let options = Options {
            grid: 4,
            window: 1,
            stride: 1,
            fill: Fill::PictureMean,
        };
        let explanation = run(options, 6, 5);
        let map = explanation.map(Output(0)).expect("a map");
        let expected: Vec<f32> = (0..16).map(|cell| f32::from(u8::from(cell == 6))).collect();
        assert_eq!(map.values, expected);
        assert_eq!(
            (explanation.windows, explanation.map(Output(1))),
            (16, None)
        );
        // Wider windows smear it over their size, the more the fewer of them cover the cell.
        let wide = Options {
            grid: 4,
            window: 2,
            stride: 1,
            fill: Fill::PictureMean,
        };
        let map = run(wide, 5, 3).map(Output(0)).expect("a map");
        assert_eq!(map.values[5], 1.0);
        assert_eq!(map.values[0], 1.0);
        assert_eq!(map.values[15], 0.0);
        assert_eq!(map.values[10], 0.25);
    }

    #[test]
    fn batches_change_nothing_and_an_explanation_on_its_way_says_how_far_it_is() {
        let options = Options {
            grid: 6,
            window: 3,
            stride: 2,
            fill: Fill::PictureMean,
        };
        assert_eq!(run(options.clone(), 8, 1), run(options.clone(), 8, 100));
        let mut some = Occlusion::new(vec![1.0; 144], vec![0.0; 144], 12, options.clone());
        assert_eq!(some.outcome(), None);
        let _ = some.next_batch(3);
        some.push(vec![scored(0.9), scored(0.5), scored(0.9)]);
        let explanation = some.outcome().expect("an explanation");
        assert!(!explanation.is_complete(&options) && explanation.windows == 2);
        assert_eq!(
            explanation.said(Output(0)),
            "2 of 9 windows are scored so far."
        );
        let map = explanation.map(Output(0)).expect("a map");
        assert!((map.values[0] - 0.4).abs() < 1e-6 && map.values[35] == 0.0);
    }

    #[test]
    fn absurd_options_are_brought_to_the_nearest_that_make_sense() {
        let absurd = Options {
            grid: 0,
            window: 0,
            stride: 9,
            fill: Fill::Blur,
        };
        let sound = absurd.sound();
        assert_eq!((sound.grid, sound.window, sound.stride), (1, 1, 1));
        let large = Options {
            grid: usize::MAX,
            window: usize::MAX,
            stride: usize::MAX,
            fill: Fill::Blur,
        };
        assert_eq!(large.sound().total(), 1);
    }
}
