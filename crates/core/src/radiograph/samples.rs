//! A decoded picture before it is grey: its samples as the file has them.

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};

/// A decoded picture as its file has it: samples row by row, the channels of a pixel one behind the other.
pub struct Pixels {
    pub width: usize,
    pub height: usize,
    /// 1 for grey, 3 for RGB. Transparency is not kept.
    pub channels: usize,
    pub samples: Samples,
}

impl Pixels {
    /// How many samples there are.
    pub fn count(&self) -> usize {
        match &self.samples {
            Samples::Eight(values) => values.len(),
            Samples::Sixteen(samples) => samples.values.len(),
        }
    }
}

/// Unsigned samples, 0 black.
pub enum Samples {
    Eight(Vec<u8>),
    Sixteen(Sixteen),
}

impl Samples {
    /// The samples of components that were decoded apart, a plane for each. `bits`: how many a sample has, 2 to 16.
    pub fn of_planes(planes: Vec<Vec<u16>>, bits: u8) -> Self {
        let values = match <[Vec<u16>; 1]>::try_from(planes) {
            Ok([plane]) => plane,
            Err(planes) => {
                let count = planes.first().map_or(0, Vec::len);
                let pixel = |place: usize| planes.iter().map(move |plane| plane[place]);
                (0..count).flat_map(pixel).collect()
            }
        };
        match bits {
            8 => Self::Eight(values.into_iter().map(|value| value as u8).collect()),
            // As PNG's depths below 8 are shown: the highest value is white.
            ..8 => {
                let most = (1 << bits) - 1;
                let shown = |value: u16| ((u32::from(value) * 255 + most / 2) / most) as u8;
                Self::Eight(values.into_iter().map(shown).collect())
            }
            _ => Self::Sixteen(Sixteen {
                values,
                said: Said::Precision(bits),
                white_is_zero: false,
            }),
        }
    }
}

/// Samples in 16 bits, of which fewer may be used.
pub struct Sixteen {
    pub values: Vec<u16>,
    /// What the file says of its bits.
    pub said: Said,
    /// 0 is white (TIFF's WhiteIsZero): to be turned over once the depth is known.
    pub white_is_zero: bool,
}

/// What a file says of how many bits its samples have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    /// So many are significant; the samples may have been scaled up to 16 (PNG's sBIT, TIFF's MaxSampleValue).
    Significant(u8),
    /// No sample has more (a JPEG's precision, DICOM's bits stored).
    Precision(u8),
}

/// The samples that a radiograph keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The pixels of its picture are its samples.
    Picture,
    Sixteen(Vec<u16>),
    Signed(Vec<i16>),
}

impl Kept {
    /// The samples; `picture` are the pixels of the picture.
    pub fn stored<'a>(&'a self, picture: &'a [u8]) -> Stored<'a> {
        match self {
            Self::Picture => Stored::Eight(picture),
            Self::Sixteen(values) => Stored::Sixteen(values),
            Self::Signed(values) => Stored::Signed(values),
        }
    }

    /// Turned and mirrored as an EXIF orientation asks. Signed samples are DICOM's, which has none.
    pub fn oriented(self, width: usize, height: usize, orientation: Orientation) -> Self {
        match self {
            Self::Sixteen(values) if orientation != Orientation::NoTransforms => {
                let Some(image) = ImageBuffer::from_raw(width as u32, height as u32, values) else {
                    unreachable!("a picture has as many samples as its size says");
                };
                let mut image = DynamicImage::ImageLuma16(image);
                image.apply_orientation(orientation);
                Self::Sixteen(image.into_luma16().into_raw())
            }
            other => other,
        }
    }
}

/// Stored values of a grey picture, row by row: before any rescale, window or inversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    Eight(&'a [u8]),
    Sixteen(&'a [u16]),
    Signed(&'a [i16]),
}

impl Stored<'_> {
    /// Each value that there is, and how often; ascending.
    pub fn counts(self) -> Vec<(i32, usize)> {
        let mut counts = vec![0usize; 1 << 16];
        let first = match self {
            Self::Eight(values) => {
                values.iter().for_each(|v| counts[usize::from(*v)] += 1);
                0
            }
            Self::Sixteen(values) => {
                values.iter().for_each(|v| counts[usize::from(*v)] += 1);
                0
            }
            Self::Signed(values) => {
                for value in values {
                    counts[(i32::from(*value) - i32::from(i16::MIN)) as usize] += 1;
                }
                i16::MIN.into()
            }
        };
        let counted = counts.into_iter().enumerate();
        counted
            .filter(|(_, count)| *count > 0)
            .map(|(place, count)| (place as i32 + first, count))
            .collect()
    }

    /// The grey of each value, which `grey` is asked for once for each value that a sample can have.
    pub fn map<T: Copy>(self, grey: impl Fn(i32) -> T) -> Vec<T> {
        let table = |first: i32, last: i32| -> Vec<T> { (first..=last).map(&grey).collect() };
        match self {
            Self::Eight(values) => {
                let table = table(0, u8::MAX.into());
                values.iter().map(|v| table[usize::from(*v)]).collect()
            }
            Self::Sixteen(values) => {
                let most = values.iter().copied().max().unwrap_or(0);
                let table = table(0, most.into());
                values.iter().map(|v| table[usize::from(*v)]).collect()
            }
            Self::Signed(values) => {
                let least = i32::from(values.iter().copied().min().unwrap_or(0));
                let most = i32::from(values.iter().copied().max().unwrap_or(0));
                let table = table(least, most);
                let grey = |v: &i16| table[(i32::from(*v) - least) as usize];
                values.iter().map(grey).collect()
            }
        }
    }
}

/// ITU-R 601-2 luma in the fixed-point arithmetic of Pillow's `convert('L')`.
pub fn luma(&[r, g, b]: &[u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
    ((sum + 0x8000) >> 16) as u8
}
