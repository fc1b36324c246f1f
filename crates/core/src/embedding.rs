//! What a page that shows Sightline in a frame and Sightline say to each other, by `postMessage`.
//!
//! These types say what the messages are; JSON Schemas and the types of the npm package are made of them. The page's program reads and writes
//! the messages by the browser's own means.

use crate::explain::method::Method;
#[cfg(feature = "schema")]
use crate::finding::Finding;
#[cfg(feature = "schema")]
use crate::report::Report;
#[cfg(feature = "schema")]
use serde::Serialize;

/// The version of the messages: each has it, under [`MARK`].
pub const VERSION: u32 = 1;
/// What a message has its version under, and tells it from others by.
pub const MARK: &str = "sightline";

/// What the page is told.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema, Serialize))]
#[cfg_attr(feature = "schema", serde(tag = "type", rename_all = "kebab-case"))]
pub enum ToPage {
    /// Read a file, which is in the message.
    Open {
        file: Handle,
        /// As the file is called, where the handle does not know it.
        #[cfg_attr(feature = "schema", serde(skip_serializing_if = "Option::is_none"))]
        name: Option<String>,
    },
    /// Show the map of a finding.
    Select { finding: String },
    /// Show the maps of a method, and make them where they are not there.
    Explain {
        method: Method,
        /// The number of LIME's samples, at most.
        #[cfg_attr(feature = "schema", serde(skip_serializing_if = "Option::is_none"))]
        samples: Option<u32>,
        /// The seed of LIME's samples.
        #[cfg_attr(feature = "schema", serde(skip_serializing_if = "Option::is_none"))]
        seed: Option<u32>,
    },
    /// Measure the map in view.
    Measure,
    /// Load another model, by its name in `models/index.json`.
    Load { model: String },
    /// End what is under way.
    Cancel,
}

/// A file that goes with a message: a `File` or a `Blob`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(Serialize))]
pub struct Handle;

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Handle {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Handle".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A File or a Blob, as structured clones have it. No JSON has one.",
            "tsType": "File | Blob",
        })
    }
}

/// What the page says.
#[cfg(feature = "schema")]
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromPage {
    /// A model is loaded, and no radiograph is there: the page can read.
    Ready {
        model: String,
        /// The model's findings, in the order of reports.
        findings: Vec<Finding>,
    },
    /// What the page is doing has changed.
    State {
        state: State,
        /// How far that is, from 0 to 1, where it is known.
        progress: Option<f64>,
    },
    /// The report of the radiograph in view: it was read, or more is known of it. Not where the page holds its scores back.
    Report { report: Box<Report> },
    /// Something cannot be done; in the words and the language of the reader.
    Error { why: String },
}

/// The state of the page's status line.
#[cfg(feature = "schema")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Loading,
    Idle,
    Reading,
    Explaining,
    Ready,
    Error,
}

/// A message: which version it is of, and what it says.
#[cfg(feature = "schema")]
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, Serialize)]
#[schemars(rename = "Marked{T}")]
pub struct Marked<T> {
    #[schemars(extend("const" = VERSION))]
    pub sightline: u32,
    #[serde(flatten)]
    pub message: T,
}

/// Any message, in one direction or the other.
#[cfg(feature = "schema")]
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, Serialize)]
#[serde(untagged)]
pub enum Message {
    ToPage(Marked<ToPage>),
    FromPage(Marked<FromPage>),
}
