//! From the bytes of a file to a grey picture: how samples become grey.

use super::depth::{Depth, DepthSource};
use super::formats;
use super::levels::{Levels, Rule};
use super::picture::{Format, Notice, Radiograph};
use super::refusal::{MAX_BYTES, RadiographError};
use super::resize::GreyImage;
use super::samples::{Kept, Samples, Stored, luma};

/// How a file is to be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How many bits of 16-bit samples are used, if someone has chosen; else it is told from the file and its pixels.
    pub depth: Option<u8>,
    /// A large JPEG may be decoded at a half, a quarter or an eighth of its size, with so many pixels or more on each side: for
    /// training. A picture that is scored is decoded in full.
    pub least: Option<usize>,
    /// Which levels are shown.
    pub levels: Rule,
}

impl Radiograph {
    /// Reads a DICOM, JPEG, JPEG-LS, PNG, TIFF, BMP, GIF or WebP file (8 or 16 bit; grey, RGB, palette, with or without alpha).
    ///
    /// The format is told from the bytes, never from a file name. Colour becomes luma (ITU-R 601-2, as
    /// Pillow's `L`), alpha is ignored, 16 bits become 8 by exact scaling from the bits that are used ([`Depth`]) or through the window of a
    /// DICOM file, and an EXIF orientation is applied.
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

    /// Reads a file as [`Radiograph::decode`] does, with a depth that someone has chosen, smaller for training, or in the levels that a model
    /// asks for.
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
    let radiograph = match format {
        Format::Dicom => formats::dicom::decode(bytes, options.depth)?,
        _ => picture(format, bytes, options)?,
    };
    let radiograph = radiograph.by(options.levels);
    let pixels = &radiograph.image.pixels;
    if pixels.iter().all(|v| *v == pixels[0]) {
        return Err(RadiographError::Blank);
    }
    Ok(radiograph)
}

/// A file of a format whose samples are shown from 0 to white.
fn picture(format: Format, bytes: &[u8], options: Options) -> Result<Radiograph, RadiographError> {
    let (pixels, facts) = formats::decode(format, bytes, options.least)?;
    let mut notices = facts.notices;
    let bits = match &pixels.samples {
        Samples::Eight(_) => 8,
        Samples::Sixteen(_) => 16,
    };
    if pixels.count() != pixels.width * pixels.height * pixels.channels {
        let why = "its number of samples does not match its size";
        return Err(RadiographError::damaged(why));
    }
    let (shown, depth, kept) = match pixels.samples {
        Samples::Eight(values) => (values, Depth::FULL_8, None),
        Samples::Sixteen(samples) => {
            let depth = Depth::of(&samples, options.depth)?;
            let levels = Levels::of_bits(depth.bits, samples.white_is_zero);
            let shown = Stored::Sixteen(&samples.values).map(|value| levels.grey(value));
            (shown, depth, Some((samples.values, levels)))
        }
    };
    if depth.bits < bits || depth.told_by != DepthSource::Format {
        notices.insert(0, Notice::Depth(depth));
    }
    let (shown, samples, levels) = match (pixels.channels, kept) {
        (1, Some((values, levels))) => (shown, Kept::Sixteen(values), levels),
        (1, None) => (shown, Kept::Picture, Levels::of_bits(8, false)),
        // Of colours the luma is the picture, and what is kept of it.
        _ => {
            let (colours, _) = shown.as_chunks::<3>();
            let luma = colours.iter().map(luma).collect();
            (luma, Kept::Picture, Levels::of_bits(8, false))
        }
    };
    let image = GreyImage {
        width: pixels.width,
        height: pixels.height,
        pixels: shown,
    };
    Ok(Radiograph {
        samples: samples.oriented(image.width, image.height, facts.orientation),
        image: image.oriented(facts.orientation),
        used: levels.used(Rule::File, String::new()),
        levels,
        format,
        bits,
        depth,
        notices,
        dicom: None,
        study: None,
    })
}
