//! The model package: a folder with `manifest.json` and `weights.bpk`, or the same over the wire.
//!
//! The manifest says everything a reading needs (architecture, input, findings, their calibration) and
//! everything a reader should know (data, evaluation, limits). The weights are a burnpack file; nothing in a
//! package can execute.

mod card;
mod manifest;

pub use card::{UNMEASURED, about};
pub use manifest::{
    Calibration, Evaluation, FindingCard, Localisation, LocalisedBy, Manifest, Maps, Marks,
    ModelEntry, ModelIndex, OverMiddle, Pointing, SCHEMA_VERSION, Training, Unit, Weights,
};

pub use crate::output::Output;
pub use crate::statistics::sigmoid;

use sha2::{Digest, Sha256};

/// The SHA-256 of some bytes, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes in lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("the manifest cannot be read: {0}")]
    Manifest(#[from] serde_json::Error),
    #[error(
        "the package is of schema version {found}, and this version of Sightline reads {SCHEMA_VERSION}; \
         update Sightline or export the model again"
    )]
    Schema { found: u64 },
    #[error("the manifest contradicts itself: {0}")]
    Inconsistent(String),
    #[error(
        "the weights are not those that the manifest states (sha256 {found}, expected {expected}): \
         the file is damaged or was replaced"
    )]
    Checksum { expected: String, found: String },
    #[error("{0:?} is not a folder on this page's own server")]
    Elsewhere(String),
    #[error("the weights do not fit the network: {0}")]
    Weights(String),
}
