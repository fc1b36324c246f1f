//! A chest radiograph: from the bytes of a file to a grey picture, and from there to a network's input.

mod decode;
mod depth;
mod formats;
mod input;
mod refusal;
mod resize;
mod samples;
mod view;

use std::fmt;

pub use decode::Options;
pub use depth::{Depth, DepthSource};
pub use input::{Input, Region, Resize};
pub use refusal::{MAX_BYTES, MAX_PIXELS, MAX_SIDE, RadiographError};
pub use resize::{GreyImage, resize, resize_part};
pub use view::{LATERAL, is_lateral};

use serde::{Deserialize, Serialize};

/// The kinds of file that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Jpeg,
    Png,
    Tiff,
    Bmp,
    Gif,
    WebP,
}

/// Something about a file that its reader should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Fewer bits are used than a sample has, or someone has chosen how many.
    Depth(Depth),
    /// Pixels are transparent, and were read as if they were not.
    Transparency,
    /// The file ends without its end mark.
    NoEnd,
    /// The file holds several pictures.
    FirstOfSeveral,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Notice::Depth(Depth { bits, told_by, .. }) => {
                let source = match told_by {
                    DepthSource::Choice => "as chosen",
                    DepthSource::Tag => "as the file says",
                    _ => "judging by the pixels",
                };
                write!(f, "{bits} bits of each pixel are used, {source}.")
            }
            Notice::Transparency => {
                f.write_str("Transparency is ignored: the picture is read as if it were opaque.")
            }
            Notice::NoEnd => f.write_str("The file lacks its end mark. Every pixel is there."),
            Notice::FirstOfSeveral => {
                f.write_str("The file holds several pictures. The first is read.")
            }
        }
    }
}

/// A decoded chest radiograph: 8-bit grey, 0 black, as the file shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Radiograph {
    pub image: GreyImage,
    pub format: Format,
    /// Bits per sample in the file: 8 or 16.
    pub bits: u8,
    /// How many of them are used.
    pub depth: Depth,
    /// What else its reader should know.
    pub notices: Vec<Notice>,
}

impl Radiograph {
    /// Reads a JPEG, PNG, TIFF, BMP, GIF or WebP file (8 or 16 bit; grey, RGB, palette, with or without alpha).
    ///
    /// The format is told from the bytes, never from a file name. Colour becomes luma (ITU-R 601-2, as
    /// Pillow's `L`), alpha is ignored, 16 bits become 8 by exact scaling from the bits that are used ([`Depth`]), and an EXIF
    /// orientation is applied.
    ///
    /// # Errors
    /// When the file is of another kind, damaged, cut short, empty, of one grey level, or larger than the limits
    /// ([`MAX_BYTES`], [`MAX_PIXELS`], [`MAX_SIDE`]), which are checked before anything is decoded.
    ///
    /// ```
    /// use sightline_core::radiograph::{Radiograph, RadiographError};
    /// let error = Radiograph::decode(b"%PDF-1.7").unwrap_err();
    /// assert!(matches!(error, RadiographError::UnknownFormat { .. }));
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Self, RadiographError> {
        decode::decode(bytes, Options::default())
    }

    /// Reads a file as [`Radiograph::decode`] does, with a depth that someone has chosen, or smaller for training.
    ///
    /// # Errors
    /// As [`Radiograph::decode`], and when the samples do not fit the depth that was chosen.
    pub fn decode_with(bytes: &[u8], options: Options) -> Result<Self, RadiographError> {
        decode::decode(bytes, options)
    }
}
