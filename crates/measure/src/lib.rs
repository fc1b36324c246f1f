//! What is measured of a model, from labels and scores, maps and marks: the figures of `evaluate`, `localize` and the page.
//!
//! Nothing here reads a file, starts a thread or computes a network: tables come as bytes, scores as numbers.
//!
//! | module | what is in it |
//! |---|---|
//! | `metrics` | how good scores are |
//! | `evaluation`, `beside` | figures of scored images; of two models on the same images |
//! | `pointing`, `overlap` | whether maps point at what radiologists marked |
//! | `tables` | labels and boxes, from the text of a CSV |
//! | `validation` | pictures that were read against tables that were given with them, for the page |
//! | `record` | what a manifest keeps of figures |

pub mod beside;
pub mod evaluation;
#[cfg(test)]
mod golden;
pub mod metrics;
pub mod overlap;
pub mod pointing;
pub mod record;
pub mod tables;
pub mod validation;
