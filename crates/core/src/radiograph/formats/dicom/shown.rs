//! What of a file's values is shown: tables, windows, palettes.

use super::elements::Elements;
use super::layout::Layout;
use super::tags::*;
use crate::radiograph::levels::{Levels, Modality, Shown, Table, Window};
use crate::radiograph::refusal::RadiographError;
use crate::radiograph::samples::luma;

/// How stored values become grey. Where the file gives neither table nor window, its values from the lowest to the highest, for which
/// the bits that are stored may tell more.
pub fn levels(
    elements: &Elements,
    layout: &Layout,
    windows: &[Window],
    values: &[i32],
) -> Result<Levels, RadiographError> {
    if layout.photometric == "PALETTE COLOR" {
        return palette(elements);
    }
    let number = |tag| elements.numbers(tag).first().copied();
    let modality = match elements.item(MODALITY_TABLE) {
        Some(item) => Modality::Table(table(item, TABLE_DESCRIPTOR, TABLE_DATA, layout.signed)?),
        None => Modality::Linear {
            slope: number(SLOPE).filter(|slope| *slope != 0.0).unwrap_or(1.0),
            intercept: number(INTERCEPT).unwrap_or(0.0),
        },
    };
    // PresentationLUTShape INVERSE is MONOCHROME1 (C.11.6.1.2).
    let shape = elements.text(PRESENTATION_SHAPE);
    let inverted = layout.photometric == "MONOCHROME1" || shape.as_deref() == Some("INVERSE");
    let signed =
        layout.signed || matches!(modality, Modality::Linear { intercept, .. } if intercept < 0.0);
    // C.11.2.1: a file may have tables and windows, of which one is applied.
    let shown = match (elements.item(VOI_TABLE), windows.first()) {
        (Some(item), _) => Shown::Table(table(item, TABLE_DESCRIPTOR, TABLE_DATA, signed)?),
        (None, Some(window)) => Shown::Window(window.clone()),
        (None, None) => {
            // Of palettes and the like there is at least one value: a picture has 16 x 16 pixels or more.
            let low = values.iter().copied().min().unwrap_or(0);
            let high = values.iter().copied().max().unwrap_or(0);
            let (a, b) = (modality.value(low), modality.value(high));
            let (low, high) = (a.min(b), a.max(b));
            Shown::Range(low, if high > low { high } else { low + 1.0 })
        }
    };
    Ok(Levels {
        modality,
        shown,
        inverted,
    })
}

/// A palette (C.7.6.3.1.5) as a table of the luma of its colours.
fn palette(elements: &Elements) -> Result<Levels, RadiographError> {
    let [red, green, blue] =
        PALETTES.map(|(descriptor, data)| table(elements, descriptor, data, false));
    let (red, green, blue) = (red?, green?, blue?);
    let alike = |other: &Table| {
        (other.first, other.entries.len()) == (red.first, red.entries.len())
            && other.bits == red.bits
    };
    if !alike(&green) || !alike(&blue) {
        return Err(RadiographError::damaged(
            "palettes of red, green and blue that do not fit each other",
        ));
    }
    // Entries of 8 bits may lie in 16 without being scaled up, whatever the descriptor says.
    let entries = [&red, &green, &blue].map(|table| table.entries.as_slice());
    let most = entries.iter().flat_map(|entries| entries.iter()).max();
    let shift = if most > Some(&255) {
        red.bits.saturating_sub(8)
    } else {
        0
    };
    let colour = |place: usize| entries.map(|entries| (entries[place] >> shift) as u8);
    let entries = (0..red.entries.len()).map(|place| luma(&colour(place)).into());
    Ok(Levels {
        modality: Modality::Linear {
            slope: 1.0,
            intercept: 0.0,
        },
        shown: Shown::Table(Table {
            first: red.first,
            bits: 8,
            entries: entries.collect(),
        }),
        inverted: false,
    })
}

/// A table of values (C.11.1.1.1). `signed`: whether the value that the first entry is for has a sign.
fn table(
    item: &Elements,
    descriptor: Tag,
    data: Tag,
    signed: bool,
) -> Result<Table, RadiographError> {
    let wrong = || RadiographError::damaged("a table of values that contradicts itself");
    let descriptor = item.shorts(descriptor).ok_or_else(wrong)?;
    let &[count, first, bits] = descriptor.as_slice() else {
        return Err(wrong());
    };
    let count = if count == 0 {
        1 << 16
    } else {
        usize::from(count)
    };
    let first = if signed {
        i32::from(first as i16)
    } else {
        first.into()
    };
    let bytes = item.bytes(data).ok_or_else(wrong)?;
    let entries: Vec<u16> = match bytes.len() {
        // Entries of 8 bits, two in a word (note 3 of C.11.1.1.1 allows it).
        length if bits == 8 && length < 2 * count => {
            bytes.iter().map(|byte| (*byte).into()).collect()
        }
        _ => item.shorts(data).ok_or_else(wrong)?,
    };
    if entries.len() < count || !(8..=16).contains(&bits) {
        return Err(wrong());
    }
    Ok(Table {
        first,
        bits: bits as u8,
        entries: entries[..count].to_vec(),
    })
}
