//! Weights of other tools as a package that the page opens: from bytes, natively and in the browser.
//!
//! | module | what it is for |
//! |---|---|
//! | [`containers`] | files of weights to tensors by name, each kind by its own module: `zip`, `pickle`, `torch_file`, `onnx` |
//! | [`kinds`] | files that are no weights, by name |
//! | [`tensors`] | tensors where they lie in a file |
//! | `spelling` | one name for what tools name differently |
//! | [`fit`](mod@fit) | which network the tensors are of |
//! | [`convention`] | what the tools that weights come from take for granted |
//! | [`recognise`](mod@recognise) | the two together: what files are taken for |
//! | [`proposal`] | that, as a form to look over, and the form as settings |

pub mod containers;
pub mod convention;
mod error;
pub mod fit;
pub mod kinds;
pub mod onnx;
pub mod pickle;
pub mod proposal;
pub mod recognise;
pub mod shards;
mod spelling;
pub mod tensors;
pub mod torch_file;
mod zip;

pub use convention::Source;
pub use error::ImportError;
pub use fit::{Fit, fit};
pub use proposal::{Proposal, propose};
pub use recognise::Settings;
pub use shards::Index;

use std::collections::BTreeSet;

use burn::tensor::Device;
use sightline::finding::{Finding, plain};
use sightline::network::{Architecture, Network, wrong_value};
use sightline::package::{
    self, Calibration, FindingCard, Manifest, SCHEMA_VERSION, Training, UNMEASURED, Weights,
};
use sightline::vocabulary::{CHEXPERT, CallRule};

use convention::{Output, THRESHOLDS};
use fit::fit_body;
use recognise::{Recognised, recognise};
use tensors::Tensors;

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
    let (naming, file_names) = fit_body(&tensors, architecture)?;
    let loaded = network.load_state_dict(naming, true, |wanted| {
        let file_name = file_names.get(&wanted.name)?;
        taken(&mut tensors, file_name, &wanted.shape)
    });
    loaded.map_err(|error| ImportError::Misfit(format!("it does not fit: {error}")))
}

/// A tensor of a file with its values; of one with another shape than is wanted, the shape alone.
fn taken(tensors: &mut Tensors<'_>, name: &str, wanted: &[usize]) -> Option<tensors::Values> {
    let shape = tensors.shape(name)?;
    if shape != wanted {
        return Some((shape.to_vec(), Vec::new()));
    }
    tensors.take(name)
}

/// Makes a package of the weights in a file, and says what was and was not found in it.
///
/// # Errors
/// When the file cannot be read, a tensor is missing or of another shape, or it is not known what the outputs or
/// the pixels mean.
pub fn import(
    file: (&str, &[u8]),
    settings: &Settings,
    device: &Device,
    say: impl FnMut(String),
) -> Result<Imported, ImportError> {
    import_parts(&[file], settings, device, say)
}

/// Makes a package of the weights that lie in several files, as safetensors with an index do. The package names the first.
///
/// # Errors
/// As [`import`], and when two files have the same tensor.
pub fn import_parts(
    files: &[(&str, &[u8])],
    settings: &Settings,
    device: &Device,
    mut say: impl FnMut(String),
) -> Result<Imported, ImportError> {
    let known = recognise(files, settings, &mut say)?;
    let (file, bytes) = files[0];
    let outputs = known.outputs(settings.findings.as_deref(), &mut say)?;
    let input = known.input(settings)?;
    let Recognised {
        mut tensors,
        fit,
        source,
        own,
    } = known;
    say_outputs(&outputs, &mut say);
    let left_out = left_out(&outputs).join(", ");
    let outputs: Vec<Option<Finding>> = outputs.iter().map(|output| output.finding).collect();
    let thresholds = thresholds(&mut tensors, &fit);
    let cards = findings(&outputs, thresholds.as_deref(), source);

    let place = |card: &FindingCard| outputs.iter().position(|output| *output == Some(card.name));
    let places: Vec<Option<usize>> = cards.iter().map(place).collect();
    let network = Network::new(&fit.architecture, cards.len(), device)?;
    let mut used = BTreeSet::new();
    let mut unsound = None;
    let network = network.load_state_dict(fit.naming, false, |wanted| {
        let file_name = fit.file_name(&wanted.name);
        let mut expected = wanted.shape.clone();
        if fit.is_output(&wanted.name) {
            expected[0] = fit.outputs;
        }
        let (shape, values) = taken(&mut tensors, &file_name, &expected)?;
        // Also what of it is left out, and under the file's own name.
        if let Some(wrong) = wrong_value(&file_name, &values) {
            unsound.get_or_insert_with(|| format!("{file_name} {wrong}"));
        }
        used.insert(file_name);
        if fit.is_output(&wanted.name) && shape == expected {
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
    let mut limits = vec![UNMEASURED.to_owned()];
    if !left_out.is_empty() {
        limits.push(format!(
            "The network has outputs that are none of CheXpert's observations, which were left out: {left_out}."
        ));
    }

    let refused = |error: &dyn std::fmt::Display| ImportError::Refused(error.to_string());
    let weights = package::save_exactly(&network).map_err(|error| refused(&error))?;
    let is_same = |own: &Manifest| {
        let findings = own.findings.iter().map(|card| Some(card.name));
        own.weights.sha256 == package::sha256(&weights)
            && own.input == input
            && findings.eq(outputs.iter().copied())
    };
    if let Some(own) = own.filter(is_same) {
        say("it has the package's weights: all that is known of them is taken over".to_owned());
        let title = match settings.title == settings.name {
            true => own.title.clone(),
            false => settings.title.clone(),
        };
        let name = settings.name.clone();
        let manifest = Manifest { name, title, ..own };
        return Ok(Imported { manifest, weights });
    }
    let hash = package::sha256(bytes);
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        title: settings.title.clone(),
        name: settings.name.clone(),
        architecture: fit.architecture.clone(),
        input,
        rules: own_rules(&cards),
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
        limits,
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

/// torchxrayvision's operating points, one for each output.
fn thresholds(tensors: &mut Tensors<'_>, fit: &Fit) -> Option<Vec<f32>> {
    let name = format!("{}{THRESHOLDS}", fit.prefix);
    let is_one_each = tensors.shape(&name) == Some(&[fit.outputs][..]);
    is_one_each
        .then(|| tensors.take(&name))
        .flatten()
        .map(|(_, values)| values)
}

fn say_outputs(outputs: &[Output], say: &mut impl FnMut(String)) {
    if outputs.iter().all(|output| output.finding.is_none()) {
        return;
    }
    let names = outputs
        .iter()
        .map(|output| output.finding.map_or("-", Finding::name));
    say(format!(
        "its outputs are taken for: {}",
        names.collect::<Vec<_>>().join(", ")
    ));
    let left_out = left_out(outputs);
    if !left_out.is_empty() {
        say(format!(
            "left out, as none of CheXpert's observations: {}",
            left_out.join(", ")
        ));
    }
}

/// The labels of outputs that have one and are left out all the same.
fn left_out(outputs: &[Output]) -> Vec<&str> {
    let left_out = outputs
        .iter()
        .filter(|output| output.finding.is_none() && !output.label.is_empty());
    left_out.map(|output| output.label.as_str()).collect()
}

/// The cards of the package. Where all that the outputs stand for is CheXpert's, it has CheXpert's 14 in their order, as packages that are
/// trained here; else the outputs in theirs. An output whose threshold is no number was never trained: that is how
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
    let own: Vec<Finding> = outputs.iter().copied().flatten().collect();
    if own.iter().all(|finding| finding.place().is_some()) {
        return CHEXPERT.into_iter().map(card).collect();
    }
    own.into_iter().map(card).collect()
}

/// What other lists than CheXpert's call No Finding stands alone too; CheXpert's needs no word.
fn own_rules(cards: &[FindingCard]) -> Option<Vec<CallRule>> {
    let is_none = |card: &&FindingCard| plain(card.name.name()) == "no finding";
    let alone = cards.iter().find(is_none)?.name;
    let except = Vec::new();
    (alone != Finding::NoFinding).then(|| vec![CallRule { alone, except }])
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

fn say_surplus(left: &Tensors<'_>, fit: &Fit, say: &mut impl FnMut(String)) {
    let (inside, outside): (Vec<&String>, Vec<&String>) =
        left.names().partition(|name| name.starts_with(&fit.prefix));
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
