//! Behaviours of the engine that no golden number covers: bad files, refused packages, identities.

mod cases;
mod explanation;
mod input;
mod levels;
mod lime;
mod network;
mod package;
mod pictures;
mod radiograph;
