//! The record of a reading as JSON: enough to repeat it and to compare.

mod differences;
pub mod drawn;
pub mod several;

pub use differences::Difference;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::explain::method::{Explanation, Explanations, Method};
use crate::finding::Finding;
use crate::gate::{Judgement, Known};
use crate::heat_map::HeatMap;
use crate::package::Manifest;
use crate::radiograph::levels::Used;
use crate::radiograph::{Depth, Input, Radiograph, Region, dicom};
use crate::reading::Reading;
use crate::trust::Trust;
use crate::trust::erase::Erased;

/// The version of the report's format. 2: what hides a place means the same for all methods (see [`crate::explain::fill`]). 3: which levels
/// were shown, and what the gate says.
pub const SCHEMA_VERSION: u64 = 3;
/// The oldest version that is read, and replayed.
const OLDEST: u64 = 2;

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("it is no report of a reading: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "it is a report of schema version {found}, and this version of Sightline reads {OLDEST} to {SCHEMA_VERSION}: read the image again"
    )]
    Schema { found: u64 },
}

/// One reading of one picture by one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    #[cfg_attr(feature = "schema", schemars(range(min = OLDEST, max = SCHEMA_VERSION)))]
    pub schema_version: u64,
    /// What made the report, and its version.
    pub software: String,
    /// Said in every report.
    pub notice: String,
    pub model: Model,
    pub image: Image,
    /// Whether the picture is one that the model knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Judgement>,
    pub preprocessing: Input,
    /// `"WebGPU: <name>"` or `"CPU, N workers"`.
    pub adapter: String,
    /// Whether feature maps were computed in float16, which has three digits, where their values were not too large for it. Scores and maps are then not
    /// those of another device to the last digit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub float16: bool,
    pub findings: Vec<FindingReport>,
    /// The explanations that were asked for: one by each method, for all findings.
    #[serde(flatten)]
    pub explanations: Explanations,
    /// What was measured of the maps that were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<Trust>,
    /// What was painted over, and the scores without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erased>,
    /// What a reader drew on the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<drawn::Drawn>,
    pub timings: Timings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Model {
    pub name: String,
    pub title: String,
    pub weights_sha256: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Image {
    /// As the file was called; empty for a pasted picture.
    pub file: String,
    /// The hash of the file's bytes.
    pub sha256: String,
    pub width: usize,
    pub height: usize,
    /// Bits of a sample in the file.
    pub bits: u8,
    /// How many of them are used, and what told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<Depth>,
    /// Which values are shown from black to white, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Used>,
    /// What a DICOM file says of its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dicom: Option<dicom::Facts>,
    /// What else is to be known of the file: see [`Notice`](crate::radiograph::Notice).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

impl Image {
    /// What is to be known of the picture beside its name: size and depth, and of a DICOM file how it is written, where it was taken and how
    /// it is shown.
    pub fn said(&self) -> String {
        let mut said = format!("{} x {} pixels, ", self.width, self.height);
        match self.depth {
            Some(depth) if depth.bits != self.bits => {
                said += &format!("{} of {} bits", depth.bits, self.bits);
            }
            _ => said += &format!("{} bits", self.bits),
        }
        let Some(dicom) = &self.dicom else {
            return said;
        };
        let place = [
            &dicom.modality,
            &dicom.body_part,
            &dicom.view,
            &dicom.laterality,
        ];
        let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
        if !place.is_empty() {
            said += &format!(", {}", place.join(" "));
        }
        if let Some([row, column]) = dicom.spacing_mm {
            said += &format!(", {row} mm a pixel");
            if column != row {
                said += &format!(" down and {column} mm across");
            }
            if dicom.spacing_on_detector {
                said += " on the detector";
            }
        }
        if let Some(levels) = &self.levels {
            said += &format!(", {}", levels.shown);
        }
        format!("{said}; DICOM, {}", dicom.transfer_syntax)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingReport {
    pub name: Finding,
    pub trained: bool,
    pub logit: f32,
    pub probability: Option<f64>,
    pub operating_point: Option<f64>,
    /// Whether it counts as found, by its operating point and the rules of the package.
    #[serde(default)]
    pub called: bool,
    pub grad_cam: GradCam,
}

/// Evidence for one finding. `sum(cells.values) + bias = logit`; Grad-CAM is its positive part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GradCam {
    pub cells: HeatMap,
    /// The parts that the branches of a combined network give, each on its own grid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<Branch>,
    pub bias: f32,
    /// The part of the picture that the cells cover.
    pub region: Region,
}

/// What one branch of a combined network adds to the cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Branch {
    /// As torchvision calls it, for example `densenet121`.
    pub network: String,
    pub cells: HeatMap,
}

/// In milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timings {
    pub decode: f64,
    /// Forward pass and all maps.
    pub read: f64,
    /// By which the device was chosen; absent where there was no choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<DeviceTimes>,
}

impl Timings {
    /// Where there was no choice of devices.
    pub fn new(decode: f64, read: f64) -> Self {
        let devices = None;
        Self {
            decode,
            read,
            devices,
        }
    }
}

/// How long a picture took on each device when the device was chosen, in milliseconds: medians of three.
#[derive(
    Clone, Copy, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceTimes {
    pub webgpu: f64,
    /// On as many cores as the engine has.
    pub cpu: f64,
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// When it is not JSON, of a schema version that is not read (checked first), or no report.
    pub fn parse(json: &[u8]) -> Result<Self, ReportError> {
        let value: serde_json::Value = serde_json::from_slice(json)?;
        let found = value.get("schema_version");
        let found = found.and_then(serde_json::Value::as_u64).unwrap_or(0);
        if !(OLDEST..=SCHEMA_VERSION).contains(&found) {
            return Err(ReportError::Schema { found });
        }
        Ok(serde_json::from_value(value)?)
    }

    /// The report of one reading. `file` is the file's name and `sha256` the hash of its bytes.
    pub fn new(
        manifest: &Manifest,
        radiograph: &Radiograph,
        file: &str,
        sha256: String,
        reading: &Reading,
        adapter: &str,
        timings: Timings,
    ) -> Self {
        // A manifest that names unknown networks is refused before anything is read with it.
        let networks = manifest.architecture.branch_names().unwrap_or_default();
        let called = manifest.called(&reading.probabilities);
        let findings = manifest
            .findings
            .iter()
            .enumerate()
            .map(|(index, card)| FindingReport {
                name: card.name,
                trained: card.trained,
                logit: reading.logits[index],
                probability: reading.probabilities[index],
                operating_point: card.operating_point,
                called: called[index],
                grad_cam: GradCam {
                    cells: reading.evidence[index].clone(),
                    branches: networks
                        .iter()
                        .zip(&reading.branches[index])
                        .map(|(network, cells)| Branch {
                            network: network.clone(),
                            cells: cells.clone(),
                        })
                        .collect(),
                    bias: reading.bias[index],
                    region: reading.region,
                },
            });
        let notices = radiograph.notices.iter().map(ToString::to_string);
        let shares = reading.odd.as_deref();
        // A folder's name says nothing of the picture's kind.
        let name = file.rsplit(['/', '\\']).next().unwrap_or_default();
        let gate = Judgement::new(manifest.gate.as_ref(), shares, &Known::of(radiograph), name);
        Self {
            schema_version: SCHEMA_VERSION,
            software: concat!("sightline ", env!("CARGO_PKG_VERSION")).to_owned(),
            notice: "For research and teaching. Not a medical device.".to_owned(),
            model: Model {
                name: manifest.name.clone(),
                title: manifest.title.clone(),
                weights_sha256: manifest.weights.sha256.clone(),
            },
            image: Image {
                file: file.to_owned(),
                sha256,
                width: radiograph.image.width,
                height: radiograph.image.height,
                bits: radiograph.bits,
                depth: Some(radiograph.depth),
                levels: Some(radiograph.used.clone()),
                dicom: radiograph.dicom.clone(),
                notices: notices.collect(),
            },
            gate: Some(gate),
            preprocessing: manifest.input.clone(),
            adapter: adapter.to_owned(),
            float16: reading.float16,
            findings: findings.collect(),
            explanations: Explanations::default(),
            trust: Vec::new(),
            erased: None,
            drawn: None,
            timings,
        }
    }

    /// Takes an explanation in, in place of the one by the same method. What was measured of that one is not of this one, and how far other maps
    /// agree with it is not known any more.
    pub fn explain(&mut self, explanation: Explanation) {
        let method = explanation.method();
        self.trust.retain(|trust| trust.method != method);
        for trust in &mut self.trust {
            // Reports that do not say with which compare with LIME.
            if trust.agreement_with.unwrap_or(Method::COMPARED_BEFORE) == method {
                (trust.agreement, trust.agreement_with) = (None, None);
            }
        }
        self.explanations.put(explanation);
    }

    /// Takes in what was measured of a map, in place of what was measured of it before.
    pub fn measure(&mut self, trust: Trust) {
        let all = &mut self.trust;
        all.retain(|old| old.finding != trust.finding || old.method != trust.method);
        all.push(trust);
    }
}
