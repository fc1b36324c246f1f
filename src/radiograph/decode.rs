//! Bytes of a JPEG or PNG file to a grey picture.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{Format, GreyImage, Radiograph};

/// The longest file that is read: 100 MiB.
pub const MAX_BYTES: usize = 100 << 20;
/// The most pixels that are decoded: 64 million, six times a large detector's.
pub const MAX_PIXELS: u64 = 64_000_000;
/// The longest side that is decoded, in pixels.
pub const MAX_SIDE: u32 = 20_000;
/// A radiograph shorter than this on a side shows nothing that could be read.
const MIN_SIDE: u32 = 16;

/// Why a file cannot be read as a radiograph, in the reader's words.
#[derive(Debug, thiserror::Error)]
pub enum RadiographError {
    #[error("The file is empty.")]
    Empty,
    #[error("This is {kind}; Sightline reads JPEG and PNG. {advice}")]
    UnknownFormat {
        kind: &'static str,
        advice: &'static str,
    },
    #[error("The file is {mib} MiB long; files up to {} MiB can be read.", MAX_BYTES >> 20)]
    TooLong { mib: usize },
    #[error(
        "The picture is {width} x {height} pixels, more than can be read here ({} megapixels, {MAX_SIDE} on a side). \
         Save it smaller: the model looks at a few hundred pixels on a side.",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge { width: u32, height: u32 },
    #[error(
        "The picture is only {width} x {height} pixels; a radiograph needs at least {MIN_SIDE} on a side."
    )]
    TooSmall { width: u32, height: u32 },
    #[error("The file is cut short: its picture does not end. Copy or download it again.")]
    Truncated,
    #[error("The file is damaged and cannot be decoded ({0}).")]
    Damaged(String),
    #[error(
        "The file uses a feature of its format that is not supported ({0}). Save it as an 8- or 16-bit PNG."
    )]
    Unsupported(String),
}

pub(super) fn decode(bytes: &[u8]) -> Result<Radiograph, RadiographError> {
    if bytes.is_empty() {
        return Err(RadiographError::Empty);
    }
    if bytes.len() > MAX_BYTES {
        return Err(RadiographError::TooLong {
            mib: bytes.len().div_ceil(1 << 20),
        });
    }
    let (format, image_format) = match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => (Format::Jpeg, ImageFormat::Jpeg),
        Ok(ImageFormat::Png) => (Format::Png, ImageFormat::Png),
        _ => {
            let (kind, advice) = other_kind(bytes);
            return Err(RadiographError::UnknownFormat { kind, advice });
        }
    };
    // The JPEG decoder fills the missing part of a truncated file with grey and says nothing.
    if format == Format::Jpeg && !jpeg_is_complete(bytes) {
        return Err(RadiographError::Truncated);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image_format);
    let mut limits = Limits::default();
    limits.max_image_width = None; // checked below, with a better message
    limits.max_image_height = None;
    limits.max_alloc = Some(MAX_PIXELS * 8 + (64 << 20));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS || width.max(height) > MAX_SIDE {
        return Err(RadiographError::TooLarge { width, height });
    }
    if width.min(height) < MIN_SIDE {
        return Err(RadiographError::TooSmall { width, height });
    }
    let orientation = decoder.orientation().map_err(refusal)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    image.apply_orientation(orientation);
    let (image, bits) = grey(image);
    Ok(Radiograph {
        image,
        format,
        bits,
    })
}

/// The picture in 8-bit grey, and how many bits a sample had.
fn grey(image: DynamicImage) -> (GreyImage, u8) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (pixels, bits): (Vec<u8>, u8) = match image {
        DynamicImage::ImageLuma8(grey) => (grey.into_raw(), 8),
        DynamicImage::ImageLumaA8(grey) => (
            grey.pixels()
                .map(|p| over_black(u32::from(p.0[0]), u32::from(p.0[1]), 255))
                .collect(),
            8,
        ),
        DynamicImage::ImageLuma16(grey) => {
            (grey.into_raw().into_iter().map(to_8_bits).collect(), 16)
        }
        DynamicImage::ImageLumaA16(grey) => (
            grey.pixels()
                .map(|p| over_black(u32::from(to_8_bits(p.0[0])), u32::from(p.0[1]), 65_535))
                .collect(),
            16,
        ),
        DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => (luma(&image.into_rgba8()), 8),
        // `into_rgba8` scales 16 bits exactly, as `to_8_bits` does.
        other => (luma(&other.into_rgba8()), 16),
    };
    (
        GreyImage {
            width,
            height,
            pixels,
        },
        bits,
    )
}

/// ITU-R 601-2 luma in the fixed-point arithmetic of Pillow's `convert('L')`, over black.
fn luma(image: &image::RgbaImage) -> Vec<u8> {
    let luma = |[r, g, b, a]: [u8; 4]| {
        let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
        over_black((sum + 0x8000) >> 16, u32::from(a), 255)
    };
    image.pixels().map(|pixel| luma(pixel.0)).collect()
}

fn over_black(grey: u32, alpha: u32, opaque: u32) -> u8 {
    ((grey * alpha + opaque / 2) / opaque) as u8
}

/// `round(v / 257)`: 65535 is 255 and 0 is 0.
fn to_8_bits(v: u16) -> u8 {
    ((u32::from(v) + 128) / 257) as u8
}

/// Whether an end-of-image marker follows the start of the scan.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut position = 2;
    // Segments (marker, length, content) up to the first start of scan; a thumbnail inside one is skipped.
    while let Some(&[0xFF, marker]) = bytes.get(position..position + 2) {
        match marker {
            0xFF => position += 1,
            0x01 | 0xD0..=0xD8 => position += 2,
            0xDA => {
                return bytes[position..]
                    .windows(2)
                    .any(|pair| pair == [0xFF, 0xD9]);
            }
            _ => {
                let Some(&[high, low]) = bytes.get(position + 2..position + 4) else {
                    return false;
                };
                position += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
        }
    }
    // No scan at all: cut in the header, or damaged there. The decoder says which.
    position < bytes.len()
}

/// What a file of no supported format seems to be, and what to do with it.
fn other_kind(bytes: &[u8]) -> (&'static str, &'static str) {
    if bytes.get(128..132) == Some(b"DICM") {
        return (
            "a DICOM file",
            "Export it from your viewer as a 16-bit PNG.",
        );
    }
    if bytes.starts_with(b"%PDF") {
        return ("a PDF document", "Export the picture in it as PNG.");
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return ("a ZIP archive", "Unpack it and choose one picture.");
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Gif) => ("a GIF picture", "Save it as PNG."),
        Ok(ImageFormat::WebP) => ("a WebP picture", "Save it as PNG."),
        Ok(ImageFormat::Tiff) => ("a TIFF picture", "Save it as PNG."),
        Ok(ImageFormat::Bmp) => ("a BMP picture", "Save it as PNG."),
        Ok(ImageFormat::Avif) => ("an AVIF picture", "Save it as PNG."),
        _ if std::str::from_utf8(&bytes[..bytes.len().min(64)]).is_ok() => {
            ("a text file", "Choose the picture itself.")
        }
        _ => (
            "not a picture that is known here",
            "Save the radiograph as PNG or JPEG.",
        ),
    }
}

fn refusal(error: ImageError) -> RadiographError {
    match error {
        ImageError::IoError(_) => RadiographError::Truncated,
        ImageError::Decoding(error) => {
            let text = error.to_string();
            let cut = [
                "unexpected end",
                "unexpected eof",
                "failed to fill",
                "exhausted data",
                "no more bytes",
            ];
            if cut.iter().any(|sign| text.to_lowercase().contains(sign)) {
                RadiographError::Truncated
            } else {
                RadiographError::Damaged(text)
            }
        }
        ImageError::Unsupported(error) => RadiographError::Unsupported(error.to_string()),
        other => RadiographError::Damaged(other.to_string()),
    }
}
