//! Whether one picture is in two splits under two names: a model must not be tested on what it was trained on.

use anyhow::{Result, bail};
use rayon::prelude::*;
use sightline::package::sha256;
use sightline::radiograph::{GreyImage, resize};

use super::dataset::{Dataset, Splits};
use super::pictures::Pictures;
use super::square::read_square;
use crate::storage::Location;
use sightline_measure::tables::Row;

/// Pictures are first compared at so many pixels a side, and are alike if no pixel is further away than so many levels.
const SMALL: usize = 8;
const NEAR: u8 = 3;
/// Pairs that an error names.
const NAMED: usize = 5;

/// Compares the files of the splits' images. Only files that are as long as one of another split are read.
///
/// # Errors
/// When a file is in two splits, whatever its names.
pub fn refuse_same_files(splits: &Splits) -> Result<()> {
    let parts = [
        Some(&splits.train),
        Some(&splits.valid),
        splits.test.as_ref(),
    ];
    let parts = parts.into_iter().flatten().enumerate();
    let images: Vec<Image> = parts
        .flat_map(|(part, data)| data.rows.iter().map(move |row| Image { part, data, row }))
        .collect();
    let long = images.par_iter().enumerate().filter_map(|(index, image)| {
        let size = image.file().size()?;
        Some((size, index))
    });
    let alike = in_two_splits(long.collect(), &images);
    let hashed = alike.into_par_iter().filter_map(|(_, index)| {
        let bytes = images[index].file().read().ok()?;
        Some((sha256(&bytes)[..32].to_owned(), index))
    });
    let same = in_two_splits(hashed.collect(), &images);
    let pairs = same.chunk_by(|a, b| a.0 == b.0).filter_map(|same| {
        let first = &images[same[0].1];
        let mut others = same.iter().map(|(_, index)| &images[*index]);
        Some((
            first.row,
            others.find(|other| other.part != first.part)?.row,
        ))
    });
    refuse(&pairs.collect::<Vec<_>>(), "the same file")
}

/// Compares the decoded pictures that are trained on with those that are validated or tested on: the same picture in another file.
///
/// Those that are alike when they are very small are compared pixel by pixel, decoded in full: a training decodes large JPEGs smaller.
///
/// # Errors
/// When a picture is in both.
pub fn refuse_same_pixels(
    train: &Dataset,
    pictures: &Pictures,
    other: &Dataset,
    side: usize,
) -> Result<()> {
    let small = |picture: &GreyImage| resize(picture, SMALL, SMALL).pixels;
    let square = |row: &Row| Some(read_square(other, row, side).ok()?.image);
    let others = other.rows.par_iter();
    let others: Vec<(Vec<u8>, &Row)> = others
        .filter_map(|row| Some((small(&square(row)?), row)))
        .collect();
    let rows = train.rows.par_iter().enumerate();
    let same = rows.filter_map(|(index, row)| {
        let picture = pictures.get(index);
        let ours = small(&picture);
        let near = |theirs: &[u8]| ours.iter().zip(theirs).all(|(a, b)| a.abs_diff(*b) <= NEAR);
        let alike = others.iter().filter(|(theirs, _)| near(theirs));
        let alike: Vec<&Row> = alike.map(|(_, row)| *row).collect();
        if alike.is_empty() {
            return None;
        }
        // The file may be gone once its picture is kept.
        let whole = train.radiograph(row).ok();
        let twin = |theirs: &&Row| match &whole {
            Some(ours) => other
                .radiograph(theirs)
                .is_ok_and(|t| t.image == ours.image),
            None => square(theirs).is_some_and(|t| t == *picture),
        };
        Some((row, alike.into_iter().find(twin)?))
    });
    refuse(&same.collect::<Vec<_>>(), "the same picture")
}

struct Image<'a> {
    part: usize,
    data: &'a Dataset,
    row: &'a Row,
}

impl Image<'_> {
    fn file(&self) -> Location {
        self.data.file(self.row)
    }
}

/// In order, those images that have a mark which an image of another split has too.
fn in_two_splits<M: Ord + Clone>(mut marked: Vec<(M, usize)>, images: &[Image]) -> Vec<(M, usize)> {
    marked.sort_unstable();
    let same = marked.chunk_by(|a, b| a.0 == b.0).filter(|same| {
        let part = |(_, index): &(M, usize)| images[*index].part;
        same.iter().any(|one| part(one) != part(&same[0]))
    });
    same.flatten().cloned().collect()
}

fn refuse(pairs: &[(&Row, &Row)], what: &str) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let named = pairs.iter().take(NAMED).map(|(one, other)| {
        format!(
            "\n  {} ({})\n  {} ({})",
            one.path,
            one.place(),
            other.path,
            other.place()
        )
    });
    bail!(
        "{} images are in two splits under two names, {what} each time; leave one row of each pair out:{}{}",
        pairs.len(),
        named.collect::<String>(),
        if pairs.len() > NAMED { "\n  ..." } else { "" }
    );
}
