//! Decoding many images in parallel.

use std::path::Path;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use sightline::radiograph::{GreyImage, Radiograph};

use super::Dataset;

/// The decoded images of a dataset, each through `prepare`, in row order; with the rows that could be read.
///
/// Rows whose image cannot be read are reported and left out, never silently.
///
/// # Errors
/// When no image at all can be read.
pub fn load_pictures(
    dataset: Dataset,
    prepare: impl Fn(GreyImage) -> GreyImage + Sync,
) -> Result<(Dataset, Vec<GreyImage>)> {
    let decoded: Vec<Result<GreyImage>> = dataset
        .rows
        .par_iter()
        .map(|row| read(&dataset.file(row)).map(&prepare))
        .collect();
    let mut rows = Vec::with_capacity(dataset.rows.len());
    let mut pictures = Vec::with_capacity(dataset.rows.len());
    let mut unreadable = 0;
    for (row, picture) in dataset.rows.into_iter().zip(decoded) {
        match picture {
            Ok(picture) => {
                rows.push(row);
                pictures.push(picture);
            }
            Err(error) => {
                unreadable += 1;
                eprintln!("left out: {error:#}");
            }
        }
    }
    if unreadable > 0 {
        eprintln!(
            "{unreadable} of {} images could not be read and are left out",
            rows.len() + unreadable
        );
    }
    if rows.is_empty() {
        bail!(
            "no image under {} could be read; is --root right?",
            dataset.root.display()
        );
    }
    Ok((
        Dataset {
            root: dataset.root,
            rows,
        },
        pictures,
    ))
}

fn read(path: &Path) -> Result<GreyImage> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let radiograph = Radiograph::decode(&bytes).with_context(|| path.display().to_string())?;
    Ok(radiograph.image)
}
