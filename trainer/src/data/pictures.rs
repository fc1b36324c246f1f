//! Decoding many images in parallel, and keeping them: in memory, or in a pack on disk.

use std::borrow::Cow;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use sightline::radiograph::{GreyImage, Options, Radiograph, resize};

use super::Dataset;
use super::pack::Pack;
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
    let all = dataset.rows.len();
    let mut rows = Vec::with_capacity(all);
    let mut pictures = Vec::with_capacity(all);
    for (row, picture) in dataset.rows.into_iter().zip(decoded) {
        match picture {
            Ok(picture) => {
                rows.push(row);
                pictures.push(picture);
            }
            Err(error) => eprintln!("left out: {error:#}"),
        }
    }
    left_out(all - rows.len(), all, &dataset.root)?;
    Ok((
        Dataset {
            root: dataset.root,
            rows,
        },
        pictures,
    ))
}

/// Says how many images could not be read.
///
/// # Errors
/// When it is all of them.
pub fn left_out(unreadable: usize, all: usize, root: &Location) -> Result<()> {
    if unreadable > 0 {
        eprintln!("{unreadable} of {all} images could not be read and are left out");
    }
    if unreadable == all {
        bail!("no image under {root} could be read; is --root right?");
    }
    Ok(())
}

fn read(file: &Location) -> Result<GreyImage> {
    decode(file, &file.read()?)
}

fn decode(file: &Location, bytes: &[u8]) -> Result<GreyImage> {
    let radiograph = Radiograph::decode(bytes).with_context(|| file.to_string())?;
    Ok(radiograph.image)
}

/// A picture stretched to `side x side`, for training. A JPEG that is much larger is decoded at a half, a quarter or an eighth
/// of its size. Whatever is read to be scored is decoded in full, as the page does it.
pub fn read_square(file: &Location, side: usize) -> Result<GreyImage> {
    let reduced = Options {
        least: Some(2 * side),
        ..Options::default()
    };
    let radiograph =
        Radiograph::decode_with(&file.read()?, reduced).with_context(|| file.to_string())?;
    Ok(resize(&radiograph.image, side, side))
}
