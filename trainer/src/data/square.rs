//! Pictures as a training keeps them: stretched to a square.

use anyhow::{Context, Result};
use sightline::radiograph::{Options, Radiograph, resize};

use crate::storage::Location;

/// A picture stretched to `side x side`, for training. A JPEG that is much larger is decoded at a half, a quarter or an eighth
/// of its size. Whatever is read to be scored is decoded in full, as the page does it.
pub fn read_square(file: &Location, side: usize) -> Result<Radiograph> {
    square(file, &file.read()?, side)
}

/// [`read_square`], of the file's bytes.
pub fn square(file: &Location, bytes: &[u8], side: usize) -> Result<Radiograph> {
    let reduced = Options {
        least: Some(2 * side),
        ..Options::default()
    };
    let mut radiograph =
        Radiograph::decode_with(bytes, reduced).with_context(|| file.to_string())?;
    radiograph.image = resize(&radiograph.image, side, side);
    Ok(radiograph)
}
