//! Which network a file's tensors are of, and under which names.
//!
//! Files wrap a state dict in whatever was around it when it was saved: `module.` of a parallel training, `net.`
//! of a wrapping class, `state_dict.` of a checkpoint with the optimiser beside it. Nothing of that is listed
//! here: the prefix is found, as the one under which most of the network's tensors are there.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;
use sightline::finding::Finding;
use sightline::network::{Architecture, Family, Naming, Network};

use crate::containers::StateDict;
use crate::error::ImportError;

/// How a file's tensors become a network's.
pub struct Fit {
    pub architecture: Architecture,
    pub naming: Naming,
    pub outputs: usize,
    /// Before every name in the file.
    pub prefix: String,
    /// The side of the pictures that the network was designed for.
    pub picture_side: usize,
    /// The file's name of each tensor, without the prefix, where it differs.
    spelling: BTreeMap<String, String>,
    /// The last layer, as the network names it.
    output_layer: String,
}

impl Fit {
    /// The name in the file of one of the network's tensors.
    pub fn file_name(&self, name: &str) -> String {
        let name = self.spelling.get(name).map_or(name, String::as_str);
        format!("{}{name}", self.prefix)
    }

    /// Whether a tensor belongs to the layer that makes the logits.
    pub fn is_output(&self, name: &str) -> bool {
        name.rsplit_once('.')
            .is_some_and(|(layer, _)| layer == self.output_layer)
    }
}

/// How well a file's tensors are a candidate's.
struct Match<'a> {
    /// The share of the candidate's tensors that are there.
    share: f64,
    architecture: &'a Architecture,
    naming: Naming,
    prefix: String,
    names: Vec<String>,
    /// The file's name of each tensor, by the spelling in which they are the candidate's.
    spelling: &'a BTreeMap<String, &'a String>,
}

/// The candidate of which most tensors are there.
///
/// # Errors
/// When the file has next to nothing of any of them, or its first or last layer is missing.
pub fn fit(tensors: &StateDict, candidates: &[Architecture]) -> Result<Fit, ImportError> {
    let misfit = ImportError::Misfit;
    // What a file calls a tensor, in today's spelling; and with a layer that is alone in a sequence taken out of it, as
    // CheXNet's `Sequential(Linear, Sigmoid)`.
    let plain: BTreeMap<String, &String> =
        tensors.keys().map(|name| (modern(name), name)).collect();
    let is_alone = !plain.keys().any(|name| is_later_layer(name));
    let unwrapped: BTreeMap<String, &String> = plain
        .iter()
        .filter(|_| is_alone)
        .map(|(name, file_name)| (name.replace("classifier.0.", "classifier."), *file_name))
        .collect();
    let mut best: Option<Match> = None;
    for architecture in candidates {
        let network = Network::new(architecture, Finding::ALL.len(), &Device::flex())?;
        for naming in [Naming::Torchvision, Naming::EfficientNetPytorch] {
            let tensors = network.state_dict(naming).into_iter();
            let names: Vec<String> = tensors.map(|tensor| tensor.name).collect();
            for spelling in [&plain, &unwrapped] {
                let (prefix, found) = best_prefix(spelling, &names);
                let share = found as f64 / names.len() as f64;
                if best.as_ref().is_none_or(|best| share > best.share) {
                    best = Some(Match {
                        share,
                        architecture,
                        naming,
                        prefix,
                        names: names.clone(),
                        spelling,
                    });
                }
            }
        }
    }
    let Match {
        share,
        architecture,
        naming,
        prefix,
        names,
        spelling: modern,
    } = best.ok_or_else(|| misfit("there is no architecture to fit".to_owned()))?;
    if share < 0.5 {
        let names: Vec<_> = tensors.keys().take(4).map(String::as_str).collect();
        return Err(misfit(format!(
            "the weights are not of {}: of its tensors {:.0}% are there. The file has {} tensors, the first being {}",
            architecture.branch_names()?.join(" + "),
            100.0 * share,
            tensors.len(),
            names.join(", ")
        )));
    }

    let spelling = names.iter().filter_map(|name| {
        let file_name = modern.get(&format!("{prefix}{name}"))?;
        let file_name = file_name.strip_prefix(&prefix)?;
        (file_name != name).then(|| (name.clone(), file_name.to_owned()))
    });
    let spelling: BTreeMap<String, String> = spelling.collect();
    let shape = |name: &String| {
        let file_name = modern.get(&format!("{prefix}{name}"));
        let (shape, _) = file_name
            .and_then(|name| tensors.get(*name))
            .ok_or_else(|| misfit(format!("the file lacks {prefix}{name}")))?;
        Ok::<_, ImportError>(shape.clone())
    };
    let first = names.first().expect("a network has tensors");
    let in_channels = *shape(first)?
        .get(1)
        .ok_or_else(|| misfit(format!("{first} is no convolution")))?;
    let output_layer = names.last().and_then(|name| name.rsplit_once('.'));
    let (output_layer, _) = output_layer.expect("a network has a last layer");
    let weight = shape(&format!("{output_layer}.weight"))?;
    let [outputs, _] = weight[..] else {
        return Err(misfit(format!(
            "{output_layer}.weight has the shape {weight:?}; the last layer must be a matrix"
        )));
    };
    let bias = shape(&format!("{output_layer}.bias"))?;
    if bias != [outputs] {
        return Err(misfit(format!(
            "{output_layer}.bias has the shape {bias:?}; {output_layer}.weight has {outputs} outputs"
        )));
    }

    let mut architecture = Architecture {
        in_channels,
        ..architecture.clone()
    };
    // Of the same names, but padded as TensorFlow does.
    let other_padding = architecture.family == Family::EfficientNet
        && naming == Naming::EfficientNetPytorch
        && architecture.variant.starts_with('b')
        && !architecture.variant.ends_with("_same");
    if other_padding {
        architecture.variant += "_same";
    }
    let picture_side = Network::new(&architecture, outputs, &Device::flex())?.picture_side();
    Ok(Fit {
        architecture,
        naming,
        outputs,
        prefix,
        picture_side,
        spelling,
        output_layer: output_layer.to_owned(),
    })
}

/// Whether a tensor is of a classifier's second layer or a later one.
fn is_later_layer(name: &str) -> bool {
    let layer = name.split("classifier.").nth(1);
    let number = layer.and_then(|layer| layer.split('.').next()?.parse::<usize>().ok());
    number.is_some_and(|number| number > 0)
}

/// The prefix under which most of the names are there, and how many; of equals the shortest.
fn best_prefix(tensors: &BTreeMap<String, &String>, names: &[String]) -> (String, usize) {
    // Any prefix with the whole network has its first tensors; a few are asked for in case one is missing.
    let anchors = names.iter().take(4);
    let prefixes: BTreeSet<&str> = anchors
        .flat_map(|anchor| {
            let prefixes = tensors
                .keys()
                .filter_map(|name| name.strip_suffix(anchor.as_str()));
            prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        })
        .collect();
    let counted = prefixes.into_iter().map(|prefix| {
        let there = |name: &&String| tensors.contains_key(&format!("{prefix}{name}"));
        (names.iter().filter(there).count(), prefix)
    });
    let best = counted.max_by_key(|(count, prefix)| (*count, std::cmp::Reverse(prefix.len())));
    best.map_or((String::new(), 0), |(count, prefix)| {
        (prefix.to_owned(), count)
    })
}

/// Today's spelling of a name: torchvision wrote `denselayer1.norm.1` before 2018, and the origin wraps
/// EfficientNet's last layer in a sequence.
fn modern(name: &str) -> String {
    let mut name = name.to_owned();
    if name.contains("denselayer") {
        for part in ["norm", "conv"] {
            for index in ["1", "2"] {
                name = name.replace(&format!(".{part}.{index}."), &format!(".{part}{index}."));
            }
        }
    }
    name.replace("_fc.0.", "_fc.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_wrapped_spellings_become_todays() {
        let name = "features.denseblock1.denselayer2.norm.1.weight";
        assert_eq!(
            modern(name),
            "features.denseblock1.denselayer2.norm1.weight"
        );
        assert_eq!(modern("net._fc.0.bias"), "net._fc.bias");
        assert!(is_later_layer("module.classifier.2.weight"));
        assert!(!is_later_layer("module.classifier.0.weight"));
        assert!(!is_later_layer("classifier.weight"));
        // A transition has one norm and is left alone.
        assert_eq!(
            modern("features.transition1.norm.weight"),
            "features.transition1.norm.weight"
        );
    }
}
