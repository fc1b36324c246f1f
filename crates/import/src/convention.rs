//! What the tools that weights come from take for granted.

use sightline::finding::{Finding, NameError, plain};
use sightline::network::{Architecture, Family, Head};
use sightline::radiograph::Resize;
use sightline::vocabulary::{self, CHEXPERT, NIH, TORCHXRAYVISION, known};

use crate::error::ImportError;
use crate::fit::Fit;
use crate::spelling::Layout;
use crate::tensors::Tensors;

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
    /// CheXNet as it is passed on: DenseNet-121, ImageNet's normalisation, ChestX-ray14's 14 labels in its order.
    Chexnet,
    /// timm's names and padding, and ImageNet's normalisation.
    Timm,
}

impl Source {
    pub const ALL: [Self; 6] = [
        Source::Torchvision,
        Source::Mlmip,
        Source::Torchxrayvision,
        Source::Safetensors,
        Source::Chexnet,
        Source::Timm,
    ];

    /// As the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Torchvision => "torchvision",
            Source::Mlmip => "mlmip",
            Source::Torchxrayvision => "torchxrayvision",
            Source::Safetensors => "safetensors",
            Source::Chexnet => "chexnet",
            Source::Timm => "timm",
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
            Source::Chexnet => {
                "CheXNet as it is passed on: DenseNet-121, ImageNet's normalisation, ChestX-ray14's 14 labels in its order"
            }
            Source::Timm => "timm's names and padding, and ImageNet's normalisation",
        }
    }

    /// Whose conventions weights most likely follow, and by what that shows.
    pub fn recognise(fit: &Fit, tensors: &Tensors<'_>) -> (Self, &'static str) {
        let Architecture {
            family,
            variant,
            in_channels,
            head,
        } = &fit.architecture;
        let is_densenet121 = *family == Family::DenseNet && variant == "121";
        let thresholds = tensors.shape(&format!("{}{THRESHOLDS}", fit.prefix));
        let is_xrays_class = tensors
            .classes
            .iter()
            .any(|class| class.starts_with("torchxrayvision."));
        if is_densenet121 && *in_channels == 1 {
            if is_xrays_class {
                return (Source::Torchxrayvision, "a class of the file is its own");
            }
            if thresholds.is_some() {
                return (
                    Source::Torchxrayvision,
                    "one channel, and operating points in op_threshs",
                );
            }
            if fit.outputs == TORCHXRAYVISION.len() {
                return (Source::Torchxrayvision, "one channel and 18 outputs");
            }
        }
        if *family == Family::Combined {
            return (Source::Mlmip, "several networks with one classifier");
        }
        if *head == Head::Bottleneck {
            return (Source::Mlmip, "a classifier of two layers");
        }
        let is_origins_b5 = *family == Family::EfficientNet && variant == "b5_same";
        if is_origins_b5 && fit.prefix.ends_with("net.") {
            return (
                Source::Mlmip,
                "EfficientNet-B5 in a class's member called net",
            );
        }
        if fit.layout == Layout::Timm {
            return (Source::Timm, "the names of its tensors");
        }
        // Since PyTorch 0.4 of 2018 no layer's name has a dot; CheXpert's labels are of 2019.
        if is_densenet121 && fit.has_old_names && fit.outputs == NIH.len() {
            return (
                Source::Chexnet,
                "DenseNet-121 with 14 outputs, under names that were last written in 2018, before there was CheXpert",
            );
        }
        (Source::Torchvision, "the names of its tensors")
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::Torchvision => "torchvision",
            Source::Mlmip => "MLMIP",
            Source::Torchxrayvision => "torchxrayvision",
            Source::Safetensors => "torchvision (safetensors)",
            Source::Chexnet => "CheXNet",
            Source::Timm => "timm",
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
    /// The architectures that weights may be of; `None` for any that is known.
    pub fn architectures(
        self,
        named: Option<&str>,
    ) -> Result<Option<Vec<Architecture>>, ImportError> {
        let plain = named.map(plain_name);
        let names: Vec<&str> = match (plain.as_deref(), self) {
            (Some(name), _) => vec![name],
            (None, Source::Mlmip) => vec!["densenet121", "efficientnet_b5_same", "combined"],
            (None, Source::Torchxrayvision | Source::Chexnet) => vec!["densenet121"],
            (None, _) => return Ok(None),
        };
        let named = |name| Ok(Architecture::named(name, 3)?);
        names
            .into_iter()
            .map(named)
            .collect::<Result<_, _>>()
            .map(Some)
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
            Source::Timm if lite => UsualInput {
                mean: Some(vec![0.5]),
                std: Some(vec![0.5]),
                ..imagenet
            },
            // (v - 127) / 128, in levels of 0..255
            _ if lite => UsualInput {
                mean: Some(vec![127.0 / 255.0]),
                std: Some(vec![128.0 / 255.0]),
                ..imagenet
            },
            Source::Torchvision | Source::Safetensors | Source::Chexnet | Source::Timm => imagenet,
        }
    }
}

/// A network's name without what tools put before it; timm's `tf_` stands for TensorFlow's padding.
fn plain_name(name: &str) -> String {
    let name = name.trim_start_matches("mlmip_").trim_start_matches("xrv_");
    match name.strip_prefix("tf_") {
        Some(name) if !name.contains("lite") => format!("{name}_same"),
        Some(name) => name.to_owned(),
        None => name.to_owned(),
    }
}

/// Where torchxrayvision keeps its operating points.
pub const THRESHOLDS: &str = "op_threshs";

/// What one of a file's outputs stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// As it is called in the file; empty where the output is to be left out.
    pub label: String,
    /// The finding of the package; `None` where the output is left out.
    pub finding: Option<Finding>,
}

impl Output {
    fn of(finding: Finding) -> Self {
        Self {
            label: finding.name().to_owned(),
            finding: Some(finding),
        }
    }

    /// An output without a meaning.
    pub fn none() -> Self {
        Self {
            label: String::new(),
            finding: None,
        }
    }

    /// The output of a label: the finding of that name. CheXpert's are known in any spelling.
    ///
    /// # Errors
    /// When the label can be no finding's name.
    pub fn named(label: &str) -> Result<Self, NameError> {
        let label = label.trim();
        if label.is_empty() || label == "-" {
            return Ok(Self::none());
        }
        let mut chexperts = CHEXPERT.into_iter();
        let spelled = chexperts.find(|finding| plain(finding.name()) == plain(label));
        let finding = match known(label) {
            Some(exact) => exact,
            None => spelled.map_or_else(|| Finding::named(label), Ok)?,
        };
        Ok(Self {
            label: label.to_owned(),
            finding: Some(finding),
        })
    }
}

/// The outputs of an order that `--findings` knows by name: `chexpert`, `chestx-ray14`, `torchxrayvision` or `vindr`. Which of them a
/// network follows does not show in its weights.
pub fn order(name: &str) -> Option<Vec<Output>> {
    vocabulary::named(name).map(outputs_of)
}

/// The outputs of a list of findings, in its order.
pub fn outputs_of(findings: &[Finding]) -> Vec<Output> {
    findings.iter().copied().map(Output::of).collect()
}

/// Outputs as CheXpert's observations; what is none of them is left out. Of ChestX-ray14's labels, a mass is taken for the lung lesion and
/// pleural thickening for the other pleural observation: a nodule is a lesion too, but a finding has one output.
pub fn as_chexpert(outputs: Vec<Output>) -> Vec<Output> {
    let findings = outputs.iter().filter_map(|output| output.finding);
    let is_nih = findings.eq(NIH);
    let mapped = |output: Output| {
        let finding = output.finding.and_then(|finding| match finding.name() {
            "Mass" if is_nih => Some(Finding::LungLesion),
            "Pleural_Thickening" if is_nih => Some(Finding::PleuralOther),
            name => vocabulary::find(&CHEXPERT, name),
        });
        Output { finding, ..output }
    };
    outputs.into_iter().map(mapped).collect()
}

/// The labels that a file itself has for that many outputs, such as torchxrayvision's `pathologies`, and where. A list of which no
/// label is a known one is of other things.
pub fn labels_of<'a>(tensors: &'a Tensors<'_>, count: usize) -> Option<(&'a str, Vec<Output>)> {
    const NAMES: [&str; 8] = [
        "pathologies",
        "targets",
        "labels",
        "classes",
        "class_names",
        "findings",
        "label_names",
        "target_names",
    ];
    tensors.texts.iter().find_map(|(path, labels)| {
        let name = path.rsplit('.').next()?;
        let outputs = labels.iter().map(|label| Output::named(label).ok());
        let outputs: Vec<Output> = outputs.collect::<Option<_>>()?;
        let mut findings = outputs.iter().filter_map(|output| output.finding);
        let is_of_findings = findings.any(|finding| known(finding.name()).is_some());
        let is_of_outputs = NAMES.contains(&name) && outputs.len() == count && is_of_findings;
        is_of_outputs.then_some((path.as_str(), outputs))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(outputs: &[Output]) -> Vec<&str> {
        let name = |output: &Output| output.finding.map_or("-", Finding::name);
        outputs.iter().map(name).collect()
    }

    #[test]
    fn labels_of_every_vocabulary_are_kept_and_chexperts_are_known_in_any_spelling() {
        let finding = |label: &str| Output::named(label).map(|output| output.finding);
        let named = |name: &str| Finding::named(name).map(Some);
        assert_eq!(finding("Effusion"), named("Effusion"));
        assert_eq!(finding("Pleural effusion"), named("Pleural effusion"));
        assert_eq!(
            finding("enlarged_cardiomediastinum"),
            Ok(Some(Finding::EnlargedCardiomediastinum))
        );
        assert_eq!(finding("Pleural_Thickening"), named("Pleural_Thickening"));
        assert_eq!(finding(" Flatfoot "), named("Flatfoot"));
        assert_eq!(finding("-"), Ok(None));
        assert!(finding(&"a".repeat(65)).is_err());
        let outputs = order("torchxrayvision").expect("an order");
        assert!(outputs.iter().all(|output| output.finding.is_some()));
        assert_eq!(outputs.len(), 18);
        assert_eq!(order("chestx-ray14").map(|outputs| outputs.len()), Some(14));
        assert_eq!(order("Edema"), None);
    }

    #[test]
    fn labels_become_chexperts_where_that_is_asked_for() {
        let outputs = as_chexpert(order("nih").expect("an order"));
        assert_eq!(
            names(&outputs),
            [
                "Atelectasis",
                "Cardiomegaly",
                "Pleural Effusion",
                "-",
                "Lung Lesion",
                "-",
                "Pneumonia",
                "Pneumothorax",
                "Consolidation",
                "Edema",
                "-",
                "-",
                "Pleural Other",
                "-",
            ]
        );
        let outputs = as_chexpert(order("xrv").expect("an order"));
        let kept = outputs.iter().filter(|output| output.finding.is_some());
        assert_eq!(kept.count(), 11);
        assert_eq!(
            outputs[12],
            Output {
                label: "Mass".to_owned(),
                finding: None
            }
        );
        assert_eq!(outputs[14].finding, Some(Finding::LungLesion));
    }
}
