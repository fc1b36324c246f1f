//! What a file says of a model beside its weights.

use std::collections::BTreeMap;

use anyhow::Result;
use sightline::network::{Architecture, Family, Naming};
use sightline::package::Manifest;

/// What is to be known of a model, by name. What is more than a word is JSON.
pub type Facts = BTreeMap<&'static str, String>;

/// Everything that is needed to use a model, and to know what it is for. The gate is left out: what it looks at is not among the outputs.
pub fn of(manifest: &Manifest) -> Result<Facts> {
    let findings: Vec<&str> = manifest.findings.iter().map(|f| f.name.name()).collect();
    let whole = Manifest {
        gate: None,
        ..manifest.clone()
    };
    Ok(Facts::from([
        ("name", manifest.name.clone()),
        ("title", manifest.title.clone()),
        ("findings", serde_json::to_string(&findings)?),
        ("preprocessing", serde_json::to_string(&manifest.input)?),
        ("names", names_of(naming(&manifest.architecture)).to_owned()),
        ("licence", manifest.licence.clone()),
        ("attribution", manifest.attribution.clone()),
        ("intended_use", manifest.intended_use.clone()),
        ("weights_sha256", manifest.weights.sha256.clone()),
        ("manifest", serde_json::to_string(&whole)?),
    ]))
}

/// Whose names the tensors have: torchvision's, where it has such a network.
pub fn naming(architecture: &Architecture) -> Naming {
    let variant = &architecture.variant;
    let elsewhere = variant.starts_with("lite") || variant.ends_with("_same");
    match architecture.family {
        Family::EfficientNet if elsewhere => Naming::EfficientNetPytorch,
        _ => Naming::Torchvision,
    }
}

/// The library whose names they are.
pub fn names_of(naming: Naming) -> &'static str {
    match naming {
        Naming::Torchvision => "torchvision",
        Naming::EfficientNetPytorch => "efficientnet_pytorch",
    }
}
