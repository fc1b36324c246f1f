//! JPEG 2000 within DICOM files (ISO/IEC 15444-1), by `hayro-jpeg2000`. Its strict mode refuses whatever is cut.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use crate::radiograph::refusal::{RadiographError, check_size};
use crate::radiograph::samples::{Pixels, Samples};

/// The pieces of a picture that are decoded one by one. A picture of more is none that a detector made.
const MOST_TILES: u64 = 1 << 16;
/// Where the header of a codestream has its sizes (A.5.1): the image, its offset, a tile, its offset, each in both directions.
const SIZES: usize = 8;

/// What a codestream says of itself.
struct Header {
    bits: u8,
    signed: bool,
}

/// The samples of a codestream, each as the unsigned number that its bits are.
pub fn decode(bytes: &[u8]) -> Result<Pixels, RadiographError> {
    let header = header(bytes)?;
    let settings = DecodeSettings {
        resolve_palette_indices: false,
        strict: true,
        target_resolution: None,
    };
    let refusal = |error: hayro_jpeg2000::DecodeError| match error.to_string() {
        text if text.contains("end of") || text.contains("EOF") => {
            RadiographError::Truncated { percent: None }
        }
        text => RadiographError::Damaged(text),
    };
    let image = Image::new(bytes, &settings).map_err(refusal)?;
    let (width, height) = (image.width(), image.height());
    check_size(width, height)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(refusal)?;
    let most = f32::from(u16::MAX >> (16 - header.bits));
    // Samples with a sign are given as if the least were 0: the highest bit is the other way round.
    let turned = u16::from(header.signed) << (header.bits - 1);
    let whole = |sample: &f32| (sample + 0.5).floor().clamp(0.0, most) as u16 ^ turned;
    let planes: Vec<Vec<u16>> = decoded
        .components()
        .iter()
        .map(|component| component.samples().iter().map(whole).collect())
        .collect();
    let size = width as usize * height as usize;
    if !matches!(planes.len(), 1 | 3) || planes.iter().any(|plane| plane.len() != size) {
        let what = "JPEG 2000 of components that differ in size or are neither 1 nor 3";
        return Err(RadiographError::unsupported(what));
    }
    Ok(Pixels {
        width: width as usize,
        height: height as usize,
        channels: planes.len(),
        samples: Samples::of_planes(planes, header.bits),
    })
}

/// What is said before anything is decoded, with sizes that a picture can have.
fn header(bytes: &[u8]) -> Result<Header, RadiographError> {
    let cut = || RadiographError::Truncated { percent: None };
    let [0xFF, 0x4F, 0xFF, 0x51, rest @ ..] = bytes else {
        let what = "its pixels do not begin as JPEG 2000 does";
        return Err(RadiographError::damaged(what));
    };
    let (numbers, _) = bytes
        .get(SIZES..SIZES + 32)
        .ok_or_else(cut)?
        .as_chunks::<4>();
    let numbers: Vec<u64> = numbers
        .iter()
        .map(|number| u32::from_be_bytes(*number).into())
        .collect();
    let &[width, height, left, top, tile_width, tile_height, ..] = numbers.as_slice() else {
        return Err(cut());
    };
    let (wide, high) = (width.saturating_sub(left), height.saturating_sub(top));
    check_size(
        wide.min(u32::MAX.into()) as u32,
        high.min(u32::MAX.into()) as u32,
    )?;
    let tiles = |length: u64, tile: u64| length.div_ceil(tile.max(1));
    if tiles(width, tile_width) * tiles(height, tile_height) > MOST_TILES {
        return Err(RadiographError::damaged(
            "it has more tiles than a picture can have",
        ));
    }
    // Behind the marker and its length: capabilities, the sizes, how many components, and each one's bits and sampling.
    let &[high_count, low_count, first, ..] = rest.get(36..).ok_or_else(cut)? else {
        return Err(cut());
    };
    let components = u16::from_be_bytes([high_count, low_count]);
    let bits = (first & 0x7F) + 1;
    let alike = (0..usize::from(components)).all(|place| rest.get(38 + 3 * place) == Some(&first));
    if !matches!(bits, 2..=16) || !alike {
        let what = format!("JPEG 2000 of {bits} bits, or of components that differ");
        return Err(RadiographError::unsupported(&what));
    }
    Ok(Header {
        bits,
        signed: first & 0x80 != 0,
    })
}
