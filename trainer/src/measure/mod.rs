//! What is computed of a package and images.
//!
//! What is computed of labels and scores alone is in `crates/measure`. `score` makes scores of many images, `evaluation` measures them,
//! `comparison` sets two models `beside` each other, `reader` a person and a model, `plots` draws. `pointing` asks whether maps point at
//! what radiologists marked (`marks`).
//! `asking` makes maps that take many pictures, `replay` makes a report again. `parts` cuts work into parts and joins them.

pub mod asking;
pub mod comparison;
pub mod evaluation;
pub mod gate;
pub mod marks;
pub mod parts;
pub mod plots;
pub mod pointing;
pub mod reader;
pub mod replay;
pub mod score;

pub use sightline_measure::{beside, metrics, overlap};
