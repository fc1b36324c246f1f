//! Lists of findings that have a name, what one list's words mean in another, and which scores count as called.

use std::borrow::Cow;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, plain};

/// CheXpert's 14 observations in the order of its CSV files.
pub const CHEXPERT: [Finding; 14] = Finding::ALL;

/// ChestX-ray14's 14 labels in the order of CheXNet and those who made it again.
pub const NIH: [Finding; 14] = [
    Finding::Atelectasis,
    Finding::Cardiomegaly,
    Finding::known("Effusion"),
    Finding::known("Infiltration"),
    Finding::known("Mass"),
    Finding::known("Nodule"),
    Finding::Pneumonia,
    Finding::Pneumothorax,
    Finding::Consolidation,
    Finding::Edema,
    Finding::known("Emphysema"),
    Finding::known("Fibrosis"),
    Finding::known("Pleural_Thickening"),
    Finding::known("Hernia"),
];

/// torchxrayvision's 18 outputs in their order.
pub const TORCHXRAYVISION: [Finding; 18] = [
    Finding::Atelectasis,
    Finding::Consolidation,
    Finding::known("Infiltration"),
    Finding::Pneumothorax,
    Finding::Edema,
    Finding::known("Emphysema"),
    Finding::known("Fibrosis"),
    Finding::known("Effusion"),
    Finding::Pneumonia,
    Finding::known("Pleural_Thickening"),
    Finding::Cardiomegaly,
    Finding::known("Nodule"),
    Finding::known("Mass"),
    Finding::known("Hernia"),
    Finding::LungLesion,
    Finding::Fracture,
    Finding::LungOpacity,
    Finding::EnlargedCardiomediastinum,
];

/// The 28 labels of VinDr-CXR's images (Nguyen et al., 2022) in the order of `image_labels_train.csv`.
pub const VINDR: [Finding; 28] = [
    Finding::known("Aortic enlargement"),
    Finding::Atelectasis,
    Finding::known("Calcification"),
    Finding::Cardiomegaly,
    Finding::known("Clavicle fracture"),
    Finding::Consolidation,
    Finding::Edema,
    Finding::known("Emphysema"),
    Finding::known("Enlarged PA"),
    Finding::known("ILD"),
    Finding::known("Infiltration"),
    Finding::LungOpacity,
    Finding::known("Lung cavity"),
    Finding::known("Lung cyst"),
    Finding::known("Mediastinal shift"),
    Finding::known("Nodule/Mass"),
    Finding::known("Pleural effusion"),
    Finding::known("Pleural thickening"),
    Finding::Pneumothorax,
    Finding::known("Pulmonary fibrosis"),
    Finding::known("Rib fracture"),
    Finding::known("Other lesion"),
    Finding::known("COPD"),
    Finding::known("Lung tumor"),
    Finding::Pneumonia,
    Finding::known("Tuberculosis"),
    Finding::known("Other diseases"),
    Finding::known("No finding"),
];

/// The list of a name, as commands take it.
pub fn named(name: &str) -> Option<&'static [Finding]> {
    match name.to_lowercase().as_str() {
        "chexpert" => Some(&CHEXPERT),
        "chestx-ray14" | "chexnet" | "nih" => Some(&NIH),
        "torchxrayvision" | "xrv" => Some(&TORCHXRAYVISION),
        "vindr" | "vindr-cxr" => Some(&VINDR),
        _ => None,
    }
}

/// The finding that one of these lists writes exactly so.
pub fn known(name: &str) -> Option<Finding> {
    let lists: [&[Finding]; 4] = [&CHEXPERT, &NIH, &TORCHXRAYVISION, &VINDR];
    let mut all = lists.into_iter().flatten();
    all.find(|finding| finding.name() == name).copied()
}

/// What data sets call CheXpert's observations otherwise. Only words that mean the same: a mass is a lung lesion, but not every lung
/// lesion is a mass. CheXlocalize and CheXpert's test labels write Airspace Opacity, ChestX-ray14 and torchxrayvision Effusion.
const SYNONYMS: [(Finding, &str); 2] = [
    (Finding::LungOpacity, "airspace opacity"),
    (Finding::PleuralEffusion, "effusion"),
];

/// Whether a table's column is of a finding: by its name, where upper and lower case, spaces and underscores do not matter. Another word
/// counts for CheXpert's observations alone, and not for any other package's findings.
pub fn is_called(finding: Finding, column: &str) -> bool {
    let column = plain(column);
    plain(finding.name()) == column || SYNONYMS.contains(&(finding, column.as_str()))
}

/// The finding, of those of a package, that a text names. What has exactly its name comes before what has another word for it.
pub fn find(findings: &[Finding], text: &str) -> Option<Finding> {
    let mut exact = findings.iter().filter(|finding| finding.name() == text);
    let mut all = findings.iter().filter(|finding| is_called(**finding, text));
    exact.next().or_else(|| all.next()).copied()
}

/// A finding that counts as called only where nothing else is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallRule {
    pub alone: Finding,
    /// What may be called beside it.
    #[serde(default)]
    pub except: Vec<Finding>,
}

impl CallRule {
    /// CheXpert's: No Finding alone. Support Devices may stand beside it, as in CheXpert's labels (Irvin et al., 2019).
    pub fn chexpert() -> Self {
        Self {
            alone: Finding::NoFinding,
            except: vec![Finding::SupportDevices],
        }
    }
}

/// What a package calls its outputs, and which of them count as called only alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    pub findings: Vec<Finding>,
    pub rules: Vec<CallRule>,
}

impl Default for Vocabulary {
    /// CheXpert's.
    fn default() -> Self {
        Self {
            findings: CHEXPERT.to_vec(),
            rules: vec![CallRule::chexpert()],
        }
    }
}

impl Vocabulary {
    /// The place of a finding.
    pub fn place(&self, finding: Finding) -> Option<usize> {
        self.findings.iter().position(|known| *known == finding)
    }
}

/// The rules of a package: its own or, where it has none, CheXpert's if it has No Finding.
pub fn rules<'a>(own: Option<&'a [CallRule]>, findings: &[Finding]) -> Cow<'a, [CallRule]> {
    match own {
        Some(rules) => Cow::Borrowed(rules),
        None if findings.contains(&Finding::NoFinding) => Cow::Owned(vec![CallRule::chexpert()]),
        None => Cow::Borrowed(&[]),
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

/// Which of one image's findings are called, score by score: those that reach their operating point; but those that a rule says stand alone
/// only where nothing else does that the rule does not except.
pub fn called(scores: &[Score], rules: &[CallRule]) -> Vec<bool> {
    let stands = |rule: &CallRule| {
        let speaks_against = |score: &Score| {
            score.finding != rule.alone && !rule.except.contains(&score.finding) && score.reaches()
        };
        !scores.iter().any(speaks_against)
    };
    let fallen = rules.iter().filter(|rule| !stands(rule));
    let fallen: Vec<Finding> = fallen.map(|rule| rule.alone).collect();
    let is_called = |score: &Score| score.reaches() && !fallen.contains(&score.finding);
    scores.iter().map(is_called).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Finding {
        Finding::named(name).expect("a name")
    }

    #[test]
    fn names_of_lists_are_names_and_are_there_once() {
        let lists: [&[Finding]; 4] = [&CHEXPERT, &NIH, &TORCHXRAYVISION, &VINDR];
        for list in lists {
            for (index, finding) in list.iter().enumerate() {
                assert_eq!(named(finding.name()), *finding);
                let twice = list[..index].iter();
                let twice = twice.filter(|other| plain(other.name()) == plain(finding.name()));
                assert_eq!(twice.count(), 0, "{finding}");
            }
        }
        assert_eq!(super::named("CheXpert"), Some(CHEXPERT.as_slice()));
        assert_eq!(super::named("nih").map(<[_]>::len), Some(14));
        assert_eq!(super::named("xrv").map(<[_]>::len), Some(18));
        assert_eq!(super::named("Edema"), None);
    }

    #[test]
    fn another_word_counts_only_where_a_package_asks_for_chexperts() {
        assert!(is_called(Finding::PleuralEffusion, "Effusion"));
        assert!(is_called(Finding::PleuralEffusion, "pleural_effusion"));
        assert!(is_called(Finding::LungOpacity, "Airspace Opacity"));
        assert!(!is_called(named("Effusion"), "Pleural Effusion"));
        assert!(!is_called(Finding::LungLesion, "Mass"));
        assert!(is_called(named("Pleural_Thickening"), "Pleural Thickening"));
        // What has exactly the name comes first.
        let both = [Finding::PleuralEffusion, named("Effusion")];
        assert_eq!(find(&both, "Effusion"), Some(named("Effusion")));
        assert_eq!(find(&CHEXPERT, "Effusion"), Some(Finding::PleuralEffusion));
        assert_eq!(find(&NIH, "hernia"), Some(named("Hernia")));
        assert_eq!(find(&CHEXPERT, "Hernia"), None);
    }

    #[test]
    fn no_finding_is_called_only_alone_or_beside_support_devices() {
        let rules = [CallRule::chexpert()];
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
        let calls = called(&scores(values), &rules);
        assert!(calls[Finding::NoFinding.index()] && calls[Finding::SupportDevices.index()]);
        assert_eq!(calls.iter().filter(|called| **called).count(), 2);
        values[Finding::Edema.index()] = 0.6;
        let mut both = scores(values);
        let calls = called(&both, &rules);
        assert!(!calls[Finding::NoFinding.index()] && calls[Finding::Edema.index()]);
        // Without a rule all that reach their operating point are called.
        assert!(called(&both, &[])[Finding::NoFinding.index()]);
        // What was not trained, or has no operating point, calls nothing and speaks against nothing.
        both[Finding::Edema.index()].operating_point = None;
        let calls = called(&both, &rules);
        assert!(calls[Finding::NoFinding.index()] && !calls[Finding::Edema.index()]);
    }

    #[test]
    fn a_package_says_itself_what_stands_alone() {
        let (clear, mass, wire) = (named("No finding"), named("Mass"), named("Wire"));
        let rule = CallRule {
            alone: clear,
            except: vec![wire],
        };
        let calls = |values: [f64; 3]| {
            let score = |(finding, value): (Finding, f64)| Score {
                finding,
                probability: Some(value),
                operating_point: Some(0.5),
            };
            let scores: Vec<Score> = [clear, mass, wire]
                .into_iter()
                .zip(values)
                .map(score)
                .collect();
            called(&scores, std::slice::from_ref(&rule))
        };
        assert_eq!(calls([0.9, 0.9, 0.1]), [false, true, false]);
        assert_eq!(calls([0.9, 0.1, 0.9]), [true, false, true]);
        // A package without rules has CheXpert's where it has No Finding, and none elsewhere.
        assert_eq!(*rules(None, &CHEXPERT), [CallRule::chexpert()]);
        assert!(rules(None, &NIH).is_empty());
        assert!(rules(Some(&[]), &CHEXPERT).is_empty());
    }
}
