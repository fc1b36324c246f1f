//! The networks against PyTorch: logits, features and feature maps of formula weights.

use burn::tensor::{Device, Tensor};
use serde_json::Value;
use sightline::network::Network;

use crate::expected as golden;

/// One test for each network.
macro_rules! cases {
    ($($name:ident: $case:literal),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                check($case);
            }
        )+

        const CASES: &[&str] = &[$($case),+];
    };
}

cases! {
    golden_densenet121_of_a_small_picture: "densenet121_small",
    golden_densenet121: "densenet121",
    golden_densenet169: "densenet169",
    golden_densenet201: "densenet201",
    golden_efficientnet_b0: "efficientnet_b0",
    golden_efficientnet_b3: "efficientnet_b3",
    golden_efficientnet_b5: "efficientnet_b5",
    golden_efficientnet_lite0: "efficientnet_lite0",
    golden_mnasnet1_0: "mnasnet1_0",
    golden_vgg19: "vgg19",
    golden_vgg19_bn: "vgg19_bn",
    golden_origin_densenet121: "mlmip_densenet121",
    golden_origin_efficientnet_b5: "mlmip_efficientnet_b5",
    golden_origin_combined: "combined",
    golden_torchxrayvision_densenet121: "xrv_densenet121",
}

#[test]
fn golden_networks_are_all_compared() {
    for name in golden::names("networks") {
        let case = golden::json(&format!("networks/{name}.json"));
        assert!(
            case.get("architecture").is_none() || CASES.contains(&name.as_str()),
            "no test compares {name}"
        );
    }
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

fn check(name: &str) {
    let device = Device::flex();
    let case = golden::json(&format!("networks/{name}.json"));
    let network = golden::network(&case, &device);
    let tolerance = case["tolerance_abs"].as_f64().expect("a tolerance");
    let input = golden::generated_input(&case, "input", &device);
    let input2 = golden::generated_input(&case, "input2", &device);

    let feature_maps = network.feature_maps(input.clone());
    check_last_map(name, &case, feature_maps.last().expect("a branch"));
    check_features(name, &case, &network, &feature_maps);
    let kernels = golden::kernels(&case, &network, &device);
    let by_kernels = kernels.feature_maps(input.clone());
    check_last_map(name, &case, by_kernels.last().expect("a branch"));
    check_features(name, &case, &network, &by_kernels);
    let logits = golden::values(network.classify(by_kernels));
    let difference = golden::max_difference(&logits, &golden::numbers(&case["logits_f64"]));
    assert!(
        difference <= tolerance,
        "{name}: the kernels' logits differ by {difference}"
    );

    // As a graphics card computes it.
    let folded = network.clone().folded();
    check_last_map(
        name,
        &case,
        folded.feature_maps(input.clone()).last().expect("a branch"),
    );
    let logits = golden::values(folded.forward(input.clone()));
    let difference = golden::max_difference(&logits, &golden::numbers(&case["logits_f64"]));
    assert!(
        difference <= tolerance,
        "{name}: the folded network's logits differ by {difference}"
    );

    let logits = golden::values(network.classify(feature_maps));
    let difference = golden::max_difference(&logits, &golden::numbers(&case["logits_f64"]));
    assert!(
        difference <= tolerance,
        "{name}: logits differ by {difference}"
    );

    let both = golden::values(network.forward(Tensor::cat(vec![input, input2], 0)));
    let mut expected = golden::numbers(&case["logits_f64"]);
    expected.extend(golden::numbers(&case["logits_input2_f64"]));
    let difference = golden::max_difference(&both, &expected);
    assert!(
        difference <= tolerance,
        "{name}: a batch of two differs by {difference}"
    );
}

/// The last branch's map. Some of the expected values were taken before the last activation.
fn check_last_map(name: &str, case: &Value, map: &Tensor<4>) {
    let expected = &case["last_feature_map"];
    let module = expected["module"].as_str().expect("a module");
    let flattened = |shape: &[usize]| shape[1..].iter().product::<usize>();
    let shape = golden::sizes(&expected["shape"]);
    assert_eq!(flattened(&shape), flattened(&map.dims()), "{name}");
    let activation: fn(f64) -> f64 = match (module, name) {
        (module, _) if module.ends_with("norm5") => |v| v.max(0.0),
        ("_bn1", _) => |v| v.clamp(0.0, 6.0),
        (module, _) if module.ends_with("_bn1") => |v| v / (1.0 + (-v).exp()),
        _ => |v| v,
    };
    let ours = golden::values(map.clone());
    let std = expected["std_population"].as_f64().expect("a deviation");
    let first = golden::numbers(&expected["first16"]);
    let first: Vec<f64> = first.into_iter().map(activation).collect();
    let difference = golden::max_difference(&ours[..first.len()], &first);
    assert!(
        difference < 1e-3 * std,
        "{name}: the feature map differs by {difference}"
    );
    if activation(-1.0) == -1.0 {
        let mean = ours.iter().map(|v| f64::from(*v)).sum::<f64>() / ours.len() as f64;
        let expected = expected["mean"].as_f64().expect("a mean");
        assert!((mean - expected).abs() < 1e-4 * std, "{name}: mean {mean}");
    }
}

/// The vector that enters the last linear layer.
fn check_features(name: &str, case: &Value, network: &Network, feature_maps: &[Tensor<4>]) {
    let expected = &case["features_into_final_linear"];
    let length = expected["length"].as_u64().expect("a length") as usize;
    let pooled: Vec<f32> = feature_maps
        .iter()
        .zip(network.classifier().pooling())
        .flat_map(|(map, pooling)| {
            let map = &pooling.grid(map.clone());
            let [_, features, height, width] = map.dims();
            golden::values(match pooling {
                sightline::network::Pooling::Average => map
                    .clone()
                    .reshape([features, height * width])
                    .mean_dim(1)
                    .reshape([features]),
                sightline::network::Pooling::Flatten(_) => {
                    map.clone().reshape([features * height * width])
                }
            })
        })
        .collect();
    let ours = if pooled.len() == length {
        pooled
    } else {
        // There are hidden layers: with the identity as its last one, the network shows what enters it.
        let identity = golden::network_with_identity(case, length, &feature_maps[0].device());
        golden::values(identity.classify(feature_maps.to_vec()))
    };
    let l2 = expected["l2_f64"].as_f64().expect("a norm");
    let norm = ours
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt();
    assert!((norm - l2).abs() < 1e-4 * l2, "{name}: {norm} {l2}");
    let first = golden::numbers(&expected["first16_f64"]);
    let difference = golden::max_difference(&ours[..first.len()], &first);
    assert!(
        difference < 1e-4 * l2,
        "{name}: features differ by {difference}"
    );
}
