//! Everything that is measured of one map of one picture, as one piece of work.

use super::Trust;
use super::agreement::agreement;
use super::elsewhere::elsewhere;
use super::faithfulness::{self, Curves, Unmeasurable};
use super::sanity::{self, Randomised, Sanity};
use crate::asked::{Asked, Progress, Scored, Step, Wants};
use crate::explain::method::Method;
use crate::finding::Finding;
use crate::heat_map::HeatMap;
use crate::package::{Manifest, Output};
use crate::pictures::Pictures;
use crate::view::View;

/// A map to measure.
#[derive(Clone, Debug)]
pub struct Measured {
    pub output: Output,
    pub method: Method,
    /// The map of that output, by that method.
    pub map: HeatMap,
    /// Another method's map of the same output, to compare with.
    pub other: Option<(Method, HeatMap)>,
    /// The parts of the network that the sanity check draws at random: see [`parts_to_draw`].
    pub drawn: Vec<Randomised>,
}

/// The parts that the sanity check of a method's map draws at random: none, but for Grad-CAM's, which a random network makes in one pass.
pub fn parts_to_draw(method: Method) -> Vec<Randomised> {
    match method {
        Method::GradCam => vec![Randomised::Classifier, Randomised::LastStage],
        _ => Vec::new(),
    }
}

/// Deletion and insertion of a map and of its baselines; then the maps of networks of which a part is drawn at random.
#[derive(Debug)]
pub struct Measuring {
    view: View,
    finding: Finding,
    measured: Measured,
    curves: Curves,
    /// The picture, normalised.
    picture: Vec<f32>,
    /// Still to do, the next one last.
    rounds: Vec<Round>,
    /// Whether the picture was given for the next round.
    given: bool,
    /// The maps of the part that is being done.
    drawn: Vec<HeatMap>,
    sanity: Vec<Sanity>,
}

/// Networks of which a part is drawn, that are asked at once.
#[derive(Debug)]
struct Round {
    part: Randomised,
    seeds: Vec<u64>,
    /// Whether no more come of this part.
    last: bool,
}

impl Measuring {
    /// # Errors
    /// When the finding was not trained, or the options make no sense.
    pub fn new(
        view: &View,
        manifest: &Manifest,
        measured: Measured,
        options: faithfulness::Options,
    ) -> Result<Self, Unmeasurable> {
        let output = measured.output;
        let card = manifest.findings.get(output.0);
        let card = card
            .filter(|card| card.trained)
            .ok_or(Unmeasurable::Untrained)?;
        let input = &manifest.input;
        let (square, map) = (&view.square, &measured.map);
        let curves = Curves::new(square, input, map, output, options)?;
        let rounds = rounds(options.seed, &measured.drawn);
        Ok(Self {
            picture: input.normalise(square),
            view: view.clone(),
            finding: card.name,
            measured,
            curves,
            rounds,
            given: false,
            drawn: Vec::new(),
            sanity: Vec::new(),
        })
    }
}

/// The rounds of the sanity check, the next one last. Networks that differ in their classifier take one pass together; the others take one each, and
/// whoever drives this may stop between them.
fn rounds(seed: u64, parts: &[Randomised]) -> Vec<Round> {
    let mut rounds = Vec::new();
    for &part in parts {
        let seeds = sanity::seeds(seed);
        let at_once = match part {
            Randomised::Classifier => seeds.len(),
            Randomised::LastStage => 1,
        };
        let chunks = seeds.chunks(at_once);
        let count = chunks.len();
        rounds.extend(chunks.enumerate().map(|(index, seeds)| Round {
            part,
            seeds: seeds.to_vec(),
            last: index + 1 == count,
        }));
    }
    rounds.reverse();
    rounds
}

impl Asked for Measuring {
    type Outcome = Trust;

    fn wants(&self) -> Wants {
        match self.rounds.last() {
            Some(round) if self.curves.is_done() => Wants::Randomised {
                output: self.measured.output,
                part: round.part,
                seeds: round.seeds.clone(),
            },
            _ => Wants::Scores,
        }
    }

    fn next_pictures(&mut self, most: usize) -> Pictures {
        if !self.curves.is_done() {
            return self.curves.next_pictures(most);
        }
        if self.rounds.is_empty() || most == 0 || std::mem::replace(&mut self.given, true) {
            return Pictures::Whole(Vec::new());
        }
        Pictures::Whole(self.picture.clone())
    }

    fn push(&mut self, answers: Vec<Scored>) {
        if !self.curves.is_done() {
            return self.curves.push(answers);
        }
        let Some(round) = self.rounds.pop() else {
            return;
        };
        self.given = false;
        self.drawn
            .extend(answers.into_iter().flat_map(|answer| answer.maps));
        if round.last {
            let drawn = std::mem::take(&mut self.drawn);
            let checked = Sanity::new(round.part, &self.measured.map, &drawn);
            self.sanity.extend(checked);
        }
    }

    fn progress(&self) -> Progress {
        if self.rounds.is_empty() || !self.curves.is_done() {
            return self.curves.progress();
        }
        let left: usize = self.rounds.iter().map(|round| round.seeds.len()).sum();
        let total = self.measured.drawn.len() * sanity::DRAWS;
        Progress {
            step: Step::Randomise,
            done: (total - left) as u64,
            total: total as u64,
        }
    }

    fn is_done(&self) -> bool {
        self.curves.is_done() && self.rounds.is_empty()
    }

    /// Once all is measured.
    fn outcome(&self) -> Option<Trust> {
        if !self.is_done() {
            return None;
        }
        let Measured {
            method, map, other, ..
        } = &self.measured;
        Some(Trust {
            finding: self.finding,
            method: *method,
            faithfulness: self.curves.outcome()?,
            elsewhere: elsewhere(&self.view.square, map),
            agreement: other.as_ref().map(|(_, other)| agreement(map, other)),
            agreement_with: other.as_ref().map(|(method, _)| *method),
            sanity: self.sanity.clone(),
        })
    }
}
