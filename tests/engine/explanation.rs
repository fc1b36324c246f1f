//! Identities of explanations, on random networks and pictures.

use burn::tensor::{Device, Distribution, Tensor};
use sightline::explain::grad_cam;
use sightline::network::{Architecture, Family, Head, Network};

#[test]
fn cells_and_bias_add_up_to_the_logit() {
    for (seed, (family, variant)) in [
        (Family::DenseNet, "121"),
        (Family::EfficientNet, "lite0"),
        (Family::EfficientNet, "b0"),
    ]
    .into_iter()
    .enumerate()
    {
        let device = Device::flex();
        device.seed(seed as u64);
        let architecture = Architecture {
            family,
            variant: variant.to_owned(),
            in_channels: 3,
            head: Head::Linear,
        };
        let network = Network::new(&architecture, 14, &device).expect("known");
        let x = Tensor::<4>::random([3, 3, 96, 64], Distribution::Normal(0.0, 1.0), &device);
        let feature_maps = network.feature_maps(x);
        let logits = network.classify(feature_maps.clone());
        let evidence = grad_cam::evidence(&network, feature_maps);
        let [batch, outputs, height, width] = evidence.cells.dims();
        assert_eq!([batch, outputs, height, width], [3, 14, 3, 2]);
        let sums = evidence
            .cells
            .reshape([batch, outputs, height * width])
            .sum_dim(2)
            .reshape([batch, outputs])
            + evidence.bias.reshape([1, outputs]);
        let difference = (sums - logits).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-4, "{variant}: {difference}");
    }
}
