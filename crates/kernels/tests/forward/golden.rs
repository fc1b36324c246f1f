//! Networks against PyTorch: logits from the kernels' feature maps and a linear layer in straight loops.
//!
//! These are the golden networks that a linear layer ends and whose tensors have torchvision's names.

use serde_json::Value;
use sightline_kernels::simd::Set;
use sightline_kernels::{Memory, Network};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::formula;

macro_rules! case {
    ($name:literal) => {
        include_str!(concat!(
            env!("SIGHTLINE_GOLDEN"),
            "/networks/",
            $name,
            ".json"
        ))
    };
}

#[test]
fn golden_densenet121() {
    agrees(["densenet", "121"], case!("densenet121"));
}

#[test]
fn golden_densenet121_of_a_small_picture() {
    agrees(["densenet", "121"], case!("densenet121_small"));
}

#[test]
fn golden_efficientnet_b0() {
    agrees(["efficientnet", "b0"], case!("efficientnet_b0"));
}

#[test]
fn golden_mnasnet1_0() {
    agrees(["mnasnet", "1_0"], case!("mnasnet1_0"));
}

fn agrees([family, variant]: [&str; 2], case: &str) {
    let case: Value = serde_json::from_str(case).expect("golden JSON");
    for (name, expected) in [("input", "logits_f64"), ("input2", "logits_input2_f64")] {
        let (picture, [channels, height, width]) = formula::input(&case, name);
        let parameters = Network::parameters(family, variant, channels).expect("it is known");
        let parameters: std::collections::HashMap<_, _> = parameters
            .into_iter()
            .map(|(name, shape)| {
                let values = formula::parameter(&case, &name, &shape, false);
                (name, (shape, values))
            })
            .collect();
        let find = |name: &str| parameters.get(name).cloned();
        let network = Network::new(family, variant, channels, &find).expect("all are there");
        let expected = formula::numbers(&case[expected]);
        let tolerance = case["tolerance_abs"].as_f64().expect("a tolerance");
        for set in Set::at_hand() {
            let mut memory = Memory::default();
            let maps = set.during(|| network.feature_maps(&picture, [height, width], &mut memory));
            let [_, _, height, width] = maps.shape;
            let logits = logits(&case, &maps.values, height * width, expected.len());
            let difference = formula::max_difference(&logits, &expected);
            println!("{family}{variant}, {name}, {set:?}: {difference:.1e}");
            assert!(
                difference <= tolerance,
                "{family}{variant}, {name}, {set:?}: logits differ by {difference}"
            );
        }
    }
}

/// The mean of each map, `area` values of them, and the last linear layer.
fn logits(case: &Value, maps: &[f32], area: usize, outputs: usize) -> Vec<f32> {
    let means: Vec<f64> = maps
        .chunks_exact(area)
        .map(|map| map.iter().map(|value| f64::from(*value)).sum::<f64>() / area as f64)
        .collect();
    let layer = case["final_linear"].as_str().expect("a name");
    let part = |kind: &str, shape: &[usize]| {
        formula::parameter(case, &format!("{layer}.{kind}"), shape, true)
    };
    let (weights, bias) = (
        part("weight", &[outputs, means.len()]),
        part("bias", &[outputs]),
    );
    let rows = weights.chunks_exact(means.len()).zip(bias);
    rows.map(|(row, bias)| {
        let products = row.iter().zip(&means).map(|(w, x)| f64::from(*w) * x);
        (products.sum::<f64>() + f64::from(bias)) as f32
    })
    .collect()
}
