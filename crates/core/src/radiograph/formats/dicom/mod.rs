//! DICOM (PS3): the picture of a file, in its stored values, and what they mean.
//!
//! The data set is read by a reader of our own. `dicom-parser` 0.10 sets memory aside as a file says that it needs it: a file that lies
//! about a length takes four gigabytes, which ends an engine of 32 bits. Here all values are slices of the file.

mod elements;
mod facts;
mod frame;
mod layout;
mod shown;
mod syntax;
mod tags;

use elements::{Elements, before_picture};
use layout::Layout;
use syntax::Syntax;
use tags::PIXEL_DATA;

use crate::radiograph::depth::{Depth, DepthSource};
use crate::radiograph::dicom::Facts;
use crate::radiograph::levels::{Levels, Modality, Rule, Shown};
use crate::radiograph::picture::{Format, Notice, Radiograph};
use crate::radiograph::refusal::RadiographError;
use crate::radiograph::resize::GreyImage;
use crate::radiograph::samples::{Kept, Said, Sixteen, luma};

/// Levels of grey between the dark and the bright parts of a picture, fewer than which show nothing.
const LEAST_CONTRAST: u8 = 16;

/// The picture of a DICOM file.
#[derive(Debug)]
pub struct Dicom {
    pub width: usize,
    pub height: usize,
    /// 1 for grey or for places in a palette, 3 for RGB.
    pub channels: usize,
    /// Bits that a sample takes in the file: 8 or 16.
    pub allocated: u8,
    /// Stored values, row by row, the channels of a pixel one behind the other: before any table or window.
    pub values: Vec<i32>,
    pub facts: Facts,
    /// See [`Radiograph::study`].
    pub study: Option<u64>,
    /// How they become grey. Of RGB the luma is shown.
    pub levels: Levels,
    pub notices: Vec<Notice>,
}

/// Whether the bytes have the mark of a DICOM file, behind its preamble or without (PS3.10, 7.1).
pub fn has_mark(bytes: &[u8]) -> bool {
    bytes.get(128..132) == Some(b"DICM") || bytes.starts_with(b"DICM")
}

/// Whether the bytes begin as a data set does that has no mark: a tag of group 0002 or 0008, and a value representation or a short length
/// (PS3.5, 7.1).
pub fn begins_without_mark(bytes: &[u8]) -> bool {
    let Some(&[a, b, c, d, e, f, g, h]) = bytes.get(..8) else {
        return false;
    };
    let little = u16::from_le_bytes([a, b]);
    let big = u16::from_be_bytes([a, b]);
    let groups = [2, 8];
    if !groups.contains(&little) && !groups.contains(&big) {
        return false;
    }
    let explicit = e.is_ascii_uppercase() && f.is_ascii_uppercase();
    let element = u16::from_le_bytes([c, d]);
    let length = u32::from_le_bytes([e, f, g, h]);
    explicit
        || groups.contains(&little)
            && element <= 0x0070
            && (length as usize) < bytes.len().min(1 << 16)
}

/// Reads a file, with a depth that someone has chosen in place of its window.
///
/// # Errors
/// As [`Dicom::read`], and when the samples do not fit the depth that was chosen.
pub fn decode(bytes: &[u8], chosen: Option<u8>) -> Result<Radiograph, RadiographError> {
    Dicom::read(bytes)?.into_radiograph(chosen)
}

impl Dicom {
    /// Reads the first picture of a file, of which it was checked before that it is not empty and not too long.
    ///
    /// # Errors
    /// When the file is cut or damaged, when it has no picture, or when its picture is written in a way that is not read.
    pub fn read(bytes: &[u8]) -> Result<Self, RadiographError> {
        let (syntax, data_set) = syntax::of_file(bytes).map_err(before_picture)?;
        let inflated;
        let data_set = match syntax.deflated {
            true => {
                inflated = syntax::inflate(data_set)?;
                inflated.as_slice()
            }
            false => data_set,
        };
        let elements = Elements::read(data_set, syntax.encoding)?;
        Self::of_elements(&elements, syntax)
    }

    fn of_elements(elements: &Elements, syntax: &'static Syntax) -> Result<Self, RadiographError> {
        let Some(pixels) = elements.get(PIXEL_DATA) else {
            return Err(facts::without_picture(elements));
        };
        let layout = Layout::of(elements)?;
        let values = frame::values(pixels, &layout, syntax)?;
        let facts = facts::facts(elements, &layout, syntax.name)?;
        let levels = shown::levels(elements, &layout, &facts.windows, &values)?;
        let several = (layout.frames > 1).then_some(Notice::FirstOfSeveral);
        Ok(Self {
            width: layout.width,
            height: layout.height,
            channels: layout.channels,
            allocated: layout.allocated,
            values,
            study: facts::study(elements),
            facts,
            levels,
            notices: several.into_iter().collect(),
        })
    }
}

impl Dicom {
    /// The picture in 8-bit grey, as its levels say; of colours the luma (ITU-R 601-2).
    pub fn grey(&self) -> GreyImage {
        let pixels = match self.channels {
            1 => {
                let kept = self.kept();
                kept.stored(&[]).map(|value| self.levels.grey(value))
            }
            _ => {
                let shift = self.facts.bits_stored.saturating_sub(8);
                let (pixels, _) = self.values.as_chunks::<3>();
                let luma = |rgb: &[i32; 3]| luma(&rgb.map(|v| (v >> shift) as u8));
                pixels.iter().map(luma).collect()
            }
        };
        GreyImage {
            width: self.width,
            height: self.height,
            pixels,
        }
    }

    fn kept(&self) -> Kept {
        let values = self.values.iter();
        match self.facts.signed {
            true => Kept::Signed(values.map(|value| *value as i16).collect()),
            false => Kept::Sixteen(values.map(|value| *value as u16).collect()),
        }
    }

    /// The radiograph, with a depth that someone has chosen in place of the file's window.
    ///
    /// # Errors
    /// When the samples do not fit the depth that was chosen.
    fn into_radiograph(mut self, chosen: Option<u8>) -> Result<Radiograph, RadiographError> {
        let stored_bits = self.facts.bits_stored;
        let mut depth = match stored_bits {
            8 => Depth::FULL_8,
            bits => Depth {
                bits,
                told_by: DepthSource::Tag,
                other: None,
            },
        };
        let mut samples = Kept::Picture;
        let levels = match self.channels {
            1 => {
                samples = self.kept();
                if let Some(bits) = self.shown_bits(&mut samples, &mut depth, chosen)? {
                    let white = (1i32 << bits) - 1;
                    let (a, b) = (
                        self.levels.modality.value(0),
                        self.levels.modality.value(white),
                    );
                    self.levels.shown = Shown::Range(a.min(b), a.max(b));
                    if depth != Depth::FULL_8 {
                        self.notices.insert(0, Notice::Depth(depth));
                    }
                } else if matches!(self.levels.shown, Shown::Range(..)) {
                    self.notices.insert(0, Notice::Range);
                } else if self.levels.contrast(samples.stored(&[])) < LEAST_CONTRAST {
                    self.levels.shown = self.levels.range(samples.stored(&[]), 0.0);
                    self.notices.insert(0, Notice::FlatWindow);
                } else if let [first, _, ..] = self.facts.windows.as_slice() {
                    let count = self.facts.windows.len();
                    self.notices
                        .insert(0, Notice::Windows(count, first.clone()));
                }
                self.levels.clone()
            }
            _ => Levels::of_bits(8, false),
        };
        let image = match samples {
            Kept::Picture => self.grey(),
            _ => GreyImage {
                width: self.width,
                height: self.height,
                pixels: samples.stored(&[]).map(|value| levels.grey(value)),
            },
        };
        Ok(Radiograph {
            image,
            samples,
            used: levels.used(Rule::File, String::new()),
            levels,
            format: Format::Dicom,
            bits: self.allocated,
            depth,
            notices: self.notices,
            dicom: Some(self.facts),
            study: self.study,
        })
    }

    /// The bits whose values are all shown, if neither a table nor a window says what is to be shown: as a PNG of the same samples is.
    fn shown_bits(
        &self,
        samples: &mut Kept,
        depth: &mut Depth,
        chosen: Option<u8>,
    ) -> Result<Option<u8>, RadiographError> {
        let Kept::Sixteen(values) = samples else {
            return Ok(None);
        };
        let own = !matches!(self.levels.shown, Shown::Range(..));
        let linear = matches!(self.levels.modality, Modality::Linear { .. });
        if chosen.is_none() && (own || !linear) {
            return Ok(None);
        }
        if self.allocated == 8 {
            return Ok(chosen.is_none().then_some(self.facts.bits_stored));
        }
        let all = Sixteen {
            values: std::mem::take(values),
            said: Said::Precision(self.facts.bits_stored),
            white_is_zero: false,
        };
        *depth = Depth::of(&all, chosen)?;
        *values = all.values;
        Ok(Some(depth.bits))
    }
}

#[cfg(test)]
mod tests;
