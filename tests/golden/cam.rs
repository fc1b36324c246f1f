//! Grad-CAM and HiResCAM against pytorch-grad-cam.

use burn::tensor::{Device, Tensor};
use safetensors::SafeTensors;
use serde_json::Value;
use sightline::asked::Wants;
use sightline::explain::heat_map::{HeatMap, normalise};
use sightline::grad_cam;
use sightline::package::Manifest;
use sightline::reader::Reader;

use crate::expected as golden;

fn tensor(file: &SafeTensors, key: &str) -> Vec<f64> {
    let tensor = file.tensor(key).unwrap_or_else(|_| panic!("{key}"));
    let words = tensor.data().chunks_exact(4);
    words
        .map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
        .collect()
}

/// The maps of the last layer: Grad-CAM = HiResCAM there, and one forward pass gives all of them.
fn check(case: &str, layer: &str) {
    let device = Device::flex();
    let golden = golden::json(&format!("networks/{case}.json"));
    let network = golden::network(&golden, &device);
    let input = golden::generated_input(&golden, "input", &device);
    let [_, _, height, width] = input.dims();

    let feature_maps = network.feature_maps(input);
    let logits = golden::values(network.classify(feature_maps.clone()));
    let evidence = grad_cam::evidence(network.classifier(), feature_maps);
    let [_, _, h, w] = evidence.cells.dims();
    let bias = golden::values(evidence.bias);
    let cells = golden::values(evidence.cells);

    let bytes = golden::bytes(&format!("cam/{case}.safetensors"));
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let maps = golden::json(&format!("cam/{case}.json"));
    let mut compared = 0;
    for map in maps["maps"].as_array().expect("maps") {
        if map["layer"] != layer || map["method"] != "GradCAM" {
            continue;
        }
        let key = map["key"].as_str().expect("a key");
        let label = map["label"].as_u64().expect("a label") as usize;
        let ours = &cells[label * h * w..][..h * w];
        let expected = tensor(&file, &format!("{key}/pre_relu"));
        let scale = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let difference = golden::max_difference(ours, &expected);
        assert!(difference <= 1e-3 * scale, "{key}: {difference} of {scale}");

        let sum: f32 = ours.iter().sum::<f32>() + bias[label];
        assert!(
            (sum - logits[label]).abs() < 1e-3,
            "{key}: {sum} is not the logit"
        );

        let cam = HeatMap::new(w, h, ours.to_vec()).positive();
        let expected = tensor(&file, &format!("{key}/cam"));
        assert!(
            golden::max_difference(&cam.values, &expected) <= 1e-3 * scale,
            "{key}: cam"
        );
        if map["final_stored"] == true {
            let mut shown = normalise(&cam).upsample(width, height);
            shown = normalise(&shown);
            let expected = tensor(&file, &format!("{key}/final"));
            let difference = golden::max_difference(&shown.values, &expected);
            assert!(difference <= 2e-3, "{key}: final differs by {difference}");
        }
        compared += 1;
    }
    assert!(compared > 0, "no {layer}/GradCAM map in cam/{case}.json");
}

#[test]
fn golden_grad_cam_of_densenet_is_pytorch_grad_cams() {
    check("densenet121", "last_relu");
}

#[test]
fn golden_grad_cam_of_efficientnet_is_pytorch_grad_cams() {
    check("efficientnet_b0", "features.8");
}

/// VGG's own classifier has hidden layers with biases.
#[test]
fn cells_and_bias_add_up_to_the_logit_behind_layers_with_biases() {
    let device = Device::flex();
    for case in ["vgg19", "vgg19_bn"] {
        let golden = golden::json(&format!("networks/{case}.json"));
        let network = golden::network(&golden, &device);
        let feature_maps = network.feature_maps(golden::generated_input(&golden, "input", &device));
        let logits = golden::values(network.classify(feature_maps.clone()));
        let evidence = grad_cam::evidence(network.classifier(), feature_maps);
        let (bias, cells) = (
            golden::values(evidence.bias),
            golden::values(evidence.cells),
        );
        assert!(bias.iter().any(|bias| bias.abs() > 1e-3), "{case}: no bias");
        let of_each = cells.len() / logits.len();
        for (label, logit) in logits.iter().enumerate() {
            let sum = cells[label * of_each..][..of_each].iter().sum::<f32>() + bias[label];
            let scale = logit.abs().max(1.0);
            assert!((sum - logit).abs() < 1e-3 * scale, "{case}: {sum} {logit}");
        }
    }
}

#[test]
fn evidence_of_a_batch_is_the_evidence_of_each_picture() {
    let device = Device::flex();
    let case = golden::json("networks/efficientnet_lite0.json");
    let network = golden::network(&case, &device);
    let one = golden::generated_input(&case, "input", &device);
    let two = golden::generated_input(&case, "input2", &device);
    let cells = |x: Tensor<4>| {
        golden::values(grad_cam::evidence(network.classifier(), network.feature_maps(x)).cells)
    };
    let both = cells(Tensor::cat(vec![one.clone(), two.clone()], 0));
    let mut each = cells(one);
    each.extend(cells(two));
    let each: Vec<f64> = each.into_iter().map(f64::from).collect();
    assert!(golden::max_difference(&both, &each) < 1e-4);
}

/// HiResCAM's maps, as the method makes them, beside the library's.
fn check_hirescam(case: &str, files: &str, own: bool, layer: &str) {
    let device = Device::flex();
    let read = |name: &str| {
        if own {
            golden::own(name)
        } else {
            golden::bytes(name)
        }
    };
    let json = |name: &str| serde_json::from_slice(&read(name)).expect("golden JSON");
    let (golden, maps): (Value, Value) = (json(case), json(&format!("{files}.json")));
    let network = golden::network(&golden, &device);
    let input = golden::generated_input(&golden, "input", &device);
    let [_, channels, side, _] = input.dims();
    let outputs = golden["outputs"].as_u64().expect("outputs") as usize;

    let shipped = include_bytes!("../../www/models/efficientnet-lite0-nih/manifest.json");
    let mut manifest = Manifest::parse(shipped).expect("a manifest");
    (manifest.input.size, manifest.input.channels) = (side, channels);
    manifest.findings.truncate(outputs);
    let reader = Reader::new(manifest, network, device);
    // What the method asks of its one picture.
    let scored = reader.score(golden::values(input), &Wants::Maps);
    let scored = pollster::block_on(scored);
    let ours = &scored.expect("maps")[0].maps;

    let bytes = read(&format!("{files}.safetensors"));
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let maps = maps["maps"].as_array().expect("maps").iter();
    let maps = maps.filter(|map| map["layer"] == layer && map["method"] == "HiResCAM");
    let mut compared = 0;
    for map in maps {
        let key = map["key"].as_str().expect("a key");
        let label = map["label"].as_u64().expect("a label") as usize;
        let expected = tensor(&file, &format!("{key}/pre_relu"));
        let scale = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let difference = golden::max_difference(&ours[label].values, &expected);
        assert!(difference <= 1e-3 * scale, "{key}: {difference} of {scale}");
        compared += 1;
    }
    assert!(compared > 0, "no HiResCAM at {layer} in {files}");
}

#[test]
fn golden_hirescam_is_pytorch_grad_cams_also_where_grad_cam_is_another_map() {
    let cases = [
        ("densenet121", "last_relu"),
        ("efficientnet_b0", "features.8"),
    ];
    for (case, layer) in cases {
        let network = format!("networks/{case}.json");
        check_hirescam(&network, &format!("cam/{case}"), false, layer);
    }
    // Before VGG's flattened map the two differ by as much as the maps' largest value.
    for case in ["vgg19_bn", "vgg19_bn_small"] {
        let files = format!("cam/{case}");
        check_hirescam(&format!("{files}.json"), &files, true, "avgpool");
    }
}
