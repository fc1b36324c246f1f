//! Networks before any training: names, shapes, initial weights.

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use sightline::network::{Architecture, ArchitectureError, Family, Head, Naming, Network};
use sightline::trust::sanity::Randomised;

fn network(name: &str, channels: usize) -> Network {
    let architecture = Architecture::named(name, channels).expect("a known name");
    Network::new(&architecture, 14, &Device::flex()).expect("a known variant")
}

#[test]
fn names_are_torchvisions_and_unknown_ones_say_what_is_known() {
    let named = |name: &str| Architecture::named(name, 3);
    let b5 = named("EfficientNet-B5").expect("however it is spelt");
    assert_eq!(
        (b5.family, b5.variant.as_str()),
        (Family::EfficientNet, "b5")
    );
    assert_eq!(named("vgg19_bn").expect("known").head, Head::Mlp);
    let six = named("combined").expect("known").branch_names();
    let origin = "densenet121 densenet169 densenet201 mnasnet1_0 vgg19_bn vgg19";
    assert_eq!(six.expect("known").join(" "), origin);
    let two = named("mnasnet-1.0+densenet121").expect("known");
    assert_eq!(two.variant, "mnasnet1_0+densenet121");
    assert!(matches!(
        named("resnet50"),
        Err(ArchitectureError::UnknownName(_))
    ));
    let error = Network::new(
        &named("densenet999").expect("a family"),
        14,
        &Device::flex(),
    );
    let why = error.expect_err("no such variant").to_string();
    assert!(why.contains("121, 169 and 201"), "{why}");
    let four = Network::new(
        &Architecture {
            in_channels: 4,
            ..b5
        },
        14,
        &Device::flex(),
    );
    assert_eq!(four.err(), Some(ArchitectureError::Channels(4)));
}

/// With 1000 outputs, as torchvision counts them.
#[test]
fn networks_have_as_many_parameters_as_torchvisions() {
    for (name, millions) in [
        ("densenet121", 7_978_856),
        ("densenet169", 14_149_480),
        ("densenet201", 20_013_928),
        ("efficientnet_b0", 5_288_548),
        ("efficientnet_b1", 7_794_184),
        ("efficientnet_b2", 9_109_994),
        ("efficientnet_b3", 12_233_232),
        ("efficientnet_b4", 19_341_616),
        ("efficientnet_b5", 30_389_784),
        ("mnasnet1_0", 4_383_312),
        ("vgg19", 143_667_240),
        ("vgg19_bn", 143_678_248),
    ] {
        let architecture = Architecture::named(name, 3).expect("known");
        let network = Network::new(&architecture, 1000, &Device::flex()).expect("known");
        let tensors = network.state_dict(Naming::Torchvision);
        let learned = tensors.iter().filter(|t| !t.name.contains(".running_"));
        let count: usize = learned.map(|t| t.shape.iter().product::<usize>()).sum();
        assert_eq!(count, millions, "{name}");
    }
}

/// The spread of some initial weights is the one that torchvision's source gives.
#[test]
fn initial_weights_are_spread_as_torchvisions() {
    for (name, tensor, variance) in [
        // Kaiming normal over the inputs, over the outputs; uniform within a bound b: b^2 / 3.
        (
            "densenet121",
            "features.denseblock1.denselayer1.conv2.weight",
            2.0 / (128.0 * 9.0),
        ),
        ("densenet121", "classifier.weight", 1.0 / 1024.0 / 3.0),
        (
            "efficientnet_b0",
            "features.1.0.block.0.0.weight",
            2.0 / (32.0 * 9.0),
        ),
        ("efficientnet_b0", "classifier.1.weight", 1.0 / 14.0 / 3.0),
        ("mnasnet1_0", "layers.14.weight", 2.0 / 1280.0),
        ("mnasnet1_0", "classifier.1.weight", 3.0 / 14.0 / 3.0),
        ("vgg19_bn", "features.3.weight", 2.0 / (64.0 * 9.0)),
        ("vgg19_bn", "classifier.6.weight", 0.01 * 0.01),
    ] {
        let device = Device::flex();
        device.seed(5);
        let mut found = None;
        network(name, 3).for_each_value(Naming::Torchvision, |wanted, data| {
            if wanted.name == tensor {
                let values: Vec<f64> = data.iter::<f32>().map(f64::from).collect();
                let squares: f64 = values.iter().map(|v| v * v).sum();
                found = Some((squares / values.len() as f64, values.len()));
            }
        });
        let (ours, count) = found.unwrap_or_else(|| panic!("{name} has no {tensor}"));
        // A depthwise layer draws few values; the bound is five times their standard error.
        let bound = 5.0 * (2.0 / count as f64).sqrt();
        assert!(
            (ours / variance - 1.0).abs() < bound,
            "{name} {tensor}: {ours}, not {variance}"
        );
    }
}

#[test]
fn grey_pictures_of_odd_sizes_go_through_every_network() {
    for name in [
        "densenet121",
        "efficientnet_b1_same",
        "efficientnet_b2",
        "mnasnet1_0",
        "vgg19_bn",
    ] {
        let x = Tensor::ones([2, 1, 97, 65], &Device::flex());
        let logits = network(name, 1).forward(x);
        assert_eq!(logits.dims(), [2, 14], "{name}");
        let finite = logits.is_finite().all().into_scalar::<bool>();
        assert!(finite, "{name}");
    }
}

#[test]
fn randomising_takes_what_was_learned_from_the_top_down_and_comes_again_from_its_seed() {
    let device = Device::flex();
    for name in [
        "efficientnet_lite0",
        "densenet121",
        "densenet121+mnasnet1_0",
    ] {
        let architecture = Architecture::named(name, 3).expect("known");
        let network = Network::new(&architecture, 3, &device).expect("known");
        let x = Tensor::<4>::ones([1, 3, 64, 64], &device);
        let maps = |network: &Network| -> Vec<TensorData> {
            let maps = network.feature_maps(x.clone()).into_iter();
            maps.map(|map| map.into_data()).collect()
        };
        let logits = |network: &Network| network.forward(x.clone()).into_data();
        let random = |part, seed| network.clone().randomised(part, seed);
        let classifier = random(Randomised::Classifier, 1);
        assert_eq!(
            maps(&classifier),
            maps(&network),
            "{name}: the backbone is kept"
        );
        assert_ne!(logits(&classifier), logits(&network), "{name}");
        assert_eq!(
            logits(&random(Randomised::Classifier, 1)),
            logits(&classifier),
            "{name}"
        );
        assert_ne!(
            logits(&random(Randomised::Classifier, 2)),
            logits(&classifier),
            "{name}"
        );
        let stage = random(Randomised::LastStage, 1);
        for (ours, old) in maps(&stage).into_iter().zip(maps(&network)) {
            assert_ne!(ours, old, "{name}: every backbone loses its last stage");
        }
        assert_eq!(
            maps(&random(Randomised::LastStage, 1)),
            maps(&stage),
            "{name}"
        );
        if architecture.branch_names().expect("known").len() > 1 {
            continue;
        }
        // Of the backbone's weights the last quarter, the classifier's, and neither biases nor normalisation.
        let values = |network: &Network| {
            let mut all = Vec::new();
            network.for_each_value(Naming::Torchvision, |tensor, data| all.push((tensor, data)));
            all
        };
        let (mut kept, mut drawn) = (Vec::new(), Vec::new());
        for ((tensor, before), (_, after)) in values(&network).into_iter().zip(values(&stage)) {
            if tensor.shape.len() == 1 {
                assert_eq!(before, after, "{name}: {}", tensor.name);
            } else if tensor.head {
                assert_ne!(before, after, "{name}: {}", tensor.name);
            } else if before == after {
                kept.push(tensor.name);
            } else {
                drawn.push(tensor.name);
            }
        }
        let weights = kept.len() + drawn.len();
        assert_eq!(kept.len(), weights * 3 / 4, "{name}: {drawn:?}");
    }
}

#[test]
fn a_network_made_of_trained_parts_says_the_mean_of_what_they_say() {
    let device = Device::flex();
    let new = |name: &str, outputs| {
        let architecture = Architecture::named(name, 3).expect("known");
        Network::new(&architecture, outputs, &device).expect("known")
    };
    let parts = || vec![new("efficientnet_lite0", 3), new("densenet121", 3)];
    let x = Tensor::<4>::random([2, 3, 64, 64], Distribution::Default, &device);
    let trained = parts();
    let logits: Vec<_> = trained.iter().map(|part| part.forward(x.clone())).collect();
    let mean = (logits[0].clone() + logits[1].clone()) / 2.0;
    let joined = new("efficientnet_lite0+densenet121", 3).with_parts(trained);
    let joined = joined.expect("linear classifiers").forward(x);
    let far = (joined - mean).abs().max().into_scalar::<f32>();
    assert!(far < 1e-5, "{far}");
    // With another number of outputs or of backbones they are not this network's.
    let refused = |name: &str, outputs| new(name, outputs).with_parts(parts()).is_none();
    assert!(refused("efficientnet_lite0+densenet121", 4));
    assert!(refused("efficientnet_lite0", 3));
}
