//! What a file says of its picture.

use sha2::{Digest, Sha256};

use super::elements::Elements;
use super::layout::Layout;
use super::tags::*;
use crate::radiograph::dicom::Facts;
use crate::radiograph::levels::{Function, Window};
use crate::radiograph::refusal::RadiographError;

/// What the elements of a file say.
pub(super) fn facts(
    elements: &Elements,
    layout: &Layout,
    syntax: &str,
) -> Result<Facts, RadiographError> {
    let code = |tag| elements.text(tag).and_then(|text| code(&text));
    let orientation = elements.text(PATIENT_ORIENTATION).unwrap_or_default();
    let spacing = spacing(elements);
    Ok(Facts {
        transfer_syntax: syntax.to_owned(),
        bits_stored: layout.stored,
        signed: layout.signed,
        photometric_interpretation: layout.photometric.clone(),
        modality: code(MODALITY),
        body_part: code(BODY_PART),
        view: code(SERIES_VIEW),
        laterality: code(IMAGE_LATERALITY).or_else(|| code(LATERALITY)),
        patient_orientation: orientation.split('\\').filter_map(self::code).collect(),
        spacing_mm: spacing.map(|(spacing, _)| spacing),
        spacing_on_detector: spacing.is_some_and(|(_, on_detector)| on_detector),
        windows: windows(elements)?,
    })
}

/// A number that stands for the file's study: files of one study have the same. It is made of a hash of the study's identifier, which itself
/// is kept nowhere.
pub(super) fn study(elements: &Elements) -> Option<u64> {
    let hash = Sha256::digest(elements.text(STUDY)?.as_bytes());
    hash.first_chunk().copied().map(u64::from_le_bytes)
}

/// A text, if it can be a code: somebody may have written anything into an element that should have one.
fn code(text: &str) -> Option<String> {
    let text = text.trim();
    let of_code = |c: char| c.is_ascii_alphanumeric() || "_-+./ ".contains(c);
    (!text.is_empty() && text.len() <= 16 && text.chars().all(of_code)).then(|| text.to_owned())
}

/// From row to row and from column to column, and whether on the detector.
fn spacing(elements: &Elements) -> Option<([f64; 2], bool)> {
    let of = |tag: Tag, on_detector| match elements.numbers(tag).as_slice() {
        &[row, column, ..] if row > 0.0 && column > 0.0 => Some(([row, column], on_detector)),
        _ => None,
    };
    of(SPACING, false).or_else(|| of(IMAGER_SPACING, true))
}

/// The windows of a file (C.11.2.1.2), as many as have a center and a width that can be.
fn windows(elements: &Elements) -> Result<Vec<Window>, RadiographError> {
    let explanations = elements.text(WINDOW_EXPLANATION).unwrap_or_default();
    let mut explanations = explanations.split('\\').map(code);
    let function = match elements.text(WINDOW_FUNCTION).as_deref() {
        Some("LINEAR_EXACT") => Function::LinearExact,
        Some("SIGMOID") => Function::Sigmoid,
        Some("LINEAR") | None => Function::Linear,
        Some(other) => {
            let what = format!("a DICOM window of the function {other:?}");
            return Err(RadiographError::unsupported(&what));
        }
    };
    let pairs = elements
        .numbers(WINDOW_CENTER)
        .into_iter()
        .zip(elements.numbers(WINDOW_WIDTH));
    let windows = pairs.map(|(center, width)| Window {
        center,
        width,
        function,
        explanation: explanations.next().flatten(),
    });
    Ok(windows.filter(|window| window.width > 0.0).collect())
}

/// What an object is that has no picture.
pub(super) fn without_picture(elements: &Elements) -> RadiographError {
    const DIRECTORY: &str = "1.2.840.10008.1.3.10";
    let class = elements.text(SOP_CLASS).unwrap_or_default();
    let kind = match elements.text(MODALITY).as_deref() {
        _ if class == DIRECTORY => "a DICOMDIR, the list of what is on a disc",
        Some("SR") => "a DICOM structured report (SR), which has no picture",
        Some("PR") => "a DICOM presentation state, which has no picture",
        Some("KO") => "a DICOM key object selection, which has no picture",
        Some("DOC") => "a DICOM document (PDF), which has no picture",
        Some("RTSTRUCT" | "RTPLAN" | "RTRECORD") => {
            "a DICOM radiotherapy object, which has no picture"
        }
        Some("ECG" | "HD" | "EPS" | "AU") => "a DICOM waveform, which has no picture",
        _ => "a DICOM object without a picture",
    };
    RadiographError::UnknownFormat {
        kind,
        advice: "Choose the file of the radiograph itself.",
    }
}
