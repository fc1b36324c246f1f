//! Packages: what is written is read, and nothing else is.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bytes, DType, Device, Tensor};
use sightline::asked::Wants;
use sightline::explain::lime::emulator::CELLS;
use sightline::finding::Finding;
use sightline::network::{Architecture, Family, Head, Naming, Network};
use sightline::package::{
    self, Calibration, FindingCard, Localisation, LocalisedBy, Manifest, ModelEntry, Output,
    OverMiddle, PackageError, Pointing, SCHEMA_VERSION, Training, Weights,
};
use sightline::radiograph::{Input, Resize};
use sightline::reader::Reader;

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
            levels: Default::default(),
            size: 64,
            resize: Resize::Stretch,
            channels: 1,
            mean: vec![0.5],
            std: vec![0.25],
        },
        findings: findings
            .iter()
            .map(|name| FindingCard::new(*name, true))
            .collect(),
        rules: None,
        training: Training {
            data: "none".to_owned(),
            images: None,
            patients: None,
            recipe: "none".to_owned(),
            seed: None,
            epochs: None,
            commit: "none".to_owned(),
            date: "2000-01-01".to_owned(),
            taught_with_boxes: false,
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
        gate: None,
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

    let loaded = package::load(&manifest, &weights, &device).expect("loaded");
    let x = Tensor::ones([1, 1, 64, 64], &device);
    let logits = |network: &Network| {
        network
            .forward(x.clone())
            .into_data()
            .try_to_vec::<f32>()
            .expect("f32")
    };
    for (a, b) in logits(&loaded).iter().zip(logits(&network)) {
        assert!((a - b).abs() < 0.02 * b.abs().max(1.0), "{a} {b}");
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
        match package::load(&manifest, &weights, &device) {
            Err(PackageError::Weights(why)) => why,
            other => panic!("{variant} with {channels} channels, {outputs} outputs: {other:?}"),
        }
    };
    let why = refusal("lite0", 1, 3);
    assert!(
        why.contains("has the shape [3, 1280]") && why.contains("classifier.1.weight"),
        "{why}"
    );
    let why = refusal("lite0", 3, 2);
    assert!(
        why.contains("has the shape [32, 3, 3, 3]") && why.contains("features.0.0.weight"),
        "{why}"
    );
    refusal("b0", 1, 2); // squeeze-and-excitation layers that Lite0 does not have
}

#[test]
fn a_missing_tensor_and_one_too_many_are_refused_by_name() {
    let weights = package::save(&network("lite0", 1, 2)).expect("saved");
    let refusal = |change: &dyn Fn(&mut Vec<burn_pack::Tensor>)| {
        let reader = burn_pack::Reader::from_bytes(Bytes::from_bytes_vec(weights.clone()));
        let mut tensors = reader.expect("a burnpack").into_tensors().expect("tensors");
        change(&mut tensors);
        let weights = burn_pack::Writer::new(tensors)
            .into_bytes()
            .expect("packed");
        let manifest = manifest(&[Finding::Edema, Finding::Fracture], &weights);
        match package::load(&manifest, &weights, &Device::flex()) {
            Err(PackageError::Weights(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let why = refusal(&|tensors| tensors.retain(|t| t.name != "features.8.1.running_var"));
    assert!(why.contains("missing: features.8.1.running_var"), "{why}");
    let why = refusal(&|tensors| {
        tensors[0].name = "features.99.weight".to_owned();
    });
    assert!(why.contains("missing"), "{why}");
    let why = refusal(&|tensors| {
        let values = Bytes::from_bytes_vec(vec![0; 8]);
        let surplus = burn_pack::Tensor::new("fc.bias".to_owned(), DType::F32, [2], None, values);
        tensors.push(surplus);
    });
    assert!(
        why.contains("belong to no layer, among them fc.bias"),
        "{why}"
    );
    let why = refusal(&|tensors| {
        let values = Bytes::from_bytes_vec(vec![0; 16]);
        let counter = burn_pack::Tensor::new("count".to_owned(), DType::I64, [2], None, values);
        tensors.push(counter);
    });
    assert!(why.contains("count is of the type I64"), "{why}");
}

/// A network's `weights.bpk` in which one tensor's last value is another.
fn with_value(weights: &[u8], name: &str, value: f32) -> Vec<u8> {
    let reader = burn_pack::Reader::from_bytes(Bytes::from_bytes_vec(weights.to_vec()));
    let tensors = reader.expect("a burnpack").into_tensors().expect("tensors");
    let tensors = tensors.into_iter().map(|tensor| {
        if tensor.name != name {
            return tensor;
        }
        let shape = tensor.shape.clone();
        let count = shape.iter().product();
        let mut values = vec![0.25_f32; count];
        values[count - 1] = value;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        let bytes = Bytes::from_bytes_vec(bytes.collect());
        burn_pack::Tensor::new(name.to_owned(), DType::F32, shape, None, bytes)
    });
    burn_pack::Writer::new(tensors.collect())
        .into_bytes()
        .expect("packed")
        .to_vec()
}

#[test]
fn weights_that_are_no_numbers_and_negative_variances_are_refused_by_name() {
    let weights = package::save(&network("lite0", 1, 1)).expect("saved");
    let load = |name: &str, value: f32| {
        let weights = with_value(&weights, name, value);
        let manifest = manifest(&[Finding::Edema], &weights);
        package::load(&manifest, &weights, &Device::flex()).map_err(|error| error.to_string())
    };
    let (filter, variance) = ("features.8.0.weight", "features.8.1.running_var");
    for (name, value, why) in [
        (filter, f32::NAN, "not a number"),
        (filter, f32::INFINITY, "infinite"),
        ("classifier.1.bias", f32::NEG_INFINITY, "infinite"),
        (variance, -1e-6, "negative variance"),
    ] {
        let said = load(name, value).expect_err("refused");
        assert!(said.contains(name) && said.contains(why), "{said}");
    }
    // A filter may be negative, and a variance nothing.
    load(filter, -1.0).expect("a weight");
    load(variance, 0.0).expect("a variance");
}

#[test]
fn what_is_no_number_is_not_saved_either() {
    let network = network("lite0", 1, 1);
    let poisoned = network.map(&mut Poison);
    let error = package::save(&poisoned).expect_err("no numbers");
    assert!(error.to_string().contains("not a number"), "{error}");
}

/// Makes every value of a network NaN.
struct Poison;

impl ModuleMapper for Poison {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value * f32::NAN)
    }
}

#[test]
fn weights_may_arrive_in_parts_of_any_size() {
    let network = network("lite0", 1, 2);
    let weights = package::save(&network).expect("saved");
    let manifest = manifest(&[Finding::Edema, Finding::Fracture], &weights);
    for size in [1_009, 65_536, 3_000_000] {
        let mut loader = package::Loader::new(&manifest);
        for part in weights.chunks(size) {
            loader.push(part);
        }
        let loaded = loader.finish(&manifest, &Device::flex()).expect("loaded");
        assert!(package::save(&loaded).expect("saved") == weights, "{size}");
    }
    // A transfer that broke off, and one that goes on and on.
    for bytes in [
        &weights[..weights.len() - 1],
        &[&weights[..], b"more"].concat(),
    ] {
        let mut loader = package::Loader::new(&manifest);
        loader.push(bytes);
        let error = loader
            .finish(&manifest, &Device::flex())
            .expect_err("refused");
        assert!(matches!(error, PackageError::Checksum { .. }), "{error}");
    }
}

#[test]
fn what_float16_cannot_hold_is_not_saved() {
    let network = network("lite0", 1, 2);
    let network = network.load_state_dict(Naming::Torchvision, false, |tensor| {
        let count = tensor.shape.iter().product();
        Some((tensor.shape.clone(), vec![1e6; count]))
    });
    let error = package::save(&network.expect("fits")).expect_err("too large");
    assert!(
        error.to_string().contains("too large for float16"),
        "{error}"
    );
}

#[test]
fn damaged_weights_are_refused_before_they_are_used() {
    let mut weights = package::save(&network("lite0", 1, 1)).expect("saved");
    let manifest = manifest(&[Finding::Edema], &weights);
    let middle = weights.len() / 2;
    weights[middle] ^= 1;
    let error = package::load(&manifest, &weights, &Device::flex()).expect_err("damaged");
    assert!(matches!(error, PackageError::Checksum { .. }), "{error}");
}

#[test]
fn bytes_that_are_no_burnpack_are_refused_even_with_the_right_hash() {
    for weights in [Vec::new(), b"not a burnpack".to_vec(), vec![0xFF; 4096]] {
        let manifest = manifest(&[Finding::Edema], &weights);
        let error = package::load(&manifest, &weights, &Device::flex()).expect_err("no burnpack");
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
        parse(&|json| json["findings"][0]["name"] = " Edema".into()),
        Err(PackageError::Manifest(_))
    ));
    let inconsistent = |change: &dyn Fn(&mut serde_json::Value)| {
        assert!(matches!(parse(change), Err(PackageError::Inconsistent(_))));
    };
    inconsistent(&|json| json["input"]["mean"] = serde_json::json!([0.5, 0.5]));
    inconsistent(&|json| json["input"]["std"] = serde_json::json!([0.0]));
    inconsistent(&|json| json["input"]["size"] = 100_000.into());
    inconsistent(&|json| json["architecture"]["in_channels"] = 3.into());
    inconsistent(&|json| json["findings"] = serde_json::json!([]));
    inconsistent(&|json| json["weights"]["file"] = "../../etc/passwd".into());
    assert!(Manifest::parse(b"{").is_err());
}

#[test]
fn packages_may_lie_anywhere_on_the_pages_own_server_and_nowhere_else() {
    let folder = |json: &str| {
        let entry: ModelEntry = serde_json::from_str(json).expect("an entry");
        entry.folder().ok()
    };
    let at = |folder: &str| Some(folder.to_owned());
    assert_eq!(folder(r#"{"name": "lite"}"#), at("models/lite"));
    assert_eq!(
        folder(r#"{"name": "six", "path": "/big/six/"}"#),
        at("/big/six")
    );
    assert_eq!(
        folder(r#"{"name": "six", "path": "../big"}"#),
        at("models/../big")
    );
    for path in [
        "https://elsewhere/six",
        "//elsewhere/six",
        "data:,",
        "",
        "/",
        "a?b",
        "\\\\\\\\x",
        "/\\t/elsewhere/six",
        "/\\n/elsewhere/six",
        "/\\u0000/elsewhere",
    ] {
        let json = format!(r#"{{"name": "six", "path": "{path}"}}"#);
        assert_eq!(folder(&json), None, "{path}");
    }
}

#[test]
fn untrained_findings_have_no_probability_and_calibration_moves_it() {
    let mut manifest = manifest(&[Finding::Edema, Finding::Fracture], b"");
    manifest.findings[1].trained = false;
    assert_eq!(manifest.probability(Output(0), 0.0), Some(0.5));
    assert_eq!(manifest.probability(Output(1), 3.0), None);
    assert_eq!(manifest.probability(Output(2), 3.0), None);
    manifest.findings[0].calibration = Some(Calibration::Platt {
        scale: 2.0,
        offset: -2.0,
    });
    assert_eq!(manifest.probability(Output(0), 1.0), Some(0.5));

    // torchxrayvision's: the threshold becomes one half, and both sides are stretched to 0 and 1.
    manifest.findings[0].calibration = Some(Calibration::OperatingPoint { threshold: 0.2 });
    let scaled = |p: f64| {
        let logit = (p / (1.0 - p)).ln() as f32;
        manifest.probability(Output(0), logit).expect("trained")
    };
    for (p, expected) in [(0.2, 0.5), (0.1, 0.25), (0.6, 0.75)] {
        assert!((scaled(p) - expected).abs() < 1e-6, "{p}: {}", scaled(p));
    }
}

/// What LIME's emulator learns from: however a probability is calibrated, the cells add up to its log-odds.
#[test]
fn a_scored_pictures_cells_add_up_to_the_log_odds_of_its_probabilities() {
    let architecture = Architecture::named("densenet121", 1).expect("known");
    let device = Device::flex();
    // One network, whatever other tests draw at the same time.
    let network = Network::new(&architecture, 3, &device).expect("known");
    let score = |manifest: &Manifest| {
        let reader = Reader::new(manifest.clone(), network.clone(), device.clone());
        let values = (0..2 * 64 * 64).map(|place| (place * place % 97) as f32 / 48.0 - 1.0);
        pollster::block_on(reader.score(values.collect(), &Wants::Evidence)).expect("scored")
    };
    let findings = [Finding::Edema, Finding::Fracture, Finding::Atelectasis];
    let mut manifest = manifest(&findings, b"");
    manifest.findings[1].trained = false;
    let plain = score(&manifest);
    manifest.findings[0].calibration = Some(Calibration::Platt {
        scale: 3.0,
        offset: -1.0,
    });
    manifest.findings[2].calibration = Some(Calibration::OperatingPoint { threshold: 0.3 });
    let calibrated = score(&manifest);
    for picture in plain.iter().chain(&calibrated) {
        assert_eq!(picture.evidence.len(), 3 * CELLS);
        let cells: Vec<&[f32]> = picture.evidence.chunks_exact(CELLS).collect();
        for finding in [0, 2] {
            let sum: f64 = cells[finding].iter().map(|cell| f64::from(*cell)).sum();
            let probability = picture.probabilities[finding].expect("trained");
            let log_odds = (probability / (1.0 - probability)).ln();
            assert!((sum - log_odds).abs() < 1e-4, "{sum} {log_odds}");
        }
        assert_eq!(picture.probabilities[1], None);
        assert!(cells[1].iter().all(|cell| *cell == 0.0));
    }
    // Platt's scale stretches what lies between cells, too.
    let spread = |evidence: &[f32]| {
        let cells = &evidence[..CELLS];
        let most = cells.iter().copied().fold(f32::MIN, f32::max);
        most - cells.iter().copied().fold(f32::MAX, f32::min)
    };
    let (ours, theirs) = (spread(&calibrated[0].evidence), spread(&plain[0].evidence));
    assert!(theirs > 1e-5, "{theirs}");
    assert!((ours / theirs - 3.0).abs() < 1e-2, "{ours} {theirs}");
}

#[test]
fn maps_are_judged_by_hits_or_where_the_middle_always_hits_by_overlap() {
    let mut card = manifest(&[Finding::Edema], b"").findings.remove(0);
    let mut pointing = |n, pointing_hit, hit: (f64, f64), iou: (f64, f64)| {
        let over_middle = OverMiddle {
            hit: hit.0,
            hit_p: hit.1,
            iou: iou.0,
            iou_p: iou.1,
        };
        let measured = Localisation {
            pointing_hit,
            n,
            over_middle: Some(over_middle),
            ..Localisation::default()
        };
        card.localisation.insert(by("grad-cam"), measured);
        card.pointing(&by("grad-cam"))
    };
    let (worse, same) = ((-0.2, 0.01), (0.0, 1.0));
    let better = Some(Pointing::Better { p: 0.05 });
    assert_eq!(pointing(20, 0.5, (0.2, 0.05), worse), better);
    assert_eq!(
        pointing(20, 0.5, (0.2, 0.06), worse),
        Some(Pointing::Unsettled { p: 0.06 })
    );
    for hit in [worse, same] {
        let verdict = pointing(20, 0.5, hit, (0.2, 0.01));
        assert_eq!(verdict, Some(Pointing::Unreliable));
    }
    // The middle hits in 95 of 100: overlap tells.
    let verdict = pointing(20, 0.85, (-0.1, 0.01), (0.2, 0.05));
    assert_eq!(verdict, better);
    let verdict = pointing(20, 1.0, (0.05, 0.01), worse);
    assert_eq!(verdict, Some(Pointing::Unreliable));
    assert_eq!(pointing(4, 0.5, (0.2, 0.05), worse), None, "too few");
}

#[test]
fn maps_that_were_not_compared_with_the_middle_image_by_image_have_no_verdict() {
    let mut card = manifest(&[Finding::Edema], b"").findings.remove(0);
    let measured = |pointing_hit| Localisation {
        pointing_hit,
        pointing_hit_ci95: Some([pointing_hit - 0.1, pointing_hit + 0.1]),
        n: 100,
        ..Localisation::default()
    };
    let all = [("grad-cam", 0.9), ("center", 0.1)];
    let all = all.map(|(method, hit)| (by(method), measured(hit)));
    card.localisation = all.into();
    assert_eq!(card.pointing(&by("grad-cam")), None);
    assert_eq!(card.pointing(&by("lime")), None);
}

/// Whose maps, against which marks, by the name that a manifest has for it.
fn by(name: &str) -> LocalisedBy {
    LocalisedBy::from(name.to_owned())
}

#[test]
fn figures_of_maps_that_this_version_does_not_make_are_kept_and_refuse_no_package() {
    let mut json = serde_json::to_value(manifest(&[Finding::Edema], b"")).expect("JSON");
    let measured = serde_json::to_value(Localisation::default()).expect("JSON");
    json["findings"][0]["localisation"] = serde_json::json!({
        "grad-cam": measured, "lime on masks": measured, "a method of next year": measured,
    });
    let manifest = Manifest::parse(json.to_string().as_bytes()).expect("a manifest");
    let known: Vec<String> = manifest.findings[0]
        .localisation
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        known,
        ["grad-cam", "lime on masks", "a method of next year"]
    );
    // What is written again has them all.
    let again = serde_json::to_value(&manifest).expect("JSON");
    assert_eq!(again["findings"], json["findings"]);
}
