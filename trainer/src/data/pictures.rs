//! Decoding many images in parallel, and keeping them: in memory, or in a pack on disk.

use std::borrow::Cow;

use anyhow::{Context, Result};
use rayon::prelude::*;
use sightline::radiograph::{GreyImage, Options, Radiograph, resize};

use super::pack::Pack;
use super::{Dataset, LeftOut};
use crate::storage::Location;

/// The pictures of a dataset's rows.
pub enum Pictures {
    Memory(Vec<GreyImage>),
    Disk(Pack),
}

impl Pictures {
    pub fn get(&self, index: usize) -> Cow<'_, GreyImage> {
        match self {
            Pictures::Memory(pictures) => Cow::Borrowed(&pictures[index]),
            Pictures::Disk(pack) => Cow::Owned(pack.picture(index)),
        }
    }
}

/// The decoded images of a dataset, each through `prepare`, in row order; with the rows that could be read.
///
/// Rows whose image cannot be read are reported and left out, never silently.
///
/// # Errors
/// When no image at all can be read.
pub fn load_pictures<T: Send>(
    dataset: Dataset,
    prepare: impl Fn(GreyImage) -> T + Sync,
) -> Result<(Dataset, Vec<T>)> {
    load_each(dataset, |file| read(file).map(&prepare))
}

/// The pictures of a dataset for training, `side x side` each: see [`read_square`].
pub fn load_squares(dataset: Dataset, side: usize) -> Result<(Dataset, Vec<GreyImage>)> {
    load_each(dataset, |file| read_square(file, side))
}

fn load_each<T: Send>(
    dataset: Dataset,
    load: impl Fn(&Location) -> Result<T> + Sync,
) -> Result<(Dataset, Vec<T>)> {
    let decoded: Vec<Result<T>> = dataset
        .rows
        .par_iter()
        .map(|row| load(&dataset.file(row)))
        .collect();
    let mut left_out = LeftOut::default();
    for error in decoded.iter().filter_map(|picture| picture.as_ref().err()) {
        left_out.add(error);
    }
    left_out.say(&dataset)?;
    let rows = dataset.rows.into_iter().zip(decoded);
    let (rows, pictures) = rows
        .filter_map(|(row, picture)| Some((row, picture.ok()?)))
        .unzip();
    let root = dataset.root;
    Ok((Dataset { root, rows }, pictures))
}

/// An image, decoded in full.
pub fn read(file: &Location) -> Result<GreyImage> {
    let radiograph = Radiograph::decode(&file.read()?).with_context(|| file.to_string())?;
    Ok(radiograph.image)
}

/// A picture stretched to `side x side`, for training. A JPEG that is much larger is decoded at a half, a quarter or an eighth
/// of its size. Whatever is read to be scored is decoded in full, as the page does it.
pub fn read_square(file: &Location, side: usize) -> Result<GreyImage> {
    square(file, &file.read()?, side)
}

/// [`read_square`], of the file's bytes.
pub fn square(file: &Location, bytes: &[u8], side: usize) -> Result<GreyImage> {
    let reduced = Options {
        least: Some(2 * side),
        ..Options::default()
    };
    let radiograph = Radiograph::decode_with(bytes, reduced).with_context(|| file.to_string())?;
    Ok(resize(&radiograph.image, side, side))
}
