//! What a DICOM file says of its picture, as a report has it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::levels::Window;

/// What a file says of its picture. It has nobody's name, number, date or place: only codes and numbers are taken from the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Facts {
    /// As the standard names it.
    pub transfer_syntax: String,
    pub bits_stored: u8,
    pub signed: bool,
    pub photometric_interpretation: String,
    /// Such as DX or CR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_part: Option<String>,
    /// Such as PA or LL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// The side of the body that is shown: L, R, B or U.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laterality: Option<String>,
    /// Which way rows and columns go, such as L and F: to the person's left, and to the feet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patient_orientation: Vec<String>,
    /// The distance between the middles of pixels in millimetres, from row to row and from column to column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing_mm: Option<[f64; 2]>,
    /// The distance is measured on the detector, where a body is seen larger than it is (PS3.3, 10.7.1.3).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spacing_on_detector: bool,
    /// All windows of the file. The first is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}
