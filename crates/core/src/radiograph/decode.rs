//! From the bytes of a file to a grey picture: how samples become grey.

use super::depth::{Depth, DepthSource};
use super::formats;
use super::picture::{Notice, Radiograph};
use super::refusal::{MAX_BYTES, RadiographError};
use super::resize::GreyImage;
use super::samples::{Pixels, Samples};

/// How a file is to be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How many bits of 16-bit samples are used, if someone has chosen; else it is told from the file and its pixels.
    pub depth: Option<u8>,
    /// A large JPEG may be decoded at a half, a quarter or an eighth of its size, with so many pixels or more on each side: for
    /// training. A picture that is scored is decoded in full.
    pub least: Option<usize>,
}

impl Radiograph {
    /// Reads a JPEG, JPEG-LS, PNG, TIFF, BMP, GIF or WebP file (8 or 16 bit; grey, RGB, palette, with or without alpha).
    ///
    /// The format is told from the bytes, never from a file name. Colour becomes luma (ITU-R 601-2, as
    /// Pillow's `L`), alpha is ignored, 16 bits become 8 by exact scaling from the bits that are used ([`Depth`]), and an EXIF
    /// orientation is applied.
    ///
    /// # Errors
    /// When the file is of another kind, damaged, cut short, empty, of one grey level, or larger than the limits
    /// ([`MAX_BYTES`], [`MAX_PIXELS`](super::MAX_PIXELS), [`MAX_SIDE`](super::MAX_SIDE)), which are checked before anything is decoded.
    ///
    /// ```
    /// use sightline_core::radiograph::{Radiograph, RadiographError};
    /// let error = Radiograph::decode(b"%PDF-1.7").unwrap_err();
    /// assert!(matches!(error, RadiographError::UnknownFormat { .. }));
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Self, RadiographError> {
        decode(bytes, Options::default())
    }

    /// Reads a file as [`Radiograph::decode`] does, with a depth that someone has chosen, or smaller for training.
    ///
    /// # Errors
    /// As [`Radiograph::decode`], and when the samples do not fit the depth that was chosen.
    pub fn decode_with(bytes: &[u8], options: Options) -> Result<Self, RadiographError> {
        decode(bytes, options)
    }
}

fn decode(bytes: &[u8], options: Options) -> Result<Radiograph, RadiographError> {
    if bytes.is_empty() {
        return Err(RadiographError::Empty);
    }
    if bytes.len() > MAX_BYTES {
        return Err(RadiographError::TooLong {
            mib: bytes.len().div_ceil(1 << 20),
        });
    }
    let format = formats::recognise(bytes).ok_or_else(|| {
        let (kind, advice) = formats::name(bytes);
        RadiographError::UnknownFormat { kind, advice }
    })?;
    let (pixels, facts) = formats::decode(format, bytes, options.least)?;
    let mut notices = facts.notices;
    let bits = match &pixels.samples {
        Samples::Eight(_) => 8,
        Samples::Sixteen(_) => 16,
    };
    if pixels.count() != pixels.width * pixels.height * pixels.channels {
        let why = "its number of samples does not match its size";
        return Err(RadiographError::Damaged(why.to_owned()));
    }
    let (image, depth) = grey(pixels, options.depth)?;
    if depth.bits < bits || depth.told_by != DepthSource::Format {
        notices.insert(0, Notice::Depth(depth));
    }
    if image.pixels.iter().all(|v| *v == image.pixels[0]) {
        return Err(RadiographError::Blank);
    }
    Ok(Radiograph {
        image: image.oriented(facts.orientation),
        format,
        bits,
        depth,
        notices,
    })
}

/// The picture in 8-bit grey.
fn grey(pixels: Pixels, chosen: Option<u8>) -> Result<(GreyImage, Depth), RadiographError> {
    let (samples, depth) = match pixels.samples {
        Samples::Eight(samples) => (samples, Depth::FULL_8),
        Samples::Sixteen(samples) => {
            let depth = Depth::of(&samples, chosen)?;
            (depth.to_8_bits(&samples), depth)
        }
    };
    let pixels = GreyImage {
        width: pixels.width,
        height: pixels.height,
        pixels: if pixels.channels == 1 {
            samples
        } else {
            let (colours, _) = samples.as_chunks::<3>();
            colours.iter().map(luma).collect()
        },
    };
    Ok((pixels, depth))
}

/// ITU-R 601-2 luma in the fixed-point arithmetic of Pillow's `convert('L')`.
fn luma(&[r, g, b]: &[u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
    ((sum + 0x8000) >> 16) as u8
}
