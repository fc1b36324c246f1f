//! Tables that were given to measure the model with, and what was measured.

use std::sync::Arc;

/// The number under which the tables' file is at hand: no reading has it.
pub const TABLES: u32 = u32::MAX;

/// Tables, and how far the measuring is.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// Names and lengths in bytes.
    pub(crate) tables: Vec<(String, u64)>,
    /// How often it was asked for.
    pub(crate) id: u32,
    pub(crate) stage: Stage,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum Stage {
    /// To be asked for once all pictures are read.
    #[default]
    Wanted,
    Asked,
    /// The figures as a table in HTML.
    Done(Arc<str>),
    Refused(String),
}

impl Validation {
    /// What was measured is to be measured again: pictures or model are others.
    pub(crate) fn again(&mut self) {
        self.stage = Stage::Wanted;
    }

    /// What was asked for comes no more.
    pub(crate) fn interrupt(&mut self) {
        if self.is_asked() {
            self.again();
        }
    }

    /// Whether an answer is awaited.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(self.stage, Stage::Asked)
    }

    /// `none`, `waiting`, `measuring`, `ready` or `error`.
    pub fn state(&self) -> &'static str {
        match &self.stage {
            _ if self.tables.is_empty() => "none",
            Stage::Wanted => "waiting",
            Stage::Asked => "measuring",
            Stage::Done(_) => "ready",
            Stage::Refused(_) => "error",
        }
    }

    /// The figures as a table in HTML, once they are there.
    pub fn html(&self) -> Option<&Arc<str>> {
        match &self.stage {
            Stage::Done(html) => Some(html),
            _ => None,
        }
    }
}
