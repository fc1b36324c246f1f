//! Decoding many images in parallel, and keeping them: in memory, or in a pack on disk.

use std::borrow::Cow;

use anyhow::{Context, Result, bail};
use jpeg_decoder::PixelFormat;
use rayon::prelude::*;
use sightline::radiograph::{GreyImage, Radiograph, resize};

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
    let bytes = file.read()?;
    let image = match decode_reduced(&bytes, 2 * side) {
        Some(image) => image,
        None => decode(file, &bytes)?,
    };
    Ok(resize(&image, side, side))
}

/// A grey JPEG, as small as its decoder can make it from a part of the coefficients, but at least `side` on each side. `None`
/// for all other files, and for damaged ones: the full decoder tells what is wrong.
fn decode_reduced(bytes: &[u8], side: usize) -> Option<GreyImage> {
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return None;
    }
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    let shorter = usize::from(info.width.min(info.height));
    // Turned pictures are left to the decoder that knows how to turn them.
    if shorter < 2 * side || info.pixel_format != PixelFormat::L8 || decoder.exif_data().is_some() {
        return None;
    }
    let least = u16::try_from(side).ok()?;
    let (width, height) = decoder.scale(least, least).ok()?;
    let pixels = decoder.decode().ok()?;
    Some(GreyImage {
        width: width.into(),
        height: height.into(),
        pixels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;

    /// A picture with edges, ramps and grain, as JPEG.
    fn jpeg(width: usize, height: usize) -> Vec<u8> {
        let pixels: Vec<u8> = (0..width * height)
            .map(|i| {
                let (x, y) = (i % width, i / width);
                let ramp = 160 * x / width + if y > height / 3 { 60 } else { 0 };
                (ramp + (x * 7 + y * 13) % 5) as u8
            })
            .collect();
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 92);
        let grey = image::ExtendedColorType::L8;
        encoder
            .encode(&pixels, width as u32, height as u32, grey)
            .expect("a JPEG");
        bytes
    }

    #[test]
    fn a_large_jpeg_that_is_decoded_small_is_the_same_picture() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("large.jpg");
        std::fs::write(&path, jpeg(1003, 1210)).expect("written");
        let file = Location::Local(path);
        let reduced = decode_reduced(&file.read().expect("bytes"), 200).expect("large enough");
        assert!((200..500).contains(&reduced.width), "{}", reduced.width);
        let fast = read_square(&file, 100).expect("a picture");
        let full = resize(&read(&file).expect("a picture"), 100, 100);
        let pairs = fast.pixels.iter().zip(&full.pixels);
        let apart: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
        let sum: usize = apart.iter().map(|d| usize::from(*d)).sum();
        assert!(
            sum < apart.len(),
            "{sum} levels over {} pixels",
            apart.len()
        );
        assert!(apart.iter().all(|d| *d < 16), "{:?}", apart.iter().max());
    }

    #[test]
    fn small_damaged_and_other_files_are_left_to_the_full_decoder() {
        assert!(decode_reduced(&jpeg(300, 300), 200).is_none());
        assert!(decode_reduced(b"no picture", 1).is_none());
        let mut cut = jpeg(900, 900);
        cut.truncate(cut.len() / 2);
        assert!(decode_reduced(&cut, 100).is_none());
    }
}
