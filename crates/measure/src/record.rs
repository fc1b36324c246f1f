//! What a manifest keeps of figures.

use sightline_core::package::{Evaluation, Manifest, UNMEASURED};

use super::evaluation::Report;

/// A limit of packages whose figures are of validation images.
pub const UNTESTED: &str = "No image was kept for testing. The figures are of the validation images, on which the epoch, the \
                            calibration and the operating points were chosen too: on other images they are worse.";
/// How a limit begins that says which images the figures are of.
pub const MEASURED_ON: &str = "The figures are of ";

/// What is to be said of figures that are not of test images, as far as their split tells.
pub fn limit_of(set: &str, split: Option<&str>) -> Option<String> {
    let why = match split.map(str::to_ascii_lowercase).as_deref() {
        Some("test") => return None,
        Some("train" | "valid" | "val" | "validation") => {
            "the model was trained on them, or chosen by them, so they flatter it"
        }
        _ => "whether the model was trained on some of these images was not checked",
    };
    Some(format!("{MEASURED_ON}{set}: {why}."))
}

/// Brings the figures of the whole set into a manifest.
pub fn record(manifest: &mut Manifest, report: &Report) {
    for card in &mut manifest.findings {
        let mut results = report.parts[0].findings.iter();
        if let Some(result) = results.find(|result| result.name == card.name) {
            card.positives = result.positives;
            card.negatives = result.negatives;
            card.auc = result.auc.as_ref().map(|auc| auc.value);
            card.auc_ci95 = result.auc.as_ref().map(|auc| auc.ci95);
        }
    }
}

/// Brings figures into a manifest that are not its export's: of which images they are, and what is to be said of that, as far as their
/// split tells.
pub fn evaluated(manifest: &mut Manifest, report: &Report, split: Option<&str>) {
    let limits = &mut manifest.limits;
    let is_past =
        |limit: &str| [UNTESTED, UNMEASURED].contains(&limit) || limit.starts_with(MEASURED_ON);
    limits.retain(|limit| !is_past(limit));
    limits.extend(limit_of(&report.set, split));
    manifest.evaluation = Some(Evaluation {
        set: report.set.clone(),
        unit: report.unit,
    });
    record(manifest, report);
}
