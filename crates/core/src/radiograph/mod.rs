//! A chest radiograph: from the bytes of a file to a grey picture, and from there to a network's input.

mod decode;
mod depth;
pub mod dicom;
pub mod film;
mod formats;
pub mod in_memory;
mod input;
pub mod levels;
mod picture;
mod refusal;
mod resize;
mod samples;
mod view;

pub use decode::Options;
pub use depth::{Depth, DepthSource};
pub use input::{Input, Region, Resize};
pub use picture::{Format, Notice, Radiograph};
pub use refusal::{MAX_BYTES, MAX_PIXELS, MAX_SIDE, RadiographError};
pub use resize::{GreyImage, resize, resize_part};
pub use samples::Stored;
pub use view::is_lateral;
