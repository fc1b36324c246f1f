//! Resizing with antialiasing, bit for bit as Pillow and torchvision do it.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use borsh::{BorshDeserialize, BorshSerialize};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage};

/// An 8-bit grey picture, row by row from the top left.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct GreyImage {
    pub width: usize,
    pub height: usize,
    /// `height * width` values, 0 black.
    pub pixels: Vec<u8>,
}

/// A message whose sides are not those of its pixels is none: to scale it would take any amount of memory.
impl BorshDeserialize for GreyImage {
    fn deserialize_reader<R: Read>(reader: &mut R) -> std::io::Result<Self> {
        let (width, height) = <(usize, usize)>::deserialize_reader(reader)?;
        let pixels = Vec::deserialize_reader(reader)?;
        match width.checked_mul(height) {
            Some(count) if count == pixels.len() && count > 0 => Ok(Self {
                width,
                height,
                pixels,
            }),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }
}

impl GreyImage {
    /// Turned and mirrored as an EXIF orientation asks.
    pub(super) fn oriented(self, orientation: Orientation) -> Self {
        if orientation == Orientation::NoTransforms {
            return self;
        }
        let (width, height) = (self.width as u32, self.height as u32);
        let Some(image) = GrayImage::from_raw(width, height, self.pixels) else {
            unreachable!("a picture has as many pixels as its size says");
        };
        let mut image = DynamicImage::from(image);
        image.apply_orientation(orientation);
        Self {
            width: image.width() as usize,
            height: image.height() as usize,
            pixels: image.into_luma8().into_raw(),
        }
    }
}

/// Bits behind the point in Pillow's fixed-point weights (`Resample.c`, 8 bits per channel).
const PRECISION: u32 = 32 - 8 - 2;

/// The weights of the input pixels that make one output pixel.
struct Weights {
    first: usize,
    weights: Vec<i32>,
}

/// A triangle filter as wide as the reduction (never narrower than a pixel), normalised and in fixed point: of some of the
/// `output` places.
fn triangle_weights(input: usize, output: usize, places: Range<usize>) -> Vec<Weights> {
    let scale = input as f64 / output as f64;
    let support = scale.max(1.0);
    places
        .map(|position| {
            let center = (position as f64 + 0.5) * scale;
            let first = ((center - support + 0.5).max(0.0)) as usize;
            let end = ((center + support + 0.5) as usize).min(input);
            let raw: Vec<f64> = (first..end)
                .map(|x| (1.0 - ((x as f64 - center + 0.5) / support).abs()).max(0.0))
                .collect();
            let total: f64 = raw.iter().sum();
            let weights = raw
                .iter()
                .map(|w| (w / total * f64::from(1u32 << PRECISION)).round() as i32)
                .collect();
            Weights { first, weights }
        })
        .collect()
}

fn weighted(pixels: impl Iterator<Item = u8>, weights: &[i32]) -> u8 {
    let half = 1i32 << (PRECISION - 1);
    let sum: i32 = pixels.zip(weights).map(|(p, w)| i32::from(p) * w).sum();
    ((half + sum) >> PRECISION).clamp(0, 255) as u8
}

/// The picture at another size: a triangle filter with antialiasing, each pass rounded to 8 bits. This is Pillow's
/// `Image.resize(.., BILINEAR)`, which torchvision's `Resize` calls, as of Pillow 13: rows first, but columns first where the
/// height shrinks by more than twice as many pixels as the width. Earlier versions always took rows first, which on such
/// pictures gives pixels that differ by one level.
pub fn resize(image: &GreyImage, width: usize, height: usize) -> GreyImage {
    resize_part(image, (width, height), 0..width, 0..height)
}

/// A part of the picture at another size: those columns and rows of what [`resize`] gives, and no more work than they need.
pub fn resize_part(
    image: &GreyImage,
    (width, height): (usize, usize),
    columns: Range<usize>,
    rows: Range<usize>,
) -> GreyImage {
    let shrinks = |from: usize, to: usize| from as i64 - to as i64;
    let (across, down) = (shrinks(image.width, width), shrinks(image.height, height));
    let columns = triangle_weights(image.width, width, columns);
    let rows = triangle_weights(image.height, height, rows);
    if down > 0 && down > 2 * across {
        let lower = resize_columns(image, 0, &rows);
        return resize_rows(&lower, 0..lower.height, &columns);
    }
    let first = rows.iter().map(|w| w.first).min().unwrap_or(0);
    let end = rows.iter().map(|w| w.first + w.weights.len()).max();
    let narrower = resize_rows(image, first..end.unwrap_or(first), &columns);
    resize_columns(&narrower, first, &rows)
}

/// Some of the rows, each to the columns that the weights are of.
fn resize_rows(image: &GreyImage, rows: Range<usize>, columns: &[Weights]) -> GreyImage {
    let height = rows.len();
    let mut pixels = Vec::with_capacity(columns.len() * height);
    let needed = &image.pixels[rows.start * image.width..rows.end * image.width];
    for row in needed.chunks_exact(image.width) {
        let values = columns
            .iter()
            .map(|w| weighted(row[w.first..].iter().copied(), &w.weights));
        pixels.extend(values);
    }
    GreyImage {
        width: columns.len(),
        height,
        pixels,
    }
}

/// Each column to the rows that the weights are of. The picture's first row is row `top` of the weights.
fn resize_columns(image: &GreyImage, top: usize, rows: &[Weights]) -> GreyImage {
    let width = image.width;
    let mut pixels = Vec::with_capacity(width * rows.len());
    for w in rows {
        let start = (w.first - top) * width;
        pixels.extend((0..width).map(|x| {
            let column = image.pixels[start + x..].iter().step_by(width);
            weighted(column.copied(), &w.weights)
        }));
    }
    GreyImage {
        width,
        height: rows.len(),
        pixels,
    }
}
