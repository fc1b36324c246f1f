//! Behaviours of the engine that no golden number covers: bad files, refused packages, identities.

mod explanation;
mod lime;
mod network;
mod package;
mod radiograph;
