//! The names that tools and times gave to the same tensors, in the spelling of today's torchvision or of
//! `efficientnet_pytorch`.

use std::collections::{BTreeMap, BTreeSet};

use crate::tensors::Tensors;

/// Whose names a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// torchvision's or `efficientnet_pytorch`'s.
    Plain,
    /// timm's EfficientNet. Its DenseNet has torchvision's names.
    Timm,
}

/// One way to read a file's names.
pub struct Spelling {
    pub layout: Layout,
    /// The file's name of each tensor, by the name in today's spelling.
    pub names: BTreeMap<String, String>,
}

/// The ways in which a file's names may be read.
pub fn spellings(tensors: &Tensors<'_>) -> Vec<Spelling> {
    let names = tensors.names();
    let plain = names.map(|name| (modern(name), name.clone())).collect();
    let mut spellings = vec![Spelling {
        layout: Layout::Plain,
        names: plain,
    }];
    let timm = timm(tensors);
    if !timm.is_empty() {
        spellings.push(Spelling {
            layout: Layout::Timm,
            names: timm,
        });
    }
    spellings
}

/// Today's spelling of a name. torchvision wrote `denselayer1.norm.1` before 2018; and who takes a DenseNet's `features`
/// alone into a class has them under another name.
fn modern(name: &str) -> String {
    let mut name = name.to_owned();
    if name.contains("denselayer") {
        for part in ["norm", "conv"] {
            for index in ["1", "2"] {
                name = name.replace(&format!(".{part}.{index}."), &format!(".{part}{index}."));
            }
        }
    }
    let parts: Vec<&str> = name.split('.').collect();
    let of_features = |part: &&str| {
        ["conv0", "norm0", "norm5"].contains(part)
            || part.starts_with("denseblock")
            || part.starts_with("transition")
    };
    match parts.iter().position(of_features) {
        Some(at) if at == 0 || parts[at - 1] != "features" => {
            let (before, after) = parts.split_at(at);
            let parts = before.iter().chain(&["features"]).chain(after);
            parts.copied().collect::<Vec<_>>().join(".")
        }
        _ => name,
    }
}

/// Names of timm's EfficientNets, by `efficientnet_pytorch`'s names of the same tensors.
fn timm(tensors: &Tensors<'_>) -> BTreeMap<String, String> {
    let stems = tensors
        .names()
        .filter_map(|name| name.strip_suffix("conv_stem.weight"));
    let prefixes: BTreeSet<&str> = stems.filter(|prefix| !prefix.ends_with('_')).collect();
    let mut names = BTreeMap::new();
    for prefix in prefixes {
        let inside = || {
            tensors
                .names()
                .filter_map(|name| Some((name, name.strip_prefix(prefix)?)))
        };
        let blocks: BTreeSet<(usize, usize)> = inside()
            .filter_map(|(_, rest)| Some(block(rest)?.0))
            .collect();
        let numbers: BTreeMap<_, _> = blocks.into_iter().zip(0_usize..).collect();
        for (name, rest) in inside() {
            let theirs = match block(rest) {
                Some((place @ (stage, index), part)) => {
                    let start = format!("{prefix}blocks.{stage}.{index}.conv_pwl.weight");
                    let expands = tensors.shape(&start).is_some();
                    block_part(part, expands)
                        .map(|part| format!("_blocks.{}.{part}", numbers[&place]))
                }
                None => end_part(rest),
            };
            if let Some(theirs) = theirs {
                names.insert(format!("{prefix}{theirs}"), name.clone());
            }
        }
    }
    names
}

/// The stage and the place in it of a block's tensor, and the rest of the name.
fn block(name: &str) -> Option<((usize, usize), &str)> {
    let (stage, rest) = name.strip_prefix("blocks.")?.split_once('.')?;
    let (index, rest) = rest.split_once('.')?;
    Some(((stage.parse().ok()?, index.parse().ok()?), rest))
}

fn block_part(name: &str, expands: bool) -> Option<String> {
    let (layer, kind) = name.rsplit_once('.')?;
    let theirs = match (layer, expands) {
        ("conv_dw", _) => "_depthwise_conv",
        ("se.conv_reduce", _) => "_se_reduce",
        ("se.conv_expand", _) => "_se_expand",
        ("conv_pw", true) => "_expand_conv",
        ("bn1", true) => "_bn0",
        ("bn2", true) | ("bn1", false) => "_bn1",
        ("conv_pwl", true) | ("conv_pw", false) => "_project_conv",
        ("bn3", true) | ("bn2", false) => "_bn2",
        _ => return None,
    };
    Some(format!("{theirs}.{kind}"))
}

fn end_part(name: &str) -> Option<String> {
    let (layer, kind) = name.rsplit_once('.')?;
    let theirs = match layer {
        "conv_stem" => "_conv_stem",
        "bn1" => "_bn0",
        "conv_head" => "_conv_head",
        "bn2" => "_bn1",
        _ => return None,
    };
    Some(format!("{theirs}.{kind}"))
}

/// A key by which `classifier.10` comes after `classifier.2`.
pub fn natural(name: &str) -> Vec<(usize, String)> {
    let parts = name.split('.');
    parts
        .map(|part| (part.parse().unwrap_or(usize::MAX), part.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_shortened_spellings_become_todays() {
        for (name, today) in [
            (
                "features.denseblock1.denselayer2.norm.1.weight",
                "features.denseblock1.denselayer2.norm1.weight",
            ),
            ("model.conv0.weight", "model.features.conv0.weight"),
            (
                "denseblock1.denselayer2.conv2.weight",
                "features.denseblock1.denselayer2.conv2.weight",
            ),
            // A transition has one norm and is left alone.
            (
                "features.transition1.norm.weight",
                "features.transition1.norm.weight",
            ),
            ("net._fc.0.bias", "net._fc.0.bias"),
        ] {
            assert_eq!(modern(name), today);
        }
    }

    #[test]
    fn layers_are_in_the_order_of_their_numbers() {
        let mut names = ["classifier.10", "classifier.2", "classifier.0"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["classifier.0", "classifier.2", "classifier.10"]);
    }
}
