//! `manifest.json`.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::PackageError;
use crate::architecture::Architecture;
use crate::explain::method::Method;
use crate::finding::{Finding, plain};
use crate::gate::detector::Detector;
use crate::output::Output;
use crate::radiograph::Input;
use crate::statistics::{log_odds, sigmoid};
use crate::vocabulary::{self, CallRule, Score, Vocabulary};

/// The version of the package format that this engine reads and writes.
pub const SCHEMA_VERSION: u64 = 1;

/// The longest weights that are read: 1 GiB, six times the largest network's.
const MAX_WEIGHTS: u64 = 1 << 30;
/// Closer than this to 0 or 1, a probability does not tell its logit to four digits.
const SATURATED: f64 = 1e-12;

/// `models/index.json`: the packages that a page offers, the first being the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelIndex {
    pub models: Vec<ModelEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelEntry {
    /// The package's folder beside `index.json`, unless `path` says another.
    pub name: String,
    /// A folder elsewhere on the page's own server: `/from/its/root`, or relative to `index.json`. For packages that
    /// are too large to lie beside the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl ModelEntry {
    /// The folder's address, relative to the page.
    ///
    /// # Errors
    /// When it would lead to another server.
    pub fn folder(&self) -> Result<String, PackageError> {
        let path = self.path.as_deref().unwrap_or(&self.name);
        let path = path.trim_end_matches('/');
        // Browsers leave tabs and line ends out of an address before they read it.
        let reads_otherwise = |c: char| c.is_control() || ":\\?#".contains(c);
        if path.is_empty() || path.contains(reads_otherwise) || path.starts_with("//") {
            return Err(PackageError::Elsewhere(path.to_owned()));
        }
        if path.starts_with('/') {
            return Ok(path.to_owned());
        }
        Ok(format!("models/{path}"))
    }
}

/// All about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Manifest {
    #[cfg_attr(feature = "schema", schemars(extend("const" = SCHEMA_VERSION)))]
    pub schema_version: u64,
    /// The folder's name: lower case, digits and hyphens.
    pub name: String,
    pub title: String,
    pub architecture: Architecture,
    pub input: Input,
    /// One for each of the network's outputs, in their order.
    pub findings: Vec<FindingCard>,
    /// Which findings count as called only where nothing else is. Without it, No Finding does where the package has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<CallRule>>,
    pub training: Training,
    /// On which images the AUCs below were measured; `None` where nothing was.
    pub evaluation: Option<Evaluation>,
    pub licence: String,
    pub attribution: String,
    pub intended_use: String,
    pub limits: Vec<String>,
    pub weights: Weights,
    /// What tells pictures that are no frontal chest radiographs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Detector>,
}

/// One output of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingCard {
    pub name: Finding,
    /// Whether any training image was labelled for it; if not, its score means nothing and is not shown.
    pub trained: bool,
    /// `None`: the sigmoid of the logit is the score.
    pub calibration: Option<Calibration>,
    /// The score from which on the finding counts as called (Youden's J on the validation images).
    pub operating_point: Option<f64>,
    pub auc: Option<f64>,
    /// 95% interval of the AUC, by bootstrap over patients.
    pub auc_ci95: Option<[f64; 2]>,
    /// Evaluation images with and without the finding.
    pub positives: usize,
    pub negatives: usize,
    /// How well maps point at what radiologists marked.
    #[serde(default)]
    pub localisation: BTreeMap<LocalisedBy, Localisation>,
}

/// How a logit becomes a probability, where the sigmoid alone does not do.
#[derive(
    Clone, Copy, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Calibration {
    /// Platt scaling (1999): the probability is `sigmoid(scale * logit + offset)`.
    Platt { scale: f64, offset: f64 },
    /// torchxrayvision's scaling of the sigmoid `p`, which makes the threshold `t` one half: `p / 2t` below it and
    /// `1 - (1 - p) / 2(1 - t)` from there on.
    OperatingPoint { threshold: f64 },
}

impl Calibration {
    fn is_sound(&self) -> bool {
        match *self {
            Calibration::Platt { scale, offset } => scale.is_finite() && offset.is_finite(),
            Calibration::OperatingPoint { threshold } => threshold > 0.0 && threshold < 1.0,
        }
    }

    fn probability(&self, logit: f64) -> f64 {
        match *self {
            Calibration::Platt { scale, offset } => sigmoid(scale * logit + offset),
            Calibration::OperatingPoint { threshold } => {
                let p = sigmoid(logit);
                if p < threshold {
                    p / (2.0 * threshold)
                } else {
                    1.0 - (1.0 - p) / (2.0 * (1.0 - threshold))
                }
            }
        }
    }

    /// The logit whose probability this is.
    fn logit(&self, probability: f64) -> f64 {
        match *self {
            Calibration::Platt { scale, offset } => (log_odds(probability) - offset) / scale,
            Calibration::OperatingPoint { threshold } => log_odds(match probability < 0.5 {
                true => probability * (2.0 * threshold),
                false => 1.0 - (1.0 - probability) * (2.0 * (1.0 - threshold)),
            }),
        }
    }
}

/// Whose maps were measured, and against which marks. In a manifest it is the key of a [`Localisation`]: `lime`, `lime on masks`.
#[derive(
    Clone,
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
#[serde(from = "String", into = "String")]
pub struct LocalisedBy {
    pub maps: Maps,
    pub marks: Marks,
}

/// Maps that are measured: a method's, or ones that know nothing of the picture.
#[derive(
    Clone,
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
#[serde(from = "String", into = "String")]
pub enum Maps {
    By(Method),
    /// A Gaussian in the middle of every picture.
    Centre,
    /// A map drawn at random for every picture.
    Random,
    /// Maps that this version does not make: a later one may. They are kept, and are no reason to refuse a package.
    Other(String),
}

/// What radiologists marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Marks {
    Boxes,
    /// Outlines, such as of hearts.
    Masks,
}

const ON_MASKS: &str = " on masks";

impl std::str::FromStr for Maps {
    type Err = String;

    /// # Errors
    /// When nothing is called so.
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "center" | "centre" => Ok(Maps::Centre),
            "random" => Ok(Maps::Random),
            name => match name.parse() {
                Ok(method) => Ok(Maps::By(method)),
                Err(error) => Err(format!("{error}, center, random")),
            },
        }
    }
}

impl std::fmt::Display for Maps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Maps::By(method) => method.name(),
            Maps::Centre => "center",
            Maps::Random => "random",
            Maps::Other(name) => name,
        })
    }
}

impl From<String> for Maps {
    fn from(name: String) -> Self {
        name.parse().unwrap_or(Maps::Other(name))
    }
}

impl From<Maps> for String {
    fn from(maps: Maps) -> Self {
        maps.to_string()
    }
}

impl std::fmt::Display for LocalisedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let on = match self.marks {
            Marks::Boxes => "",
            Marks::Masks => ON_MASKS,
        };
        write!(f, "{}{on}", self.maps)
    }
}

impl From<String> for LocalisedBy {
    fn from(key: String) -> Self {
        let (name, marks) = match key.strip_suffix(ON_MASKS) {
            Some(name) => (name, Marks::Masks),
            None => (key.as_str(), Marks::Boxes),
        };
        Self {
            maps: name.to_owned().into(),
            marks,
        }
    }
}

impl From<LocalisedBy> for String {
    fn from(key: LocalisedBy) -> Self {
        key.to_string()
    }
}

impl FindingCard {
    /// A finding of which nothing was measured yet.
    pub fn new(name: Finding, trained: bool) -> Self {
        Self {
            name,
            trained,
            calibration: None,
            operating_point: None,
            auc: None,
            auc_ci95: None,
            positives: 0,
            negatives: 0,
            localisation: BTreeMap::new(),
        }
    }

    /// Fewer images than this tell nothing of a method's maps.
    const FEW: usize = 5;
    /// The level of the test: as many maps that are no better than the middle may be said to be.
    const LEVEL: f64 = 0.05;

    /// Whether a method's maps were found to point at the finding better than a Gaussian in the middle of the same pictures does: by
    /// its hits or, where the middle hits nearly always, by its IoU. `None` where the two were not compared, or on few images.
    pub fn pointing(&self, by: &LocalisedBy) -> Option<Pointing> {
        let maps = self.localisation.get(by)?;
        let compared = maps.over_middle.as_ref()?;
        if maps.n < Self::FEW {
            return None;
        }
        let (more, p) = if maps.pointing_hit - compared.hit > 0.9 {
            (compared.iou, compared.iou_p)
        } else {
            (compared.hit, compared.hit_p)
        };
        Some(match p {
            _ if more <= 0.0 => Pointing::Unreliable,
            p if p <= Self::LEVEL => Pointing::Better { p },
            p => Pointing::Unsettled { p },
        })
    }
}

/// How a method's maps compare with a Gaussian in the middle of the same pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointing {
    /// No better.
    Unreliable,
    /// Better on the images measured, but that may be chance: maps no better than the middle would differ as much with this probability.
    Unsettled { p: f64 },
    /// Better.
    Better { p: f64 },
}

/// How much better maps are than a Gaussian in the middle of the same pictures.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverMiddle {
    /// Hits less the middle's, as a share of the images.
    pub hit: f64,
    /// The p-value of the paired test of that: patients' differences with random signs (McNemar's exact test, with several images of a patient).
    pub hit_p: f64,
    /// Mean IoU above Otsu's threshold less the middle's.
    pub iou: f64,
    pub iou_p: f64,
}

/// How well a method's maps of a finding point at it, with 95% intervals by patient.
#[derive(
    Clone, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Localisation {
    /// Share of boxes that contain the map's maximum (the pointing game).
    pub pointing_hit: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointing_hit_ci95: Option<[f64; 2]>,
    /// Mean intersection over union of the boxes and the map above Otsu's threshold.
    pub iou: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou_ci95: Option<[f64; 2]>,
    /// Mean intersection over union of the boxes and as much of the map as they cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou_same_area: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou_same_area_ci95: Option<[f64; 2]>,
    /// Images.
    pub n: usize,
    /// How much better the maps are than a Gaussian in the middle of the same pictures, image by image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_middle: Option<OverMiddle>,
    /// The samples that LIME could take, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

/// What is known of a model's training; of imported weights that is next to nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Training {
    pub data: String,
    pub images: Option<usize>,
    pub patients: Option<usize>,
    pub recipe: String,
    pub seed: Option<u64>,
    pub epochs: Option<usize>,
    /// The commit of the source code.
    pub commit: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Whether boxes that radiologists drew on training images taught Grad-CAM where to point.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taught_with_boxes: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evaluation {
    pub set: String,
    pub unit: Unit,
}

/// What one score stands for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Image,
    /// The maximum over a study's views, as CheXpert scores.
    Study,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Weights {
    /// Beside the manifest.
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
    /// The type of the convolutions' and linear layers' weights; batch normalisation is float32.
    pub dtype: String,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When it is not JSON, of another schema version (checked first), or contradicts itself.
    pub fn parse(json: &[u8]) -> Result<Self, PackageError> {
        let value: serde_json::Value = serde_json::from_slice(json)?;
        let found = value
            .get("schema_version")
            .and_then(serde_json::Value::as_u64);
        if found != Some(SCHEMA_VERSION) {
            return Err(PackageError::Schema {
                found: found.unwrap_or(0),
            });
        }
        let manifest: Self = serde_json::from_value(value)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// # Errors
    /// When it contradicts itself.
    pub fn check(&self) -> Result<(), PackageError> {
        let wrong = |why: String| Err(PackageError::Inconsistent(why));
        if let Err(error) = self.input.check() {
            return wrong(error.to_string());
        }
        if self.input.channels != self.architecture.in_channels {
            return wrong(format!(
                "the input has {} channels, the network {}",
                self.input.channels, self.architecture.in_channels
            ));
        }
        if self.findings.is_empty() {
            return wrong("it lists no finding".to_owned());
        }
        for (index, card) in self.findings.iter().enumerate() {
            // A table's column is found by the plain name.
            let name = plain(card.name.name());
            let mut before = self.findings[..index].iter();
            if before.any(|other| plain(other.name.name()) == name) {
                return wrong(format!("{} is listed twice", card.name));
            }
            if card.calibration.is_some_and(|c| !c.is_sound()) {
                return wrong(format!("{} has an impossible calibration", card.name));
            }
        }
        let rules = self.rules.as_deref().unwrap_or_default();
        for (index, rule) in rules.iter().enumerate() {
            let alone = rule.alone;
            if self.output(alone).is_none() {
                return wrong(format!("a rule is about {alone}, which it does not list"));
            }
            if rules[..index].iter().any(|other| other.alone == alone) {
                return wrong(format!("two rules are about {alone}"));
            }
        }
        if self.weights.bytes > MAX_WEIGHTS {
            return wrong(format!("weights of {} bytes", self.weights.bytes));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let file = &self.weights.file;
        if file.is_empty() || file.starts_with('.') || !file.chars().all(plain) {
            return wrong(format!("{file:?} is no plain file name"));
        }
        Ok(())
    }

    /// The output of a finding; `None` where the model has none for it.
    pub fn output(&self, finding: Finding) -> Option<Output> {
        let mut cards = self.findings.iter();
        cards.position(|card| card.name == finding).map(Output)
    }

    /// The output of a finding that was trained.
    pub fn trained_output(&self, finding: Finding) -> Option<Output> {
        self.output(finding)
            .filter(|output| self.findings[output.0].trained)
    }

    /// The findings, in the order of the outputs, and their rules.
    pub fn vocabulary(&self) -> Vocabulary {
        let findings: Vec<Finding> = self.findings.iter().map(|card| card.name).collect();
        Vocabulary {
            rules: vocabulary::rules(self.rules.as_deref(), &findings).into_owned(),
            findings,
        }
    }

    /// Which findings are called, in their order. `probabilities`: one for each finding.
    pub fn called(&self, probabilities: &[Option<f64>]) -> Vec<bool> {
        vocabulary::called(&self.scores(probabilities), &self.vocabulary().rules)
    }

    /// Scores beside their findings and operating points. `probabilities`: one for each finding, in their order.
    pub fn scores(&self, probabilities: &[Option<f64>]) -> Vec<Score> {
        let cards = self.findings.iter().zip(probabilities);
        let scores = cards.map(|(card, probability)| Score {
            finding: card.name,
            probability: *probability,
            operating_point: card.operating_point,
        });
        scores.collect()
    }

    /// By how much the calibration of an output stretches logits.
    pub fn scale(&self, output: Output) -> f64 {
        match self.findings[output.0].calibration {
            Some(Calibration::Platt { scale, .. }) => scale,
            _ => 1.0,
        }
    }

    /// The probability for an output; `None` where the finding was not trained.
    ///
    /// The one place where logits become probabilities.
    pub fn probability(&self, output: Output, logit: f32) -> Option<f64> {
        let card = self.findings.get(output.0).filter(|card| card.trained)?;
        let logit = f64::from(logit);
        Some(match card.calibration {
            Some(calibration) => calibration.probability(logit),
            None => sigmoid(logit),
        })
    }

    /// The logit behind a probability of an output. `None` where the probability does not tell it: so close to 0 or 1 that too few of its
    /// digits are left, or of a calibration that makes all logits one probability.
    pub fn logit(&self, output: Output, probability: f64) -> Option<f64> {
        let card = self.findings.get(output.0)?;
        let logit = match card.calibration {
            Some(calibration) => calibration.logit(probability),
            None => log_odds(probability),
        };
        let tells = (SATURATED..=1.0 - SATURATED).contains(&probability);
        (tells && logit.is_finite()).then_some(logit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_tells_the_logit_that_it_was_made_of_whatever_the_calibration() {
        let shipped = include_str!("../../../../www/models/efficientnet-lite0-nih/manifest.json");
        let mut manifest = Manifest::parse(shipped.as_bytes()).expect("the shipped manifest");
        let output = manifest.output(Finding::Edema).expect("it is trained");
        let platt = |scale| Calibration::Platt { scale, offset: 0.7 };
        let threshold = |threshold| Calibration::OperatingPoint { threshold };
        for calibration in [
            None,
            Some(platt(0.4)),
            Some(platt(-1.5)),
            Some(threshold(0.02)),
            Some(threshold(0.9)),
        ] {
            manifest.findings[output.0].calibration = calibration;
            for logit in [-12.0, -3.25, -0.5, 0.0, 0.125, 2.0, 12.0] {
                let probability = manifest.probability(output, logit).expect("it is trained");
                let again = manifest.logit(output, probability).expect("it tells");
                let off = (again - f64::from(logit)).abs();
                assert!(off < 1e-6, "{calibration:?}, {logit}: {again}");
            }
        }
        // What tells nothing.
        manifest.findings[output.0].calibration = None;
        assert_eq!(manifest.logit(output, 1.0), None);
        assert_eq!(manifest.logit(output, 0.0), None);
        assert_eq!(manifest.logit(output, f64::NAN), None);
        manifest.findings[output.0].calibration = Some(platt(0.0));
        assert_eq!(manifest.logit(output, 0.5), None);
        assert_eq!(manifest.logit(Output(99), 0.5), None);
    }

    fn shipped() -> [&'static str; 3] {
        [
            include_str!("../../../../www/models/densenet121-nih/manifest.json"),
            include_str!("../../../../www/models/efficientnet-lite0-nih/manifest.json"),
            include_str!("../../../../www/models/combined-nih/manifest.json"),
        ]
    }

    #[test]
    fn packages_that_were_made_before_mean_what_they_did() {
        for json in shipped() {
            let manifest = Manifest::parse(json.as_bytes()).expect("a shipped manifest");
            assert_eq!(manifest.rules, None);
            assert_eq!(manifest.vocabulary(), Vocabulary::default());
            let written = serde_json::to_vec(&manifest).expect("JSON");
            assert!(Manifest::parse(&written).expect("as written") == manifest);
            // Nothing is written that an older program does not know.
            let [written, read]: [serde_json::Value; 2] = [&written[..], json.as_bytes()]
                .map(|json| serde_json::from_slice(json).expect("JSON"));
            let names = |value: &serde_json::Value| {
                let cards = value["findings"].as_array().expect("findings").iter();
                cards.map(|card| card["name"].clone()).collect::<Vec<_>>()
            };
            let keys = |value: &serde_json::Value| {
                value
                    .as_object()
                    .expect("an object")
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
            };
            assert_eq!(keys(&written), keys(&read));
            assert_eq!(names(&written), names(&read));
        }
    }

    #[test]
    fn a_package_names_findings_of_its_own_once_and_rules_about_them() {
        let mut value: serde_json::Value = serde_json::from_str(shipped()[0]).expect("JSON");
        let parse = |value: &serde_json::Value| Manifest::parse(value.to_string().as_bytes());
        value["findings"][0]["name"] = "No finding".into();
        value["findings"][1]["name"] = "Nodule/Mass".into();
        value["rules"] =
            serde_json::json!([{ "alone": "No finding", "except": ["Support Devices"] }]);
        let manifest = parse(&value).expect("a manifest");
        let mass = Finding::named("Nodule/Mass").expect("a name");
        assert_eq!(manifest.output(mass), Some(Output(1)));
        let mut probabilities = vec![Some(0.0); manifest.findings.len()];
        probabilities[0] = Some(1.0);
        let called = |probabilities: &[Option<f64>]| {
            let mut manifest = manifest.clone();
            for card in &mut manifest.findings {
                card.operating_point = Some(0.5);
            }
            manifest.called(probabilities)
        };
        assert!(called(&probabilities)[0]);
        probabilities[1] = Some(1.0);
        assert!(!called(&probabilities)[0] && called(&probabilities)[1]);
        for wrong in [
            // As a table's columns they would be the same.
            serde_json::json!("nodule/mass"),
            serde_json::json!("Nodule/Mass"),
            serde_json::json!(""),
            serde_json::json!("a".repeat(65)),
            serde_json::json!("Tab\t"),
        ] {
            let mut bad = value.clone();
            bad["findings"][2]["name"] = wrong.clone();
            assert!(parse(&bad).is_err(), "{wrong}");
        }
        let mut bad = value.clone();
        bad["rules"][0]["alone"] = "Hernia".into();
        let error = parse(&bad).expect_err("it has no Hernia").to_string();
        assert!(error.contains("Hernia"), "{error}");
        let rule = value["rules"][0].clone();
        value["rules"] = serde_json::json!([rule, rule]);
        assert!(parse(&value).is_err(), "two rules about one finding");
    }
}
