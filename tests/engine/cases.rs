//! The rules of `tests/cases`: files that people have, each read right or refused with the reason.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor};
use sightline::package;
use sightline::radiograph::Radiograph;
use sightline::reader::Reader;

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The model that the page opens with.
fn shipped() -> Reader {
    let folder = workspace().join("www/models/efficientnet-lite0-nih");
    let read = |name: &str| std::fs::read(folder.join(name)).expect("a shipped package");
    let manifest = package::Manifest::parse(&read("manifest.json")).expect("a manifest");
    Reader::load(manifest, &read("weights.bpk"), &Device::flex()).expect("weights")
}

/// Scores of all findings, or why there are none.
fn scores(reader: &Reader, file: &Path) -> Result<Vec<f64>, String> {
    let bytes = std::fs::read(file).expect("a file of the case");
    let radiograph = Radiograph::decode(&bytes).map_err(|error| error.to_string())?;
    let reading =
        pollster::block_on(reader.read(&reader.view(&radiograph.image))).expect("a reading");
    Ok(reading.probabilities.into_iter().flatten().collect())
}

/// What WebGPU computes where it has float16, on the CPU.
#[test]
fn a_network_in_float16_says_what_it_says_in_float32() {
    use sightline::input::Tensors;

    let device = Device::flex();
    let folder = workspace().join("www/models/efficientnet-lite0-nih");
    let read = |name: &str| std::fs::read(folder.join(name)).expect("a shipped package");
    let manifest = package::Manifest::parse(&read("manifest.json")).expect("a manifest");
    let network = package::load(&manifest, &read("weights.bpk"), &device).expect("weights");
    let file = std::fs::read(workspace().join("www/samples/effusion.jpg")).expect("a sample");
    let image = Radiograph::decode(&file).expect("a radiograph").image;
    let x = manifest.input.tensor(&[&image], &device);
    let logits = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().expect("float32");
    let expected = logits(network.forward(x.clone()));
    let half = network.clone().folded().halved();
    let maps = half.feature_maps(x.clone().cast(DType::F16));
    assert!(maps.iter().all(|map| map.dtype() == DType::F16));
    let found = logits(half.classify(maps));
    let apart = expected.iter().zip(&found).map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0, f32::max);
    assert!(apart > 0.0, "nothing was rounded");
    assert!(apart < 0.02, "{apart}: {found:?} instead of {expected:?}");
    // Copies of a network share what their normalisations have counted.
    assert_eq!(logits(network.forward(x)), expected);
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert!(!a.is_empty() && a.len() == b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

/// What is wrong with a file, if its rule does not hold.
fn broken(
    rule: &str,
    score: &dyn Fn(&str) -> Result<Vec<f64>, String>,
    file: &str,
) -> Option<String> {
    let parts: Vec<&str> = rule.split(':').collect();
    let named = |words: &str, why: &str| {
        let why = why.to_lowercase();
        words
            .split('|')
            .any(|word| why.contains(&word.to_lowercase()))
    };
    let near = |other: &str, most: &str, scores: &[f64]| {
        let most: f64 = most.parse().expect("a distance");
        let apart = distance(scores, &score(other).expect("a control is read"));
        (apart > most).then(|| format!("scores are {apart} away from {other}"))
    };
    match (parts.as_slice(), score(file)) {
        (["same", other, most], Ok(scores)) => near(other, most, &scores),
        (["either", other, most, _], Ok(scores)) => near(other, most, &scores),
        (["either", _, _, words] | ["refuse", words], Err(why)) => {
            (!named(words, &why)).then(|| format!("it is refused without a word of {words}: {why}"))
        }
        (["same", ..], Err(why)) => Some(format!("it is refused: {why}")),
        (["refuse", _], Ok(_)) => Some("it is read".to_owned()),
        (other, _) => panic!("an unknown rule: {other:?}"),
    }
}

#[test]
fn every_file_that_people_have_is_read_right_or_refused_with_the_reason() {
    let reader = shipped();
    let cases = workspace().join("tests/cases");
    let mut problems = Vec::new();
    let mut rules = 0;
    for folder in std::fs::read_dir(&cases).expect("cases") {
        let folder = folder.expect("a folder").path();
        let Ok(table) = std::fs::read_to_string(folder.join("expect.csv")) else {
            continue;
        };
        let known = std::cell::RefCell::new(HashMap::new());
        let score = |file: &str| -> Result<Vec<f64>, String> {
            let compute = || scores(&reader, &folder.join(file));
            let mut known = known.borrow_mut();
            known.entry(file.to_owned()).or_insert_with(compute).clone()
        };
        for line in table.lines().skip(1) {
            let (file, rule) = line.split_once(',').expect("a file and a rule");
            rules += 1;
            if let Some(problem) = broken(rule, &score, file) {
                problems.push(format!("{}/{file}: {problem}", folder.display()));
            }
        }
    }
    assert!(rules >= 100, "only {rules} rules were found");
    assert!(problems.is_empty(), "{problems:#?}");
}
