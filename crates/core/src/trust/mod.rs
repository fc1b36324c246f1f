//! Can a map be trusted? What is measured of one, on one picture.
//!
//! [`faithfulness`]: does the score rest on what the map marks? [`sanity`]: does the map depend on what the network has learned?
//! [`agreement`]: do two maps say the same? [`elsewhere`]: is the map on the patient? [`erase`]: what does the model say without a place?

pub mod agreement;
pub mod elsewhere;
pub mod erase;
pub mod faithfulness;
pub mod sanity;
