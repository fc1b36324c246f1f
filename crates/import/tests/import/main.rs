//! Weights as people have them: every container, every way of naming, and what holds no weights.

mod cases;
mod containers;
mod layouts;
mod names;
mod refusals;
mod support;
