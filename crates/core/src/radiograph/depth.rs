//! How many bits of a 16-bit sample are used.
//!
//! Detectors give 10 to 14 bits. Many programs write them into 16-bit files as they are, so that white is 4095 and not
//! 65535; read as 16 bits, such a picture is nearly black.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::refusal::RadiographError;
use super::samples::{Said, Sixteen};

/// How many bits of a sample carry the picture, and what told it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Depth {
    /// White is `2^bits - 1`.
    pub bits: u8,
    pub told_by: DepthSource,
    /// Where only the pixels tell: another depth that they could have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<u8>,
}

/// What told how many bits are used.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    pub(in crate::radiograph) const FULL_8: Depth = Depth {
        bits: 8,
        told_by: DepthSource::Format,
        other: None,
    };
    const FULL_16: Depth = Depth {
        bits: 16,
        told_by: DepthSource::Format,
        other: None,
    };

    /// The depth of 16-bit samples.
    ///
    /// Samples that a file says have n bits are taken at their word: as n bits if they fit, unless they were scaled up to 16,
    /// as the PNG standard asks (a JPEG or a DICOM file never scales). Without a word, or against it, the depth is that of the largest sample (a white of `2^n` is one of n
    /// bits), unless all samples were scaled up from 8 bits (multiples of 257 or of 256): then the picture is a dark one of 16 bits.
    /// Where nearly all samples need fewer bits than the largest, a few bright ones may be letters that were burned in: then the
    /// depth of nearly all is the other one that can be chosen.
    ///
    /// # Errors
    /// When more than a few samples need more bits than `chosen`.
    pub(in crate::radiograph) fn of(
        samples: &Sixteen,
        chosen: Option<u8>,
    ) -> Result<Depth, RadiographError> {
        let values = &samples.values;
        let (largest, all) = values
            .iter()
            .fold((0, 0), |(largest, all), v| (u16::max(largest, *v), all | v));
        let used = bits_of(largest);
        let told = |bits, told_by, other| {
            Ok(Depth {
                bits,
                told_by,
                other,
            })
        };
        if let Some(chosen) = chosen {
            if chosen < used && chosen < bits_of_nearly_all(values) || chosen > 16 {
                return Err(RadiographError::Depth { used, chosen });
            }
            return told(chosen, DepthSource::Choice, None);
        }
        let shifted_from = |bits: u8| all.trailing_zeros() >= u32::from(16 - bits);
        match samples.said {
            Said::Precision(bits @ 1..16) if used <= bits.max(8) => {
                told(bits, DepthSource::Tag, None)
            }
            Said::Significant(bits @ 1..16) if used <= bits && !shifted_from(bits) => {
                told(bits, DepthSource::Tag, None)
            }
            // Scaled up, or of all bits.
            Said::Significant(bits) if bits >= 16 || shifted_from(bits) => Ok(Self::FULL_16),
            // A word that the pixels contradict is none.
            _ if shifted_from(8) || values.iter().all(|v| v % 257 == 0) => Ok(Self::FULL_16),
            _ => {
                let nearly_all = bits_of_nearly_all(values);
                match used {
                    16 if nearly_all < 15 => told(16, DepthSource::Pixels, Some(nearly_all)),
                    16 => Ok(Self::FULL_16),
                    _ => told(used, DepthSource::Pixels, Some(16)),
                }
            }
        }
    }
}

/// The bits of samples up to `largest`, 8 or more. Some programs write white as `2^n`, one more than n bits hold.
fn bits_of(largest: u16) -> u8 {
    let bits = (16 - largest.leading_zeros()) as u8;
    let white = largest.is_power_of_two() && bits > 9;
    (bits - u8::from(white)).max(8)
}

/// The bits that all but one in a hundred samples need.
fn bits_of_nearly_all(values: &[u16]) -> u8 {
    let mut of_bits = [0usize; 17];
    for value in values {
        of_bits[usize::from(bits_of(*value))] += 1;
    }
    let few = values.len() / 100;
    let mut above = 0;
    (9..=16)
        .rev()
        .find(|bits| {
            above += of_bits[usize::from(*bits)];
            above > few
        })
        .unwrap_or(8)
}
