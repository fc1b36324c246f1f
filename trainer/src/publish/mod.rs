//! What a package says of its model: `export` makes one of a run, `card` writes what was measured.

pub mod card;
pub mod export;
pub mod gate;
pub mod portable;
