//! What a picture may be in place of a frontal chest radiograph, and what comes of it.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// What a picture may be in place of a frontal chest radiograph.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    NotARadiograph,
    AnotherBodyPart,
    Lateral,
    /// By a quarter or a half, or upside down.
    Turned,
    Mirrored,
    Inverted,
    Cropped,
    Child,
    Blank,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::NotARadiograph,
        Self::AnotherBodyPart,
        Self::Lateral,
        Self::Turned,
        Self::Mirrored,
        Self::Inverted,
        Self::Cropped,
        Self::Child,
        Self::Blank,
    ];

    /// As reports, tables and the page's hooks write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotARadiograph => "not-a-radiograph",
            Self::AnotherBodyPart => "another-body-part",
            Self::Lateral => "lateral",
            Self::Turned => "turned",
            Self::Mirrored => "mirrored",
            Self::Inverted => "inverted",
            Self::Cropped => "cropped",
            Self::Child => "child",
            Self::Blank => "blank",
        }
    }

    /// What it is, behind "looks like".
    pub fn described(self) -> &'static str {
        match self {
            Self::NotARadiograph => "no radiograph at all",
            Self::AnotherBodyPart => "a medical picture of another body part",
            Self::Lateral => "a lateral view",
            Self::Turned => "a chest radiograph that is turned or upside down",
            Self::Mirrored => {
                "a chest radiograph that is mirrored, or one whose heart is on the right"
            }
            Self::Inverted => "a chest radiograph whose black and white are swapped",
            Self::Cropped => "a part of a chest radiograph",
            Self::Child => "the chest of a child",
            Self::Blank => "a picture with nothing in it",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is done with a picture's scores.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Scores are shown.
    Pass,
    /// Scores are shown with a warning.
    Warn,
    /// Scores are shown only when asked for.
    Stop,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Stop => "stop",
        }
    }
}
