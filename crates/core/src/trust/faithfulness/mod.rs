//! Does the score rest on what a map marks? Deletion and insertion (Petsiuk et al., RISE, BMVC 2018), and whether chance does as well.
//!
//! *Deletion* takes the picture away, what the map marks most first: a faithful map makes the score fall early, so a small area
//! under the curve is good. *Insertion* begins without detail and gives the picture back in the same order: a large area is good. The
//! *gap* is the area of insertion less the area of deletion.
//!
//! A large gap says nothing by itself: taking away anything smooth in the middle of a chest lowers scores. So the gap is compared with
//! those of two kinds of baselines, which know nothing of the network: the same map laid elsewhere, and blots about the middle. The
//! rank of the map among each kind is a test (Phipson and Smyth, 2010), and both must hold for the verdict that the score rests on the map
//! (an intersection-union test; Berger, 1982). So of maps that are drawn at random, at most [`LEVEL`] get it.
//!
//! Like LIME, it is asked for pictures to score and told the scores, so it can be shown on its way, and stopped.

mod baseline;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::asked::{Asked, Progress, Scored, Step, Wants};
use crate::explain::fill::Fill;
use crate::heat_map::HeatMap;
use crate::package::Output;
use crate::pictures::Pictures;
use crate::radiograph::{GreyImage, Input};

/// The level of the test: as many maps that say nothing may be said to be what the score rests on.
pub const LEVEL: f64 = 0.05;
/// More steps or draws than this are a mistake.
const MOST: usize = 1000;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "FaithfulnessOptions"))]
pub struct Options {
    /// Points of the map's curve after its first.
    pub steps: usize,
    /// Baselines of each kind. At least 19: the highest of 20 is highest by chance in [`LEVEL`] of all cases.
    #[serde(alias = "orders")]
    pub draws: usize,
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            steps: 12,
            draws: 19,
            seed: 1,
        }
    }
}

/// What cannot be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasurable {
    #[error("a map is measured in 1 to {MOST} steps, not in {0}")]
    Steps(usize),
    #[error("a map is compared with 1 to {MOST} baselines of each kind, not with {0}")]
    Draws(usize),
    #[error("the model was not trained for this finding")]
    Untrained,
}

/// The score while the picture is taken away, or given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Curve {
    /// At `0, 1/steps, .. 1` of the picture.
    pub scores: Vec<f64>,
    /// Under the curve; the picture counts as 1.
    pub area: f64,
    /// The curves of the same map laid elsewhere.
    #[serde(default)]
    pub moved: Band,
    /// The curves of blots about the middle.
    #[serde(default)]
    pub middle: Band,
}

/// Where the curves of baselines of one kind lie.
#[derive(
    Clone, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Band {
    /// The lowest and highest score at each of [`Faithfulness::compared_at`].
    pub scores: Vec<[f64; 2]>,
    /// The smallest, mean and largest area.
    pub area: [f64; 3],
}

/// Both curves of one map, and how it compares with its baselines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Faithfulness {
    pub options: Options,
    pub deletion: Curve,
    pub insertion: Curve,
    /// The steps at which baselines were scored, and from which all gaps are made.
    #[serde(default)]
    pub compared_at: Vec<usize>,
    /// The area of insertion less the area of deletion.
    #[serde(default)]
    pub gap: f64,
    /// The gaps of the same map laid elsewhere, draw by draw.
    #[serde(default)]
    pub moved: Vec<f64>,
    /// The gaps of blots about the middle, draw by draw.
    #[serde(default)]
    pub middle: Vec<f64>,
}

/// What can be said of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The score rests on what the map marks.
    Rests,
    /// Where the map lies matters to the score, but a blot about the middle may do as well.
    NoBetterThanTheMiddle,
    /// The map laid elsewhere may do as well.
    NoBetterThanElsewhere,
}

impl Faithfulness {
    /// How likely a gap as large is for the same map laid at random.
    pub fn p_moved(&self) -> f64 {
        p_value(self.gap, &self.moved)
    }

    /// How likely a gap as large is for a blot about the middle.
    pub fn p_middle(&self) -> f64 {
        p_value(self.gap, &self.middle)
    }

    pub fn verdict(&self) -> Verdict {
        if self.p_moved() > LEVEL {
            Verdict::NoBetterThanElsewhere
        } else if self.p_middle() > LEVEL {
            Verdict::NoBetterThanTheMiddle
        } else {
            Verdict::Rests
        }
    }
}

/// The share of draws, with the value itself among them, that are as large: what is no different from its draws gets p or less with
/// probability p at most.
fn p_value(value: f64, draws: &[f64]) -> f64 {
    let as_large = draws.iter().filter(|draw| **draw >= value).count();
    (1 + as_large) as f64 / (1 + draws.len()) as f64
}

/// The curves of a map that are being made.
#[derive(Debug)]
pub struct Curves {
    options: Options,
    input: Input,
    picture: GreyImage,
    /// What deleted pixels become: the picture's mean.
    deleted: Vec<u8>,
    /// What pixels are before they are inserted.
    blurred: Vec<u8>,
    /// The map, the same map laid elsewhere, blots about the middle.
    maps: Vec<HeatMap>,
    /// Every picture to score.
    jobs: Vec<Job>,
    /// The output whose scores are wanted.
    output: Output,
    /// How many of them were given.
    given: usize,
    /// The scores of the first of them.
    scores: Vec<f64>,
    /// Which map was drawn last, and the rank of each pixel in it.
    ranks: (usize, Vec<u32>),
}

/// Which picture: in a map's order, deleted or inserted, at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Job {
    map: usize,
    insertion: bool,
    step: usize,
}

impl Curves {
    /// The curves of a map over the network's whole input; `square` is what [`Input::square`] made.
    ///
    /// # Errors
    /// Where there is no step or no draw, or far too many.
    pub fn new(
        square: &GreyImage,
        input: &Input,
        map: &HeatMap,
        output: Output,
        options: Options,
    ) -> Result<Self, Unmeasurable> {
        if !(1..=MOST).contains(&options.steps) {
            return Err(Unmeasurable::Steps(options.steps));
        }
        if !(1..=MOST).contains(&options.draws) {
            return Err(Unmeasurable::Draws(options.draws));
        }
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        let mut maps = vec![map.clone()];
        maps.extend((0..options.draws).map(|_| baseline::moved(map, &mut random)));
        maps.extend((0..options.draws).map(|_| baseline::blot(&mut random)));
        Ok(Self {
            options,
            input: input.clone(),
            deleted: Fill::PictureMean.picture(square, |_| 0, 1).pixels,
            blurred: Fill::Blur.picture(square, |_| 0, 1).pixels,
            picture: square.clone(),
            jobs: jobs(options),
            output,
            ranks: (
                0,
                ranks_of(&map.upsample(square.width, square.height).values),
            ),
            maps,
            given: 0,
            scores: Vec::new(),
        })
    }

    /// A map's curve where it was scored. The first and the last point are the same for all maps.
    fn points(&self, map: usize, insertion: bool) -> Vec<Point> {
        let scored = self.jobs.iter().zip(&self.scores);
        let of = |map| {
            let own = move |(job, _): &(&Job, &f64)| job.map == map && job.insertion == insertion;
            scored.clone().filter(own)
        };
        let points = |map| of(map).map(|(job, score)| (job.step, *score));
        if map == 0 {
            return points(0).collect();
        }
        let end = |step: usize| points(0).filter(move |point| point.0 == step);
        end(0)
            .chain(points(map))
            .chain(end(self.options.steps))
            .collect()
    }

    /// Where the curves of some maps lie, and the area of each.
    fn band(&self, maps: std::ops::RangeInclusive<usize>, insertion: bool) -> (Band, Vec<f64>) {
        let curves: Vec<Vec<Point>> = maps.map(|map| self.points(map, insertion)).collect();
        let areas: Vec<f64> = curves.iter().map(|points| area(points)).collect();
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
                [low.min(value), high.max(value)]
            })
        };
        let at = |place: usize| range(&mut curves.iter().map(|points| points[place].1));
        let [least, most] = range(&mut areas.iter().copied());
        let band = Band {
            scores: (0..curves[0].len()).map(at).collect(),
            area: [least, areas.iter().sum::<f64>() / areas.len() as f64, most],
        };
        (band, areas)
    }

    fn draw(&mut self, job: Job) -> GreyImage {
        if self.ranks.0 != job.map {
            let map = self.maps[job.map].upsample(self.picture.width, self.picture.height);
            self.ranks = (job.map, ranks_of(&map.values));
        }
        let ranks = &self.ranks.1;
        let changed = (ranks.len() * job.step / self.options.steps) as u32;
        let pixel = |index: usize| match (ranks[index] < changed, job.insertion) {
            (true, false) => self.deleted[index],
            (false, true) => self.blurred[index],
            _ => self.picture.pixels[index],
        };
        GreyImage {
            pixels: (0..ranks.len()).map(pixel).collect(),
            ..self.picture
        }
    }
}

impl Asked for Curves {
    type Outcome = Faithfulness;

    fn wants(&self) -> Wants {
        Wants::Scores
    }

    /// The next pictures, at most `most`; none if all were given. More may be asked for before the last ones are scored.
    fn next_pictures(&mut self, most: usize) -> Pictures {
        let jobs = self.given..self.jobs.len().min(self.given + most);
        self.given = jobs.end;
        let mut values = Vec::new();
        for index in jobs {
            let picture = self.draw(self.jobs[index]);
            values.extend(self.input.normalise(&picture));
        }
        Pictures::Whole(values)
    }

    fn push(&mut self, answers: Vec<Scored>) {
        let score = |answer: Scored| answer.probabilities.get(self.output.0).copied().flatten();
        // A score that is missing is no number, and nothing comes of the whole.
        let scores = answers
            .into_iter()
            .map(|answer| score(answer).unwrap_or(f64::NAN));
        let scores: Vec<f64> = scores.collect();
        self.scores.extend(scores);
    }

    fn progress(&self) -> Progress {
        Progress {
            step: Step::Measure,
            done: self.scores.len() as u64,
            total: self.jobs.len() as u64,
        }
    }

    fn is_done(&self) -> bool {
        self.scores.len() >= self.jobs.len()
    }

    /// The curves, once all is scored; `None` also where a score was missing.
    fn outcome(&self) -> Option<Faithfulness> {
        if !self.is_done() || self.scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        let draws = self.options.draws;
        let compared_at = compared_at(self.options.steps);
        let curve = |insertion| {
            let own = self.points(0, insertion);
            let (moved, moved_areas) = self.band(1..=draws, insertion);
            let (middle, middle_areas) = self.band(draws + 1..=2 * draws, insertion);
            let coarse = own.iter().filter(|point| compared_at.contains(&point.0));
            let areas = Areas {
                own: area(&coarse.copied().collect::<Vec<Point>>()),
                moved: moved_areas,
                middle: middle_areas,
            };
            let curve = Curve {
                area: area(&own),
                scores: own.into_iter().map(|(_, score)| score).collect(),
                moved,
                middle,
            };
            (curve, areas)
        };
        let ((deletion, taken), (insertion, given)) = (curve(false), curve(true));
        let gaps = |given: &[f64], taken: &[f64]| -> Vec<f64> {
            given.iter().zip(taken).map(|(g, t)| g - t).collect()
        };
        Some(Faithfulness {
            options: self.options,
            deletion,
            insertion,
            gap: given.own - taken.own,
            moved: gaps(&given.moved, &taken.moved),
            middle: gaps(&given.middle, &taken.middle),
            compared_at,
        })
    }
}

/// A step, and the score there.
type Point = (usize, f64);

/// Under one kind of curve, at the steps at which all maps are compared.
struct Areas {
    own: f64,
    moved: Vec<f64>,
    middle: Vec<f64>,
}

/// Fewer than the map's own steps, since most pictures are of baselines; closer together where the first is taken away.
fn compared_at(steps: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1), |step| Some(2 * step));
    let between = doubled.take_while(|step| *step < steps);
    [0].into_iter().chain(between).chain([steps]).collect()
}

/// The map at every step, then its baselines between the ends.
fn jobs(options: Options) -> Vec<Job> {
    let mut jobs = Vec::new();
    for map in 0..=2 * options.draws {
        let mut steps: Vec<usize> = (0..=options.steps).collect();
        if map > 0 {
            steps = compared_at(options.steps);
            steps.retain(|step| (1..options.steps).contains(step));
        }
        for insertion in [false, true] {
            jobs.extend(steps.iter().map(|step| Job {
                map,
                insertion,
                step: *step,
            }));
        }
    }
    jobs
}

/// The place of each value if the highest comes first; of equal ones, the first.
fn ranks_of(values: &[f32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|a, b| {
        values[*b as usize]
            .total_cmp(&values[*a as usize])
            .then(a.cmp(b))
    });
    let mut ranks = vec![0; values.len()];
    for (rank, pixel) in order.into_iter().enumerate() {
        ranks[pixel as usize] = rank as u32;
    }
    ranks
}

/// Under a curve over 0..1, by trapezoids.
fn area(points: &[Point]) -> f64 {
    let pairs = points.windows(2);
    let parts = pairs.map(|pair| (pair[1].0 - pair[0].0) as f64 * (pair[0].1 + pair[1].1) / 2.0);
    let steps = points.last().map_or(1, |last| last.0);
    parts.sum::<f64>() / steps as f64
}

#[cfg(test)]
mod tests;
