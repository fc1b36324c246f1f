//! PNG, by the `png` crate: of 1 to 16 bits, grey, RGB or with a palette.

use std::io::Cursor;

use image::metadata::Orientation;
use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use super::alpha::without_alpha;
use crate::radiograph::picture::{Facts, Notice};
use crate::radiograph::refusal::{MAX_PIXELS, RadiographError, check_colours, check_size};
use crate::radiograph::samples::{Pixels, Said, Samples, Sixteen};

/// The last chunk, which holds nothing.
const IEND: &[u8; 12] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

pub fn decode(bytes: &[u8]) -> Result<(Pixels, Facts), RadiographError> {
    match whole_chunks(bytes) {
        Some(end) => {
            // The decoder asks for an end before it gives any pixel. If pixels are missing it still says so.
            let (pixels, mut facts) = decode_ended(&[&bytes[..end], IEND].concat())?;
            facts.notices.push(Notice::NoEnd);
            Ok((pixels, facts))
        }
        None => decode_ended(bytes),
    }
}

fn decode_ended(bytes: &[u8]) -> Result<(Pixels, Facts), RadiographError> {
    let limits = Limits {
        bytes: MAX_PIXELS as usize * 8 + (64 << 20),
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::EXPAND);
    // Text and profiles may be damaged without harm to the picture.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(refusal)?;
    let (width, height) = (header.width, header.height);
    check_size(width, height)?;
    let mut reader = decoder.read_info().map_err(refusal)?;
    let length = reader
        .output_buffer_size()
        .ok_or(RadiographError::TooLarge { width, height })?;
    let (color_type, bit_depth) = reader.output_color_type();
    let channels = color_type.samples();
    let alpha = matches!(color_type, ColorType::GrayscaleAlpha | ColorType::Rgba);
    if bit_depth == BitDepth::Sixteen {
        check_colours(width, height, channels)?;
    }
    let (samples, opaque) = match bit_depth {
        BitDepth::Sixteen => {
            let bits = reader.info().sbit.as_deref().unwrap_or_default();
            let colours = channels - usize::from(alpha);
            let significant = bits.iter().take(colours).max().copied();
            let (values, opaque) = sixteen_bits(&mut reader, length, channels, alpha)?;
            let samples = Sixteen {
                values,
                said: significant.map_or(Said::Nothing, Said::Significant),
                white_is_zero: false,
            };
            (Samples::Sixteen(samples), opaque)
        }
        _ => {
            let mut buffer = vec![0; length];
            let shape = reader.next_frame(&mut buffer).map_err(refusal)?;
            buffer.truncate(shape.buffer_size());
            if alpha {
                let (samples, opaque) = without_alpha(buffer, channels, u8::MAX);
                (Samples::Eight(samples), opaque)
            } else {
                (Samples::Eight(buffer), true)
            }
        }
    };
    // What lies behind the pixels may turn the picture; whatever is wrong with it, the pixels are there.
    let _ = reader.finish();
    let info = reader.info();
    let mut facts = Facts {
        orientation: info
            .exif_metadata
            .as_deref()
            .and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms),
        ..Facts::default()
    };
    if !opaque {
        facts.notices.push(Notice::Transparency);
    }
    if info.animation_control().is_some() {
        facts.notices.push(Notice::FirstOfSeveral);
    }
    let pixels = Pixels {
        width: width as usize,
        height: height as usize,
        channels: channels - usize::from(alpha),
        samples,
    };
    Ok((pixels, facts))
}

/// All 16-bit samples without alpha, and whether that was opaque everywhere. Row by row, since the largest pictures would take gigabytes as
/// bytes and as numbers at once.
fn sixteen_bits(
    reader: &mut Reader<Cursor<&[u8]>>,
    length: usize,
    channels: usize,
    alpha: bool,
) -> Result<(Vec<u16>, bool), RadiographError> {
    let colours = channels - usize::from(alpha);
    let mut values = Vec::with_capacity(length / 2 / channels * colours);
    let mut opaque = true;
    let mut take = |bytes: &[u8]| {
        for pixel in bytes.chunks_exact(2 * channels) {
            let (samples, _) = pixel.as_chunks::<2>();
            values.extend(
                samples[..colours]
                    .iter()
                    .map(|pair| u16::from_be_bytes(*pair)),
            );
            opaque &= !alpha || samples[colours] == [0xFF, 0xFF];
        }
    };
    if reader.info().interlaced {
        let mut buffer = vec![0; length];
        let shape = reader.next_frame(&mut buffer).map_err(refusal)?;
        take(&buffer[..shape.buffer_size()]);
    } else {
        while let Some(row) = reader.next_row().map_err(refusal)? {
            take(row.data());
        }
    }
    Ok((values, opaque))
}

/// Where the last whole chunk ends, if there is no IEND.
fn whole_chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 8;
    while let Some(&[a, b, c, d, ref kind @ ..]) = bytes.get(at..at + 8) {
        if kind == b"IEND" {
            return None;
        }
        let next = at + 12 + u32::from_be_bytes([a, b, c, d]) as usize;
        if next > bytes.len() {
            break;
        }
        at = next;
    }
    Some(at)
}

fn refusal(error: DecodingError) -> RadiographError {
    match error {
        DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            RadiographError::Truncated { percent: None }
        }
        DecodingError::LimitsExceeded => {
            RadiographError::Damaged("it asks for more memory than its picture needs".to_owned())
        }
        other => match other.to_string() {
            text if text.contains("CRC error") => {
                RadiographError::Damaged("a checksum of its pixels is wrong".to_owned())
            }
            text => RadiographError::of_decoder(&text),
        },
    }
}
