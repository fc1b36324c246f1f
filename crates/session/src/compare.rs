//! Two readings side by side: of two radiographs, or of one by two models.

use sightline_core::finding::Finding;
use sightline_core::report::{FindingReport, Report};

/// What two readings say of one finding, the first's and the second's; `None` where a model was not trained on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub finding: Finding,
    pub scores: [Option<f64>; 2],
    /// What speaks for the finding: the positive cells of Grad-CAM's map together, in logits.
    pub evidence: [Option<f64>; 2],
}

impl Line {
    /// By how much the second score is higher.
    pub fn score_difference(&self) -> Option<f64> {
        difference(self.scores)
    }

    /// By how much more speaks for the finding in the second reading.
    pub fn evidence_difference(&self) -> Option<f64> {
        difference(self.evidence)
    }
}

/// All findings of two readings: the first's in their order, then those that the second alone has.
pub fn lines(first: &Report, second: &Report) -> Vec<Line> {
    let names = |report: &Report| -> Vec<Finding> {
        report.findings.iter().map(|found| found.name).collect()
    };
    let (mut all, others) = (names(first), names(second));
    all.extend(
        others
            .into_iter()
            .filter(|other| first.findings.iter().all(|found| found.name != *other)),
    );
    let lines = all.into_iter().map(|finding| {
        let of = [first, second].map(|report| finding_of(report, finding));
        Line {
            finding,
            scores: of.map(|found| found?.probability),
            evidence: of.map(|found| Some(evidence_for(found?))),
        }
    });
    lines.collect()
}

/// Whether a reading is another than one that was kept: of another file, or by another model.
pub fn is_another(first: &Report, second: &Report) -> bool {
    let what = |report: &Report| {
        let (image, model) = (&report.image, &report.model);
        let (file, hash) = (image.file.clone(), image.sha256.clone());
        let weights = model.weights_sha256.clone();
        (file, hash, image.depth, weights)
    };
    what(first) != what(second)
}

/// What a reading says of a finding that its model was trained on.
pub fn finding_of(report: &Report, finding: Finding) -> Option<&FindingReport> {
    let mut findings = report.findings.iter();
    findings.find(|found| found.name == finding && found.trained)
}

fn evidence_for(finding: &FindingReport) -> f64 {
    let cells = finding.grad_cam.cells.values.iter();
    cells.map(|cell| f64::from(cell.max(0.0))).sum()
}

fn difference([first, second]: [Option<f64>; 2]) -> Option<f64> {
    Some(second? - first?)
}
