//! What a table says of findings on images.

use anyhow::{Result, anyhow};
use sightline_core::finding::Finding;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
