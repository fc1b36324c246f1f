//! HiResCAM (Draelos and Carin, 2020): in each cell of the last feature map, gradient times feature, added up over the features.
//!
//! Grad-CAM takes the gradient's mean over the cells instead. Where an average and linear layers follow, every cell has the same gradient, and
//! both are one map. Where the map is flattened, as VGG does, they differ, and only HiResCAM adds up to the logit. Sightline's evidence
//! always adds up, so it is HiResCAM's map.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::{Explain, PER_CELL};
use crate::asked::{Once, Step, Wants};
use crate::heat_map::HeatMap;
use crate::output::Output;
use crate::radiograph::Input;
use crate::view::View;

/// There is nothing to choose.
#[derive(
    Clone, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "HirescamOptions"))]
pub struct Options {}

/// A map for each output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Hirescam"))]
pub struct Explanation {
    pub options: Options,
    /// In logits, in the order of the manifest's findings.
    pub maps: Vec<HeatMap>,
}

impl Explain for Explanation {
    const NAME: &'static str = "hirescam";
    const TITLE: &'static str = "HiResCAM";
    const SHOWS: &'static str = "the model's evidence for";
    const UNIT: &'static str = PER_CELL;
    const TAUGHT_BY_BOXES: bool = true;
    const OF_MANY: bool = false;
    const ADDS_UP: bool = true;

    type Options = Options;
    type Job = Once<Self>;

    fn start(view: &View, input: &Input, options: Options) -> Once<Self> {
        let picture = input.normalise(&view.square);
        Once::new(Wants::Maps, Step::Explain, picture, move |answer| Self {
            options: options.clone(),
            maps: answer.maps.clone(),
        })
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn is_complete(&self, _: &Options) -> bool {
        true
    }

    fn map(&self, output: Output) -> Option<HeatMap> {
        self.maps.get(output.0).cloned()
    }

    fn said(&self, _: Output) -> String {
        "HiResCAM equals Grad-CAM where a network averages its last feature map. All shipped models do this. A VGG network does not: \
         there, the map that the page calls Grad-CAM is HiResCAM's, because only HiResCAM's map adds up to the model's output (the logit)."
            .to_owned()
    }
}
