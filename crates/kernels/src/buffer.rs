//! Floats that begin at a cache line.

use std::ops::{Deref, DerefMut};

/// Floats in a cache line.
pub const LINE: usize = 16;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A vector of floats, the first of which begins a cache line: a vector load that starts at a multiple of its own length lies in one.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    length: usize,
}

impl Buffer {
    /// Zeros.
    pub fn new(length: usize) -> Self {
        Self {
            lines: vec![Line([0.0; LINE]); length.div_ceil(LINE)],
            length,
        }
    }

    /// The first `length` floats, of which there are more from now on if there were fewer. They are what they last were.
    pub fn first(&mut self, length: usize) -> &mut [f32] {
        if self.length < length {
            *self = Self::new(length);
        }
        &mut self[..length]
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: lines are arrays of floats without gaps, and have at least `length` of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}
