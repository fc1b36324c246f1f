//! What uncertain and blank labels become in training.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sightline::finding::Finding;

use super::table::number;

/// What a CSV says of a finding on an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Label {
    #[default]
    Unlabelled,
    Absent,
    Present,
    Uncertain,
}

impl Label {
    /// `1`, `1.0`, `True`, `0`, `False`, `-1` or `u` (uncertain), or blank.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn read(text: &str) -> Result<Self> {
        let lower = || text.to_ascii_lowercase();
        match number(text) {
            Some(1.0) => Ok(Label::Present),
            Some(0.0) => Ok(Label::Absent),
            Some(-1.0) => Ok(Label::Uncertain),
            None => match lower().as_str() {
                "" => Ok(Label::Unlabelled),
                // Excel writes them in its own language.
                "true" | "wahr" | "vrai" | "verdadero" => Ok(Label::Present),
                "false" | "falsch" | "faux" | "falso" => Ok(Label::Absent),
                "u" | "uncertain" => Ok(Label::Uncertain),
                _ => Err(no_label(text)),
            },
            Some(_) => Err(no_label(text)),
        }
    }

    /// Whether the finding is there, where that is certain.
    pub fn certain(self) -> Option<bool> {
        match self {
            Label::Present => Some(true),
            Label::Absent => Some(false),
            Label::Uncertain | Label::Unlabelled => None,
        }
    }

    /// As CheXpert writes it: 1, 0, -1, or nothing.
    pub fn value(self) -> Option<f32> {
        match self {
            Label::Present => Some(1.0),
            Label::Absent => Some(0.0),
            Label::Uncertain => Some(-1.0),
            Label::Unlabelled => None,
        }
    }
}

fn no_label(text: &str) -> anyhow::Error {
    anyhow!(
        "{text:?} is no label; labels are 1 or True, 0 or False, -1 or u (uncertain), and blank"
    )
}

/// What an uncertain label (-1) becomes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uncertain {
    Zeros,
    Ones,
    /// Left out of the loss.
    Ignore,
    /// Drawn anew at every epoch (Pham et al., arXiv 1911.06475).
    Uniform(f32, f32),
}

/// What a blank label becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blank {
    /// Not mentioned in the report, so not there: CheXpert's reading.
    Zeros,
    /// Left out of the loss: where nobody looked.
    Ignore,
}

/// What a table says of an image, finding by finding, in the order of the findings that it was read for.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels(Vec<Label>);

impl Labels {
    /// Nothing is said of so many findings.
    pub fn none(count: usize) -> Self {
        Self(vec![Label::Unlabelled; count])
    }
}

/// Nothing is said of CheXpert's.
impl Default for Labels {
    fn default() -> Self {
        Self::none(Finding::COUNT)
    }
}

impl From<[Label; Finding::COUNT]> for Labels {
    fn from(labels: [Label; Finding::COUNT]) -> Self {
        Self(labels.into())
    }
}

impl FromIterator<Label> for Labels {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        Self(labels.into_iter().collect())
    }
}

impl std::ops::Deref for Labels {
    type Target = [Label];

    fn deref(&self) -> &[Label] {
        &self.0
    }
}

impl std::ops::DerefMut for Labels {
    fn deref_mut(&mut self) -> &mut [Label] {
        &mut self.0
    }
}

/// The policy of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelPolicy {
    pub uncertain: Uncertain,
    /// Other policies for some findings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub uncertain_of: BTreeMap<Finding, Uncertain>,
    pub blank: Blank,
}

impl LabelPolicy {
    /// Targets in 0..1 and their weights in the loss (0 or 1), of CheXpert's labels.
    pub fn targets(
        &self,
        labels: &[Label],
        rng: &mut impl Rng,
    ) -> ([f32; Finding::COUNT], [f32; Finding::COUNT]) {
        let mut targets = [0.0; Finding::COUNT];
        let mut mask = [0.0; Finding::COUNT];
        for finding in Finding::ALL {
            let index = finding.index();
            let target = match labels[index] {
                Label::Unlabelled => match self.blank {
                    Blank::Zeros => Some(0.0),
                    Blank::Ignore => None,
                },
                Label::Uncertain => {
                    match self.uncertain_of.get(&finding).unwrap_or(&self.uncertain) {
                        Uncertain::Zeros => Some(0.0),
                        Uncertain::Ones => Some(1.0),
                        Uncertain::Ignore => None,
                        Uncertain::Uniform(low, high) => Some(rng.random_range(*low..=*high)),
                    }
                }
                Label::Present => Some(1.0),
                Label::Absent => Some(0.0),
            };
            if let Some(target) = target {
                targets[index] = target;
                mask[index] = 1.0;
            }
        }
        (targets, mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Row, Selection};
    use crate::golden::{self, numbers};
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn policy(uncertain: Uncertain, blank: Blank) -> LabelPolicy {
        LabelPolicy {
            uncertain,
            uncertain_of: BTreeMap::new(),
            blank,
        }
    }

    #[test]
    fn golden_targets_under_every_policy() {
        let data = Dataset::read(&golden::path("labels/chexpert.csv").as_path().into(), None)
            .expect("rows");
        let data = data.select(&Selection::default()).expect("frontal rows");
        let expected = golden::json("labels/expected.json");
        let mut rng = StdRng::seed_from_u64(1);
        for (row, expected) in data
            .rows
            .iter()
            .zip(expected["rows"].as_array().expect("rows"))
        {
            let mut is = |policy: LabelPolicy, targets: &str, mask: Option<&str>| {
                let (ours, our_mask) = policy.targets(&row.labels, &mut rng);
                let expected_mask = mask.map_or(vec![1.0; 14], |key| numbers(&expected[key]));
                let targets = expected[targets].as_array().expect("targets").iter();
                for (index, target) in targets.enumerate() {
                    assert_eq!(f64::from(our_mask[index]), expected_mask[index]);
                    if our_mask[index] == 1.0 {
                        match target.as_f64() {
                            Some(target) => assert_eq!(f64::from(ours[index]), target),
                            None => assert!((0.55..=0.85).contains(&ours[index])),
                        }
                    }
                }
                ours
            };
            is(policy(Uncertain::Zeros, Blank::Zeros), "zeros", None);
            is(policy(Uncertain::Ones, Blank::Zeros), "ones", None);
            let ignore = |blank| policy(Uncertain::Ignore, blank);
            is(ignore(Blank::Zeros), "ignore_target", Some("ignore_mask"));
            is(
                ignore(Blank::Ignore),
                "ignore_target",
                Some("ignore_blank_too_mask"),
            );
            let uniform = policy(Uncertain::Uniform(0.55, 0.85), Blank::Zeros);
            let first = is(uniform.clone(), "uniform_055_085", None);
            let again = is(uniform, "uniform_055_085", None);
            for (index, label) in row.labels.iter().enumerate() {
                assert_eq!(
                    *label == Label::Uncertain,
                    first[index] != again[index],
                    "drawn anew"
                );
            }
        }
    }

    #[test]
    fn labels_are_read_as_people_and_programs_write_them() {
        for (texts, label) in [
            (
                vec!["1", "1.0", "1,0", "1.00", "True", "TRUE"],
                Label::Present,
            ),
            (vec!["0", "0.0", "0,0", "-0", "false"], Label::Absent),
            (
                vec!["-1", "-1.0", "-1,0", "\u{2212}1", "u", "U"],
                Label::Uncertain,
            ),
            (vec![""], Label::Unlabelled),
        ] {
            for text in texts {
                assert_eq!(Label::read(text).expect(text), label, "{text}");
            }
        }
        for text in ["2", "0.5", "yes", "#REF!", "1.0.0", "present"] {
            let error = Label::read(text).expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?} is no label")), "{error}");
        }
    }

    #[test]
    fn a_finding_may_have_its_own_policy() {
        let mut policy = policy(Uncertain::Zeros, Blank::Ignore);
        policy.uncertain_of.insert(Finding::Edema, Uncertain::Ones);
        let row = Row {
            labels: [Label::Uncertain; 14].into(),
            ..Row::default()
        };
        let (targets, _) = policy.targets(&row.labels, &mut StdRng::seed_from_u64(1));
        assert_eq!(targets[Finding::Edema.index()], 1.0);
        assert_eq!(targets.iter().sum::<f32>(), 1.0);
    }
}
