//! How a file says that its samples lie (PS3.3, C.7.6.3).

use super::elements::Elements;
use super::tags::*;
use crate::radiograph::refusal::{RadiographError, check_colours, check_size};

/// How the file says that its samples lie.
pub struct Layout {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    /// Bits that a sample takes: 8 or 16.
    pub allocated: u8,
    pub stored: u8,
    pub high: u8,
    pub signed: bool,
    /// Colours lie one behind the other, each of the whole picture.
    pub planar: bool,
    pub frames: usize,
    pub photometric: String,
}

impl Layout {
    pub fn of(elements: &Elements) -> Result<Self, RadiographError> {
        let needed = |tag: Tag, name: &str| {
            let missing = || RadiographError::damaged(&format!("it does not say {name}"));
            elements.short(tag).ok_or_else(missing)
        };
        let (height, width) = (needed(ROWS, "its rows")?, needed(COLUMNS, "its columns")?);
        let channels = elements.short(SAMPLES_PER_PIXEL).unwrap_or(1);
        let allocated = needed(BITS_ALLOCATED, "its bits allocated")?;
        check_size(width.into(), height.into())?;
        if !matches!(channels, 1 | 3) {
            let what = format!("a DICOM picture of {channels} samples a pixel");
            return Err(RadiographError::unsupported(&what));
        }
        check_colours(width.into(), height.into(), channels.into())?;
        if !matches!(allocated, 8 | 16) {
            let what = format!("a DICOM picture of {allocated} bits a sample");
            return Err(RadiographError::unsupported(&what));
        }
        let stored = elements.short(BITS_STORED).unwrap_or(allocated);
        let high = elements.short(HIGH_BIT).unwrap_or(stored.saturating_sub(1));
        if stored == 0 || stored > allocated || high >= allocated || high + 1 < stored {
            let what = "its bits stored do not fit into its bits allocated";
            return Err(RadiographError::damaged(what));
        }
        let photometric = elements.text(PHOTOMETRIC).unwrap_or_default();
        let known = match photometric.as_str() {
            "MONOCHROME1" | "MONOCHROME2" | "PALETTE COLOR" => channels == 1,
            "RGB" | "YBR_FULL" | "YBR_FULL_422" | "YBR_RCT" | "YBR_ICT" => channels == 3,
            _ => false,
        };
        if !known {
            let what = format!("a DICOM picture of {channels} samples a pixel as {photometric:?}");
            return Err(RadiographError::unsupported(&what));
        }
        let frames = elements.text(FRAMES).and_then(|text| text.parse().ok());
        Ok(Self {
            width: width.into(),
            height: height.into(),
            channels: channels.into(),
            allocated: allocated as u8,
            stored: stored as u8,
            high: high as u8,
            signed: elements.short(SIGNED) == Some(1),
            planar: elements.short(PLANAR) == Some(1),
            frames: frames.unwrap_or(1),
            photometric,
        })
    }
}
