//! The messages between the page and its engine. Their payloads are typed; on the wire they are Borsh: the values alone, without names, for
//! the page and its engine are of one build.

use borsh::{BorshDeserialize, BorshSerialize};
use sightline_core::explain::fill::Fill;
use sightline_core::explain::method::{Asking, Explanation};
use sightline_core::heat_map::HeatMap;
use sightline_core::package::{Manifest, ModelEntry, Output};
use sightline_core::radiograph::film::Samples;
use sightline_core::radiograph::{GreyImage, Region};
use sightline_core::report::Report;
use sightline_core::trust::Trust;
use sightline_core::trust::erase::{Erased, Spot};
use sightline_core::trust::faithfulness;

pub use sightline_core::asked::{Progress, Step};

/// The bytes of a message.
pub fn encode(message: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(message).expect("every message can be encoded")
}

/// A message from its bytes; `None` where they are none.
pub fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Option<T> {
    borsh::from_slice(bytes).ok()
}

/// From the page to the engine.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Request {
    /// Choose a device, fetch a package and get ready to read with it.
    Load {
        package: PackagePlace,
        device: DeviceChoice,
        /// Pictures that may be scored at once, at most.
        at_once: usize,
    },
    /// Read the radiograph whose file comes beside this message: scores, and Grad-CAM for every finding.
    Read {
        /// The reading's number. It comes back with the answer.
        id: u32,
        /// As the file was called; empty for a pasted picture.
        file: String,
        /// How many bits of 16-bit samples are used, if someone has chosen.
        depth: Option<u8>,
        /// Whether the picture will be explained or measured: the engine keeps it in place of the one there is, says how far it is, and
        /// sends a preview of the page's size. If not, the preview is small.
        keep: bool,
    },
    /// Explain the picture that was read last, all findings at once. Partial explanations come as they are known.
    Explain {
        /// The reading's number.
        id: u32,
        asking: Asking,
    },
    /// Score the picture again with places painted over.
    Probe {
        /// The reading's number.
        id: u32,
        mask: Vec<Spot>,
        fill: Fill,
    },
    /// Measure a map of the picture that was read last.
    Measure {
        /// The reading's number.
        id: u32,
        output: Output,
        /// How the map was made; `None`: it is Grad-CAM's.
        map: Option<Asking>,
        /// How another map was made, to compare with; `None`: there is none, or it is Grad-CAM's.
        other: Option<Asking>,
        options: faithfulness::Options,
    },
    /// Send the samples of the picture that was read last. What is under way goes on.
    Samples {
        /// The reading's number.
        id: u32,
    },
    /// Make HTML of a model card. What is under way goes on.
    Card {
        markdown: String,
        /// The package's folder, where the card's pictures are.
        folder: String,
    },
    /// Look at the weights in the file beside this message, without making anything of them. What is under way goes on, here and below.
    Look {
        /// The look's number. It comes back with the answer.
        id: u32,
        /// The names and lengths in bytes of the files that lie one after another in it.
        files: Vec<(String, u64)>,
        /// What is known already, by the names of a form's fields.
        fields: Vec<(String, String)>,
    },
    /// Make a package of them, and keep it in this browser.
    Keep {
        id: u32,
        files: Vec<(String, u64)>,
        fields: Vec<(String, String)>,
    },
    /// Delete a model from this browser.
    Delete { hash: String },
    /// Make a file of a model's package. It comes beside the answer.
    Pack { hash: String },
    /// Make HTML of the card of a model that this browser keeps.
    KeptCard { hash: String },
    /// Measure the model on pictures that were read, against tables that come beside this message, one behind the other. What is under way
    /// goes on.
    Validate {
        /// The number comes back with the answer.
        id: u32,
        /// The name of each table, and how many bytes it has.
        tables: Vec<(String, u64)>,
        pictures: Vec<ScoredPicture>,
        /// The hash of the model, if this browser keeps it: the figures are written into its package.
        kept: Option<String>,
    },
    /// Forget the reading or explaining that is under way.
    Cancel,
}

/// A picture that was read, to be compared with what a table says of it.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ScoredPicture {
    pub file: String,
    /// By finding of the model.
    pub probabilities: Vec<Option<f64>>,
    /// Grad-CAM's maps, by finding; none where there can be no boxes.
    pub maps: Vec<HeatMap>,
    /// The part of the picture that the maps cover.
    pub region: Region,
}

/// Where an engine finds a package.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PackagePlace {
    /// In a folder: an address on the page's own server, relative to the page.
    Beside { name: String, folder: String },
    /// In the private files of the page's origin, under the hash of its weights.
    Kept { name: String, hash: String },
}

/// A model that this browser keeps.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeptModel {
    pub name: String,
    /// The SHA-256 of its weights, in lower-case hexadecimal.
    pub hash: String,
}

impl KeptModel {
    /// As a list of models has it.
    pub fn entry(&self) -> ModelEntry {
        ModelEntry {
            name: self.name.clone(),
            path: None,
        }
    }
}

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum DeviceChoice {
    /// WebGPU where the adapter is real hardware and reads faster than the CPU does, else the CPU.
    #[default]
    Best,
    Cpu,
    /// WebGPU even on a software adapter.
    WebGpu,
    /// As `Best`, and a software adapter may be the faster one too.
    Measured,
}

/// From the engine to the page.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Answer {
    Progress(Progress),
    /// Where it will compute; the model is yet to come.
    Opened(Adapter),
    /// A model is loaded.
    Ready {
        adapter: Adapter,
        manifest: Box<Manifest>,
    },
    /// The radiograph was read.
    Read {
        id: u32,
        report: Box<Report>,
        /// The picture to show, at most [`PREVIEW_SIDE`] pixels on its longer side; [`SMALL_PREVIEW_SIDE`] if it is not kept.
        preview: GreyImage,
        /// A number that stands for the study that the file says it is of.
        study: Option<u64>,
    },
    Explained {
        id: u32,
        /// Whether no better one will come.
        done: bool,
        explanation: Box<Explanation>,
    },
    Probed {
        id: u32,
        erased: Erased,
    },
    Measured {
        id: u32,
        trust: Box<Trust>,
    },
    /// The samples of a picture, for a viewer.
    Samples {
        id: u32,
        samples: Box<Samples>,
    },
    /// The number of pictures scored at once from now on; 0: none. If the engine ends now, it most likely ended for want of memory
    /// for them.
    Scoring(usize),
    /// A model card as HTML.
    Card(String),
    /// What weights are taken for: the fields of a form, as HTML.
    Proposed {
        id: u32,
        form: String,
    },
    /// The models that this browser keeps: said by each engine as it begins, and when they change. `added`: the hash of one that is new.
    Keeps {
        models: Vec<KeptModel>,
        added: Option<String>,
    },
    /// A package as a file, which comes beside this message.
    Packed,
    /// The model was measured.
    Validated {
        id: u32,
        /// The figures as a table.
        html: String,
        /// The model's, with these figures.
        manifest: Box<Manifest>,
    },
    /// A request could not be done.
    Refused(Refusal),
}

/// What was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Refusal {
    /// No model is loaded.
    Model(Reason),
    /// The file of this reading cannot be read.
    File { id: u32, why: Reason },
    /// The weights of this look are none that can be read, or a field of the form is not what it is to be.
    Weights { id: u32, why: Reason },
    /// Something about the models that this browser keeps cannot be done.
    Keeping(Reason),
    /// The model cannot be measured with these tables.
    Tables { id: u32, why: Reason },
    /// An explanation, a measurement or a probe of this reading cannot be done. The reading stays as it is.
    Job { id: u32, why: Reason },
}

/// Why something cannot be done, in the reader's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, BorshSerialize, BorshDeserialize)]
pub enum Reason {
    /// Something of the package cannot be fetched, or the package is refused.
    #[error("{0}")]
    Package(String),
    /// The weights of another tool cannot be read, or it is not known what they mean.
    #[error("{0}")]
    Weights(String),
    /// This browser keeps no files, or has no room.
    #[error("{0}")]
    Storage(String),
    /// The device that was asked for is not there.
    #[error("{0}")]
    Device(String),
    /// The browser does not hand over the file's bytes.
    #[error("{name} cannot be read: {why}. If it is a folder, choose the files in it.")]
    File { name: String, why: String },
    /// The file is no radiograph that can be read.
    #[error("{0}")]
    Radiograph(String),
    #[error(
        "The reading failed: the model's answer is not a number; its weights or the device are at fault."
    )]
    NotANumber,
    #[error("No model is loaded yet.")]
    NoModel,
    #[error("The picture to explain is no longer there. Open it again.")]
    NoPicture,
    #[error("The map is not there any more. Choose the explanation again.")]
    NoMap,
    /// A table cannot be read, or says nothing of the pictures.
    #[error("{0}.")]
    Tables(String),
    /// The measurement makes no sense.
    #[error("The map cannot be measured: {0}.")]
    Unmeasurable(String),
    /// The work ended without a result.
    #[error("The computation ended without a result. Try again.")]
    Nothing,
}

/// What the engine computes on.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Adapter {
    WebGpu {
        name: String,
        software: bool,
        /// Whether feature maps are computed in float16.
        float16: bool,
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
                software: true,
                ..
            } => format!("WebGPU: {name} (software, on the CPU)"),
            Adapter::WebGpu {
                name,
                float16: true,
                ..
            } => format!("WebGPU: {name} (in float16)"),
            Adapter::WebGpu { name, .. } => format!("WebGPU: {name}"),
            Adapter::Cpu { workers: 1, .. } => "CPU, 1 worker".to_owned(),
            Adapter::Cpu { workers, .. } => format!("CPU, {workers} workers"),
        }
    }
}

/// The longer side of the picture that the page shows.
pub const PREVIEW_SIDE: usize = 1024;
/// The longer side of the picture that a list shows.
pub const SMALL_PREVIEW_SIDE: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_whose_sides_are_not_those_of_its_pixels_is_no_message() {
        let sides = |width, height| {
            let pixels = vec![0; 4];
            encode(&GreyImage {
                width,
                height,
                pixels,
            })
        };
        assert!(decode::<GreyImage>(&sides(2, 2)).is_some());
        for (width, height) in [(1 << 40, 1), (2, 1), (0, 4), (usize::MAX, usize::MAX)] {
            assert_eq!(decode::<GreyImage>(&sides(width, height)), None);
        }
    }
}
