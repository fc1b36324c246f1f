//! The name of what a model's output stands for. Any package names its own; [`crate::vocabulary`] has the lists that are known.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Read, Result as IoResult, Write};
use std::sync::Mutex;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most characters of a name.
pub const LONGEST: usize = 64;
/// The most names that a program keeps: those of a hundred packages with other findings each.
const MOST_NAMES: usize = 4096;

/// What an output stands for: a name, kept once for the whole program, so that a finding is copied as a number is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Finding(&'static str);

/// Why a text is no name of a finding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a finding's name has 1 to {LONGEST} characters: {0:?}")]
    Length(String),
    #[error("a finding's name has printable characters and no space at its ends: {0:?}")]
    Unprintable(String),
    #[error("there are more than {MOST_NAMES} names of findings")]
    TooMany,
}

/// Names that are no constants.
static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// CheXpert's 14 observations (Irvin et al., AAAI 2019).
#[expect(
    non_upper_case_globals,
    reason = "they read as the values of an enumeration"
)]
impl Finding {
    pub const NoFinding: Finding = Finding("No Finding");
    pub const EnlargedCardiomediastinum: Finding = Finding("Enlarged Cardiomediastinum");
    pub const Cardiomegaly: Finding = Finding("Cardiomegaly");
    pub const LungOpacity: Finding = Finding("Lung Opacity");
    pub const LungLesion: Finding = Finding("Lung Lesion");
    pub const Edema: Finding = Finding("Edema");
    pub const Consolidation: Finding = Finding("Consolidation");
    pub const Pneumonia: Finding = Finding("Pneumonia");
    pub const Atelectasis: Finding = Finding("Atelectasis");
    pub const Pneumothorax: Finding = Finding("Pneumothorax");
    pub const PleuralEffusion: Finding = Finding("Pleural Effusion");
    pub const PleuralOther: Finding = Finding("Pleural Other");
    pub const Fracture: Finding = Finding("Fracture");
    pub const SupportDevices: Finding = Finding("Support Devices");
}

impl Finding {
    /// How many CheXpert has.
    pub const COUNT: usize = 14;

    /// CheXpert's 14, in the column order of its CSV files. A network that is trained here has its outputs in this order.
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

    /// A constant, for lists of names.
    pub(crate) const fn known(name: &'static str) -> Self {
        Finding(name)
    }

    /// The finding of exactly this name.
    ///
    /// # Errors
    /// When the text is no name.
    pub fn named(name: &str) -> Result<Self, NameError> {
        if let Some(known) = Finding::ALL.into_iter().find(|known| known.0 == name) {
            return Ok(known);
        }
        if !(1..=LONGEST).contains(&name.chars().count()) {
            return Err(NameError::Length(name.chars().take(LONGEST).collect()));
        }
        // What is not seen would make two names look the same.
        let unseen = |c: char| {
            c.is_control()
                || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        if name.chars().any(unseen) || name.trim() != name {
            return Err(NameError::Unprintable(name.to_owned()));
        }
        // Nothing panics while the names are held.
        let mut kept = KEPT
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(name) = kept.get(name) {
            return Ok(Finding(name));
        }
        if kept.len() >= MOST_NAMES {
            return Err(NameError::TooMany);
        }
        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
        kept.insert(name);
        Ok(Finding(name))
    }

    /// The name, as the package or CheXpert's CSV header writes it.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The position in [`Finding::ALL`]; `None` for what is not CheXpert's.
    pub fn place(self) -> Option<usize> {
        Finding::ALL.iter().position(|known| *known == self)
    }

    /// The position in [`Finding::ALL`] of a finding that is CheXpert's.
    ///
    /// # Panics
    /// When it is not.
    pub fn index(self) -> usize {
        self.place().expect("it is one of CheXpert's observations")
    }

    /// CheXpert's observation of that name; upper and lower case, spaces and underscores do not matter. CheXlocalize and CheXpert's
    /// test labels call Lung Opacity "Airspace Opacity".
    pub fn from_name(name: &str) -> Option<Finding> {
        let name = plain(name);
        if name == "airspace opacity" {
            return Some(Finding::LungOpacity);
        }
        Finding::ALL.into_iter().find(|f| plain(f.0) == name)
    }
}

/// A name without what does not tell findings apart: upper and lower case, and underscores for spaces.
pub fn plain(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('_', " ")
}

/// CheXpert's in their order, then all others by name.
impl Ord for Finding {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |finding: &Finding| finding.place().unwrap_or(Finding::COUNT);
        key(self).cmp(&key(other)).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::fmt::Debug for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Finding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Finding::named(&name).map_err(serde::de::Error::custom)
    }
}

impl borsh::BorshSerialize for Finding {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        borsh::BorshSerialize::serialize(self.0, writer)
    }
}

impl borsh::BorshDeserialize for Finding {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let name = <String as borsh::BorshDeserialize>::deserialize_reader(reader)?;
        Finding::named(&name).map_err(|error| Error::new(ErrorKind::InvalidData, error))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Finding {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Finding".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What an output stands for: a name of printable characters, without a space at its ends.",
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST,
            "pattern": r"^[^\s\u0000-\u001f\u007f]([^\u0000-\u001f\u007f]*[^\s\u0000-\u001f\u007f])?$",
        })
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
    fn any_name_is_a_finding_and_comes_back_from_json_and_from_the_wire() {
        for name in ["Hernia", "Nodule/Mass", "Raumforderung, zystisch", "肺炎"] {
            let finding = Finding::named(name).expect("a name");
            assert_eq!(finding.name(), name);
            assert_eq!(finding.place(), None);
            let json = serde_json::to_string(&finding).expect("JSON");
            assert_eq!(json, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<Finding>(&json).expect(name), finding);
            let bytes = borsh::to_vec(&finding).expect("Borsh");
            assert_eq!(borsh::from_slice::<Finding>(&bytes).expect(name), finding);
        }
        // A name is kept once.
        let kept = [Finding::named("Hernia"), Finding::named("Hernia")];
        let [first, second] = kept.map(|finding| finding.expect("a name").name().as_ptr());
        assert_eq!(first, second);
        assert_eq!(Finding::named("Edema"), Ok(Finding::Edema));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(LONGEST);
        assert!(Finding::named(&long).is_ok());
        let longer = format!("{long}a");
        for name in ["", &longer] {
            assert!(matches!(Finding::named(name), Err(NameError::Length(_))));
        }
        for name in [
            " Mass",
            "Mass ",
            "Ma\nss",
            "\u{7}",
            "Ma\u{200b}ss",
            "\u{202e}ssaM",
        ] {
            let refused = Finding::named(name);
            assert!(
                matches!(refused, Err(NameError::Unprintable(_))),
                "{name:?}"
            );
            let json = serde_json::to_string(name).expect("JSON");
            assert!(serde_json::from_str::<Finding>(&json).is_err(), "{name:?}");
        }
        assert!(borsh::from_slice::<Finding>(&borsh::to_vec("").expect("Borsh")).is_err());
        assert!(serde_json::from_str::<Finding>("3").is_err());
    }

    #[test]
    fn findings_of_chexpert_come_first_and_in_its_order() {
        let named = |name| Finding::named(name).expect("a name");
        let mut all = [
            named("Mass"),
            Finding::Fracture,
            named("Hernia"),
            Finding::Edema,
        ];
        all.sort();
        assert_eq!(
            all,
            [
                Finding::Edema,
                Finding::Fracture,
                named("Hernia"),
                named("Mass")
            ]
        );
    }
}
