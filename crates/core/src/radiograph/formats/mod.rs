//! The kinds of file that are read, each in a file of its own, and the names of those that are not.

mod alpha;
#[cfg(test)]
mod cases;
pub(super) mod dicom;
mod gif;
mod jpeg;
mod jpeg_2000;
mod jpeg_ls;
mod others;
mod png;
mod tiff;
mod unknown;

use super::picture::{Facts, Format};
use super::refusal::RadiographError;
use super::samples::Pixels;

pub use unknown::name;

/// The format of a file, from its first bytes.
pub fn recognise(bytes: &[u8]) -> Option<Format> {
    match bytes {
        // Its preamble may be that of a TIFF (PS3.10, 7.1).
        _ if dicom::has_mark(bytes) => Some(Format::Dicom),
        [0xFF, 0xD8, 0xFF, ..] if jpeg_ls::is_one(bytes) => Some(Format::JpegLs),
        [0xFF, 0xD8, 0xFF, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Format::Png),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
        // Two letters alone could begin a text; in a bitmap the length of its second header comes 12 bytes later.
        [b'B', b'M', ..]
            if matches!(
                bytes.get(14..18),
                Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
            ) =>
        {
            Some(Format::Bmp)
        }
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(Format::WebP),
        _ => dicom::begins_without_mark(bytes).then_some(Format::Dicom),
    }
}

/// Decodes a file of a known format. With `least`, a JPEG may be decoded smaller, with so many pixels on each side or more.
pub fn decode(
    format: Format,
    bytes: &[u8],
    least: Option<usize>,
) -> Result<(Pixels, Facts), RadiographError> {
    match format {
        Format::Dicom => unreachable!("DICOM says itself how its samples are shown"),
        Format::Jpeg => jpeg::decode(bytes, least),
        Format::JpegLs => jpeg_ls::decode(bytes),
        Format::Png => png::decode(bytes),
        Format::Tiff => tiff::decode(bytes),
        Format::Bmp | Format::Gif | Format::WebP => others::decode(format, bytes),
    }
}
