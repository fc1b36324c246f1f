//! Can a map be trusted? What is measured of one, on one picture.
//!
//! [`faithfulness`]: does the score rest on what the map marks? [`sanity`]: does the map depend on what the network has learned?
//! [`agreement`]: do two maps say the same? [`elsewhere`]: is the map on the patient? [`measuring`] measures all of these of one map.
//! [`erase`]: what does the model say without a place? [`audit`]: is that what the map credits the place with?

pub mod agreement;
pub mod audit;
pub mod elsewhere;
pub mod erase;
pub mod faithfulness;
pub mod measuring;
pub mod sanity;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::explain::method::Method;
use crate::finding::Finding;
use agreement::Agreement;
use elsewhere::Elsewhere;
use faithfulness::Faithfulness;
use sanity::Sanity;

/// What was measured of one map of this picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trust {
    pub finding: Finding,
    pub method: Method,
    pub faithfulness: Faithfulness,
    /// Where the map's evidence is beside the patient; `None` if there is no evidence for the finding.
    pub elsewhere: Option<Elsewhere>,
    /// With the map of another method, where both are there.
    pub agreement: Option<Agreement>,
    /// Which method that is, where it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_with: Option<Method>,
    /// The sanity check of Grad-CAM: the maps of the same network with a part drawn at random.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sanity: Vec<Sanity>,
}
