//! JPEG 2000 within DICOM files (ISO/IEC 15444-1), by `hayro-jpeg2000`; its high-throughput kind by another. Both are strict: they
//! refuse whatever is cut.

mod high_throughput;

use hayro_jpeg2000::{DecodeError, DecodeSettings, DecoderContext, Image};

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
    high_throughput: bool,
}

/// The samples of a codestream, each as the unsigned number that its bits are.
pub fn decode(bytes: &[u8]) -> Result<Pixels, RadiographError> {
    let header = header(bytes)?;
    let (width, height, mut planes) = match header.high_throughput {
        true => high_throughput::decode(bytes)?,
        false => part_1(bytes, header.bits)?,
    };
    // Samples with a sign are given as if the least were 0: the highest bit is the other way round.
    if header.signed {
        for sample in planes.iter_mut().flatten() {
            *sample ^= 1 << (header.bits - 1);
        }
    }
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

/// Width, height and the planes of a codestream of part 1 of the standard.
fn part_1(bytes: &[u8], bits: u8) -> Result<(u32, u32, Vec<Vec<u16>>), RadiographError> {
    let settings = DecodeSettings {
        resolve_palette_indices: false,
        strict: true,
        target_resolution: None,
    };
    let refusal = |error: DecodeError| RadiographError::of_decoder(&error.to_string());
    let image = Image::new(bytes, &settings).map_err(refusal)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(refusal)?;
    let most = f32::from(u16::MAX >> (16 - bits));
    let whole = |sample: &f32| (sample + 0.5).floor().clamp(0.0, most) as u16;
    let plane = |samples: &[f32]| samples.iter().map(whole).collect();
    let planes = decoded
        .components()
        .iter()
        .map(|component| plane(component.samples()));
    Ok((image.width(), image.height(), planes.collect()))
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
    // Each has its own bits, and a sample for so many columns and rows.
    let alike = (0..usize::from(components))
        .all(|place| rest.get(38 + 3 * place..41 + 3 * place) == Some(&[first, 1, 1]));
    if !matches!(bits, 2..=16) || !alike {
        let what = format!("JPEG 2000 of {bits} bits, or of components that differ");
        return Err(RadiographError::unsupported(&what));
    }
    Ok(Header {
        bits,
        signed: first & 0x80 != 0,
        high_throughput: high_throughput::is(u16::from_be_bytes([rest[2], rest[3]])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codestream within a made DICOM file.
    fn codestream(name: &str) -> Vec<u8> {
        let path = format!(
            "{}/../../tests/cases/dicom/{name}.dcm",
            env!("CARGO_MANIFEST_DIR")
        );
        let file = std::fs::read(path).expect("a file");
        let find = |mark: &[u8]| file.windows(mark.len()).rposition(|bytes| bytes == mark);
        let start = find(&[0xFF, 0x4F, 0xFF, 0x51]).expect("a start");
        let end = find(&[0xFF, 0xD9]).expect("an end");
        file[start..end + 2].to_vec()
    }

    #[test]
    fn a_codestream_that_is_cut_anywhere_is_refused() {
        let names = [
            "jpeg-2000-12",
            "jpeg-2000-lossy",
            "high-throughput-8",
            "high-throughput-signed-tiles",
            "high-throughput-rpcl",
            "high-throughput-lossy",
            "high-throughput-lossy-tiles",
        ];
        for name in names {
            let whole = codestream(name);
            assert!(decode(&whole).is_ok(), "{name}");
            for length in 0..whole.len() {
                assert!(decode(&whole[..length]).is_err(), "{name} cut at {length}");
            }
        }
    }

    #[test]
    fn a_high_throughput_codestream_that_is_coded_in_several_ways_is_refused() {
        let mut bytes = codestream("high-throughput-lossy");
        let comment = bytes.windows(2).position(|two| two == [0xFF, 0x64]);
        bytes[comment.expect("a comment") + 1] = 0x53;
        let why = decode(&bytes).map(drop).expect_err("a refusal").to_string();
        assert!(why.contains("coded differently"), "{why}");
    }

    #[test]
    fn a_part_that_ends_before_its_data_is_refused() {
        let mut bytes = codestream("high-throughput-lossy");
        let part = bytes.windows(2).position(|two| two == [0xFF, 0x90]);
        let length = part.expect("a part") + 6;
        bytes[length..length + 4].copy_from_slice(&12_u32.to_be_bytes());
        let why = decode(&bytes).map(drop).expect_err("a refusal").to_string();
        assert!(why.contains("before its data"), "{why}");
    }

    #[test]
    fn steps_that_cannot_be_halved_are_refused() {
        let mut bytes = codestream("high-throughput-lossy");
        let steps = bytes.windows(2).position(|two| two == [0xFF, 0x5C]);
        bytes[steps.expect("steps") + 5] |= 0xF8;
        let why = decode(&bytes).map(drop).expect_err("a refusal").to_string();
        assert!(why.contains("too short"), "{why}");
    }

    #[test]
    fn components_of_fewer_columns_are_refused() {
        let mut bytes = codestream("jpeg-2000-12");
        bytes[43] = 2;
        let why = decode(&bytes).map(drop).expect_err("a refusal").to_string();
        assert!(why.contains("components that differ"), "{why}");
    }
}
