//! What radiologists marked, on a grid over the picture: boxes, or masks drawn pixel by pixel. An image's grids are made when it
//! is judged, so that memory does not grow with the images.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use sightline::finding::Finding;
use sightline::vocabulary;

use super::overlap::{SIDE, grid};
use crate::data::{Boxes, Dataset, Label, Row, boxes, columns, key};
use crate::storage::Location;

pub enum Marks {
    Boxes(Boxes),
    /// By image ([`key`]): findings (their places among those that were asked for) and the masks of them.
    Masks(BTreeMap<String, Vec<(usize, Location)>>),
}

impl Marks {
    /// Boxes of the findings.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn boxes(csv: &Location, findings: &[Finding]) -> Result<Self> {
        boxes(csv, findings).map(Marks::Boxes)
    }

    /// Masks of the findings that the rows have labels of; and of hearts, which show Cardiomegaly where it is.
    ///
    /// # Errors
    /// When the file cannot be read, or a mask is not there.
    pub fn masks(csv: &Location, data: &Dataset) -> Result<Self> {
        let rows = data.rows.iter();
        let rows: HashMap<_, &Row> = rows.map(|row| (key(&row.path), row)).collect();
        let mut masks = BTreeMap::<String, Vec<(usize, Location)>>::new();
        let cardiomegaly = data.place(Finding::Cardiomegaly);
        for [file, mask, class, source] in columns(csv, ["Path", "Mask", "Class", "SourceClass"])? {
            let image = key(&file);
            let Some(row) = rows.get(&image) else {
                continue;
            };
            let large = cardiomegaly.filter(|place| row.labels[*place] == Label::Present);
            let named = vocabulary::find(&data.findings, &class);
            let place = match named.and_then(|finding| data.place(finding)) {
                None if source.eq_ignore_ascii_case("heart") => large,
                place => place,
            };
            let Some(place) = place else {
                continue;
            };
            let mask = data.file_at(&mask);
            if !mask.exists() {
                bail!("the mask {mask} is not there");
            }
            let masks = masks.entry(image.into_owned()).or_default();
            masks.push((place, mask));
        }
        Ok(Marks::Masks(masks))
    }

    /// The findings that are marked on an image.
    pub fn findings(&self, path: &str) -> Vec<usize> {
        match self {
            Marks::Boxes(boxes) => boxes.of_image(path).map(|(finding, _)| finding).collect(),
            Marks::Masks(masks) => {
                let masks = masks.get(key(path).as_ref()).into_iter().flatten();
                masks.map(|(finding, _)| *finding).collect()
            }
        }
    }

    /// For each finding that is marked on an image, which pixels of the grid are.
    ///
    /// # Errors
    /// When a mask cannot be read.
    pub fn grids(&self, path: &str) -> Result<BTreeMap<usize, Vec<bool>>> {
        match self {
            Marks::Boxes(boxes) => {
                let grids = boxes.of_image(path);
                let grids = grids.map(|(finding, rectangles)| (finding, grid(rectangles)));
                Ok(grids.collect())
            }
            Marks::Masks(masks) => {
                let mut grids = BTreeMap::new();
                for (finding, mask) in masks.get(key(path).as_ref()).into_iter().flatten() {
                    let grid = grids
                        .entry(*finding)
                        .or_insert_with(|| vec![false; SIDE * SIDE]);
                    add(grid, mask)?;
                }
                Ok(grids)
            }
        }
    }
}

/// Adds what a mask marks.
fn add(grid: &mut [bool], mask: &Location) -> Result<()> {
    let picture = image::load_from_memory(&mask.read()?).with_context(|| mask.to_string())?;
    let picture = picture.to_luma8();
    let at = |index: usize, length: u32| ((2 * index + 1) * length as usize / (2 * SIDE)) as u32;
    for (place, marked) in grid.iter_mut().enumerate() {
        let (x, y) = (
            at(place % SIDE, picture.width()),
            at(place / SIDE, picture.height()),
        );
        *marked |= picture.get_pixel(x, y).0[0] > 127;
    }
    Ok(())
}
