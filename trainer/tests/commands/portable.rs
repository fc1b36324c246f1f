//! Packages written for other programs: ONNX Runtime, torchvision, Hugging Face.

use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use sightline::grad_cam::evidence;
use sightline::input::Tensors;
use sightline::network::{Architecture, Head, Network};
use sightline::package::{self, Manifest};
use sightline::radiograph::Input;

use crate::command::{refuse, succeed, workspace};
use crate::shipped;

const BATCH: usize = 8;

/// Numbers that look like noise, the same each time.
fn noise(seed: &mut u64) -> f32 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// A network in which every tensor matters: batch normalisations are no identities.
fn network(architecture: &Architecture) -> Network {
    let network = Network::new(architecture, 14, &Device::flex()).expect("known");
    let mut seed = 7;
    let filled =
        network.load_state_dict(sightline::network::Naming::Torchvision, false, |wanted| {
            let count = wanted.shape.iter().product();
            let inputs: usize = wanted.shape[1..].iter().product();
            let (middle, width) = match wanted.name.rsplit('.').next() {
                Some("running_var") => (1.0, 0.3),
                Some("weight") if wanted.batch_norm => (1.0, 0.3),
                Some("weight") => (0.0, (5.0 / inputs as f32).sqrt()),
                _ => (0.1, 0.2),
            };
            let values = (0..count).map(|_| middle + width * noise(&mut seed));
            Some((wanted.shape.clone(), values.collect()))
        });
    filled.expect("all tensors")
}

/// Writes a package of a network for pictures of a size.
fn package(folder: &Path, name: &str, head: Option<Head>, channels: usize, size: usize) -> Package {
    let mut architecture = Architecture::named(name, channels).expect("known");
    architecture.head = head.unwrap_or(architecture.head);
    let network = network(&architecture);
    let weights = package::save(&network).expect("weights");
    let manifest = std::fs::read(shipped().join("manifest.json")).expect("a manifest");
    let mut manifest = Manifest::parse(&manifest).expect("the shipped manifest");
    manifest.architecture = architecture;
    manifest.gate = None;
    manifest.input.size = size;
    manifest.input.channels = channels;
    manifest.input.mean.truncate(channels);
    manifest.input.std.truncate(channels);
    manifest.weights.bytes = weights.len() as u64;
    manifest.weights.sha256 = package::sha256(&weights);
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("weights.bpk"), &weights).expect("written");
    let text = serde_json::to_vec(&manifest).expect("JSON");
    std::fs::write(folder.join("manifest.json"), text).expect("written");
    // As it is read: in half precision.
    let network = package::load(&manifest, &weights, &Device::flex()).expect("sound");
    Package {
        folder: folder.to_owned(),
        manifest,
        network,
    }
}

struct Package {
    folder: PathBuf,
    manifest: Manifest,
    network: Network,
}

impl Package {
    fn shipped(name: &str) -> Self {
        let folder = workspace().join("www/models").join(name);
        let read = |file: &str| std::fs::read(folder.join(file)).expect("a file");
        let manifest = Manifest::parse(&read("manifest.json")).expect("sound");
        let network = package::load(&manifest, &read("weights.bpk"), &Device::flex());
        Self {
            network: network.expect("sound"),
            manifest,
            folder,
        }
    }

    fn export(&self, to: &str, out: &Path) {
        succeed(&[
            &"export",
            &"--model",
            &self.folder,
            &"--to",
            &to,
            &"--out",
            &out,
        ]);
    }

    /// Writes the ONNX file into a folder, and what it is to give.
    fn case(&self, folder: &Path) {
        std::fs::create_dir_all(folder).expect("a folder");
        self.export("onnx", &folder.join("model.onnx"));
        let input = &self.manifest.input;
        let mut seed = 3;
        let count = BATCH * input.channels * input.size * input.size;
        let pictures: Vec<f32> = (0..count).map(|_| 2.0 * noise(&mut seed)).collect();
        write(&folder.join("input.f32"), &pictures);
        let x = input.tensor_of(pictures, &Device::flex());
        let shape = x.dims();
        let maps = self.network.feature_maps(x);
        let logits = self.network.classify(maps.clone());
        let evidence = evidence(self.network.classifier(), maps);
        let mut outputs = serde_json::Map::new();
        let mut keep = |name: &str, shape: &[usize], values: Vec<f32>| {
            write(&folder.join(format!("{name}.f32")), &values);
            outputs.insert(name.to_owned(), json!(shape));
        };
        keep("logits", &logits.dims(), values(logits));
        keep("evidence", &evidence.cells.dims(), values(evidence.cells));
        keep("bias", &evidence.bias.dims(), values(evidence.bias));
        if evidence.branches.len() > 1 {
            for (index, branch) in evidence.branches.into_iter().enumerate() {
                keep(
                    &format!("evidence_{}", index + 1),
                    &branch.dims(),
                    values(branch),
                );
            }
        }
        let findings = self.manifest.findings.iter().map(|card| card.name);
        let expected = json!({
            "input": shape,
            "outputs": outputs,
            "findings": findings.collect::<Vec<_>>(),
            // As text, in which float32 has no more digits than it needs.
            "preprocessing": serde_json::to_string(input).expect("JSON"),
        });
        std::fs::write(folder.join("expected.json"), expected.to_string()).expect("written");
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("float32")
}

fn write(path: &Path, values: &[f32]) {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    std::fs::write(path, bytes).expect("written");
}

/// A Python that has ONNX Runtime; `None` where `SIGHTLINE_WITHOUT_ONNX` leaves its tests out.
fn python() -> Option<PathBuf> {
    if std::env::var_os("SIGHTLINE_WITHOUT_ONNX").is_some() {
        return None;
    }
    let named = std::env::var_os("SIGHTLINE_ONNX_PYTHON").map(PathBuf::from);
    let made = workspace().join("target/tools/onnxruntime/bin/python");
    let python = named.unwrap_or(made);
    assert!(
        python.is_file(),
        "{} is not there. `cargo xtask test` makes it; SIGHTLINE_ONNX_PYTHON names a Python that has onnx and onnxruntime; \
         SIGHTLINE_WITHOUT_ONNX=1 leaves this test out",
        python.display()
    );
    Some(python)
}

fn compare(cases: &Path) {
    let Some(python) = python() else {
        return;
    };
    let script = workspace().join("trainer/tests/commands/compare_onnx.py");
    let output = Command::new(python).arg(script).arg(cases).output();
    let output = output.expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{wrong}");
}

/// One test for each network: its name, head, channels, and the pictures' side.
macro_rules! networks {
    ($($test:ident: $name:literal, $head:expr, $channels:literal, $size:literal;)+) => {
        $(
            #[test]
            fn $test() {
                let folder = tempfile::tempdir().expect("a folder");
                let case = folder.path().join(stringify!($test));
                package(&case.join("package"), $name, $head, $channels, $size).case(&case);
                compare(folder.path());
            }
        )+
    };
}

networks! {
    onnx_of_densenet121: "densenet121", None, 1, 64;
    onnx_of_a_bottleneck: "densenet121", Some(Head::Bottleneck), 3, 96;
    onnx_of_hidden_layers_with_relu: "efficientnet_b0", Some(Head::Mlp), 3, 64;
    onnx_of_efficientnet_b0_same: "efficientnet_b0_same", None, 3, 75;
    onnx_of_efficientnet_b5: "efficientnet_b5", None, 3, 64;
    onnx_of_mnasnet1_0: "mnasnet1_0", None, 3, 64;
    onnx_of_vgg19: "vgg19", Some(Head::Bottleneck), 3, 64;
    onnx_of_a_combined_network: "densenet121+mnasnet1_0+vgg19_bn+efficientnet_lite0", None, 3, 80;
}

#[test]
fn onnx_of_the_shipped_packages() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["efficientnet-lite0-nih", "densenet121-nih", "combined-nih"] {
        Package::shipped(name).case(&folder.path().join(name));
    }
    compare(folder.path());
}

/// The networks of other libraries, as `trainer/tests/commands/state_dicts.py` finds them there.
#[test]
fn safetensors_have_all_tensors_that_the_library_has_and_no_other() {
    let expected = workspace().join("trainer/tests/commands/state_dicts.json");
    let expected = std::fs::read(expected).expect("the tensors");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    for (name, expected) in expected.as_object().expect("networks") {
        let folder = tempfile::tempdir().expect("a folder");
        let package = package(&folder.path().join("package"), name, None, 3, 64);
        let file = folder.path().join("model.safetensors");
        package.export("safetensors", &file);
        let bytes = std::fs::read(&file).expect("a file");
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let mut lines: Vec<String> = tensors
            .iter()
            .map(|(name, tensor)| format!("{name} {:?}\n", tensor.shape()))
            .collect();
        lines.sort();
        let found = package::sha256(lines.concat().as_bytes());
        assert_eq!(lines.len() as u64, expected["tensors"], "{name}");
        assert_eq!(found, expected["sha256"], "{name}: {lines:?}");
    }
}

#[test]
fn an_export_that_is_imported_has_the_same_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, architecture) in [
        ("efficientnet-lite0-nih", "efficientnet_lite0"),
        ("densenet121-nih", "densenet121"),
        (
            "combined-nih",
            "efficientnet_lite0+efficientnet_lite2+densenet121",
        ),
    ] {
        let package = Package::shipped(name);
        let file = folder.path().join(format!("{name}.safetensors"));
        package.export("safetensors", &file);
        let again = folder.path().join(name);
        succeed(&[
            &"import",
            &"--from",
            &"safetensors",
            &file,
            &"--architecture",
            &architecture,
            &"--findings",
            &"chexpert",
            &"--out",
            &again,
        ]);
        let manifest = std::fs::read(again.join("manifest.json")).expect("a manifest");
        let manifest = Manifest::parse(&manifest).expect("sound");
        assert_eq!(manifest.weights, package.manifest.weights, "{name}");
        // The same package gives the same file.
        let twice = folder.path().join("twice.safetensors");
        package.export("safetensors", &twice);
        assert!(std::fs::read(&file).expect("a file") == std::fs::read(&twice).expect("a file"));
    }
}

#[test]
fn an_export_is_imported_as_the_package_that_it_was_without_a_word() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, format) in [
        ("efficientnet-lite0-nih", "onnx"),
        ("efficientnet-lite0-nih", "safetensors"),
        ("combined-nih", "onnx"),
    ] {
        let package = Package::shipped(name);
        let file = folder.path().join(format!("{name}.{format}"));
        package.export(format, &file);
        let again = folder.path().join(format!("{name}-{format}"));
        succeed(&[&"import", &file, &"--out", &again]);
        let manifest = std::fs::read(again.join("manifest.json")).expect("a manifest");
        let manifest = Manifest::parse(&manifest).expect("sound");
        let expected = Manifest {
            name: format!("{name}-{format}"),
            // What it looks at is not among the file's outputs.
            gate: None,
            ..package.manifest.clone()
        };
        assert_eq!(manifest, expected, "{name} {format}");
    }
    // Other pixels make another package of it, of which nothing is known.
    let (file, again) = (
        folder.path().join("efficientnet-lite0-nih.onnx"),
        folder.path().join("other"),
    );
    succeed(&[&"import", &file, &"--size", &"256", &"--out", &again]);
    let manifest = std::fs::read(again.join("manifest.json")).expect("a manifest");
    let manifest = Manifest::parse(&manifest).expect("sound");
    let shipped = Package::shipped("efficientnet-lite0-nih").manifest;
    assert_eq!(manifest.weights, shipped.weights);
    assert_eq!(
        (manifest.input.size, &manifest.input.mean),
        (256, &shipped.input.mean)
    );
    assert!(manifest.evaluation.is_none());
    let names = |manifest: &Manifest| manifest.vocabulary().findings.clone();
    assert_eq!(names(&manifest), names(&shipped));
}

#[test]
fn the_metadata_says_what_the_outputs_and_the_pixels_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = Package::shipped("efficientnet-lite0-nih");
    let file = folder.path().join("model.safetensors");
    package.export("safetensors", &file);
    let bytes = std::fs::read(&file).expect("a file");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let facts = header.metadata().as_ref().expect("metadata");
    let fact = |name: &str| -> Value { serde_json::from_str(&facts[name]).expect("JSON") };
    let manifest = &package.manifest;
    let findings: Vec<_> = manifest.findings.iter().map(|card| card.name).collect();
    assert_eq!(fact("findings"), json!(findings));
    let input: Input = serde_json::from_str(&facts["preprocessing"]).expect("an input");
    assert_eq!(input, manifest.input);
    assert_eq!(facts["weights_sha256"], manifest.weights.sha256);
    let whole = Manifest::parse(facts["manifest"].as_bytes()).expect("a manifest");
    assert_eq!(
        (whole.findings, whole.gate),
        (manifest.findings.clone(), None)
    );
}

#[test]
fn a_folder_for_hugging_face_has_weights_config_and_a_card_with_a_header() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = Package::shipped("densenet121-nih");
    let out = folder.path().join("hub");
    package.export("huggingface", &out);
    let read = |name: &str| std::fs::read(out.join(name)).expect("a file");
    assert!(SafeTensors::deserialize(&read("model.safetensors")).is_ok());
    let config: Value = serde_json::from_slice(&read("config.json")).expect("JSON");
    assert_eq!(config["num_labels"], 14);
    assert_eq!(config["id2label"]["2"], "Cardiomegaly");
    assert_eq!(config["label2id"]["Cardiomegaly"], 2);
    assert_eq!(config["architectures"], json!(["densenet121"]));
    let input: Input = serde_json::from_value(config["preprocessing"].clone()).expect("an input");
    assert_eq!(input, package.manifest.input);
    let readme = String::from_utf8(read("README.md")).expect("UTF-8");
    let rest = readme.strip_prefix("---\n").expect("a header");
    let (header, card) = rest.split_once("\n---\n\n").expect("the header's end");
    // Each line's value is JSON, which is YAML.
    let header: std::collections::BTreeMap<&str, Value> = header
        .lines()
        .map(|line| {
            let (name, value) = line.split_once(": ").expect("a name and a value");
            (name, serde_json::from_str(value).expect("JSON"))
        })
        .collect();
    assert_eq!(header["license"], "apache-2.0");
    assert_eq!(header["pipeline_tag"], "image-classification");
    let metrics = &header["model-index"][0]["results"][0]["metrics"];
    let auc = package.manifest.findings[2].auc;
    let named = metrics.as_array().expect("metrics").iter();
    let named = named.filter(|metric| metric["name"] == "AUC, Cardiomegaly");
    let named: Vec<_> = named.map(|metric| metric["value"].as_f64()).collect();
    assert_eq!(named, [auc]);
    let own = std::fs::read_to_string(package.folder.join("card.md")).expect("a card");
    assert_eq!(card, own);
    assert_eq!(
        read("roc.svg"),
        std::fs::read(package.folder.join("roc.svg")).expect("a file")
    );
}

#[test]
fn a_package_is_written_only_with_a_format_and_a_format_only_of_a_package() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let model = shipped();
    refuse(&[&"export", &"--model", &model, &"--out", &out], "--to");
    refuse(
        &[
            &"export",
            &"--checkpoint",
            &"runs/x",
            &"--to",
            &"onnx",
            &"--out",
            &out,
        ],
        "cannot be used with",
    );
    refuse(&[&"export", &"--out", &out], "--checkpoint");
    let unknown = [
        &"export" as &dyn AsRef<std::ffi::OsStr>,
        &"--model",
        &model,
        &"--to",
        &"pickle",
        &"--out",
        &out,
    ];
    refuse(&unknown, "onnx, safetensors, huggingface");
    assert!(!out.exists());
}
