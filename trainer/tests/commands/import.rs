//! Weights as PyTorch saves them become packages that answer as PyTorch does.
//!
//! The files and the expected logits come from `tests/golden/import/make_fixtures.py`.

use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::Value;
use sightline::finding::Finding;
use sightline::input::Tensors;
use sightline::network::{Architecture, Naming, Network};
use sightline::package::{Calibration, Manifest};
use sightline::radiograph::GreyImage;
use sightline::reader::Reader;
use sightline::vocabulary::{NIH, TORCHXRAYVISION};

use crate::command::{refuse, succeed, workspace};

fn fixtures() -> PathBuf {
    workspace().join("tests/golden/import")
}

/// One of the committed files, unpacked.
fn unpacked(name: &str, folder: &Path) -> PathBuf {
    let packed = std::fs::File::open(fixtures().join(format!("{name}.gz"))).expect("a fixture");
    let mut bytes = Vec::new();
    let mut plain = flate2::read::GzDecoder::new(packed);
    plain.read_to_end(&mut bytes).expect("gzip");
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

/// The picture for which PyTorch gave the expected logits.
fn picture(side: usize) -> GreyImage {
    let level = |place| {
        let (i, j) = (place / side, place % side);
        ((31 * i + 17 * j + (i * j) % 97) % 256) as u8
    };
    GreyImage {
        width: side,
        height: side,
        pixels: (0..side * side).map(level).collect(),
    }
}

fn open(package: &Path) -> Reader {
    let read = |name: &str| std::fs::read(package.join(name)).expect("a package's file");
    let manifest = Manifest::parse(&read("manifest.json")).expect("a manifest");
    Reader::load(manifest, &read("weights.bpk"), &Device::flex()).expect("a package")
}

fn case(name: &str) -> Value {
    let expected = std::fs::read(fixtures().join("expected.json")).expect("expected.json");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let cases = expected["cases"].as_array().expect("cases");
    let case = cases.iter().find(|case| case["file"] == name);
    case.unwrap_or_else(|| panic!("no case {name}")).clone()
}

/// Imports a file and compares every logit with PyTorch's. Gives what the command said.
fn check(name: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let case = case(name);
    let file = unpacked(name, folder.path());
    let out = folder.path().join("package");
    let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"import", &file, &"--out", &out];
    let said: Vec<&str> = case["arguments"]
        .as_array()
        .expect("arguments")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    arguments.extend(said.iter().map(|a| a as &dyn AsRef<std::ffi::OsStr>));
    let said = succeed(&arguments);

    let reader = open(&out);
    let side = case["side"].as_u64().expect("a side") as usize;
    let reading = pollster::block_on(reader.read(&reader.view(&picture(side)))).expect("a reading");
    let logits = case["logits"].as_array().expect("logits");
    let names: Vec<Option<&str>> = match case["findings"].as_array() {
        Some(names) => names.iter().map(Value::as_str).collect(),
        None => Finding::ALL.iter().map(|f| Some(f.name())).collect(),
    };
    let largest = logits
        .iter()
        .filter_map(Value::as_f64)
        .map(f64::abs)
        .fold(0.0, f64::max);
    let mut trained = 0;
    for (output, (name, expected)) in names.iter().zip(logits).enumerate() {
        // torchxrayvision's are kept under their own names.
        let own = names.len() == TORCHXRAYVISION.len();
        let finding = match (own, name) {
            (true, _) => TORCHXRAYVISION[output],
            (false, Some(name)) => Finding::from_name(name).expect("CheXpert's"),
            (false, None) => continue,
        };
        let place = reader.manifest.output(finding).expect("it is there").0;
        let card = &reader.manifest.findings[place];
        if own && name.is_none() && !card.trained {
            continue;
        }
        assert!(card.trained, "{finding}");
        trained += 1;
        let (ours, expected) = (
            f64::from(reading.logits[place]),
            expected.as_f64().expect("a logit"),
        );
        assert!(
            (ours - expected).abs() < 1e-4 * largest.max(1.0),
            "{finding}: {ours}, PyTorch {expected}"
        );
        if let Some(threshold) = case["thresholds"][output].as_f64() {
            let p = 1.0 / (1.0 + (-expected).exp());
            let scaled = if p < threshold {
                p / (2.0 * threshold)
            } else {
                1.0 - (1.0 - p) / (2.0 * (1.0 - threshold))
            };
            let ours = reading.probabilities[place].expect("trained");
            assert!((ours - scaled).abs() < 1e-4, "{finding}: {ours} {scaled}");
            assert_eq!(card.operating_point, Some(0.5));
            assert!(matches!(
                card.calibration,
                Some(Calibration::OperatingPoint { .. })
            ));
        }
    }
    let cards = &reader.manifest.findings;
    assert_eq!(cards.iter().filter(|card| card.trained).count(), trained);
    for (map, (logit, bias)) in reading
        .evidence
        .iter()
        .zip(reading.logits.iter().zip(&reading.bias))
    {
        let sum = map.values.iter().sum::<f32>() + bias;
        assert!(
            (sum - logit).abs() < 1e-3 * largest.max(1.0) as f32,
            "{sum} {logit}"
        );
    }
    said
}

#[test]
fn an_old_checkpoint_with_its_optimiser_is_imported() {
    let said = check("densenet121_2017.pth.tar");
    assert!(said.contains("\"state_dict.module.\""), "{said}");
    assert!(said.contains("such as optimizer.state.0.exp_avg"), "{said}");
}

#[test]
fn torchs_legacy_format_and_five_outputs_are_imported() {
    check("efficientnet_b0_legacy.pth");
}

#[test]
fn the_origins_densenet_is_imported_with_its_two_layers() {
    check("origin_densenet121.pth");
}

#[test]
fn the_origins_efficientnet_is_imported_with_its_padding() {
    let said = check("origin_efficientnet_b5.pth");
    assert!(said.contains("efficientnet_b5_same"), "{said}");
}

#[test]
fn any_two_networks_combined_are_imported() {
    check("two_combined.pth");
}

#[test]
fn the_origins_combined_model_is_imported() {
    let said = check("origin_combined.pth");
    assert!(said.contains("mnasnet1_0 + vgg19_bn + vgg19"), "{said}");
}

#[test]
fn torchxrayvision_is_imported_by_the_names_of_its_findings() {
    check("torchxrayvision.pt");
}

#[test]
fn safetensors_are_imported() {
    check("mnasnet1_0.safetensors");
}

#[test]
fn what_cannot_be_imported_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("package");
    let module = unpacked("whole_module.pt", folder.path());
    let import = |file: &Path, from: &str, more: &[&str], because: &str| {
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"import", &"--from", &from, &file, &"--out", &out];
        arguments.extend(more.iter().map(|a| a as &dyn AsRef<std::ffi::OsStr>));
        refuse(&arguments, because);
        assert!(!out.exists(), "a package was written all the same");
    };
    let densenet = ["--architecture", "densenet121"];
    import(
        &module,
        "torchvision",
        &densenet,
        "the weights are not of densenet121",
    );
    let b0 = unpacked("efficientnet_b0_legacy.pth", folder.path());
    import(
        &b0,
        "torchvision",
        &densenet,
        "the weights are not of densenet121",
    );
    // Without a word the network is recognised, and so is what the file does not say.
    import(
        &b0,
        "torchvision",
        &[],
        "has 5 outputs; say with --findings",
    );
    let b0_name = ["--architecture", "efficientnet_b0"];
    import(
        &b0,
        "torchvision",
        &b0_name,
        "has 5 outputs; say with --findings",
    );
    let three = [
        "--architecture",
        "efficientnet_b0",
        "--findings",
        "Edema,Fracture,Edema,-,-",
    ];
    import(&b0, "torchvision", &three, "Edema is named twice");
    let unknown = ["--architecture", "resnet50"];
    import(
        &b0,
        "torchvision",
        &unknown,
        "there is no network called \"resnet50\"",
    );

    // A part of a network: what is missing is named.
    let bytes = std::fs::read(unpacked("mnasnet1_0.safetensors", folder.path())).expect("bytes");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let kept = tensors
        .iter()
        .filter(|(name, _)| *name != "layers.8.0.layers.4.running_var");
    let kept: Vec<_> = kept.collect();
    let part = folder.path().join("part.safetensors");
    safetensors::serialize_to_file(kept, None, &part).expect("written");
    let mnasnet = ["--architecture", "mnasnet1_0"];
    let named = ["--architecture", "mnasnet1_0", "--findings", "chexpert"];
    import(
        &part,
        "safetensors",
        &named,
        "missing: layers.8.0.layers.4.running_var",
    );
    let text = folder.path().join("notes.pth");
    std::fs::write(&text, "weights, honestly").expect("written");
    import(&text, "torchvision", &densenet, "cannot read the weights");
    import(
        &text,
        "torchvision",
        &densenet,
        "the file is a text, not weights",
    );

    // Fourteen outputs may be CheXpert's or ChestX-ray14's: which is not guessed.
    let whole = unpacked("mnasnet1_0.safetensors", folder.path());
    import(
        &whole,
        "safetensors",
        &mnasnet,
        "the file does not say which",
    );

    // Values and shapes that no network has are named.
    let changed = |name: &str, change: &dyn Fn(&mut Vec<usize>, &mut Vec<f32>)| {
        let file = folder.path().join("changed.safetensors");
        rewrite(&bytes, &file, name, change);
        file
    };
    let (weight, bias) = ("classifier.1.weight", "classifier.1.bias");
    let variance = "layers.1.running_var";
    type Change = &'static dyn Fn(&mut Vec<usize>, &mut Vec<f32>);
    let cases: [(&str, Change, &str); 7] = [
        (
            weight,
            &|_, values| values[5] = f32::NAN,
            "classifier.1.weight has a value that is not a number",
        ),
        (
            bias,
            &|_, values| values[0] = f32::INFINITY,
            "classifier.1.bias has an infinite value",
        ),
        (
            "layers.0.weight",
            &|_, values| values[0] = f32::NEG_INFINITY,
            "layers.0.weight has an infinite value",
        ),
        (
            variance,
            &|_, values| values[3] = -0.5,
            "layers.1.running_var has a negative variance",
        ),
        (
            bias,
            &|shape, values| {
                shape[0] = 13;
                values.truncate(13);
            },
            "classifier.1.bias has the shape [13]",
        ),
        (
            bias,
            &|shape, _| shape.push(1),
            "classifier.1.bias has the shape [14, 1]",
        ),
        (
            weight,
            &|shape, _| shape.push(1),
            "the last layer must be a matrix",
        ),
    ];
    for (name, change, why) in cases {
        import(&changed(name, change), "safetensors", &named, why);
    }
    let kept = tensors.iter().filter(|(name, _)| *name != bias);
    safetensors::serialize_to_file(kept.collect::<Vec<_>>(), None, &part).expect("written");
    import(&part, "safetensors", &named, "lacks classifier.1.bias");
}

/// A safetensors file in which one tensor is another.
fn rewrite(bytes: &[u8], file: &Path, name: &str, change: &dyn Fn(&mut Vec<usize>, &mut Vec<f32>)) {
    let tensors = safetensors::SafeTensors::deserialize(bytes).expect("safetensors");
    let old = tensors.tensor(name).expect("a tensor");
    let values = old.data().chunks_exact(4);
    let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let (mut shape, mut values) = (old.shape().to_vec(), values.collect::<Vec<_>>());
    change(&mut shape, &mut values);
    let new: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let new = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &new);
    let new = new.expect("a tensor");
    let all = tensors.iter().map(|(other, tensor)| match other == name {
        true => (other, new.clone()),
        false => (other, tensor),
    });
    safetensors::serialize_to_file(all.collect::<Vec<_>>(), None, file).expect("written");
}

/// CheXNet as it is passed on: `Sequential(Linear, Sigmoid)` behind two wrappers, and ChestX-ray14's labels in their order.
#[test]
fn a_chexnet_checkpoint_is_imported_in_its_own_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let architecture = Architecture::named("densenet121", 3).expect("known");
    let device = Device::flex();
    device.seed(3);
    let network = Network::new(&architecture, 14, &device).expect("known");
    let mut tensors = Vec::new();
    network.for_each_value(Naming::Torchvision, |tensor, data| {
        let name = tensor.name.replace("classifier.", "classifier.0.");
        let values: Vec<u8> = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
        tensors.push((format!("module.densenet121.{name}"), tensor.shape, values));
    });
    let views = tensors.iter().map(|(name, shape, values)| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), values);
        (name.as_str(), view.expect("a tensor"))
    });
    let file = folder.path().join("chexnet.safetensors");
    safetensors::serialize_to_file(views.collect::<Vec<_>>(), None, &file).expect("written");
    let out = folder.path().join("package");
    let import: [&dyn AsRef<std::ffi::OsStr>; 8] = [
        &"import",
        &"--from",
        &"torchvision",
        &"--architecture",
        &"densenet121",
        &file,
        &"--out",
        &out,
    ];
    refuse(&import, "the file does not say which");
    // Nor is it taken for one of the origin's networks.
    let mut origins = import;
    origins[2] = &"mlmip";
    refuse(&origins, "the file does not say which");
    let order: [&dyn AsRef<std::ffi::OsStr>; 2] = [&"--findings", &"chestx-ray14"];
    let said = succeed(&[&import[..], &order].concat());
    assert!(
        said.contains(
            "its outputs are taken for: Atelectasis, Cardiomegaly, Effusion, Infiltration, Mass, Nodule"
        ),
        "{said}"
    );
    let reader = open(&out);
    let input = reader.manifest.input.tensor(&[&picture(224)], &device);
    let theirs = network.forward(input).into_data();
    let theirs = theirs.try_to_vec::<f32>().expect("float32");
    let reading = pollster::block_on(reader.read(&reader.view(&picture(224)))).expect("a reading");
    assert_eq!(reader.manifest.vocabulary().findings, NIH);
    for (output, finding) in NIH.into_iter().enumerate() {
        let (ours, theirs) = (reading.logits[output], theirs[output]);
        assert!(
            (ours - theirs).abs() < 2e-2 * theirs.abs().max(1.0),
            "{finding}: {ours} {theirs}"
        );
        assert!(reading.probabilities[output].is_some());
    }
    // The same file from CheXNet, as CheXpert's observations.
    let as_chexpert = folder.path().join("chexpert");
    let said = succeed(&[
        &"import",
        &"--from",
        &"chexnet",
        &file,
        &"--findings",
        &"chexpert",
        &"--out",
        &as_chexpert,
    ]);
    assert!(
        said.contains("Pleural Effusion, -, Lung Lesion, -"),
        "{said}"
    );
    let reader = open(&as_chexpert);
    let reading = pollster::block_on(reader.read(&reader.view(&picture(224)))).expect("a reading");
    let effusion = reading.logits[Finding::PleuralEffusion.index()];
    assert!((effusion - theirs[2]).abs() < 2e-2 * theirs[2].abs().max(1.0));
    for finding in [Finding::NoFinding, Finding::Fracture, Finding::LungOpacity] {
        assert_eq!(reading.probabilities[finding.index()], None, "{finding}");
    }
}

/// Safetensors in two files: the index, or any one of them, stands for both.
#[test]
fn safetensors_in_several_files_are_imported_with_their_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = unpacked("mnasnet1_0.safetensors", folder.path());
    let bytes = std::fs::read(whole).expect("bytes");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let mut map = serde_json::Map::new();
    let file = |number: usize| format!("model-0000{number}-of-00002.safetensors");
    for number in [1, 2] {
        let part = tensors
            .iter()
            .enumerate()
            .filter(|(index, _)| index % 2 == number - 1);
        let part: Vec<_> = part.map(|(_, tensor)| tensor).collect();
        for (name, _) in &part {
            map.insert((*name).to_owned(), file(number).into());
        }
        safetensors::serialize_to_file(part, None, &folder.path().join(file(number)))
            .expect("written");
    }
    let index = folder.path().join("model.safetensors.index.json");
    let json = serde_json::json!({ "metadata": {}, "weight_map": map });
    std::fs::write(&index, json.to_string()).expect("written");
    for (number, given) in [index, folder.path().join(file(2))].iter().enumerate() {
        let out = folder.path().join(format!("package{number}"));
        let import: [&dyn AsRef<std::ffi::OsStr>; 6] =
            [&"import", given, &"--findings", &"chexpert", &"--out", &out];
        let said = succeed(&import);
        assert!(said.contains("mnasnet1_0 with 14 outputs"), "{said}");
        assert_eq!(open(&out).manifest.architecture.variant, "1_0");
    }
    std::fs::remove_file(folder.path().join(file(1))).expect("removed");
    let out = folder.path().join("part");
    let given = folder.path().join(file(2));
    let import: [&dyn AsRef<std::ffi::OsStr>; 4] = [&"import", &given, &"--out", &out];
    refuse(
        &import,
        "the weights are in several files, all of which are needed",
    );
}
