//! A chest radiograph: from the bytes of a file to a grey picture, and from there to a network's input.

mod decode;
mod input;
mod resize;

pub use decode::{MAX_BYTES, MAX_PIXELS, MAX_SIDE, RadiographError};
pub use input::{Input, Region, Resize};
pub use resize::{GreyImage, resize};

use serde::{Deserialize, Serialize};

/// The kinds of file that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Jpeg,
    Png,
}

/// A decoded chest radiograph: 8-bit grey, 0 black, as the file shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Radiograph {
    pub image: GreyImage,
    pub format: Format,
    /// Bits per sample in the file: 8 or 16.
    pub bits: u8,
}

impl Radiograph {
    /// Reads a JPEG or PNG file (8 or 16 bit; grey, RGB, palette, with or without alpha).
    ///
    /// The format is told from the bytes, never from a file name. Colour becomes luma (ITU-R 601-2, as
    /// Pillow's `L`), 16 bits become 8 by exact scaling (`round(v / 257)`), transparent pixels become
    /// black, and an EXIF orientation is applied.
    ///
    /// # Errors
    /// When the file is of another kind, damaged, cut short, empty, or larger than the limits
    /// ([`MAX_BYTES`], [`MAX_PIXELS`], [`MAX_SIDE`]), which are checked before anything is decoded.
    ///
    /// ```
    /// use sightline::radiograph::{Radiograph, RadiographError};
    /// let error = Radiograph::decode(b"GIF89a").unwrap_err();
    /// assert!(matches!(error, RadiographError::UnknownFormat { .. }));
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Self, RadiographError> {
        decode::decode(bytes)
    }
}
