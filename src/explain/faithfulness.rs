//! Does the score rest on what a map marks? Deletion and insertion (Petsiuk et al., RISE, BMVC 2018).
//!
//! *Deletion* takes the picture away, what the map marks most first: a faithful map makes the score fall early, so a small area
//! under the curve is good. *Insertion* begins without detail and gives the picture back in the same order: a large area is good. The
//! same is done in random orders: only what lies outside of their band says something of the map.
//!
//! Like LIME, it is asked for pictures to score and told the scores, so it can be shown on its way, and stopped.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::explain::fill::Fill;
use crate::explain::heat_map::HeatMap;
use crate::radiograph::{GreyImage, Input};

/// Random orders take the picture away in squares, this many to a side: as coarse as maps are.
const SQUARES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Points of a curve after its first.
    pub steps: usize,
    /// Random orders.
    pub orders: usize,
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            steps: 12,
            orders: 5,
            seed: 1,
        }
    }
}

/// The score while the picture is taken away, or given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// At `0, 1/steps, .. 1` of the picture.
    pub scores: Vec<f64>,
    /// Under the curve; the picture counts as 1.
    pub area: f64,
    /// The lowest and highest scores of the random orders, at the same points.
    pub random: Vec<[f64; 2]>,
    /// The smallest, mean and largest area of the random orders.
    pub random_area: [f64; 3],
}

/// Both curves of one map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Faithfulness {
    pub options: Options,
    pub deletion: Curve,
    pub insertion: Curve,
}

impl Faithfulness {
    /// Whether the map does better than every random order, in deletion and in insertion.
    pub fn beats_chance(&self) -> [bool; 2] {
        [
            self.deletion.area < self.deletion.random_area[0],
            self.insertion.area > self.insertion.random_area[2],
        ]
    }
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
    /// The rank of each pixel in each order, the map's first.
    ranks: Vec<Vec<u32>>,
    /// How many pictures were given to score, in the order of `job`.
    given: usize,
    /// Of the first of them.
    scores: Vec<f64>,
}

/// Which picture: an order's, deleted or inserted, at a step.
#[derive(Clone, Copy)]
struct Job {
    order: usize,
    insertion: bool,
    step: usize,
}

impl Curves {
    /// Of a map over the network's whole input; `square` is what [`Input::square`] made.
    pub fn new(square: &GreyImage, input: &Input, map: &HeatMap, options: Options) -> Self {
        let (width, height) = (square.width, square.height);
        let map = map.upsample(width, height);
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        let mut ranks = vec![ranks_of(&map.values)];
        for _ in 0..options.orders {
            // A random map of squares; within a square row by row.
            let levels: Vec<f32> = (0..SQUARES * SQUARES)
                .map(|_| random.next_u32() as f32)
                .collect();
            let level = |pixel: usize| {
                let (x, y) = (pixel % width, pixel / width);
                levels[y * SQUARES / height * SQUARES + x * SQUARES / width]
            };
            ranks.push(ranks_of(
                &(0..width * height).map(level).collect::<Vec<_>>(),
            ));
        }
        Self {
            options,
            input: input.clone(),
            deleted: Fill::PictureMean.picture(square, |_| 0, 1).pixels,
            blurred: Fill::Blur.picture(square, |_| 0, 1).pixels,
            picture: square.clone(),
            ranks,
            given: 0,
            scores: Vec::new(),
        }
    }

    /// Pictures that have to be scored, all in all.
    pub fn total(&self) -> usize {
        2 * (self.options.orders + 1) * (self.options.steps + 1)
    }

    pub fn scored(&self) -> usize {
        self.scores.len()
    }

    pub fn is_done(&self) -> bool {
        self.scores.len() >= self.total()
    }

    /// The next pictures, normalised, at most `most`: `[pictures, channels, height, width]`; none if all were given. More may be asked for
    /// before the last ones are scored.
    pub fn next_batch(&mut self, most: usize) -> Vec<f32> {
        let jobs = self.given..self.total().min(self.given + most);
        self.given = jobs.end;
        jobs.flat_map(|index| self.input.normalise(&self.draw(self.job(index))))
            .collect()
    }

    /// The scores of the pictures that were given, in their order, of the finding in question.
    pub fn push(&mut self, scores: impl IntoIterator<Item = f64>) {
        self.scores.extend(scores);
    }

    /// The curves, once all is scored.
    pub fn result(&self) -> Option<Faithfulness> {
        let curve = |insertion| {
            let of = |order| -> Vec<f64> {
                let steps = 0..=self.options.steps;
                let index = |step| {
                    self.index(Job {
                        order,
                        insertion,
                        step,
                    })
                };
                steps.map(|step| self.scores[index(step)]).collect()
            };
            let scores = of(0);
            let others: Vec<Vec<f64>> = (1..=self.options.orders).map(of).collect();
            let band = |step: usize| {
                let at = others.iter().map(|scores| scores[step]);
                [
                    at.clone().fold(f64::INFINITY, f64::min),
                    at.fold(f64::NEG_INFINITY, f64::max),
                ]
            };
            let areas: Vec<f64> = others.iter().map(|scores| area(scores)).collect();
            Curve {
                area: area(&scores),
                random: (0..scores.len()).map(band).collect(),
                random_area: [
                    areas.iter().copied().fold(f64::INFINITY, f64::min),
                    areas.iter().sum::<f64>() / areas.len() as f64,
                    areas.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                ],
                scores,
            }
        };
        (self.is_done() && self.options.orders > 0).then(|| Faithfulness {
            options: self.options,
            deletion: curve(false),
            insertion: curve(true),
        })
    }

    fn job(&self, index: usize) -> Job {
        let points = self.options.steps + 1;
        Job {
            order: index / (2 * points),
            insertion: index / points % 2 == 1,
            step: index % points,
        }
    }

    fn index(&self, job: Job) -> usize {
        let points = self.options.steps + 1;
        (2 * job.order + usize::from(job.insertion)) * points + job.step
    }

    fn draw(&self, job: Job) -> GreyImage {
        let ranks = &self.ranks[job.order];
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
fn area(scores: &[f64]) -> f64 {
    let pairs = scores.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    pairs.sum::<f64>() / (scores.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radiograph::Resize;

    const SIDE: usize = 32;

    fn input() -> Input {
        Input {
            size: SIDE,
            resize: Resize::Stretch,
            channels: 1,
            mean: vec![0.0],
            std: vec![1.0],
        }
    }

    /// A "network" that looks at a bright quarter only.
    fn score(picture: &[f32]) -> f64 {
        let quarter = (0..SIDE * SIDE).filter(|i| i % SIDE < SIDE / 2 && i / SIDE < SIDE / 2);
        quarter.map(|i| f64::from(picture[i])).sum::<f64>() / (SIDE * SIDE / 4) as f64
    }

    fn run(map: HeatMap, options: Options) -> Faithfulness {
        let pixel = |i: usize| {
            if i % SIDE < SIDE / 2 && i / SIDE < SIDE / 2 {
                255
            } else {
                0
            }
        };
        let picture = GreyImage {
            width: SIDE,
            height: SIDE,
            pixels: (0..SIDE * SIDE).map(pixel).collect(),
        };
        let mut curves = Curves::new(&picture, &input(), &map, options);
        while !curves.is_done() {
            assert_eq!(curves.result(), None);
            let batch = curves.next_batch(7);
            curves.push(
                batch
                    .chunks_exact(SIDE * SIDE)
                    .map(score)
                    .collect::<Vec<_>>(),
            );
        }
        assert_eq!(curves.scored(), curves.total());
        curves.result().expect("all is scored")
    }

    #[test]
    fn a_map_of_what_the_network_looks_at_beats_chance_and_its_opposite_does_not() {
        let options = Options::default();
        let right = run(HeatMap::new(2, 2, vec![1.0, 0.0, 0.0, 0.0]), options);
        assert_eq!(right.beats_chance(), [true, true]);
        let wrong = run(HeatMap::new(2, 2, vec![0.0, 1.0, 1.0, 1.0]), options);
        assert_eq!(wrong.beats_chance(), [false, false]);
        assert!(right.deletion.area < wrong.deletion.area);
        assert!(right.insertion.area > wrong.insertion.area);
    }

    #[test]
    fn curves_begin_and_end_where_they_must_and_come_again_from_their_seed() {
        let map = || HeatMap::new(2, 2, vec![1.0, 0.0, 0.0, 0.0]);
        let result = run(map(), Options::default());
        assert_eq!(result, run(map(), Options::default()));
        let (first, last) = (result.deletion.scores[0], result.insertion.scores[12]);
        assert_eq!(first, last, "the whole picture");
        for (step, [low, high]) in result.deletion.random.iter().enumerate() {
            assert!(low <= high, "step {step}");
        }
        let [low, mean, high] = result.insertion.random_area;
        assert!(low <= mean && mean <= high);
        let other = run(
            map(),
            Options {
                seed: 2,
                ..Options::default()
            },
        );
        assert_ne!(other.deletion.random, result.deletion.random);
        assert_eq!(other.deletion.scores, result.deletion.scores);
    }
}
