//! Memory that convolutions work in, kept from one to the next.

use crate::buffer::Buffer;

/// What convolutions need beside inputs and outputs. It grows to what the largest needs.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) inputs: Buffer,
    pub(crate) outputs: Buffer,
    pub(crate) offsets: Vec<usize>,
}
