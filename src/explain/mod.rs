//! Explanations: which parts of a radiograph a score came from.

pub mod agreement;
pub mod colormap;
pub mod erase;
pub mod faithfulness;
pub mod fill;
pub mod grad_cam;
pub mod heat_map;
pub mod lime;
pub mod overlay;
pub mod sanity;
