//! HiResCAM (Draelos and Carin, 2020): in each cell of the last feature map, gradient times feature, added up over the features.
//!
//! Grad-CAM takes the gradient's mean over the cells instead. Where an average and linear layers follow, every cell has the same gradient, and
//! both are one map. Where the map is flattened, as VGG does, they differ, and only HiResCAM adds up to the logit. Sightline's evidence
//! always adds up, so it is HiResCAM's map.

use serde::{Deserialize, Serialize};

use super::Explain;
use crate::asked::{Asked, Progress, Scored, Step, Wants};
use crate::heat_map::HeatMap;
use crate::radiograph::Input;
use crate::view::View;

/// There is nothing to choose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Options {}

/// A map for each output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub options: Options,
    /// In logits, in the order of the manifest's findings.
    pub maps: Vec<HeatMap>,
}

impl Explain for Explanation {
    const NAME: &'static str = "hirescam";
    const TITLE: &'static str = "HiResCAM";
    const SHOWS: &'static str = "where the evidence is for";
    const UNIT: &'static str = "added to the logit by each cell of the model's grid";

    type Options = Options;
    type Job = Job;

    fn start(view: &View, input: &Input, options: Options) -> Job {
        Job {
            options,
            picture: input.normalise(&view.square),
            maps: None,
        }
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn is_complete(&self, _: &Options) -> bool {
        true
    }

    fn map(&self, output: usize) -> Option<HeatMap> {
        self.maps.get(output).cloned()
    }

    fn said(&self, _: usize) -> String {
        "Before a network averages its last feature map, HiResCAM and Grad-CAM are the same map. All models here do, but for VGG; for VGG, \
         Sightline shows HiResCAM's map as Grad-CAM's, because only that one adds up to the score."
            .to_owned()
    }
}

/// One picture, of which all maps are wanted.
#[derive(Debug)]
pub struct Job {
    options: Options,
    /// Empty once it was given.
    picture: Vec<f32>,
    maps: Option<Vec<HeatMap>>,
}

impl Job {
    /// What it asks of its one picture.
    pub const WANTS: Wants = Wants::Maps;
}

impl Asked for Job {
    type Outcome = Explanation;

    fn wants(&self) -> Wants {
        Self::WANTS
    }

    fn next_batch(&mut self, most: usize) -> Vec<f32> {
        match most {
            0 => Vec::new(),
            _ => std::mem::take(&mut self.picture),
        }
    }

    fn push(&mut self, answers: Vec<Scored>) {
        if let Some(answer) = answers.into_iter().next() {
            self.maps = Some(answer.maps);
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            step: Step::Explain,
            done: u64::from(self.is_done()),
            total: 1,
        }
    }

    fn is_done(&self) -> bool {
        self.maps.is_some()
    }

    fn outcome(&self) -> Option<Explanation> {
        Some(Explanation {
            options: self.options.clone(),
            maps: self.maps.clone()?,
        })
    }
}
