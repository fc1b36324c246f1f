//! What is known of how the radiograph is looked at.

use leptos::prelude::*;
use sightline_core::report::drawn::Purpose;
use sightline_session::presentation::Presentation;

use super::lasting;

/// What the left button does on the radiograph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tool {
    /// Paints over places, to see the scores without them.
    #[default]
    Paint,
    Window,
    Draw(Purpose),
}

impl Tool {
    pub const ALL: [Self; 5] = [
        Self::Paint,
        Self::Window,
        Self::Draw(Purpose::Length),
        Self::Draw(Purpose::Heart),
        Self::Draw(Purpose::Chest),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Paint => "paint",
            Self::Window => "window",
            Self::Draw(Purpose::Length) => "length",
            Self::Draw(Purpose::Heart) => "heart",
            Self::Draw(Purpose::Chest) => "chest",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Paint => "erase a place",
            Self::Window => "change the window",
            Self::Draw(Purpose::Length) => "measure a length",
            Self::Draw(Purpose::Heart) => "draw the heart's width",
            Self::Draw(Purpose::Chest) => "draw the chest's width",
        }
    }
}

/// How the radiograph is looked at. Both panes share it.
#[derive(Clone, Copy)]
pub struct Viewing {
    pub presentation: RwSignal<Presentation>,
    pub tool: RwSignal<Tool>,
    pub hides_map: RwSignal<bool>,
    /// A preset that was asked for before the samples were there.
    pub wanted: RwSignal<Option<usize>>,
    /// Width and height of the viewport in pixels of the style sheet; 0 before it is there.
    pub viewport: RwSignal<[f64; 2]>,
}

impl Default for Viewing {
    fn default() -> Self {
        Self {
            presentation: lasting::signal(RwSignal::default()),
            tool: lasting::signal(RwSignal::default()),
            hides_map: lasting::signal(RwSignal::new(false)),
            wanted: lasting::signal(RwSignal::new(None)),
            viewport: lasting::signal(RwSignal::new([0.0, 0.0])),
        }
    }
}
