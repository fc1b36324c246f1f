//! A decoded radiograph, and what its reader should know of its file.

use std::fmt;

use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use super::depth::{Depth, DepthSource};
use super::resize::GreyImage;

/// The kinds of file that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Jpeg,
    #[serde(rename = "jpeg-ls")]
    JpegLs,
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

/// What a file says beside its pixels.
pub struct Facts {
    pub orientation: Orientation,
    pub notices: Vec<Notice>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            orientation: Orientation::NoTransforms,
            notices: Vec::new(),
        }
    }
}
