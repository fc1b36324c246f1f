//! How many bits of a 16-bit sample are used.
//!
//! Detectors give 10 to 14 bits. Many programs write them into 16-bit files as they are, so that white is 4095 and not
//! 65535; read as 16 bits, such a picture is nearly black.

use serde::{Deserialize, Serialize};

use super::decode::RadiographError;
use super::formats::Sixteen;

/// How many bits of a sample carry the picture, and what told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// White is `2^bits - 1`.
    pub bits: u8,
    pub told_by: DepthSource,
}

/// What told how many bits are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DepthSource {
    /// The format: all bits of a sample.
    Format,
    /// What the file says of its samples (PNG's sBIT, TIFF's MaxSampleValue).
    Tag,
    /// The pixels: no sample has more bits.
    Pixels,
    /// The person who opened the file.
    Choice,
}

impl Depth {
    pub(super) const FULL_8: Depth = Depth {
        bits: 8,
        told_by: DepthSource::Format,
    };
    const FULL_16: Depth = Depth {
        bits: 16,
        told_by: DepthSource::Format,
    };

    /// The depth of 16-bit samples.
    ///
    /// Samples that a file says have n bits are taken at their word: as n bits if they fit, unless they were scaled up to 16,
    /// as the PNG standard asks. Without a word, the depth is that of the largest sample, unless all samples were
    /// scaled up from 8 bits (multiples of 257 or of 256): then the picture is a dark one of 16 bits.
    ///
    /// # Errors
    /// When `chosen` is less than what the samples use, or more than 16.
    pub(super) fn of(samples: &Sixteen, chosen: Option<u8>) -> Result<Depth, RadiographError> {
        let values = &samples.values;
        let (largest, all) = values
            .iter()
            .fold((0, 0), |(largest, all), v| (u16::max(largest, *v), all | v));
        let used = (16 - largest.leading_zeros()) as u8;
        let told = |bits, told_by| Ok(Depth { bits, told_by });
        if let Some(chosen) = chosen {
            if chosen < used || chosen > 16 {
                return Err(RadiographError::Depth { used, chosen });
            }
            return told(chosen, DepthSource::Choice);
        }
        let shifted_from = |bits: u8| all.trailing_zeros() >= u32::from(16 - bits);
        match samples.significant {
            Some(bits @ 1..16) if used <= bits && !shifted_from(bits) => {
                told(bits, DepthSource::Tag)
            }
            Some(_) => Ok(Self::FULL_16),
            None if used == 16 => Ok(Self::FULL_16),
            None if shifted_from(8) || values.iter().all(|v| v % 257 == 0) => Ok(Self::FULL_16),
            None => told(used.max(8), DepthSource::Pixels),
        }
    }

    /// Samples scaled to 8 bits: `round(v * 255 / white)`.
    pub(super) fn to_8_bits(self, samples: &Sixteen) -> Vec<u8> {
        let white = (1u32 << self.bits) - 1;
        let scale = |v: u16| {
            let grey = ((u32::from(v) * 255 + white / 2) / white).min(255) as u8;
            if samples.white_is_zero {
                255 - grey
            } else {
                grey
            }
        };
        let table: Vec<u8> = (0..=u16::MAX).map(scale).collect();
        samples
            .values
            .iter()
            .map(|v| table[usize::from(*v)])
            .collect()
    }
}
