//! Pictures as a training keeps them: stretched to a square.

use anyhow::{Context, Result};
use sightline::radiograph::{Options, Radiograph, resize};

use super::{Dataset, Row};
use crate::storage::Location;

/// A picture stretched to `side x side`, for training. A JPEG that is much larger is decoded at a half, a quarter or an eighth
/// of its size. Whatever is read to be scored is decoded in full, as the page does it.
pub fn read_square(data: &Dataset, row: &Row, side: usize) -> Result<Radiograph> {
    let file = data.file(row);
    square(data, &file, &file.read()?, side)
}

/// [`read_square`], of the bytes of a row's file.
pub fn square(data: &Dataset, file: &Location, bytes: &[u8], side: usize) -> Result<Radiograph> {
    let reduced = Options {
        least: Some(2 * side),
        ..data.decoding
    };
    let mut radiograph =
        Radiograph::decode_with(bytes, reduced).with_context(|| file.to_string())?;
    radiograph.image = resize(&radiograph.image, side, side);
    Ok(radiograph)
}
