//! What a forward pass works in.

use std::sync::Arc;

use crate::crew::Crew;
use crate::map::{Map, View};
use crate::team::Team;

/// Maps, and the threads with their scratch; kept from one picture to the next.
#[derive(Debug, Default)]
pub struct Memory {
    pub(crate) crew: Crew,
    /// What a layer reads and what it writes take turns.
    pub(crate) maps: [Map; 2],
    pub(crate) inner: Map,
}

impl Memory {
    /// A memory of passes that the threads of a team compute together.
    pub fn of(team: Arc<Team>) -> Self {
        Self {
            crew: Crew::of(team),
            ..Self::default()
        }
    }

    /// What the last layer wrote: the feature map, once a network has computed it.
    pub(crate) fn map(&self) -> View<'_> {
        self.maps[0].view()
    }

    /// What the last layer wrote becomes what the next one reads.
    pub(crate) fn turn(&mut self) {
        self.maps.swap(0, 1);
    }
}
