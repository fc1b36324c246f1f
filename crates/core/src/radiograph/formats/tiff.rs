//! TIFF, by the `tiff` crate: grey or RGB of 8 or 16 bits, uncompressed or packed without loss.

use std::io::Cursor;

use image::metadata::Orientation;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::alpha::without_alpha;
use crate::radiograph::picture::{Facts, Notice};
use crate::radiograph::refusal::{MAX_PIXELS, RadiographError, check_colours, check_size};
use crate::radiograph::samples::{Pixels, Said, Samples, Sixteen};

/// Compressions without loss: none, LZW, deflate (two numbers), PackBits. JPEG in a TIFF would be read by a decoder that fills what is
/// missing with grey.
const LOSSLESS: [u16; 5] = [1, 5, 8, 32946, 32773];
/// PlanarConfiguration of pictures whose colours lie one behind the other, each of the whole picture.
const PLANAR: u16 = 2;
/// PhotometricInterpretation of pictures whose 0 is white.
const WHITE_IS_ZERO: u16 = 0;

pub fn decode(bytes: &[u8]) -> Result<(Pixels, Facts), RadiographError> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_PIXELS as usize * 8;
    limits.intermediate_buffer_size = MAX_PIXELS as usize * 8;
    let mut decoder = Decoder::new(Cursor::new(bytes))
        .map_err(refusal)?
        .with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(refusal)?;
    check_size(width, height)?;
    let colours = decoder.colortype().map_err(refusal)?;
    let (channels, alpha) = match colours {
        ColorType::Gray(8 | 16) => (1, false),
        // A second sample beside grey is opacity, whether the file says so or not.
        ColorType::GrayA(8 | 16)
        | ColorType::Multiband {
            bit_depth: 8 | 16,
            num_samples: 2,
        } => (2, true),
        ColorType::RGB(8 | 16) => (3, false),
        ColorType::RGBA(8 | 16) => (4, true),
        other => {
            return Err(RadiographError::Unsupported(format!("a TIFF of {other:?}")));
        }
    };
    if matches!(
        colours,
        ColorType::GrayA(16)
            | ColorType::Multiband { bit_depth: 16, .. }
            | ColorType::RGB(16)
            | ColorType::RGBA(16)
    ) {
        check_colours(width, height, channels)?;
    }
    let number = |decoder: &mut Decoder<_>, tag| {
        let value = decoder.find_tag_unsigned::<u16>(tag);
        value.ok().flatten()
    };
    let compression = number(&mut decoder, Tag::Compression).unwrap_or(1);
    if !LOSSLESS.contains(&compression) {
        let what = match compression {
            6 | 7 => "a TIFF with JPEG in it".to_owned(),
            other => format!("a TIFF of compression {other}"),
        };
        return Err(RadiographError::Unsupported(what));
    }
    if channels > 1 && number(&mut decoder, Tag::PlanarConfiguration) == Some(PLANAR) {
        let what = "a TIFF that has each colour apart";
        return Err(RadiographError::Unsupported(what.to_owned()));
    }
    let orientation = number(&mut decoder, Tag::Orientation)
        .and_then(|value| u8::try_from(value).ok())
        .and_then(Orientation::from_exif);
    let most = number(&mut decoder, Tag::MaxSampleValue);
    let white_is_zero = number(&mut decoder, Tag::PhotometricInterpretation) == Some(WHITE_IS_ZERO);
    let mut facts = Facts {
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        ..Facts::default()
    };
    let (samples, opaque) = match decoder.read_image().map_err(refusal)? {
        DecodingResult::U8(values) if alpha => {
            let (values, opaque) = without_alpha(values, channels, u8::MAX);
            (Samples::Eight(values), opaque)
        }
        DecodingResult::U8(values) => (Samples::Eight(values), true),
        DecodingResult::U16(values) => {
            let (mut values, opaque) = if alpha {
                without_alpha(values, channels, u16::MAX)
            } else {
                (values, true)
            };
            if white_is_zero {
                // The decoder has turned them over as if all 16 bits were used.
                for value in &mut values {
                    *value = u16::MAX - *value;
                }
            }
            let samples = Sixteen {
                values,
                said: most
                    .filter(|most| *most > 255)
                    .map_or(Said::Nothing, |most| {
                        Said::Significant(most.ilog2() as u8 + 1)
                    }),
                white_is_zero,
            };
            (Samples::Sixteen(samples), opaque)
        }
        _ => {
            return Err(RadiographError::Unsupported(
                "a TIFF of signed or floating-point samples".to_owned(),
            ));
        }
    };
    if !opaque {
        facts.notices.push(Notice::Transparency);
    }
    if decoder.more_images() {
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

fn refusal(error: TiffError) -> RadiographError {
    match error {
        TiffError::IoError(_) => RadiographError::Truncated { percent: None },
        TiffError::UnsupportedError(error) => {
            RadiographError::Unsupported(format!("TIFF: {error}"))
        }
        other => RadiographError::of_decoder(&other.to_string()),
    }
}
