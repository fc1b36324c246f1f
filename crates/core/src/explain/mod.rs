//! Explanations: which parts of a radiograph a score came from.
//!
//! A method is a file here that implements [`Explain`], and a line in `methods!` of [`method`]. [`lime`], [`hirescam`] and [`occlusion`] are such files;
//! Grad-CAM is part of every reading. [`overlay`] and [`contours`] show a map, as [`look`] and [`colormap`] say. [`account`] says what it
//! adds up to, and [`fill`] what a hidden place becomes.

pub mod account;
pub mod colormap;
pub mod contours;
pub mod fill;
pub mod hirescam;
pub mod lime;
pub mod look;
pub mod method;
pub mod occlusion;
pub mod overlay;

pub use crate::heat_map;

use account::Account;

use crate::asked::Asked;
use crate::heat_map::HeatMap;
use crate::output::Output;
use crate::radiograph::Input;
use crate::view::View;

/// What a colour stands for on maps of the model's own cells.
const PER_CELL: &str = "added to the logit by each cell of the model's grid";

/// What an explanation by one method is, and how it is made.
pub trait Explain: Sized {
    /// As reports, manifests and options call it.
    const NAME: &'static str;
    /// As people call it.
    const TITLE: &'static str;
    /// What the map shows, before the name of a finding.
    const SHOWS: &'static str;
    /// What a colour stands for.
    const UNIT: &'static str;
    /// What the work is counted in.
    const COUNTS: &'static str = "pictures";
    /// Whether training on boxes, which is of Grad-CAM's maps, is of these too.
    const TAUGHT_BY_BOXES: bool = false;
    /// Whether many pictures are scored, which several engines can share.
    const OF_MANY: bool = true;
    /// Whether the map and the bias of the reading add up to the logit.
    const ADDS_UP: bool = false;

    type Options: Clone + Default + PartialEq;
    /// The work that makes it.
    type Job: Asked<Outcome = Self>;

    fn start(view: &View, input: &Input, options: Self::Options) -> Self::Job;

    /// The work that makes this one again: as much as there is of it.
    ///
    /// # Errors
    /// When it contradicts itself, or took more than anyone waits for: with the reason.
    fn start_again(&self, view: &View, input: &Input) -> Result<Self::Job, String> {
        Ok(Self::start(view, input, self.options().clone()))
    }

    /// How it was made.
    fn options(&self) -> &Self::Options;

    /// Whether it is all that its options, or others that differ only in how much is asked for, would give.
    fn is_complete(&self, options: &Self::Options) -> bool;

    /// The map for an output; `None` where there is none: most methods have none where it was not trained, nor does an explanation that
    /// contradicts itself.
    fn map(&self, output: Output) -> Option<HeatMap>;

    /// What is to be said beside the map for an output: how far it is, and how good. A sentence or more.
    fn said(&self, output: Output) -> String;

    /// What the map for an output adds up to, where that is something else than the logit; `None` where it is nothing.
    fn account(&self, _: Output) -> Option<Account> {
        None
    }
}
