//! Occlusion against captum.

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;
use sightline::asked::{Asked, Scored};
use sightline::explain::Explain;
use sightline::explain::fill::Fill;
use sightline::explain::occlusion::{Occlusion, Options};
use sightline::package::Output;

use crate::expected as golden;

/// Captum explains logits: they stand where probabilities do.
fn check(case: &str) {
    let device = Device::flex();
    let json = |name: &str| serde_json::from_slice(&golden::own(name)).expect("golden JSON");
    let golden: Value = json(&format!("occlusion/{case}.json"));
    let network_case: Value = json(golden["network"].as_str().expect("a file"));
    let network = golden::network(&network_case, &device);
    let input = golden::generated_input(&network_case, "input", &device);
    let [_, channels, side, _] = input.dims();
    let shown = golden::values(input);

    let number = |key: &str| golden[key].as_u64().expect("a number") as usize;
    let block = number("block");
    let options = Options {
        grid: side / block,
        window: number("window") / block,
        stride: number("stride") / block,
        fill: Fill::Grey(0),
    };
    assert_eq!(golden["baseline"].as_f64(), Some(0.0));
    let hidden = vec![0.0; shown.len()];
    let mut occlusion = Occlusion::new(shown, hidden, side, options.clone());
    while !occlusion.is_done() {
        let values = occlusion.next_batch(8);
        let pictures = values.len() / (channels * side * side);
        let shape = [pictures, channels, side, side];
        let x: Tensor<4> = Tensor::from_data(TensorData::new(values, shape), &device);
        let logits = network.forward(x);
        let outputs = logits.dims()[1];
        let logits = golden::values(logits);
        let scored = logits.chunks_exact(outputs).map(|logits| Scored {
            probabilities: logits.iter().map(|logit| Some(f64::from(*logit))).collect(),
            ..Scored::default()
        });
        occlusion.push(scored.collect());
    }
    let windows = occlusion.progress().done as usize - 1;
    assert_eq!(windows, number("windows_per_side").pow(2), "{case}");

    let explanation = occlusion.outcome().expect("an explanation");
    assert!(explanation.is_complete(&options));
    let tolerance = golden["tolerance_abs"].as_f64().expect("a tolerance");
    let maps = golden["maps"].as_array().expect("maps");
    assert!(!maps.is_empty());
    for expected in maps {
        let label = expected["label"].as_u64().expect("a label") as usize;
        let ours = explanation.map(Output(label)).expect("a map");
        let rows = expected["attribution"].as_array().expect("rows").iter();
        let expected: Vec<f64> = rows.flat_map(golden::numbers).collect();
        assert_eq!(ours.values.len(), expected.len(), "{case}");
        let difference = golden::max_difference(&ours.values, &expected);
        assert!(difference <= tolerance, "{case}, {label}: {difference}");
    }
}

#[test]
fn golden_occlusion_is_captums_where_windows_tile_the_picture() {
    check("densenet121_small_even");
}

#[test]
fn golden_occlusion_is_captums_where_the_last_windows_are_cut_at_the_edge() {
    check("densenet121_small_cut");
}
