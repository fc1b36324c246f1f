//! BMP, GIF and WebP, by the `image` crate. Of an animation the first picture is read.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageError, Limits};

use super::{Facts, Pixels, Samples, without_alpha};
use crate::radiograph::decode::{MAX_PIXELS, MAX_SIDE, RadiographError, check_size};
use crate::radiograph::{Format, Notice};

pub fn decode(format: Format, bytes: &[u8]) -> Result<(Pixels, Facts), RadiographError> {
    let bytes = Cursor::new(bytes);
    let mut facts = Facts::default();
    let picture = match format {
        Format::Gif => {
            let mut decoder = GifDecoder::new(bytes).map_err(refusal)?;
            decoder.set_limits(limits()).map_err(refusal)?;
            let (width, height) = decoder.dimensions();
            check_size(width, height)?;
            let mut frames = decoder.into_frames();
            let first = frames
                .next()
                .ok_or(RadiographError::Truncated { percent: None })?
                .map_err(refusal)?;
            if frames.next().is_some() {
                facts.notices.push(Notice::FirstOfSeveral);
            }
            first.into_buffer().into()
        }
        Format::WebP => {
            let decoder = WebPDecoder::new(bytes).map_err(refusal)?;
            if decoder.has_animation() {
                facts.notices.push(Notice::FirstOfSeveral);
            }
            whole(decoder, &mut facts)?
        }
        _ => whole(BmpDecoder::new(bytes).map_err(refusal)?, &mut facts)?,
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
