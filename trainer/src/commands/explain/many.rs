//! Several images, each explained to files of its own.

use anyhow::{Result, bail};
use sightline::vocabulary::CHEXPERT;

use super::names;
use super::one::HowTo;
use super::options::Options;
use crate::data::Views;
use crate::storage::Location;

/// Explains several images; what cannot be explained is named and skipped.
///
/// # Errors
/// When the table cannot be read, a folder cannot be made, or no image could be explained.
pub fn explain(how: &HowTo<'_>, options: &Options) -> Result<()> {
    let (paths, images): (Vec<String>, Vec<Location>) = match &options.images {
        Some(images) => {
            let (data, _) = images.rows(&CHEXPERT, Views::Frontal, Default::default())?;
            let rows = data.rows.iter();
            rows.map(|row| (row.path.clone(), data.file(row))).unzip()
        }
        None => {
            let paths: Vec<String> = options.image.iter().map(Location::to_string).collect();
            (names::without_shared_folders(&paths), options.image.clone())
        }
    };
    for folder in [&options.out, &options.json].into_iter().flatten() {
        folder.create()?;
    }
    let mut unreadable = 0;
    for (name, image) in names::names(&paths).iter().zip(&images) {
        let file = |folder: &Option<Location>, ending: &str| {
            let file = format!("{name}.{ending}");
            folder.as_ref().map(|folder| folder.join(&file))
        };
        let (out, json) = (file(&options.out, "png"), file(&options.json, "json"));
        print!("{name}: ");
        if let Err(error) = how.explain(image, out.as_ref(), json.as_ref()) {
            unreadable += 1;
            eprintln!("left out: {error:#}");
        }
    }
    if unreadable > 0 {
        eprintln!("{unreadable} of {} images are left out", images.len());
    }
    if unreadable == images.len() {
        bail!("no image could be explained");
    }
    Ok(())
}
