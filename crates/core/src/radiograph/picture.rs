//! A decoded radiograph, and what its reader should know of its file.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use super::depth::{Depth, DepthSource};
use super::dicom;
use super::levels::{Levels, Rule, Used, Window};
use super::resize::GreyImage;
use super::samples::{Kept, Stored};

/// The kinds of file that can be read.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Dicom,
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
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Fewer bits are used than a sample has, or someone has chosen how many.
    Depth(Depth),
    /// Pixels are transparent, and were read as if they were not.
    Transparency,
    /// The file ends without its end mark.
    NoEnd,
    /// The file holds several pictures.
    FirstOfSeveral,
    /// The file has several windows: how many, and the first.
    Windows(usize, Window),
    /// The file's window or table shows next to nothing of the picture, so that the range of its values is shown.
    FlatWindow,
    /// Values have a sign and no window says what is to be shown of them: all are.
    Range,
    /// What the tags say of the body part or the view is not what the models know.
    Tags(String),
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
            Notice::Windows(count, window) => {
                let Window { center, width, .. } = window;
                write!(f, "The file has {count} windows. The first is used: center {center}, width {width}")?;
                match &window.explanation {
                    Some(explanation) => write!(f, " ({explanation})."),
                    None => f.write_str("."),
                }
            }
            Notice::FlatWindow => f.write_str(
                "The file's own window shows next to nothing of the picture. The range of its values is used instead.",
            ),
            Notice::Range => {
                f.write_str("The file has no window. The range of its values is used.")
            }
            Notice::Tags(said) => f.write_str(said),
        }
    }
}

/// A decoded chest radiograph: its samples, what they mean, and the picture that is shown of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Radiograph {
    /// 8-bit grey, 0 black, as the file asks to be shown, or as another rule does that was asked for.
    pub image: GreyImage,
    /// The samples that [`Radiograph::stored`] gives.
    pub(super) samples: Kept,
    /// How samples become grey.
    pub levels: Levels,
    /// Which levels these are, and why.
    pub used: Used,
    pub format: Format,
    /// Bits per sample in the file: 8 or 16.
    pub bits: u8,
    /// How many of them are used.
    pub depth: Depth,
    /// What else its reader should know.
    pub notices: Vec<Notice>,
    /// What a DICOM file says of its picture.
    pub dicom: Option<dicom::Facts>,
    /// A number that stands for the study of a DICOM file: files of one study have the same.
    pub study: Option<u64>,
}

impl Radiograph {
    /// The samples of the file: one for each pixel, before any rescale, window or inversion. Of colours the luma.
    pub fn stored(&self) -> Stored<'_> {
        self.samples.stored(&self.image.pixels)
    }

    /// Levels of grey between the dark and the bright parts of the picture.
    pub fn contrast(&self) -> u8 {
        let mut counts = [0usize; 256];
        self.image
            .pixels
            .iter()
            .for_each(|v| counts[usize::from(*v)] += 1);
        let few = self.image.pixels.len() / 200;
        // The level up to which more than a few pixels are.
        let end = |levels: &mut dyn Iterator<Item = usize>| {
            let mut seen = 0;
            for level in levels {
                seen += counts[level];
                if seen > few {
                    return level;
                }
            }
            0
        };
        let (dark, bright) = (end(&mut (0..256)), end(&mut (0..256).rev()));
        bright.saturating_sub(dark) as u8
    }

    /// Shown as a rule asks: another picture of the same samples.
    pub(super) fn by(mut self, rule: Rule) -> Self {
        let (levels, why) = self.levels.by(rule, self.stored());
        self.used = levels.used(rule, why);
        if levels != self.levels {
            let pixels = self.stored().map(|value| levels.grey(value));
            let before = std::mem::replace(&mut self.image.pixels, pixels);
            if self.samples == Kept::Picture {
                self.samples = Kept::Sixteen(before.into_iter().map(u16::from).collect());
            }
            self.levels = levels;
        }
        self
    }
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
