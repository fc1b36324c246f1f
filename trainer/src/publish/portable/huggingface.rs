//! What Hugging Face reads of a folder: `config.json`, and the header of the card.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use sightline::package::Manifest;

use super::facts::{names_of, naming};

/// Licences by Hugging Face's names, and how a manifest begins that states them.
const LICENCES: [(&str, &str); 6] = [
    ("Apache-2.0", "apache-2.0"),
    ("MIT", "mit"),
    ("BSD-3-Clause", "bsd-3-clause"),
    ("CC-BY-4.0", "cc-by-4.0"),
    ("CC-BY-NC-4.0", "cc-by-nc-4.0"),
    ("CC0-1.0", "cc0-1.0"),
];

/// Everything that is needed to use the weights, under the names that Hugging Face's programs know where there are some.
pub fn config(manifest: &Manifest) -> Result<Value> {
    let names = manifest.findings.iter().map(|card| card.name.name());
    let names: Vec<&str> = names.collect();
    let by_number: BTreeMap<String, &str> = names
        .iter()
        .enumerate()
        .map(|(number, name)| (number.to_string(), *name))
        .collect();
    let by_name: BTreeMap<&str, usize> = names.iter().copied().zip(0..).collect();
    let findings = manifest.findings.iter().map(|card| {
        json!({
            "name": card.name,
            "trained": card.trained,
            "calibration": card.calibration,
            "operating_point": card.operating_point,
        })
    });
    // By way of text, in which float32 has no more digits than it needs.
    let input: Value = serde_json::from_str(&serde_json::to_string(&manifest.input)?)?;
    Ok(json!({
        "model_type": "sightline",
        "architectures": manifest.architecture.branch_names()?,
        "architecture": manifest.architecture,
        "tensor_names": names_of(naming(&manifest.architecture)),
        "torch_dtype": "float32",
        "problem_type": "multi_label_classification",
        "num_labels": names.len(),
        "id2label": by_number,
        "label2id": by_name,
        "num_channels": manifest.input.channels,
        "image_size": manifest.input.size,
        "preprocessing": input,
        "findings": findings.collect::<Vec<_>>(),
        "weights_sha256": manifest.weights.sha256,
    }))
}

/// The card's header, in YAML: values are written as JSON, which is YAML too.
pub fn header(manifest: &Manifest) -> Result<String> {
    let networks = manifest.architecture.branch_names()?;
    let tags = ["chest-x-ray", "radiology", "multi-label", "grad-cam"].map(str::to_owned);
    let tags: Vec<String> = tags.into_iter().chain(networks).collect();
    let mut lines = vec![
        ("license", json!(licence(manifest))),
        ("library_name", json!("sightline")),
        ("pipeline_tag", json!("image-classification")),
        ("tags", json!(tags)),
    ];
    if licence(manifest) == "other" {
        lines.insert(1, ("license_name", json!("stated-in-the-card")));
    }
    if let Some(evaluation) = &manifest.evaluation {
        let measured = manifest.findings.iter().filter_map(|card| {
            let name = format!("AUC, {}", card.name);
            Some(json!({"type": "roc_auc", "name": name, "value": card.auc?}))
        });
        let measured: Vec<Value> = measured.collect();
        let results = json!([{
            "task": {"type": "image-classification", "name": "Findings of a chest radiograph"},
            "dataset": {"type": plain(&evaluation.set), "name": evaluation.set},
            "metrics": measured,
        }]);
        lines.push(("metrics", json!(["roc_auc"])));
        let model = json!([{"name": manifest.name, "results": results}]);
        lines.push(("model-index", model));
    }
    let lines = lines
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"));
    Ok(format!("---\n{}---\n\n", lines.collect::<String>()))
}

/// Hugging Face's name of the licence; `other` where it has none, or the manifest does not begin with one.
fn licence(manifest: &Manifest) -> &'static str {
    let stated = manifest.licence.trim();
    let begins = |name: &str| {
        let rest = stated.strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    };
    let known = LICENCES.iter().find(|(name, _)| begins(name));
    known.map_or("other", |(_, theirs)| theirs)
}

/// In small letters and digits, with hyphens between.
fn plain(text: &str) -> String {
    let small = text.to_lowercase();
    let words = small.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// The pictures that a card shows, which lie beside it.
pub fn pictures(card: &str) -> Vec<&str> {
    let shown = card.split("![").skip(1);
    let files = shown.filter_map(|text| text.split_once("](")?.1.split_once(')'));
    let mut files: Vec<&str> = files
        .map(|(file, _)| file)
        .filter(|file| !file.contains(['/', '\\', ':']))
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_named_only_where_it_is_stated_first_and_whole() {
        let shipped = include_str!("../../../../www/models/efficientnet-lite0-nih/manifest.json");
        let mut manifest = Manifest::parse(shipped.as_bytes()).expect("the shipped manifest");
        for (stated, expected) in [
            ("Apache-2.0: fine-tuned", "apache-2.0"),
            ("MIT", "mit"),
            ("MIT-0", "other"),
            ("Mitre's own", "other"),
            ("Not stated; it may be MIT", "other"),
            ("CC-BY-NC-4.0.", "cc-by-nc-4.0"),
        ] {
            manifest.licence = stated.to_owned();
            assert_eq!(licence(&manifest), expected, "{stated}");
        }
    }

    #[test]
    fn only_pictures_beside_the_card_are_its_own() {
        let card = "![a](roc.svg) [b](other.md) ![c](https://example.org/x.png)\n![d](../y.png) ![e](roc.svg)";
        assert_eq!(pictures(card), ["roc.svg"]);
    }
}
