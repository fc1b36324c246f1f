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

/// Samples in 16 bits, of which fewer may be used.
pub struct Sixteen {
    pub values: Vec<u16>,
    /// How many bits the file says are significant (PNG's sBIT, TIFF's MaxSampleValue, JPEG-LS's precision).
    pub significant: Option<u8>,
    /// 0 is white (TIFF's WhiteIsZero): to be turned over once the depth is known.
    pub white_is_zero: bool,
}
