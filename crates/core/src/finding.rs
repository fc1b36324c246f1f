//! The 14 observations of CheXpert (Irvin et al., AAAI 2019), in the order of its CSV files.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// One of CheXpert's 14 observations.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Finding {
    #[serde(rename = "No Finding")]
    NoFinding,
    #[serde(rename = "Enlarged Cardiomediastinum")]
    EnlargedCardiomediastinum,
    Cardiomegaly,
    #[serde(rename = "Lung Opacity")]
    LungOpacity,
    #[serde(rename = "Lung Lesion")]
    LungLesion,
    Edema,
    Consolidation,
    Pneumonia,
    Atelectasis,
    Pneumothorax,
    #[serde(rename = "Pleural Effusion")]
    PleuralEffusion,
    #[serde(rename = "Pleural Other")]
    PleuralOther,
    Fracture,
    #[serde(rename = "Support Devices")]
    SupportDevices,
}

impl Finding {
    pub const COUNT: usize = 14;

    /// All 14, in the column order of CheXpert's CSV files; a network's outputs follow this order.
    pub const ALL: [Finding; Self::COUNT] = [
        Finding::NoFinding,
        Finding::EnlargedCardiomediastinum,
        Finding::Cardiomegaly,
        Finding::LungOpacity,
        Finding::LungLesion,
        Finding::Edema,
        Finding::Consolidation,
        Finding::Pneumonia,
        Finding::Atelectasis,
        Finding::Pneumothorax,
        Finding::PleuralEffusion,
        Finding::PleuralOther,
        Finding::Fracture,
        Finding::SupportDevices,
    ];

    /// The five that the CheXpert competition scores.
    pub const COMPETITION: [Finding; 5] = [
        Finding::Atelectasis,
        Finding::Cardiomegaly,
        Finding::Consolidation,
        Finding::Edema,
        Finding::PleuralEffusion,
    ];

    /// The name as CheXpert's CSV header writes it.
    pub fn name(self) -> &'static str {
        match self {
            Finding::NoFinding => "No Finding",
            Finding::EnlargedCardiomediastinum => "Enlarged Cardiomediastinum",
            Finding::Cardiomegaly => "Cardiomegaly",
            Finding::LungOpacity => "Lung Opacity",
            Finding::LungLesion => "Lung Lesion",
            Finding::Edema => "Edema",
            Finding::Consolidation => "Consolidation",
            Finding::Pneumonia => "Pneumonia",
            Finding::Atelectasis => "Atelectasis",
            Finding::Pneumothorax => "Pneumothorax",
            Finding::PleuralEffusion => "Pleural Effusion",
            Finding::PleuralOther => "Pleural Other",
            Finding::Fracture => "Fracture",
            Finding::SupportDevices => "Support Devices",
        }
    }

    /// The position in [`Finding::ALL`], which is the network's output for this finding.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The finding of that name; upper and lower case, spaces and underscores do not matter. CheXlocalize and CheXpert's test
    /// labels call Lung Opacity "Airspace Opacity".
    pub fn from_name(name: &str) -> Option<Finding> {
        let plain = |text: &str| -> String {
            text.trim()
                .chars()
                .map(|c| {
                    if c == '_' {
                        ' '
                    } else {
                        c.to_ascii_lowercase()
                    }
                })
                .collect()
        };
        let name = plain(name);
        if name == "airspace opacity" {
            return Some(Finding::LungOpacity);
        }
        Finding::ALL.into_iter().find(|f| plain(f.name()) == name)
    }
}

/// A score, and the operating point from which on its finding is called; each where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    pub finding: Finding,
    pub probability: Option<f64>,
    pub operating_point: Option<f64>,
}

impl Score {
    /// Whether the score reaches its operating point.
    pub fn reaches(&self) -> bool {
        let both = self.probability.zip(self.operating_point);
        both.is_some_and(|(probability, point)| probability >= point)
    }
}

/// Which of one image's findings are called, score by score: those that reach their operating point; but No Finding only where
/// nothing else does. Support Devices may stand beside it, as in CheXpert's labels (Irvin et al., 2019).
pub fn called(scores: &[Score]) -> Vec<bool> {
    let aside = [Finding::NoFinding, Finding::SupportDevices];
    let abnormal = |score: &Score| !aside.contains(&score.finding) && score.reaches();
    let normal = !scores.iter().any(abnormal);
    let is_called =
        |score: &Score| score.reaches() && (score.finding != Finding::NoFinding || normal);
    scores.iter().map(is_called).collect()
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_is_found_by_its_name_and_index() {
        for (index, finding) in Finding::ALL.into_iter().enumerate() {
            assert_eq!(finding.index(), index);
            assert_eq!(Finding::from_name(finding.name()), Some(finding));
            let json = serde_json::to_string(&finding).unwrap();
            assert_eq!(json, format!("{:?}", finding.name()));
        }
        assert_eq!(
            Finding::from_name(" pleural_effusion "),
            Some(Finding::PleuralEffusion)
        );
        assert_eq!(
            Finding::from_name("Airspace Opacity"),
            Some(Finding::LungOpacity)
        );
        assert_eq!(Finding::from_name("Hernia"), None);
    }

    #[test]
    fn no_finding_is_called_only_alone_or_beside_support_devices() {
        let scores = |values: [f64; 14]| {
            let score = |finding: Finding| Score {
                finding,
                probability: Some(values[finding.index()]),
                operating_point: Some(0.5),
            };
            Finding::ALL.map(score)
        };
        let mut values = [0.1; 14];
        values[Finding::NoFinding.index()] = 0.9;
        values[Finding::SupportDevices.index()] = 0.5;
        let calls = called(&scores(values));
        assert!(calls[Finding::NoFinding.index()] && calls[Finding::SupportDevices.index()]);
        assert_eq!(calls.iter().filter(|called| **called).count(), 2);
        values[Finding::Edema.index()] = 0.6;
        let mut both = scores(values);
        let calls = called(&both);
        assert!(!calls[Finding::NoFinding.index()] && calls[Finding::Edema.index()]);
        // What was not trained, or has no operating point, calls nothing and speaks against nothing.
        both[Finding::Edema.index()].operating_point = None;
        let calls = called(&both);
        assert!(calls[Finding::NoFinding.index()] && !calls[Finding::Edema.index()]);
    }
}
