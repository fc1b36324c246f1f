//! What the tools that weights come from take for granted.

use sightline::finding::Finding;
use sightline::network::{Architecture, Family, Head};
use sightline::radiograph::Resize;

use crate::error::ImportError;
use crate::fit::Fit;

/// Whose weights they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// torchvision's names and padding, and ImageNet's normalisation.
    Torchvision,
    /// This project's origin: DenseNet-121 with a bottleneck head, EfficientNet-B5, six networks combined.
    Mlmip,
    /// torchxrayvision's densenet121-res224-*: one channel, 18 outputs, operating points.
    Torchxrayvision,
    /// Any of these names, in a .safetensors file; ImageNet's normalisation unless --mean and --std are given.
    Safetensors,
}

impl Source {
    pub const ALL: [Self; 4] = [
        Source::Torchvision,
        Source::Mlmip,
        Source::Torchxrayvision,
        Source::Safetensors,
    ];

    /// As the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Torchvision => "torchvision",
            Source::Mlmip => "mlmip",
            Source::Torchxrayvision => "torchxrayvision",
            Source::Safetensors => "safetensors",
        }
    }

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Source::Torchvision => "torchvision's names and padding, and ImageNet's normalisation",
            Source::Mlmip => {
                "This project's origin: DenseNet-121 with a bottleneck head, EfficientNet-B5, six networks combined"
            }
            Source::Torchxrayvision => {
                "torchxrayvision's densenet121-res224-*: one channel, 18 outputs, operating points"
            }
            Source::Safetensors => {
                "Any of these names, in a .safetensors file; ImageNet's normalisation unless --mean and --std are given"
            }
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::Torchvision => "torchvision",
            Source::Mlmip => "MLMIP",
            Source::Torchxrayvision => "torchxrayvision",
            Source::Safetensors => "torchvision (safetensors)",
        })
    }
}

/// The pixels that a network expects; `None` where the source does not tell.
pub struct UsualInput {
    pub size: usize,
    pub resize: Resize,
    pub mean: Option<Vec<f32>>,
    pub std: Option<Vec<f32>>,
}

const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
/// The origin's combined model.
const COMBINED_MEAN: [f32; 3] = [0.502_376_26; 3];
const COMBINED_STD: [f32; 3] = [0.24580306, 0.24236229, 0.2603115];

impl Source {
    /// The architectures that weights may be of; the one that fits best is taken.
    pub fn architectures(self, named: Option<&str>) -> Result<Vec<Architecture>, ImportError> {
        let names: Vec<&str> = match (named, self) {
            (Some(name), _) => vec![name.trim_start_matches("mlmip_").trim_start_matches("xrv_")],
            (None, Source::Mlmip) => vec!["densenet121", "efficientnet_b5_same", "combined"],
            (None, Source::Torchxrayvision) => vec!["densenet121"],
            (None, _) => {
                return Err(ImportError::Meaning(
                    "say with --architecture which network the weights are of".to_owned(),
                ));
            }
        };
        let mut candidates = Vec::new();
        for name in names {
            let architecture = Architecture::named(name, 3)?;
            // Whether the head is the family's own shows in the file.
            for head in [architecture.head, Head::Linear, Head::Bottleneck, Head::Mlp] {
                let candidate = Architecture {
                    head,
                    ..architecture.clone()
                };
                if !candidates.contains(&candidate) {
                    candidates.push(candidate);
                }
            }
        }
        Ok(candidates)
    }

    pub fn input(self, fit: &Fit) -> UsualInput {
        let architecture = &fit.architecture;
        let three = architecture.in_channels == 3;
        let imagenet = UsualInput {
            size: fit.picture_side,
            resize: Resize::Stretch,
            mean: three.then(|| IMAGENET_MEAN.to_vec()),
            std: three.then(|| IMAGENET_STD.to_vec()),
        };
        let lite =
            architecture.family == Family::EfficientNet && architecture.variant.starts_with("lite");
        match self {
            Source::Torchxrayvision => UsualInput {
                size: 224,
                // A centred square of the picture, scaled.
                resize: Resize::ShorterSide(224),
                // (2 v - 1) * 1024
                mean: Some(vec![0.5]),
                std: Some(vec![1.0 / 2048.0]),
            },
            Source::Mlmip if architecture.family == Family::Combined => UsualInput {
                resize: Resize::ShorterSide(256),
                mean: Some(COMBINED_MEAN.to_vec()),
                std: Some(COMBINED_STD.to_vec()),
                ..imagenet
            },
            Source::Mlmip => UsualInput {
                resize: Resize::ShorterSide(match fit.picture_side {
                    224 => 256,
                    side => side + 24,
                }),
                ..imagenet
            },
            // (v - 127) / 128, in levels of 0..255
            _ if lite => UsualInput {
                mean: Some(vec![127.0 / 255.0]),
                std: Some(vec![128.0 / 255.0]),
                ..imagenet
            },
            Source::Torchvision | Source::Safetensors => imagenet,
        }
    }
}

/// The outputs of an order of 14 that `--findings` knows by name: `chexpert` or `chestx-ray14`. Which of them a network follows
/// does not show in its weights.
pub fn order(name: &str) -> Option<Vec<Option<Finding>>> {
    match name.to_lowercase().as_str() {
        "chexpert" => Some(Finding::ALL.map(Some).to_vec()),
        "chestx-ray14" => Some(chest_xray14_outputs()),
        _ => None,
    }
}

/// ChestX-ray14's 14 labels in the order of CheXNet and those who made it again. `None` where a label is none of the findings.
fn chest_xray14_outputs() -> Vec<Option<Finding>> {
    vec![
        Some(Finding::Atelectasis),
        Some(Finding::Cardiomegaly),
        Some(Finding::PleuralEffusion),
        None,                      // Infiltration
        Some(Finding::LungLesion), // Mass
        None,                      // Nodule: a lesion too, and a finding has one output
        Some(Finding::Pneumonia),
        Some(Finding::Pneumothorax),
        Some(Finding::Consolidation),
        Some(Finding::Edema),
        None,                        // Emphysema
        None,                        // Fibrosis
        Some(Finding::PleuralOther), // Pleural_Thickening
        None,                        // Hernia
    ]
}

/// torchxrayvision's 18 outputs. Those that are none of the 14 findings by name are `None`.
pub fn torchxrayvision_outputs() -> Vec<Option<Finding>> {
    let outputs = [
        "Atelectasis",
        "Consolidation",
        "Infiltration",
        "Pneumothorax",
        "Edema",
        "Emphysema",
        "Fibrosis",
        "Effusion",
        "Pneumonia",
        "Pleural_Thickening",
        "Cardiomegaly",
        "Nodule",
        "Mass",
        "Hernia",
        "Lung Lesion",
        "Fracture",
        "Lung Opacity",
        "Enlarged Cardiomediastinum",
    ];
    outputs
        .into_iter()
        .map(|name| match name {
            "Effusion" => Some(Finding::PleuralEffusion),
            name => Finding::from_name(name),
        })
        .collect()
}
