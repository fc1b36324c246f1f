//! The messages between the page and its engine.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sightline_core::explain::fill::Fill;
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::lime;
use sightline_core::trust::erase::Spot;
use sightline_core::trust::faithfulness;

/// The bytes of a message.
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    bincode::serialize(message).expect("every message can be encoded")
}

/// A message from its bytes; `None` where they are none.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    bincode::deserialize(bytes).ok()
}

/// From the page to the engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Choose a device, fetch a package and get ready to read with it.
    LoadModel {
        name: String,
        /// The package's folder: an address on the page's own server, relative to the page.
        folder: String,
        device: DeviceChoice,
        /// Pictures that may be scored at once, at most.
        at_once: usize,
    },
    /// Read a radiograph: scores, and Grad-CAM for every finding.
    Read {
        /// Comes back with the answer.
        id: u32,
        /// As the file was called; empty for a pasted picture.
        file: String,
        bytes: Vec<u8>,
        /// How many bits of 16-bit samples are used, if someone has chosen.
        depth: Option<u8>,
    },
    /// Explain the picture that was read last, all findings at once. Partial explanations come as they are known.
    Explain {
        /// Of the reading.
        id: u32,
        options: lime::Options,
    },
    /// Read the picture again with places painted over.
    Probe {
        /// Of the reading.
        id: u32,
        mask: Vec<Spot>,
        fill: Fill,
    },
    /// Score normalised pictures: from one engine to another.
    Score {
        /// Comes back with the answer.
        ticket: u32,
        values: Vec<f32>,
    },
    /// Measure a map of the picture that was read last.
    Measure {
        /// Of the reading.
        id: u32,
        /// Position in the manifest.
        finding: usize,
        /// `grad-cam` or `lime`.
        method: String,
        map: HeatMap,
        /// The other method's map, to compare with.
        other: Option<HeatMap>,
        options: faithfulness::Options,
    },
    /// Forget the reading or explaining that is under way.
    Cancel,
}

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceChoice {
    /// WebGPU where the adapter is real hardware, else the CPU.
    #[default]
    Best,
    Cpu,
    /// WebGPU even on a software adapter.
    WebGpu,
}

/// From the engine to the page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    Progress(Progress),
    /// Where it will compute; the model is yet to come.
    Opened {
        adapter: Adapter,
    },
    /// A model is loaded.
    Ready {
        adapter: Adapter,
        /// The package's manifest, as JSON.
        manifest: String,
    },
    Reading(Box<ReadingAnswer>),
    Explanation {
        /// Of the reading.
        id: u32,
        /// Whether no better one will come.
        done: bool,
        /// The [`lime::Explanation`], as JSON.
        lime: String,
    },
    Scores {
        ticket: u32,
        /// Of each picture.
        scored: Vec<lime::Scored>,
    },
    Probed {
        /// Of the reading.
        id: u32,
        /// The [`sightline_core::trust::erase::Erased`], as JSON.
        erased: String,
    },
    Measured {
        /// Of the reading.
        id: u32,
        /// The [`sightline_core::report::Trust`], as JSON.
        trust: String,
    },
    /// So many pictures are being scored at once from now on; 0: none. If the engine ends now, it most likely ended for want of memory
    /// for them.
    Scoring(usize),
    /// A request could not be done, in the reader's words.
    Refused {
        what: What,
        why: String,
    },
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// No model is loaded.
    Model,
    /// The file of this reading cannot be read.
    File(u32),
    /// An explanation, a measurement or a probe of this reading. The reading stays as it is.
    Job(u32),
    /// The pictures of this ticket cannot be scored: between engines.
    Score(u32),
}

/// How far a step is; `total` 0 where nobody knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub step: String,
    pub done: u64,
    pub total: u64,
}

/// What the engine computes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adapter {
    WebGpu {
        name: String,
        software: bool,
    },
    Cpu {
        workers: usize,
        /// Why not WebGPU; empty if the CPU was asked for.
        because: String,
    },
}

impl Adapter {
    /// `WebGPU: <name>` or `CPU, N workers`.
    pub fn label(&self) -> String {
        match self {
            Adapter::WebGpu {
                name,
                software: false,
            } => format!("WebGPU: {name}"),
            Adapter::WebGpu {
                name,
                software: true,
            } => format!("WebGPU: {name} (software, on the CPU)"),
            Adapter::Cpu { workers: 1, .. } => "CPU, 1 worker".to_owned(),
            Adapter::Cpu { workers, .. } => format!("CPU, {workers} workers"),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadingAnswer {
    pub id: u32,
    /// The picture to show, at most [`PREVIEW_SIDE`] pixels on its longer side: 8-bit grey, row by row.
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
    /// The [`sightline_core::report::Report`], as JSON.
    pub report: String,
}

/// The longer side of the picture that the page shows.
pub const PREVIEW_SIDE: usize = 1024;
