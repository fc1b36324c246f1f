//! Names for files that are not read, and what to do with them.

/// A kind of file by its first bytes.
struct Signature {
    at: usize,
    bytes: &'static [u8],
    kind: &'static str,
    advice: &'static str,
}

const fn starts(bytes: &'static [u8], kind: &'static str, advice: &'static str) -> Signature {
    Signature {
        at: 0,
        bytes,
        kind,
        advice,
    }
}

const SAVE: &str = "Save it as PNG, with 16 bits if it has more than 8.";
const UNPACK: &str = "Unpack it and choose one picture.";
const EXPORT: &str = "Export the picture in it as PNG.";
const CHOOSE: &str = "Choose the picture itself.";

const SIGNATURES: [Signature; 37] = [
    starts(
        b"\x00\x00\x00\x0CjP  \r\n\x87\n",
        "a JPEG 2000 picture",
        SAVE,
    ),
    starts(b"\xFF\x4F\xFF\x51", "a JPEG 2000 picture", SAVE),
    starts(b"\x00\x00\x00\x0CJXL \r\n\x87\n", "a JPEG XL picture", SAVE),
    starts(b"\xFF\x0A", "a JPEG XL picture", SAVE),
    starts(
        b"\x1F\x8B",
        "a file compressed with gzip, as NIfTI volumes are",
        UNPACK,
    ),
    Signature {
        at: 344,
        bytes: b"n+1\0",
        kind: "a NIfTI volume",
        advice: "Export the radiograph as PNG.",
    },
    Signature {
        at: 344,
        bytes: b"ni1\0",
        kind: "the header of a NIfTI volume",
        advice: "Export the radiograph as PNG.",
    },
    starts(b"NRRD0", "an NRRD volume", SAVE),
    starts(b"ObjectType", "a MetaImage volume", SAVE),
    starts(b"PK\x03\x04", "a ZIP archive", UNPACK),
    starts(b"PK\x05\x06", "an empty ZIP archive", CHOOSE),
    starts(b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", UNPACK),
    starts(b"Rar!\x1A\x07", "a RAR archive", UNPACK),
    starts(b"BZh", "a file compressed with bzip2", UNPACK),
    starts(b"\xFD7zXZ\0", "a file compressed with xz", UNPACK),
    starts(
        b"\x28\xB5\x2F\xFD",
        "a file compressed with Zstandard",
        UNPACK,
    ),
    Signature {
        at: 257,
        bytes: b"ustar",
        kind: "a tar archive",
        advice: UNPACK,
    },
    starts(b"%PDF", "a PDF document", EXPORT),
    starts(b"%!PS", "a PostScript document", EXPORT),
    starts(b"\xD0\xCF\x11\xE0", "an Office document", EXPORT),
    starts(b"8BPS", "a Photoshop picture", SAVE),
    starts(b"\x76\x2F\x31\x01", "an OpenEXR picture", SAVE),
    starts(b"#?RADIANCE", "a Radiance HDR picture", SAVE),
    starts(b"qoif", "a QOI picture", SAVE),
    starts(b"P5\n", "a PGM picture", SAVE),
    starts(b"P6\n", "a PPM picture", SAVE),
    starts(b"P2\n", "a PGM picture", SAVE),
    starts(b"P3\n", "a PPM picture", SAVE),
    starts(b"\x00\x00\x01\x00", "an icon", CHOOSE),
    starts(
        b"\x00\x05\x16\x07",
        "a hidden file that a Mac keeps beside the real one (its name begins with ._)",
        "Choose the file without ._ in its name.",
    ),
    starts(
        b"\x4C\x00\x00\x00\x01\x14\x02\x00",
        "a Windows shortcut",
        "Choose the picture it leads to.",
    ),
    starts(b"\x93NUMPY", "a NumPy array", SAVE),
    starts(b"\x89HDF", "an HDF5 file", SAVE),
    starts(b"MATLAB 5.0", "a MATLAB file", SAVE),
    starts(
        b"\x1A\x45\xDF\xA3",
        "a video",
        "Save one picture of it as PNG.",
    ),
    starts(
        b"\x89PNG",
        "a PNG picture damaged by a transfer in text mode, which changes line ends",
        "Copy it again, in binary mode.",
    ),
    starts(b"MZ", "a Windows program", CHOOSE),
];

/// What a file of no format that is read seems to be, and what to do with it.
pub fn name(bytes: &[u8]) -> (&'static str, &'static str) {
    let fits = |s: &&Signature| bytes.get(s.at..s.at + s.bytes.len()) == Some(s.bytes);
    if let Some(signature) = SIGNATURES.iter().find(fits) {
        return (signature.kind, signature.advice);
    }
    if let Some(named) = media(bytes) {
        return named;
    }
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        let kind = match bytes[0] {
            0 => "a file of zeros with nothing in it",
            _ => "a file in which every byte is the same, with nothing in it",
        };
        return (kind, "Copy or download it again.");
    }
    if let Some(text) = text(bytes) {
        return text;
    }
    (
        "not a known kind of picture",
        "Save the radiograph as PNG or JPEG.",
    )
}

/// Files in ISO's base media format, by their brands (ISO/IEC 14496-12, 4.3), and in RIFF.
fn media(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.starts_with(b"RIFF") {
        return Some(("a sound or a video", "Save one picture of it as PNG."));
    }
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let length = u32::from_be_bytes(bytes[..4].try_into().ok()?) as usize;
    let brands = &bytes[8..length.clamp(8, bytes.len().min(256))];
    let has = |names: &[&[u8; 4]]| {
        brands
            .chunks_exact(4)
            .any(|b| names.iter().any(|name| b == *name))
    };
    Some(if has(&[b"avif", b"avis"]) {
        ("an AVIF picture", SAVE)
    } else if has(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1",
    ]) {
        (
            "a HEIC (HEIF) picture, as phones take them",
            "Save it as PNG or JPEG.",
        )
    } else {
        ("a video", "Save one picture of it as PNG.")
    })
}

/// The most bytes of a text that are looked at: an SVG may begin with a long comment.
const LOOKED_AT: usize = 1 << 16;
/// How web pages begin that do not say that they are HTML.
const PAGE: [&str; 6] = [
    "<!doctype html",
    "<head",
    "<body",
    "<script",
    "<meta",
    "<div",
];

fn text(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let start = &bytes[..bytes.len().min(LOOKED_AT)];
    let of_16_bits = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
    // Of UTF-16 the ASCII letters are enough.
    let letters: Vec<u8>;
    let start = if of_16_bits {
        letters = start
            .iter()
            .copied()
            .filter(|b| (9..127).contains(b))
            .collect();
        letters.as_slice()
    } else {
        start
    };
    let start = match std::str::from_utf8(start) {
        Ok(text) => text,
        // A letter that is cut in two.
        Err(error) if start.len() - error.valid_up_to() < 4 && bytes.len() > start.len() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).ok()?
        }
        // Old texts have one byte a letter.
        Err(_) if start.iter().all(|b| *b >= 32 || b"\t\r\n".contains(b)) => "",
        Err(_) => return None,
    };
    if start
        .chars()
        .any(|c| c.is_control() && !"\t\r\n\u{c}".contains(c))
    {
        return None;
    }
    let lower = start.to_lowercase();
    let lower = lower.trim_start_matches('\u{feff}').trim_start();
    Some(if lower.starts_with("version https://git-lfs") {
        (
            "a Git LFS pointer, a text that stands for the file",
            "Fetch the file itself: git lfs pull.",
        )
    } else if PAGE.iter().any(|tag| lower.starts_with(tag)) || lower.contains("<html") {
        (
            "a web page (HTML), not the picture on it",
            "Open the page and save the picture itself.",
        )
    } else if lower.contains("<svg") {
        ("an SVG drawing", "Save it as PNG.")
    } else {
        ("a text file", CHOOSE)
    })
}
