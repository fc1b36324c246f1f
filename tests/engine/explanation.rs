//! Identities of explanations, on random networks and pictures.

use burn::tensor::{Device, Distribution, Tensor};
use sightline::grad_cam;
use sightline::network::{Architecture, Head, Network};

/// Every kind of classifier, pooling and padding, and branches whose maps are of different sizes.
const NETWORKS: [(&str, Option<Head>, [usize; 2]); 9] = [
    ("densenet121", None, [96, 64]),
    ("densenet121", Some(Head::Bottleneck), [96, 64]),
    ("efficientnet_b0", None, [96, 64]),
    ("efficientnet_lite0", None, [96, 64]),
    ("efficientnet_b0_same", None, [80, 48]),
    ("mnasnet1_0", None, [96, 64]),
    ("vgg19", Some(Head::Linear), [96, 64]),
    ("vgg19_bn", None, [96, 64]),
    ("densenet121+mnasnet1_0+vgg19", None, [80, 112]),
];

#[test]
fn cells_and_bias_add_up_to_the_logit() {
    for (seed, (name, head, [height, width])) in NETWORKS.into_iter().enumerate() {
        let device = Device::flex();
        device.seed(seed as u64);
        let mut architecture = Architecture::named(name, 3).expect("known");
        architecture.head = head.unwrap_or(architecture.head);
        let network = Network::new(&architecture, 14, &device).expect("known");
        let x = Tensor::<4>::random(
            [3, 3, height, width],
            Distribution::Normal(0.0, 1.0),
            &device,
        );
        let feature_maps = network.feature_maps(x);
        let logits = network.classify(feature_maps.clone());
        let branches = feature_maps.len();
        let evidence = grad_cam::evidence(network.classifier(), feature_maps);
        assert_eq!(evidence.branches.len(), branches, "{name}");
        let total = |cells: Tensor<4>| {
            let [batch, outputs, height, width] = cells.dims();
            let cells = cells.reshape([batch, outputs, height * width]);
            cells.sum_dim(2).reshape([batch, outputs])
        };
        let scale = logits.clone().abs().max().into_scalar::<f32>().max(1.0);
        let off = |sum: Tensor<2>| {
            let difference = sum + evidence.bias.clone() - logits.clone();
            difference.abs().max().into_scalar::<f32>() / scale
        };
        let whole = off(total(evidence.cells.clone()));
        assert!(whole < 1e-4, "{name}: {whole}");
        let parts = evidence.branches.iter().cloned().map(total);
        let parts = off(parts.reduce(|sum, part| sum + part).expect("a branch"));
        assert!(parts < 1e-4, "{name}, branch by branch: {parts}");
    }
}

/// Whatever lies behind the logit, the weights of the cells are its derivative.
#[test]
fn a_cells_weight_is_the_derivative_of_the_logit() {
    let device = Device::flex();
    device.seed(7);
    let mut architecture = Architecture::named("vgg19", 3).expect("known");
    architecture.head = Head::Mlp;
    let network = Network::new(&architecture, 2, &device).expect("known");
    let draw = || Tensor::<4>::random([1, 512, 7, 7], Distribution::Uniform(0.0, 1.0), &device);
    let (map, direction) = (draw(), draw());
    let weights = |map: &Tensor<4>| {
        let gradient = network.classifier().gradient(vec![map.clone()]);
        gradient.weights.reshape([2, 512 * 49])
    };
    let here = weights(&map);
    // The largest step that crosses the kink of no ReLU: up to there the network is linear.
    let steps = (0..24).map(|halvings| direction.clone().mul_scalar(0.5f32.powi(halvings)));
    let step = steps.into_iter().find(|step| {
        weights(&(map.clone() + step.clone())).into_data() == here.clone().into_data()
    });
    let step = step.expect("a linear region is no point");
    let along = here * step.clone().reshape([1, 512 * 49]);
    let expected = along.sum_dim(1).reshape([1, 2]);
    let moved = network.classify(vec![map.clone() + step]) - network.classify(vec![map]);
    let difference = (moved.clone() - expected).abs().max().into_scalar::<f32>();
    let scale = moved.abs().max().into_scalar::<f32>();
    // Logits are sums of 25,088 products: a small step is lost in their last digits.
    assert!(difference < 4e-6 + 0.02 * scale, "{difference} of {scale}");
}
