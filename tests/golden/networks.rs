//! The networks against PyTorch: logits, features and feature maps of formula weights.

use crate::expected as golden;

use burn::tensor::{Device, Tensor};
use sightline::network::{Architecture, Family, Head, Naming, Network};

struct Case {
    file: &'static str,
    family: Family,
    variant: &'static str,
    naming: Naming,
}

const CASES: [Case; 4] = [
    Case {
        file: "densenet121_small",
        family: Family::DenseNet,
        variant: "121",
        naming: Naming::Torchvision,
    },
    Case {
        file: "densenet121",
        family: Family::DenseNet,
        variant: "121",
        naming: Naming::Torchvision,
    },
    Case {
        file: "efficientnet_b0",
        family: Family::EfficientNet,
        variant: "b0",
        naming: Naming::Torchvision,
    },
    Case {
        file: "efficientnet_lite0",
        family: Family::EfficientNet,
        variant: "lite0",
        naming: Naming::EfficientNetPytorch,
    },
];

fn network(case: &Case, golden: &serde_json::Value, device: &Device) -> Network {
    let architecture = Architecture {
        family: case.family,
        variant: case.variant.to_owned(),
        in_channels: golden::sizes(&golden["input_shape"])[1],
        head: Head::Linear,
    };
    let outputs = golden["outputs"].as_u64().expect("a number of outputs") as usize;
    let network = Network::new(&architecture, outputs, device).expect("a known architecture");
    golden::generated_weights(network, case.naming, golden)
}

#[test]
fn golden_generator_gives_the_published_values() {
    let check = golden::json("networks/generator_check.json");
    let seed = golden::seed(&check);
    for tensor in check["check"].as_array().expect("tensors") {
        let name = tensor["name"].as_str().expect("a name");
        let expected = golden::numbers(&tensor["first5_u"]);
        let ours = golden::Generator::new(name, seed).take(expected.len());
        let close = ours
            .iter()
            .zip(&expected)
            .all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(close, "{name}: {ours:?} {expected:?}");
    }
}

#[test]
fn golden_networks_give_pytorchs_logits_and_features() {
    let device = Device::flex();
    for case in &CASES {
        let golden = golden::json(&format!("networks/{}.json", case.file));
        let network = network(case, &golden, &device);
        let tolerance = golden["tolerance_abs"].as_f64().expect("a tolerance");
        let input = golden::generated_input(&golden, "input", &device);
        let input2 = golden::generated_input(&golden, "input2", &device);

        let feature_maps = network.feature_maps(input.clone());
        let expected = &golden["last_feature_map"];
        assert_eq!(
            feature_maps[0].dims().to_vec(),
            golden::sizes(&expected["shape"]),
            "{}",
            case.file
        );

        let [_, features, height, width] = feature_maps[0].dims();
        let pooled = feature_maps[0]
            .clone()
            .reshape([features, height * width])
            .mean_dim(1);
        let pooled = golden::values(pooled);
        let expected = &golden["features_into_final_linear"];
        let l2 = expected["l2_f64"].as_f64().expect("a norm");
        let ours = pooled
            .iter()
            .map(|v| f64::from(*v).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!((ours - l2).abs() < 1e-4 * l2, "{}: {ours} {l2}", case.file);
        let first = golden::numbers(&expected["first16_f64"]);
        let difference = golden::max_difference(&pooled[..first.len()], &first);
        assert!(
            difference < 1e-4 * l2,
            "{}: features differ by {difference}",
            case.file
        );

        let logits = golden::values(network.classify(feature_maps));
        let difference = golden::max_difference(&logits, &golden::numbers(&golden["logits_f64"]));
        assert!(
            difference <= tolerance,
            "{}: logits differ by {difference}",
            case.file
        );

        let both = golden::values(network.forward(Tensor::cat(vec![input, input2], 0)));
        let mut expected = golden::numbers(&golden["logits_f64"]);
        expected.extend(golden::numbers(&golden["logits_input2_f64"]));
        let difference = golden::max_difference(&both, &expected);
        assert!(
            difference <= tolerance,
            "{}: a batch of two differs by {difference}",
            case.file
        );
    }
}
