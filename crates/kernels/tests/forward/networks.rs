//! Whole networks against 64-bit loops, with random weights.

use sightline_kernels::simd::Set;
use sightline_kernels::{Memory, Network, WeightsError};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::reference::{self, Parameters, Picture, Random, error};

/// A batch of two pictures gives what the reference gives of each, and the network asks for the reference's parameters and no others.
fn agrees(
    [family, variant]: [&str; 2],
    channels: usize,
    [height, width]: [usize; 2],
    reference: impl Fn(&Picture, &mut Parameters) -> Picture,
) {
    let mut random = Random::new(5);
    let mut parameters = Parameters::new(7);
    let mut batch = Vec::new();
    let mut expected = Vec::new();
    for _ in 0..2 {
        let values = random.values(channels * height * width);
        let picture = Picture::new(channels, height, width, &values);
        expected.push(reference(&picture, &mut parameters));
        batch.extend(values);
    }
    let mut names = Network::parameters(family, variant, channels).expect("it is known");
    names.sort();
    let mut known: Vec<_> = parameters
        .all
        .iter()
        .map(|(name, (shape, _))| (name.clone(), shape.clone()))
        .collect();
    known.sort();
    assert_eq!(names, known);

    let find = |name: &str| parameters.get(name);
    let network = Network::new(family, variant, channels, &find).expect("all parameters are there");
    let mut memory = Memory::default();
    // Twice: what the first pass leaves in memory is not seen by the second.
    for set in Set::at_hand().iter().cycle().take(2 * Set::at_hand().len()) {
        let maps = set.during(|| network.feature_maps(&batch, [height, width], &mut memory));
        let Picture {
            channels,
            height,
            width,
            ..
        } = expected[0];
        assert_eq!(maps.shape, [2, channels, height, width]);
        let length = channels * height * width;
        for (found, expected) in maps.values.chunks_exact(length).zip(&expected) {
            let error = error(found, &expected.values);
            println!("{family}{variant}, {set:?}: {error:.1e}");
            assert!(error <= 1e-4, "{error}");
        }
    }
}

#[test]
fn densenet_121_is_the_reference() {
    agrees(["densenet", "121"], 1, [64, 80], reference::densenet121);
    agrees(["densenet", "121"], 3, [47, 33], reference::densenet121);
}

#[test]
fn efficientnets_are_the_reference() {
    let lite = |x: &Picture, p: &mut Parameters| reference::efficientnet(x, true, true, p);
    agrees(["efficientnet", "lite0"], 3, [64, 96], lite);
    agrees(["efficientnet", "lite0"], 1, [45, 71], lite);
    agrees(["efficientnet", "b0"], 3, [64, 50], |x, p| {
        reference::efficientnet(x, false, false, p)
    });
    agrees(["efficientnet", "b0_same"], 1, [63, 64], |x, p| {
        reference::efficientnet(x, false, true, p)
    });
}

#[test]
fn mnasnet_is_the_reference() {
    agrees(["mnasnet", "1_0"], 3, [64, 57], reference::mnasnet);
}

#[test]
fn vgg_is_the_reference() {
    agrees(["vgg", "19"], 1, [32, 48], |x, p| {
        reference::vgg19(x, false, p)
    });
    agrees(["vgg", "19_bn"], 3, [33, 40], |x, p| {
        reference::vgg19(x, true, p)
    });
}

#[test]
fn what_is_wrong_with_weights_is_said() {
    let unknown = Network::new("densenet", "122", 1, &|_| None);
    assert_eq!(
        unknown.err(),
        Some(WeightsError::UnknownNetwork("densenet122".to_owned()))
    );
    let missing = Network::new("efficientnet", "lite0", 1, &|_| None);
    assert_eq!(
        missing.err(),
        Some(WeightsError::Missing("features.0.1.weight".to_owned()))
    );
    let shape = Network::new("mnasnet", "1_0", 1, &|_| Some((vec![2], vec![0.0, 0.0])));
    let expected = WeightsError::Shape {
        name: "layers.1.weight".to_owned(),
        expected: vec![32],
        found: vec![2],
    };
    assert_eq!(shape.err(), Some(expected));
}
