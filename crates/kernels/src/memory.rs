//! What a forward pass works in.

use crate::map::Map;
use crate::scratch::Scratch;

/// Maps and scratch, kept from one picture to the next.
#[derive(Debug, Default)]
pub struct Memory {
    pub(crate) scratch: Scratch,
    /// What a layer reads and what it writes take turns.
    pub(crate) maps: [Map; 2],
    pub(crate) inner: Map,
}

impl Memory {
    /// What the last layer wrote becomes what the next one reads.
    pub(crate) fn turn(&mut self) {
        self.maps.swap(0, 1);
    }
}
