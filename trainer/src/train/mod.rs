//! Training: a recipe and images in, a run's folder out.
//!
//! `config` is the recipe and `ranges` what may stand in it. `run` opens everything that a training needs, `trainer` is the loop, `batches`
//! makes batches, `step` a step on one device or several, `loss`, `pointing` and `student` say what is learned. `checkpoint` keeps a
//! run, `progress` and `dashboard` show it.

mod balance;
mod batches;
mod checkpoint;
mod config;
mod dashboard;
pub mod gate;
mod loss;
mod plan;
mod pointing;
mod progress;
mod ranges;
mod run;
mod soft_labels;
mod start;
mod step;
mod student;
mod trainer;

pub use checkpoint::{RunFolder, load};
pub use config::Recipe;
pub use loss::Loss;
pub use run::{Settings, dry_run, run};
pub use step::Precision;
