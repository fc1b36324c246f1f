//! Work that asks for pictures to be scored: LIME, occlusion, deletion and insertion, the sanity check, an erased view.
//!
//! [`Asked`] gives pictures and is told what the network says of them, batch by batch. It knows neither network nor device, so whoever
//! drives it (see [`drive`]) can show what is known so far, stop it within a batch, and spread the pictures over several devices.

use std::fmt;
use std::future::Future;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::heat_map::HeatMap;
use crate::output::Output;
use crate::pictures::Pictures;

/// How much of a network loses what it has learned, from the top down.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Randomised {
    Classifier,
    /// The classifier and the last quarter of the convolutions.
    LastStage,
}

/// What the network is to say of each picture. More than that is not computed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Wants {
    /// The probabilities alone.
    Scores,
    /// What each cell of a coarse grid adds to the score, too: see [`Scored::evidence`].
    Evidence,
    /// The map of evidence of every output, in their order.
    Maps,
    /// The evidence for one output by networks of which a part is drawn at random: a map for each seed.
    Randomised {
        output: Output,
        part: Randomised,
        seeds: Vec<u64>,
    },
}

impl Wants {
    /// Whether any engine with the same package can answer in place of another: not where the answer is large.
    pub fn can_be_shared(&self) -> bool {
        matches!(self, Wants::Scores | Wants::Evidence)
    }
}

/// What the network says of one picture.
#[derive(Clone, Debug, Default, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Scored {
    /// For each output; `None` where it was not trained.
    pub probabilities: Vec<Option<f64>>,
    /// For each output, how much each of the cells of LIME's grid, row by row, adds to the probability's
    /// log-odds; all of them add up to it. Empty where that was not wanted: then LIME has no emulator.
    pub evidence: Vec<f32>,
    /// The maps that were wanted.
    pub maps: Vec<HeatMap>,
}

/// What takes so long that people are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, Serialize))]
#[cfg_attr(feature = "schema", serde(rename_all = "kebab-case"))]
pub enum Step {
    OpenDevice,
    /// In bytes.
    FetchModel,
    CompileShaders,
    Decode,
    Read,
    /// Preparing an explanation: LIME's regions.
    Prepare,
    /// In pictures that are scored.
    Explain,
    /// In pictures that are scored.
    Measure,
    /// In networks of which a part is drawn at random.
    Randomise,
}

impl Step {
    /// As programs are told of it.
    pub fn name(self) -> &'static str {
        match self {
            Step::OpenDevice => "open-device",
            Step::FetchModel => "fetch-model",
            Step::CompileShaders => "compile-shaders",
            Step::Decode => "decode",
            Step::Read => "read",
            Step::Prepare => "prepare",
            Step::Explain => "explain",
            Step::Measure => "measure",
            Step::Randomise => "randomise",
        }
    }
}

/// How far a step is; `total` 0 where nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, Serialize))]
pub struct Progress {
    pub step: Step,
    pub done: u64,
    pub total: u64,
}

/// Work that asks for scores of pictures which it makes up.
pub trait Asked {
    type Outcome;

    /// What it wants to know of the pictures that it gives next. Other networks than the model's own are wanted only when all pictures that were
    /// given before are scored.
    fn wants(&self) -> Wants;

    /// The next pictures to score, at most `most` of them. Empty if none is to be scored before the last ones are. More may be asked for before the
    /// last ones are scored.
    fn next_pictures(&mut self, most: usize) -> Pictures;

    /// The values of the next pictures, `[pictures, channels, height, width]`: see [`Asked::next_pictures`].
    fn next_batch(&mut self, most: usize) -> Vec<f32> {
        self.next_pictures(most).values()
    }

    /// Takes what the network says of the pictures of a batch, in their order, batch by batch.
    fn push(&mut self, answers: Vec<Scored>);

    fn progress(&self) -> Progress;

    /// Whether no more pictures need to be scored.
    fn is_done(&self) -> bool;

    /// What is known so far; `None` if nothing is.
    fn outcome(&self) -> Option<Self::Outcome>;
}

/// Work that asks one thing of one picture.
pub struct Once<T> {
    wants: Wants,
    step: Step,
    /// Empty once it was given.
    picture: Vec<f32>,
    answer: Option<Scored>,
    /// What the answer means.
    outcome: Box<dyn Fn(&Scored) -> T>,
}

impl<T> Once<T> {
    /// `picture`: normalised values, `[channels, height, width]`.
    pub fn new(
        wants: Wants,
        step: Step,
        picture: Vec<f32>,
        outcome: impl Fn(&Scored) -> T + 'static,
    ) -> Self {
        Self {
            wants,
            step,
            picture,
            answer: None,
            outcome: Box::new(outcome),
        }
    }
}

impl<T> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Once");
        shown.field("wants", &self.wants).field("step", &self.step);
        shown.field("answer", &self.answer).finish_non_exhaustive()
    }
}

impl<T> Asked for Once<T> {
    type Outcome = T;

    fn wants(&self) -> Wants {
        self.wants.clone()
    }

    fn next_pictures(&mut self, most: usize) -> Pictures {
        Pictures::Whole(match most {
            0 => Vec::new(),
            _ => std::mem::take(&mut self.picture),
        })
    }

    fn push(&mut self, answers: Vec<Scored>) {
        self.answer = answers.into_iter().next().or(self.answer.take());
    }

    fn progress(&self) -> Progress {
        Progress {
            step: self.step,
            done: u64::from(self.is_done()),
            total: 1,
        }
    }

    fn is_done(&self) -> bool {
        self.answer.is_some()
    }

    fn outcome(&self) -> Option<T> {
        self.answer.as_ref().map(&self.outcome)
    }
}

/// Something that scores pictures: a network on a device, or several.
pub trait Scorer {
    type Error;

    /// Takes pictures from `next` (so many at most at a time; empty at its end) and gives the answers that are there by now: one batch after the
    /// other, in the order in which the pictures were taken, whatever was scored first. At least one picture is scored, if there is one.
    fn score(
        &mut self,
        wants: &Wants,
        next: &mut dyn FnMut(usize) -> Pictures,
    ) -> impl Future<Output = Result<Vec<Vec<Scored>>, Self::Error>>;
}

/// Asks until it is done. `each` is called before each batch: it may show what is known, and its error ends the work.
///
/// # Errors
/// As `scorer` or `each`.
pub async fn drive<A: Asked, S: Scorer>(
    asked: &mut A,
    scorer: &mut S,
    mut each: impl AsyncFnMut(&A) -> Result<(), S::Error>,
) -> Result<(), S::Error> {
    while !asked.is_done() {
        each(asked).await?;
        let wants = asked.wants();
        let mut next = |most| asked.next_pictures(most);
        let answers = scorer.score(&wants, &mut next).await?;
        for batch in answers {
            asked.push(batch);
        }
    }
    Ok(())
}
