//! Why a file cannot be read as a radiograph, and the limits that are checked before anything is decoded.

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
    #[error(
        "This is {kind}; Sightline reads DICOM, JPEG, JPEG-LS, PNG, TIFF, BMP, GIF and WebP. {advice}"
    )]
    UnknownFormat {
        kind: &'static str,
        advice: &'static str,
    },
    #[error("The file has {mib} MiB. Files of up to {} MiB can be read.", MAX_BYTES >> 20)]
    TooLong { mib: usize },
    #[error(
        "The picture has {width} x {height} pixels, more than can be read ({} megapixels, {MAX_SIDE} pixels on a side). \
         Save it smaller: the model looks at a few hundred pixels on a side.",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge { width: u32, height: u32 },
    #[error(
        "The picture has only {width} x {height} pixels; a radiograph needs at least {MIN_SIDE} on a side."
    )]
    TooSmall { width: u32, height: u32 },
    /// A part of the picture is missing.
    #[error("The file is cut short or damaged: {}. Copy or download it again.", share(.percent))]
    Truncated {
        /// How much is there, where that is known.
        percent: Option<u8>,
    },
    #[error("The file is damaged and cannot be decoded ({0}). Copy or download it again.")]
    Damaged(String),
    #[error(
        "The file uses a feature of its format that is not supported ({0}). Save it as an 8- or 16-bit PNG."
    )]
    Unsupported(String),
    #[error("All pixels of the picture are the same grey: there is nothing in it.")]
    Blank,
    /// A depth was chosen that the samples do not fit into.
    #[error(
        "The picture uses {used} bits of each pixel; it cannot be read as a picture of {chosen} bits."
    )]
    Depth { used: u8, chosen: u8 },
}

fn share(percent: &Option<u8>) -> String {
    match percent {
        Some(percent) => format!("{percent}% of the picture is there, the rest is missing"),
        None => "the end of the picture is missing".to_owned(),
    }
}

impl RadiographError {
    pub(super) fn damaged(what: &str) -> Self {
        Self::Damaged(what.to_owned())
    }

    pub(super) fn unsupported(what: &str) -> Self {
        Self::Unsupported(what.to_owned())
    }

    /// The refusal of a picture of which a part is missing; `there` is the share that is not.
    pub(super) fn incomplete(there: f64) -> Self {
        Self::Truncated {
            percent: Some((there * 100.0).floor().clamp(0.0, 99.0) as u8),
        }
    }

    /// What a decoder says when it gives up.
    pub(super) fn of_decoder(text: &str) -> Self {
        let cut = [
            "unexpected end",
            "unexpected eof",
            "failed to fill",
            "exhausted data",
            "no more bytes",
        ];
        if cut.iter().any(|sign| text.to_lowercase().contains(sign)) {
            Self::Truncated { percent: None }
        } else {
            Self::Damaged(text.to_owned())
        }
    }
}

/// Refuses a size before anything of it is decoded.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), RadiographError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS || width.max(height) > MAX_SIDE {
        return Err(RadiographError::TooLarge { width, height });
    }
    if width.min(height) < MIN_SIDE {
        return Err(RadiographError::TooSmall { width, height });
    }
    Ok(())
}

/// Refuses 16-bit colours that would take more than a gigabyte.
pub(super) fn check_colours(
    width: u32,
    height: u32,
    channels: usize,
) -> Result<(), RadiographError> {
    if channels > 1 && u64::from(width) * u64::from(height) > MAX_PIXELS / 2 {
        let megapixels = MAX_PIXELS / 2_000_000;
        let what = format!("16-bit colours of more than {megapixels} megapixels");
        return Err(RadiographError::Unsupported(what));
    }
    Ok(())
}
