//! Packages: what is written is read, and nothing else is.

use burn::tensor::{Device, Tensor};
use sightline::finding::Finding;
use sightline::network::{Architecture, Family, Head, Network};
use sightline::package::{
    self, Calibration, FindingCard, Manifest, PackageError, SCHEMA_VERSION, Training, Weights,
};
use sightline::radiograph::{Input, Resize};

fn manifest(findings: &[Finding], weights: &[u8]) -> Manifest {
    Manifest {
        schema_version: SCHEMA_VERSION,
        name: "test".to_owned(),
        title: "Test".to_owned(),
        architecture: Architecture {
            family: Family::EfficientNet,
            variant: "lite0".to_owned(),
            in_channels: 1,
            head: Head::Linear,
        },
        input: Input {
            size: 64,
            resize: Resize::Stretch,
            channels: 1,
            mean: vec![0.5],
            std: vec![0.25],
        },
        findings: findings
            .iter()
            .map(|name| FindingCard {
                name: *name,
                trained: true,
                calibration: None,
                operating_point: None,
                auc: None,
                auc_ci95: None,
                positives: 0,
                negatives: 0,
                localisation: Default::default(),
            })
            .collect(),
        training: Training {
            data: "none".to_owned(),
            images: 0,
            patients: 0,
            recipe: "none".to_owned(),
            seed: 0,
            epochs: 0,
            commit: "none".to_owned(),
            date: "2000-01-01".to_owned(),
        },
        evaluation: None,
        licence: "none".to_owned(),
        attribution: "none".to_owned(),
        intended_use: "tests".to_owned(),
        limits: Vec::new(),
        weights: Weights {
            file: "weights.bpk".to_owned(),
            bytes: weights.len() as u64,
            sha256: package::sha256(weights),
            dtype: "f16".to_owned(),
        },
    }
}

fn network(variant: &str, channels: usize, outputs: usize) -> Network {
    let architecture = Architecture {
        family: Family::EfficientNet,
        variant: variant.to_owned(),
        in_channels: channels,
        head: Head::Linear,
    };
    Network::new(&architecture, outputs, &Device::flex()).expect("a known architecture")
}

#[test]
fn a_package_that_was_saved_reads_the_same() {
    let device = Device::flex();
    let network = network("lite0", 1, 2);
    let weights = package::save(&network).expect("saved");
    // Half precision: two bytes for each of 3.4 million parameters, and a little.
    assert!(weights.len() < 7_200_000, "{} bytes", weights.len());
    let manifest = manifest(&[Finding::Edema, Finding::Fracture], &weights);
    let json = serde_json::to_vec(&manifest).expect("JSON");
    assert_eq!(Manifest::parse(&json).expect("parsed"), manifest);

    let loaded = package::load(&manifest, weights.clone(), &device).expect("loaded");
    let x = Tensor::ones([1, 1, 64, 64], &device);
    let logits = |network: &Network| {
        network
            .forward(x.clone())
            .into_data()
            .try_to_vec::<f32>()
            .expect("f32")
    };
    for (a, b) in logits(&loaded).iter().zip(logits(&network)) {
        assert!((a - b).abs() < 0.02, "{a} {b}");
    }
    // What was loaded is in half precision already: saving it again gives the same bytes.
    assert!(package::save(&loaded).expect("saved") == weights);
}

#[test]
fn weights_of_another_network_are_refused_with_the_reason() {
    let device = Device::flex();
    let refusal = |variant: &str, channels: usize, outputs: usize| {
        let weights = package::save(&network(variant, channels, outputs)).expect("saved");
        let manifest = manifest(&[Finding::Edema, Finding::Fracture], &weights);
        match package::load(&manifest, weights, &device) {
            Err(PackageError::Weights(why)) => why,
            other => panic!("{variant} with {channels} channels, {outputs} outputs: {other:?}"),
        }
    };
    let why = refusal("lite0", 1, 3);
    assert!(
        why.contains("Shape mismatch") && why.contains("classifier"),
        "{why}"
    );
    let why = refusal("lite0", 3, 2);
    assert!(
        why.contains("Shape mismatch") && why.contains("stem"),
        "{why}"
    );
    refusal("b0", 1, 2); // squeeze-and-excitation layers that Lite0 does not have
}

#[test]
fn a_missing_tensor_and_one_too_many_are_refused() {
    let device = Device::flex();
    let weights = package::save(&network("b0", 1, 2)).expect("saved");
    let mut lite = manifest(&[Finding::Edema, Finding::Fracture], &weights);
    let why = package::load(&lite, weights, &device)
        .expect_err("one too many")
        .to_string();
    assert!(
        why.contains("belong to no layer") || why.contains("mismatch"),
        "{why}"
    );
    let weights = package::save(&network("lite0", 1, 2)).expect("saved");
    lite = manifest(&[Finding::Edema, Finding::Fracture], &weights);
    lite.architecture.variant = "b0".to_owned();
    let why = package::load(&lite, weights, &device)
        .expect_err("missing")
        .to_string();
    assert!(why.contains("missing") || why.contains("mismatch"), "{why}");
}

#[test]
fn damaged_weights_are_refused_before_they_are_used() {
    let mut weights = package::save(&network("lite0", 1, 1)).expect("saved");
    let manifest = manifest(&[Finding::Edema], &weights);
    let middle = weights.len() / 2;
    weights[middle] ^= 1;
    let error = package::load(&manifest, weights, &Device::flex()).expect_err("damaged");
    assert!(matches!(error, PackageError::Checksum { .. }), "{error}");
}

#[test]
fn bytes_that_are_no_burnpack_are_refused_even_with_the_right_hash() {
    for weights in [Vec::new(), b"not a burnpack".to_vec(), vec![0xFF; 4096]] {
        let manifest = manifest(&[Finding::Edema], &weights);
        let error = package::load(&manifest, weights, &Device::flex()).expect_err("no burnpack");
        assert!(matches!(error, PackageError::Weights(_)), "{error}");
    }
}

#[test]
fn manifests_of_another_version_or_against_themselves_are_refused() {
    let good = manifest(&[Finding::Edema], b"");
    let parse = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = serde_json::to_value(&good).expect("JSON");
        change(&mut json);
        Manifest::parse(&serde_json::to_vec(&json).expect("JSON"))
    };
    assert!(parse(&|_| ()).is_ok());
    let newer = parse(&|json| json["schema_version"] = 2.into()).expect_err("newer");
    assert!(newer.to_string().contains("version 2"), "{newer}");
    assert!(matches!(
        parse(&|json| json["findings"][0]["name"] = "Hernia".into()),
        Err(PackageError::Manifest(_))
    ));
    let inconsistent = |change: &dyn Fn(&mut serde_json::Value)| {
        assert!(matches!(parse(change), Err(PackageError::Inconsistent(_))));
    };
    inconsistent(&|json| json["input"]["mean"] = serde_json::json!([0.5, 0.5]));
    inconsistent(&|json| json["input"]["std"] = serde_json::json!([0.0]));
    inconsistent(&|json| json["input"]["size"] = 100_000.into());
    inconsistent(&|json| json["architecture"]["in_channels"] = 3.into());
    inconsistent(&|json| json["findings"][0]["trained"] = false.into());
    inconsistent(&|json| json["weights"]["file"] = "../../etc/passwd".into());
    assert!(Manifest::parse(b"{").is_err());
}

#[test]
fn untrained_findings_have_no_probability_and_calibration_moves_it() {
    let mut manifest = manifest(&[Finding::Edema, Finding::Fracture], b"");
    manifest.findings[1].trained = false;
    assert_eq!(manifest.probability(0, 0.0), Some(0.5));
    assert_eq!(manifest.probability(1, 3.0), None);
    assert_eq!(manifest.probability(2, 3.0), None);
    manifest.findings[0].calibration = Some(Calibration {
        scale: 2.0,
        offset: -2.0,
    });
    assert_eq!(manifest.probability(0, 1.0), Some(0.5));
}
