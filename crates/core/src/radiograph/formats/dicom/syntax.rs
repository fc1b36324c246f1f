//! How the elements and the pixels of a file are written: its transfer syntax (PS3.5, annex A; PS3.6, table A-1).

use std::io::Read;

use flate2::read::DeflateDecoder;

use super::elements::{Elements, Encoding};
use super::tags::TRANSFER_SYNTAX;
use crate::radiograph::refusal::{MAX_PIXELS, RadiographError};

pub struct Syntax {
    uid: &'static str,
    pub name: &'static str,
    pub encoding: Encoding,
    /// The data set is compressed as a whole.
    pub deflated: bool,
    pub pixels: Pixels,
}

/// How the pixels are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixels {
    Native,
    RunLengths,
    /// JPEG of 8 or 12 bits, or lossless.
    Jpeg,
    JpegLs,
    Jpeg2000,
    /// In a way that is not read.
    Other,
}

const fn encapsulated(uid: &'static str, name: &'static str, pixels: Pixels) -> Syntax {
    Syntax {
        uid,
        name,
        encoding: Encoding::EXPLICIT,
        deflated: false,
        pixels,
    }
}

const fn native(uid: &'static str, name: &'static str, encoding: Encoding) -> Syntax {
    Syntax {
        uid,
        name,
        encoding,
        deflated: false,
        pixels: Pixels::Native,
    }
}

static IMPLICIT: Syntax = native(
    "1.2.840.10008.1.2",
    "Implicit VR Little Endian",
    Encoding::IMPLICIT,
);
static EXPLICIT: Syntax = native(
    "1.2.840.10008.1.2.1",
    "Explicit VR Little Endian",
    Encoding::EXPLICIT,
);
static BIG_ENDIAN: Syntax = native(
    "1.2.840.10008.1.2.2",
    "Explicit VR Big Endian",
    Encoding::BIG_ENDIAN,
);

static OTHERS: [Syntax; 24] = [
    Syntax {
        deflated: true,
        ..native(
            "1.2.840.10008.1.2.1.99",
            "Deflated Explicit VR Little Endian",
            Encoding::EXPLICIT,
        )
    },
    encapsulated("1.2.840.10008.1.2.5", "RLE Lossless", Pixels::RunLengths),
    encapsulated(
        "1.2.840.10008.1.2.4.50",
        "JPEG Baseline (Process 1)",
        Pixels::Jpeg,
    ),
    encapsulated(
        "1.2.840.10008.1.2.4.51",
        "JPEG Extended (Process 2 and 4)",
        Pixels::Jpeg,
    ),
    encapsulated(
        "1.2.840.10008.1.2.4.57",
        "JPEG Lossless (Process 14)",
        Pixels::Jpeg,
    ),
    encapsulated(
        "1.2.840.10008.1.2.4.70",
        "JPEG Lossless (Process 14, SV1)",
        Pixels::Jpeg,
    ),
    encapsulated("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", Pixels::JpegLs),
    encapsulated(
        "1.2.840.10008.1.2.4.81",
        "JPEG-LS Near-lossless",
        Pixels::JpegLs,
    ),
    encapsulated(
        "1.2.840.10008.1.2.4.90",
        "JPEG 2000 Lossless",
        Pixels::Jpeg2000,
    ),
    encapsulated("1.2.840.10008.1.2.4.91", "JPEG 2000", Pixels::Jpeg2000),
    encapsulated(
        "1.2.840.10008.1.2.4.92",
        "JPEG 2000 Part 2 Lossless",
        Pixels::Other,
    ),
    encapsulated("1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2", Pixels::Other),
    encapsulated("1.2.840.10008.1.2.4.94", "JPIP Referenced", Pixels::Other),
    encapsulated(
        "1.2.840.10008.1.2.4.95",
        "JPIP Referenced Deflate",
        Pixels::Other,
    ),
    encapsulated(
        "1.2.840.10008.1.2.4.100",
        "MPEG2 Main Profile",
        Pixels::Other,
    ),
    encapsulated("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264", Pixels::Other),
    encapsulated("1.2.840.10008.1.2.4.107", "HEVC/H.265", Pixels::Other),
    encapsulated("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", Pixels::Other),
    encapsulated(
        "1.2.840.10008.1.2.4.111",
        "JPEG XL JPEG Recompression",
        Pixels::Other,
    ),
    encapsulated("1.2.840.10008.1.2.4.112", "JPEG XL", Pixels::Other),
    encapsulated(
        "1.2.840.10008.1.2.4.201",
        "High-Throughput JPEG 2000 Lossless",
        Pixels::Jpeg2000,
    ),
    encapsulated(
        "1.2.840.10008.1.2.4.202",
        "High-Throughput JPEG 2000 RPCL",
        Pixels::Jpeg2000,
    ),
    encapsulated(
        "1.2.840.10008.1.2.4.203",
        "High-Throughput JPEG 2000",
        Pixels::Jpeg2000,
    ),
    encapsulated(
        "1.2.840.10008.1.2.8.1",
        "Deflated Image Frame",
        Pixels::Other,
    ),
];

/// The syntax of a file, and its data set.
pub fn of_file(bytes: &[u8]) -> Result<(&'static Syntax, &[u8]), RadiographError> {
    let body = match bytes {
        _ if bytes.get(128..132) == Some(b"DICM") => &bytes[132..],
        [b'D', b'I', b'C', b'M', rest @ ..] => rest,
        _ => bytes,
    };
    let (meta, length) = Elements::read_meta(body)?;
    let data_set = &body[length..];
    let Some(uid) = meta.text(TRANSFER_SYNTAX) else {
        return Ok((guessed(data_set)?, data_set));
    };
    let known = [&IMPLICIT, &EXPLICIT, &BIG_ENDIAN]
        .into_iter()
        .chain(&OTHERS);
    let unknown = || {
        let what = format!("a DICOM file of the transfer syntax {uid}");
        RadiographError::unsupported(&what)
    };
    let syntax = known.into_iter().find(|syntax| syntax.uid == uid);
    Ok((syntax.ok_or_else(unknown)?, data_set))
}

/// The syntax of a data set without meta information, from its first element: of group 8, with its value representation or without.
fn guessed(data_set: &[u8]) -> Result<&'static Syntax, RadiographError> {
    let cut = || RadiographError::Truncated { percent: None };
    let &[a, b, _, _, e, f] = data_set.first_chunk().ok_or_else(cut)?;
    let explicit = e.is_ascii_uppercase() && f.is_ascii_uppercase();
    match ([a, b], explicit) {
        ([0, 8], true) => Ok(&BIG_ENDIAN),
        (_, true) => Ok(&EXPLICIT),
        (_, false) => Ok(&IMPLICIT),
    }
}

/// The data set of a deflated file (PS3.5, A.5), up to a length that no picture that is read exceeds.
pub fn inflate(bytes: &[u8]) -> Result<Vec<u8>, RadiographError> {
    let most = 3 * MAX_PIXELS;
    let mut inflated = Vec::new();
    let read = DeflateDecoder::new(bytes)
        .take(most + 1)
        .read_to_end(&mut inflated);
    match read {
        Err(error) => Err(RadiographError::of_decoder(&error.to_string())),
        Ok(length) if length as u64 > most => Err(RadiographError::damaged(
            "it inflates to more than any picture has",
        )),
        Ok(_) => Ok(inflated),
    }
}
