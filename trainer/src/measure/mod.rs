//! What is computed of a package and images.
//!
//! `metrics` says how good scores are. `score` makes scores of many images, `evaluation` figures of scores, `comparison` sets two models
//! `beside` each other, `reader` a person and a model, `plots` draws. `pointing` asks whether maps point at what radiologists marked (`marks`, `overlap`).
//! `asking` makes maps that take many pictures, `replay` makes a report again. `parts` cuts work into parts and joins them.

pub mod asking;
pub mod beside;
pub mod comparison;
pub mod evaluation;
pub mod gate;
pub mod marks;
pub mod metrics;
pub mod overlap;
pub mod parts;
pub mod plots;
pub mod pointing;
pub mod reader;
pub mod replay;
pub mod score;
