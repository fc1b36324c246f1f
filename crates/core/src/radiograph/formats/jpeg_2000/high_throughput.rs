//! High-Throughput JPEG 2000 (ISO/IEC 15444-15), by `dicom-toolkit-jpeg2000`: its own decoder, which has no unsafe code.

use std::borrow::Cow;

use dicom_toolkit_jpeg2000::{DecodeError, DecodeSettings, Image};

use crate::radiograph::refusal::RadiographError;

/// Markers of a codestream (ISO/IEC 15444-1, table A.2).
const CODING_OF_A_COMPONENT: u16 = 0xFF53;
const CODING: u16 = 0xFF52;
const QUANTIZATION: u16 = 0xFF5C;
const QUANTIZATION_OF_A_COMPONENT: u16 = 0xFF5D;
const TILE_PART: u16 = 0xFF90;
const DATA: u16 = 0xFF93;
const END: u16 = 0xFFD9;

/// Whether the header says that blocks are coded so: bit 14 of its capabilities (ISO/IEC 15444-15, A.2).
pub fn is(capabilities: u16) -> bool {
    capabilities & 0x4000 != 0
}

/// Width, height and the planes of a codestream, samples with a sign as if the least were 0.
pub fn decode(bytes: &[u8]) -> Result<(u32, u32, Vec<Vec<u16>>), RadiographError> {
    let bytes = with_half_steps(bytes)?;
    let settings = DecodeSettings {
        resolve_palette_indices: false,
        strict: true,
        target_resolution: None,
    };
    let refusal = |error: DecodeError| RadiographError::of_decoder(&error.to_string());
    let image = Image::new(&bytes, &settings).map_err(refusal)?;
    let decoded = image.decode_native().map_err(refusal)?;
    let count = usize::from(decoded.num_components);
    let sample = |bytes: &[u8]| match *bytes {
        [low, high] => u16::from_le_bytes([low, high]),
        _ => bytes[0].into(),
    };
    let samples: Vec<u16> = decoded
        .data
        .chunks_exact(decoded.bytes_per_sample.into())
        .map(sample)
        .collect();
    let plane = |place: usize| samples.iter().skip(place).step_by(count).copied();
    let planes = (0..count).map(|place| plane(place).collect()).collect();
    Ok((decoded.width, decoded.height, planes))
}

/// The codestream with steps of quantization half as long, where it is quantized.
///
/// A quantized coefficient stands for all between it and the next, and is best taken as their middle (ISO/IEC 15444-1, E.1.1.2,
/// with r = 0.5), as OpenJPEG and OpenJPH do. The decoder knows the bit that says so, and drops it with all below the last bit that
/// the header tells it of. An exponent that is higher by one tells it of one bit more, and halves the step: the value is the same, the
/// half is kept.
fn with_half_steps(bytes: &[u8]) -> Result<Cow<'_, [u8]>, RadiographError> {
    let damaged = |what| Err(RadiographError::damaged(what));
    let segments = segments(bytes)?;
    let reversible = |&(marker, start, end): &(u16, usize, usize)| match marker {
        CODING => Some(bytes[start..end].get(9) == Some(&1)),
        _ => None,
    };
    let mut wavelets = segments.iter().filter_map(reversible);
    let first = wavelets.next();
    if wavelets.any(|other| Some(other) != first)
        || segments
            .iter()
            .any(|segment| segment.0 == CODING_OF_A_COMPONENT)
    {
        let what = "High-Throughput JPEG 2000 whose parts are coded differently";
        return Err(RadiographError::unsupported(what));
    }
    match first {
        None => return damaged("it does not say how it is coded"),
        Some(true) => return Ok(Cow::Borrowed(bytes)),
        Some(false) => {}
    }
    let mut halved = bytes.to_vec();
    // Components are numbered in one byte: there are 3 at most.
    let before = |marker| match marker {
        QUANTIZATION => Some(0),
        QUANTIZATION_OF_A_COMPONENT => Some(1),
        _ => None,
    };
    for (marker, start, end) in segments {
        let Some(before) = before(marker) else {
            continue;
        };
        let [style, steps @ ..] = &mut halved[(start + before).min(end)..end] else {
            return damaged("it does not say how it is quantized");
        };
        // Exponents of 5 bits, mantissas of 11 (table A.30).
        if !matches!(*style & 0x1F, 1 | 2) {
            return damaged("it is quantized in a way that there is not");
        }
        for exponent in steps.iter_mut().step_by(2) {
            let Some(higher) = exponent.checked_add(1 << 3) else {
                return damaged("its steps of quantization are too short");
            };
            *exponent = higher;
        }
    }
    Ok(Cow::Owned(halved))
}

/// The segments of the header and of each tile-part's: their markers, and from where to where their content reaches.
fn segments(bytes: &[u8]) -> Result<Vec<(u16, usize, usize)>, RadiographError> {
    let cut = || RadiographError::Truncated { percent: None };
    let two = |at: usize| Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let mut segments = Vec::new();
    // Where the data of a part ends; nowhere, where it is the last.
    let (mut at, mut end_of_part) = (2, None);
    loop {
        let marker = two(at).ok_or_else(cut)?;
        match (marker, end_of_part) {
            (END, _) | (DATA, None) => break,
            (DATA, Some(end)) if end > at => {
                at = end;
                continue;
            }
            (DATA, Some(_)) => {
                let what = "a part of it ends before its data begins";
                return Err(RadiographError::damaged(what));
            }
            _ => {}
        }
        let length = two(at + 2).map(usize::from).filter(|&length| length >= 2);
        let end = at + 2 + length.ok_or_else(cut)?;
        let content = bytes.get(at + 4..end).ok_or_else(cut)?;
        if marker == TILE_PART {
            let part = content
                .get(2..6)
                .and_then(|part| part.first_chunk())
                .ok_or_else(cut)?;
            // From the marker on; 0 for up to the end (A.4.2).
            end_of_part = match u32::from_be_bytes(*part) as usize {
                0 => None,
                length => Some(at.saturating_add(length)),
            };
        }
        segments.push((marker, at + 4, end));
        at = end;
    }
    Ok(segments)
}
