//! Two models' figures beside each other.

use serde::Serialize;
use sightline_core::finding::Finding;

use super::metrics::Estimate;

/// Two models on the same images, with the same labels.
#[derive(Serialize)]
pub struct Beside {
    /// The other model.
    pub name: String,
    /// Which of the images that both scored.
    pub part: String,
    pub images: usize,
    pub findings: Vec<Pair>,
    /// The mean of those of the competition's five findings that are defined.
    pub mean_of_defined: Option<Both>,
}

#[derive(Serialize)]
pub struct Pair {
    pub name: Finding,
    pub positives: usize,
    pub negatives: usize,
    pub auc: Both,
}

#[derive(Clone, Copy, Serialize)]
pub struct Both {
    pub ours: Estimate,
    pub theirs: Estimate,
    /// Ours less theirs; the interval is of the same draws of patients for both.
    pub difference: Estimate,
}

impl Beside {
    /// The card's section.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "\n### Beside {}\n\n{}: the {} images that both scored, with the same labels; difference: this model less the other.\n\n\
             | finding | positive | negative | this model | the other | difference |\n|---|---:|---:|---|---|---|\n",
            self.name, self.part, self.images
        );
        let figures = |both: &Both| {
            let Estimate {
                value,
                ci95: [low, high],
            } = both.difference;
            format!(
                "{} | {} | {value:+.3} ({low:+.3} to {high:+.3})",
                both.ours, both.theirs
            )
        };
        for pair in &self.findings {
            text += &format!(
                "| {} | {} | {} | {} |\n",
                pair.name,
                pair.positives,
                pair.negatives,
                figures(&pair.auc)
            );
        }
        if let Some(mean) = &self.mean_of_defined {
            text += &format!(
                "| **Mean of the competition five, where defined** | | | {} |\n",
                figures(mean)
            );
        }
        text
    }
}
