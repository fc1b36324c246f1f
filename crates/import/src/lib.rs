//! Weights of other tools as a package that the page opens: from bytes, natively and in the browser.
//!
//! | module | what it is for |
//! |---|---|
//! | [`containers`] | files of weights to tensors by name |
//! | [`fit`](mod@fit) | which network the tensors are of |
//! | [`convention`] | what the tools that weights come from take for granted |

pub mod containers;
pub mod convention;
mod error;
pub mod fit;

pub use convention::Source;
pub use error::ImportError;
pub use fit::{Fit, fit};

use std::collections::BTreeSet;

use burn::tensor::Device;
use sightline::finding::Finding;
use sightline::network::{Architecture, Family, Head, Network, wrong_value};
use sightline::package::{
    self, Calibration, FindingCard, Manifest, SCHEMA_VERSION, Training, Weights,
};
use sightline::radiograph::levels::Rule;
use sightline::radiograph::{Input, Resize};

use convention::{order, torchxrayvision_outputs};

const IMAGENET_CLASSES: usize = 1000;

/// What is known of the weights, beside what they tell themselves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose conventions the weights follow.
    pub source: Source,
    /// As torchvision calls it; `None` where the source tells it.
    pub architecture: Option<String>,
    /// The package's name, and what the page calls it.
    pub name: String,
    pub title: String,
    /// What each output stands for, or the name of an order.
    pub findings: Option<Vec<String>>,
    /// Height and width of the network's input in pixels.
    pub size: Option<usize>,
    pub resize: Option<Resize>,
    /// The mean and standard deviation of pixels in 0..1; one value or one per channel.
    pub mean: Option<Vec<f32>>,
    pub std: Option<Vec<f32>>,
    pub licence: String,
    pub attribution: String,
    /// The day, as 2026-01-31.
    pub date: String,
}

/// A package in memory.
#[derive(Debug)]
pub struct Imported {
    pub manifest: Manifest,
    /// The bytes of `manifest.weights.file`.
    pub weights: Vec<u8>,
}

/// The network with a checkpoint's weights, but for its classifier, which keeps its fresh ones.
///
/// # Errors
/// When the file is no state dict, or lacks one of the body's tensors, or one has another shape.
pub fn load_body(
    network: Network,
    architecture: &Architecture,
    bytes: &[u8],
) -> Result<Network, ImportError> {
    let mut tensors = containers::read(bytes)?;
    let fit = fit(&tensors, std::slice::from_ref(architecture))?;
    let loaded = network.load_state_dict(fit.naming, true, |wanted| {
        tensors.remove(&fit.file_name(&wanted.name))
    });
    loaded.map_err(|error| ImportError::Misfit(format!("it does not fit: {error}")))
}

/// Makes a package of the weights in a file, and says what was and was not found in it.
///
/// # Errors
/// When the file cannot be read, a tensor is missing or of another shape, or it is not known what the outputs or
/// the pixels mean.
pub fn import(
    (file, bytes): (&str, &[u8]),
    settings: &Settings,
    device: &Device,
    mut say: impl FnMut(String),
) -> Result<Imported, ImportError> {
    let source = settings.source;
    let mut tensors = containers::read(bytes)?;
    let candidates = source.architectures(settings.architecture.as_deref())?;
    let fit = fit(&tensors, &candidates)?;
    say(format!(
        "{}: {} with {} outputs and {} input channels",
        file,
        fit.architecture.branch_names()?.join(" + "),
        fit.outputs,
        fit.architecture.in_channels
    ));
    if !fit.prefix.is_empty() {
        say(format!("the weights are those under {:?}", fit.prefix));
    }

    let thresholds = tensors.remove(&format!("{}op_threshs", fit.prefix));
    let outputs = outputs(source, settings.findings.as_deref(), &fit, &mut say)?;
    if outputs.iter().any(Option::is_some) {
        let names = outputs.iter().map(|o| o.map_or("-", Finding::name));
        say(format!(
            "its outputs are taken for: {}",
            names.collect::<Vec<_>>().join(", ")
        ));
    }
    let input = input(settings, &fit)?;
    let cards = findings(
        &outputs,
        thresholds.map(|(_, values)| values).as_deref(),
        source,
    );

    let places: Vec<Option<usize>> = Finding::ALL
        .iter()
        .map(|finding| outputs.iter().position(|output| *output == Some(*finding)))
        .collect();
    let network = Network::new(&fit.architecture, Finding::ALL.len(), device)?;
    let mut used = BTreeSet::new();
    let mut unsound = None;
    let network = network.load_state_dict(fit.naming, false, |wanted| {
        let file_name = fit.file_name(&wanted.name);
        let (shape, values) = tensors.remove(&file_name)?;
        // Also what of it is left out, and under the file's own name.
        if let Some(wrong) = wrong_value(&file_name, &values) {
            unsound.get_or_insert_with(|| format!("{file_name} {wrong}"));
        }
        used.insert(file_name);
        if fit.is_output(&wanted.name) {
            return Some(rows_at(&shape, &values, &places));
        }
        Some((shape, values))
    });
    if let Some(why) = unsound {
        return Err(ImportError::Damaged(format!("{file}: {why}")));
    }
    let network = network.map_err(|error| {
        let names = fit.architecture.branch_names().unwrap_or_default();
        ImportError::Misfit(format!(
            "{file} does not fit {}: {error}",
            names.join(" + ")
        ))
    })?;
    say(format!("{} tensors taken", used.len()));
    say_surplus(&tensors, &fit, &mut say);

    let refused = |error: &dyn std::fmt::Display| ImportError::Refused(error.to_string());
    let weights = package::save(&network).map_err(|error| refused(&error))?;
    let hash = package::sha256(bytes);
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        title: settings.title.clone(),
        name: settings.name.clone(),
        architecture: fit.architecture.clone(),
        input,
        findings: cards,
        training: Training {
            data: "not known: the weights were imported".to_owned(),
            images: None,
            patients: None,
            recipe: format!("imported from {name} (SHA-256 {hash}), conventions of {source}"),
            seed: None,
            epochs: None,
            commit: "not known".to_owned(),
            date: settings.date.clone(),
            taught_with_boxes: false,
        },
        evaluation: None,
        licence: settings.licence.clone(),
        attribution: settings.attribution.clone(),
        intended_use: "Not stated by this package. Not for diagnosis.".to_owned(),
        limits: vec![
            "Imported weights: nothing was measured here. Evaluate them on images of your own before you trust \
             a score or a map."
                .to_owned(),
        ],
        weights: Weights {
            file: "weights.bpk".to_owned(),
            bytes: weights.len() as u64,
            sha256: package::sha256(&weights),
            dtype: "f16".to_owned(),
        },
        gate: None,
    };
    manifest.check().map_err(|error| refused(&error))?;
    Ok(Imported { manifest, weights })
}

/// What each output of the file stands for; `None` for one that is no finding.
fn outputs(
    source: Source,
    said: Option<&[String]>,
    fit: &Fit,
    say: &mut impl FnMut(String),
) -> Result<Vec<Option<Finding>>, ImportError> {
    let meaning = ImportError::Meaning;
    let count = fit.outputs;
    let architecture = &fit.architecture;
    // A DenseNet without the origin's head is another's: CheXNet, most likely.
    let is_origins = architecture.family != Family::DenseNet || architecture.head != Head::Linear;
    let named = match said {
        Some([name]) => order(name.trim()),
        _ => None,
    };
    let outputs: Vec<Option<Finding>> = match (named, said) {
        (Some(outputs), _) => outputs,
        (None, Some(names)) => names
            .iter()
            .map(|name| match name.trim() {
                "-" => Ok(None),
                name => Finding::from_name(name).map(Some).ok_or_else(|| {
                    let known = Finding::ALL.map(Finding::name).join(", ");
                    meaning(format!("there is no finding {name:?}; there are {known}"))
                }),
            })
            .collect::<Result<_, _>>()?,
        _ if source == Source::Torchxrayvision => torchxrayvision_outputs(),
        // The origin's networks have CheXpert's observations in their order.
        _ if source == Source::Mlmip && is_origins && count == Finding::ALL.len() => {
            Finding::ALL.map(Some).to_vec()
        }
        _ if count == Finding::ALL.len() => return Err(meaning(
            "the network has 14 outputs, and the file does not say which: CheXpert's observations (No Finding first) or \
             ChestX-ray14's labels (Atelectasis first, as CheXNet has them). Say --findings chexpert, --findings \
             chestx-ray14, or what each stands for, separated by commas, with - for those to leave out".to_owned(),
        )),
        _ if count == IMAGENET_CLASSES => {
            say(format!(
                "its {count} outputs are ImageNet's classes and none of the findings: the classifier is left out, and \
                 every finding is \"not trained\". Fine-tune it (train), or import what was trained on radiographs"
            ));
            vec![None; count]
        }
        _ => return Err(meaning(format!(
            "the network has {count} outputs; say with --findings what each stands for, separated by commas, with \
             - for those to leave out"
        ))),
    };
    if outputs.len() != count {
        let named = outputs.len();
        return Err(meaning(format!(
            "{named} outputs are named, and the network has {count}"
        )));
    }
    for (index, output) in outputs.iter().enumerate() {
        if let Some(finding) = output
            && outputs[..index].contains(output)
        {
            return Err(meaning(format!("{finding} is named twice")));
        }
    }
    Ok(outputs)
}

/// The input as the source has it, with what the command line says otherwise.
fn input(settings: &Settings, fit: &Fit) -> Result<Input, ImportError> {
    let channels = fit.architecture.in_channels;
    let usual = settings.source.input(fit);
    let per_channel = |said: &Option<Vec<f32>>, usual: Option<Vec<f32>>, what: &str| {
        let values = said.clone().or(usual).ok_or_else(|| {
            ImportError::Meaning(format!(
                "it is not known how the pixels of a network with {channels} channels were normalised; say --{what}"
            ))
        })?;
        Ok::<_, ImportError>(match values[..] {
            [one] => vec![one; channels],
            _ => values,
        })
    };
    let input = Input {
        levels: Rule::File,
        size: settings.size.unwrap_or(usual.size),
        // A size of one's own has no margin that is known to be cropped.
        resize: match (settings.resize, settings.size) {
            (Some(resize), _) => resize,
            (None, Some(_)) => Resize::Stretch,
            (None, None) => usual.resize,
        },
        channels,
        mean: per_channel(&settings.mean, usual.mean, "mean")?,
        std: per_channel(&settings.std, usual.std, "std")?,
    };
    let sound = input.check();
    sound.map_err(|error| ImportError::Meaning(error.to_string()))?;
    Ok(input)
}

/// The cards of all 14 findings. An output whose threshold is no number was never trained: that is how
/// torchxrayvision marks it.
fn findings(
    outputs: &[Option<Finding>],
    thresholds: Option<&[f32]>,
    source: Source,
) -> Vec<FindingCard> {
    let card = |name: Finding| {
        let output = outputs.iter().position(|output| *output == Some(name));
        let threshold = output.and_then(|output| thresholds?.get(output).copied());
        let threshold = threshold.map(f64::from).filter(|t| *t > 0.0 && *t < 1.0);
        let thresholds_say = thresholds.is_none() || threshold.is_some();
        let trained = output.is_some() && (source != Source::Torchxrayvision || thresholds_say);
        FindingCard {
            calibration: threshold.map(|threshold| Calibration::OperatingPoint { threshold }),
            // Scaled so that the operating point becomes one half.
            operating_point: threshold.map(|_| 0.5),
            ..FindingCard::new(name, trained)
        }
    };
    Finding::ALL.into_iter().map(card).collect()
}

/// The rows of a matrix or vector at some places; zeros where there is none.
fn rows_at(shape: &[usize], values: &[f32], places: &[Option<usize>]) -> (Vec<usize>, Vec<f32>) {
    let width: usize = shape[1..].iter().product();
    let rows = places.iter().flat_map(|place| match place {
        Some(row) => values[row * width..(row + 1) * width].to_vec(),
        None => vec![0.0; width],
    });
    let rows = rows.collect();
    let mut shape = shape.to_vec();
    shape[0] = places.len();
    (shape, rows)
}

fn say_surplus(left: &containers::StateDict, fit: &Fit, say: &mut impl FnMut(String)) {
    let (inside, outside): (Vec<&String>, Vec<&String>) =
        left.keys().partition(|name| name.starts_with(&fit.prefix));
    if !inside.is_empty() {
        say(format!(
            "{} tensors that the network does not have were left out:",
            inside.len()
        ));
        for name in inside {
            say(format!("  {name}"));
        }
    }
    if !outside.is_empty() {
        say(format!(
            "{} other tensors in the file were left out, such as {}",
            outside.len(),
            outside[0]
        ));
    }
}
