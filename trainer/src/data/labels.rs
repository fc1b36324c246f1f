//! What uncertain and blank labels become in training.

use std::collections::BTreeMap;

use rand::Rng;
use serde::{Deserialize, Serialize};
use sightline::finding::Finding;
use sightline_measure::tables::Label;

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
