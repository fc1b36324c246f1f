//! From stored values to grey values: the modality's rescale, a window or a table, and inversion (DICOM PS3.3, C.7.6.3, C.11.1, C.11.2).
//! Pictures of other formats have all values from 0 to white.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::samples::Stored;

/// Which levels a network is given: the manifest's `input.levels`.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// As the file asks to be shown: through its table or window, else all values that its bits can have.
    #[default]
    File,
    /// The file's table or window, else the range of its values.
    Window,
    /// From the 0.5th to the 99.5th percentile of its values, whatever the file asks for.
    Percentile,
}

/// How near to a half a grey counts as one.
const HALF: f64 = 1e-9;
/// The part of values below and above which [`Rule::Percentile`] shows black and white.
const CUT_OFF: f64 = 0.005;

/// A window: the values that are shown from black to white (C.11.2.1.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Window {
    pub center: f64,
    pub width: f64,
    #[serde(default)]
    pub function: Function,
    /// What the file says that it is for, such as NORMAL or HARDER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// How grey depends on a value in a window.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Function {
    #[default]
    Linear,
    LinearExact,
    Sigmoid,
}

/// A table of values (C.11.1.1.1).
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Table {
    /// The value that the first entry is for.
    pub first: i32,
    /// Bits of an entry.
    pub bits: u8,
    pub entries: Vec<u16>,
}

/// What stored values become before they are shown.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Modality {
    /// Rescale Slope and Intercept.
    Linear {
        slope: f64,
        intercept: f64,
    },
    Table(Table),
}

/// What of the values is shown.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Shown {
    Window(Window),
    Table(Table),
    /// All values between these two.
    Range(f64, f64),
}

/// Which levels were used, for the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Used {
    pub rule: Rule,
    pub shown: UsedLevels,
    /// The highest value is black.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inverted: bool,
    /// Why these.
    pub why: String,
}

/// What was shown of a picture's values. Values are those that the modality's rescale gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UsedLevels {
    Window(Window),
    /// The file's own table.
    Table,
    /// From the first value, black, to the second.
    Range([f64; 2]),
}

impl fmt::Display for UsedLevels {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Window(Window {
                center,
                width,
                explanation,
                ..
            }) => {
                write!(f, "window center {center}, width {width}")?;
                match explanation {
                    Some(explanation) => write!(f, " ({explanation})"),
                    None => Ok(()),
                }
            }
            Self::Table => f.write_str("the file's table (VOI LUT)"),
            Self::Range([low, high]) => write!(f, "values {low} to {high}"),
        }
    }
}

/// How stored values become grey.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Levels {
    pub modality: Modality,
    pub shown: Shown,
    /// The highest value is black (MONOCHROME1, or the presentation shape INVERSE).
    pub inverted: bool,
}

impl Table {
    /// The entry for a value. Outside, the first or the last one.
    fn entry(&self, value: f64) -> u16 {
        let place = value.round() as i64 - i64::from(self.first);
        let last = self.entries.len() as i64 - 1;
        self.entries
            .get(place.clamp(0, last.max(0)) as usize)
            .copied()
            .unwrap_or(0)
    }

    fn most(&self) -> f64 {
        ((1u32 << self.bits.min(16)) - 1).into()
    }
}

impl Modality {
    pub fn value(&self, stored: i32) -> f64 {
        match self {
            Self::Linear { slope, intercept } => slope * f64::from(stored) + intercept,
            Self::Table(table) => table.entry(stored.into()).into(),
        }
    }
}

impl Window {
    /// The share of white, from 0 to 1.
    pub fn share(&self, x: f64) -> f64 {
        let Self { center, width, .. } = *self;
        let linear = |c: f64, w: f64| {
            if x <= c - w / 2.0 {
                0.0
            } else if x > c + w / 2.0 {
                1.0
            } else {
                (x - c) / w + 0.5
            }
        };
        match self.function {
            // C.11.2.1.2.1. A width of 1 is a threshold: nothing lies between its ends.
            Function::Linear => linear(center - 0.5, width - 1.0),
            // C.11.2.1.3.2.
            Function::LinearExact => linear(center, width),
            // C.11.2.1.3.1.
            Function::Sigmoid => 1.0 / (1.0 + (-4.0 * (x - center) / width).exp()),
        }
    }
}

impl Shown {
    /// The share of white of a value, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        let share = match self {
            Self::Window(window) => window.share(value),
            Self::Table(table) => f64::from(table.entry(value)) / table.most(),
            Self::Range(low, high) => (value - low) / (high - low),
        };
        share.clamp(0.0, 1.0)
    }
}

impl Levels {
    /// The grey of a stored value before it is inverted, from 0 (black) to 1.
    pub fn share(&self, stored: i32) -> f64 {
        self.shown.share(self.modality.value(stored))
    }

    /// The grey of a stored value in 8 bits. A value and its inverse are as far from black and white, to the bit: a half is rounded up before
    /// it is inverted in both.
    pub fn grey(&self, stored: i32) -> u8 {
        let grey = self.share(stored) * 255.0;
        // What a sum of fractions leaves above or below a half is none of the picture's.
        if self.inverted {
            255 - (grey - 0.5 - HALF).ceil() as u8
        } else {
            (grey + 0.5 + HALF).floor() as u8
        }
    }

    /// The grey of a stored value in 16 bits.
    pub fn grey_16(&self, stored: i32) -> u16 {
        let grey = (self.share(stored) * f64::from(u16::MAX)).round() as u16;
        if self.inverted { u16::MAX - grey } else { grey }
    }

    /// All values from 0 to white.
    pub(super) fn of_bits(bits: u8, inverted: bool) -> Self {
        Self {
            modality: Modality::Linear {
                slope: 1.0,
                intercept: 0.0,
            },
            shown: Shown::Range(0.0, ((1u32 << bits) - 1).into()),
            inverted,
        }
    }

    /// The levels that a rule asks for of these values, and why they are.
    pub(super) fn by(&self, rule: Rule, values: Stored) -> (Self, String) {
        let own = !matches!(self.shown, Shown::Range(..));
        let shown = match rule {
            Rule::File | Rule::Window if own => None,
            Rule::File => None,
            Rule::Window => Some(self.range(values, 0.0)),
            Rule::Percentile => Some(self.range(values, CUT_OFF)),
        };
        let why = match (rule, &self.shown) {
            (Rule::Percentile, _) => "The model asks for the percentiles 0.5 to 99.5.",
            (_, Shown::Window(_)) => "The file's first window.",
            (_, Shown::Table(_)) => "The file's own table comes before its windows.",
            (Rule::File, _) => "The file has no window: all values that its bits can have.",
            (Rule::Window, _) => "The file has no window: the range of its values.",
        };
        let levels = Self {
            shown: shown.unwrap_or_else(|| self.shown.clone()),
            ..self.clone()
        };
        (levels, why.to_owned())
    }

    /// The range of values without the lowest and highest `cut_off` of them; all of them, if that leaves nothing.
    pub(super) fn range(&self, values: Stored, cut_off: f64) -> Shown {
        let (low, high) = self.quantiles(values, [cut_off, 1.0 - cut_off]);
        if high > low {
            Shown::Range(low, high)
        } else if cut_off > 0.0 {
            self.range(values, 0.0)
        } else {
            Shown::Range(low, low + 1.0)
        }
    }

    /// The values below which these shares of all values are.
    pub(super) fn quantiles(&self, values: Stored, [low, high]: [f64; 2]) -> (f64, f64) {
        let mut counted: Vec<(f64, usize)> = values
            .counts()
            .into_iter()
            .map(|(stored, count)| (self.modality.value(stored), count))
            .collect();
        counted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all: usize = counted.iter().map(|(_, count)| count).sum();
        // The smallest value that so many are not above: NumPy's `inverted_cdf`.
        let quantile = |share: f64| {
            let rank = (share * all as f64).ceil().max(1.0) as usize;
            let mut seen = 0;
            let found = counted.iter().find(|(_, count)| {
                seen += count;
                seen >= rank
            });
            found.map_or(0.0, |(value, _)| *value)
        };
        (quantile(low), quantile(high))
    }

    /// How many levels of grey lie between the dark and the bright parts of a picture.
    pub(super) fn contrast(&self, values: Stored) -> u8 {
        let Shown::Range(low, high) = self.range(values, CUT_OFF) else {
            return 0;
        };
        let grey = |value: f64| (self.shown.share(value) * 255.0) as u8;
        grey(high).abs_diff(grey(low))
    }

    pub fn used(&self, rule: Rule, why: String) -> Used {
        let shown = match &self.shown {
            Shown::Window(window) => UsedLevels::Window(window.clone()),
            Shown::Table(_) => UsedLevels::Table,
            Shown::Range(low, high) => UsedLevels::Range([*low, *high]),
        };
        Used {
            rule,
            shown,
            inverted: self.inverted,
            why,
        }
    }
}
