//! A decoded picture before it is grey: its samples as the file has them.

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
                significant: Some(bits),
                white_is_zero: false,
            }),
        }
    }
}

/// Samples in 16 bits, of which fewer may be used.
pub struct Sixteen {
    pub values: Vec<u16>,
    /// How many bits the file says are significant (PNG's sBIT, TIFF's MaxSampleValue, a JPEG's precision).
    pub significant: Option<u8>,
    /// 0 is white (TIFF's WhiteIsZero): to be turned over once the depth is known.
    pub white_is_zero: bool,
}
