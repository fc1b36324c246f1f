//! BMP, GIF and WebP, by the `image` crate. Of an animation the first picture is read.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder, ImageError, Limits};

use super::alpha::without_alpha;
use super::gif;
use crate::radiograph::picture::{Facts, Format, Notice};
use crate::radiograph::refusal::{MAX_PIXELS, MAX_SIDE, RadiographError, check_size};
use crate::radiograph::samples::{Pixels, Samples};

pub fn decode(format: Format, bytes: &[u8]) -> Result<(Pixels, Facts), RadiographError> {
    let file = Cursor::new(bytes);
    let mut facts = Facts::default();
    let picture = match format {
        Format::Gif => {
            let mut decoder = GifDecoder::new(file).map_err(refusal)?;
            decoder.set_limits(limits()).map_err(refusal)?;
            let (width, height) = decoder.dimensions();
            check_size(width, height)?;
            let frames = gif::frames(bytes);
            // Outside of it there is nothing, which would be read as black.
            if frames.first() != Some(&[0, 0, width, height]) {
                let what = "a GIF whose first picture does not fill it";
                return Err(RadiographError::Unsupported(what.to_owned()));
            }
            if frames.len() > 1 {
                facts.notices.push(Notice::FirstOfSeveral);
            }
            DynamicImage::from_decoder(decoder).map_err(refusal)?
        }
        Format::WebP => {
            let decoder = WebPDecoder::new(file).map_err(refusal)?;
            let moves = decoder.has_animation();
            let picture = whole(decoder, &mut facts)?;
            if moves {
                facts.notices.push(Notice::FirstOfSeveral);
                // The decoder lays it on black.
                let clear = |pixel: &image::Rgba<u8>| pixel.0[3] != u8::MAX;
                if picture.color().has_alpha() && picture.to_rgba8().pixels().any(clear) {
                    let what = "an animated WebP with transparency";
                    return Err(RadiographError::Unsupported(what.to_owned()));
                }
            }
            picture
        }
        _ if matches!(bytes.get(30..34), Some([1 | 2, 0, 0, 0])) => {
            // What its runs leave out is black, and nothing tells that a run is missing.
            let what = "a BMP with run-length coding";
            return Err(RadiographError::Unsupported(what.to_owned()));
        }
        _ => whole(BmpDecoder::new(file).map_err(refusal)?, &mut facts)?,
    };
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (samples, opaque) = match picture {
        DynamicImage::ImageRgb8(picture) => (picture.into_raw(), true),
        picture => without_alpha(picture.into_rgba8().into_raw(), 4, u8::MAX),
    };
    if !opaque {
        facts.notices.push(Notice::Transparency);
    }
    let pixels = Pixels {
        width,
        height,
        channels: 3,
        samples: Samples::Eight(samples),
    };
    Ok((pixels, facts))
}

/// What a decoder may take: a picture may be small and say that a part of it is not.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(2 * 4 * MAX_PIXELS);
    limits
}

fn whole(
    mut decoder: impl ImageDecoder,
    facts: &mut Facts,
) -> Result<DynamicImage, RadiographError> {
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_limits(limits()).map_err(refusal)?;
    facts.orientation = decoder.orientation().map_err(refusal)?;
    DynamicImage::from_decoder(decoder).map_err(refusal)
}

fn refusal(error: ImageError) -> RadiographError {
    match error {
        ImageError::IoError(_) => RadiographError::Truncated { percent: None },
        ImageError::Unsupported(error) => RadiographError::Unsupported(error.to_string()),
        ImageError::Limits(_) => {
            RadiographError::Damaged("it asks for more memory than its picture needs".to_owned())
        }
        other => RadiographError::of_decoder(&other.to_string()),
    }
}
