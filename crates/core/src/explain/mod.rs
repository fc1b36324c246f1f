//! Explanations: which parts of a radiograph a score came from.

pub mod colormap;
pub mod fill;
pub mod heat_map;
pub mod lime;
pub mod overlay;
