//! Decoding many images in parallel, and keeping them: in memory, or in a pack on disk.

use std::borrow::Cow;

use anyhow::Result;
use rayon::prelude::*;
use sightline::radiograph::{GreyImage, Radiograph};

use super::pack::Pack;
use super::square::read_square;
use super::{Dataset, Notes, Row};

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
    load_each(
        dataset,
        |data, row| data.radiograph(row),
        |radiograph| prepare(radiograph.image),
    )
}

/// The pictures of a dataset for training, `side x side` each: see [`read_square`].
pub fn load_squares(dataset: Dataset, side: usize) -> Result<(Dataset, Vec<GreyImage>)> {
    let read = |data: &Dataset, row: &Row| read_square(data, row, side);
    load_each(dataset, read, |radiograph| radiograph.image)
}

fn load_each<T: Send>(
    dataset: Dataset,
    read: impl Fn(&Dataset, &Row) -> Result<Radiograph> + Sync,
    prepare: impl Fn(Radiograph) -> T + Sync,
) -> Result<(Dataset, Vec<T>)> {
    let decoded = dataset.rows.par_iter().map(|row| {
        let mut radiograph = read(&dataset, row)?;
        let notices = std::mem::take(&mut radiograph.notices);
        Ok((prepare(radiograph), notices))
    });
    let decoded: Vec<Result<_>> = decoded.collect();
    let mut notes = Notes::default();
    for (row, picture) in dataset.rows.iter().zip(&decoded) {
        match picture {
            Ok((_, notices)) => notes.notice(&row.path, notices),
            Err(error) => notes.leave_out(error),
        }
    }
    notes.say(&dataset)?;
    let rows = dataset.rows.into_iter().zip(decoded);
    let (rows, pictures) = rows
        .filter_map(|(row, picture)| Some((row, picture.ok()?.0)))
        .unzip();
    Ok((Dataset { rows, ..dataset }, pictures))
}
