//! The names around a network's tensors, and which network they are of.

use burn::tensor::Device;
use sightline::network::{Architecture, Naming, Network};
use sightline_import::tensors::{Number, Storage, Stored, Tensors};
use sightline_import::{Fit, ImportError, fit};

/// Every tensor is a view of one number.
fn add(tensors: &mut Tensors<'static>, name: String, shape: &[usize]) {
    let storage = Storage {
        bytes: &[0; 4],
        number: Number::F32,
        big_endian: false,
    };
    let tensor = Stored::new(storage, 0, shape.to_vec(), vec![0; shape.len()]);
    tensors.insert(name, tensor.expect("one number"));
}

/// A network's state dict under other names.
fn state_dict(
    name: &str,
    (channels, outputs): (usize, usize),
    naming: Naming,
    rename: impl Fn(&str) -> String,
) -> Tensors<'static> {
    let mut tensors = Tensors::default();
    extend(&mut tensors, name, (channels, outputs), naming, rename);
    tensors
}

fn extend(
    tensors: &mut Tensors<'static>,
    name: &str,
    (channels, outputs): (usize, usize),
    naming: Naming,
    rename: impl Fn(&str) -> String,
) {
    let architecture = Architecture::named(name, channels).expect("known");
    let network = Network::new(&architecture, outputs, &Device::flex()).expect("known");
    for tensor in network.state_dict(naming) {
        add(tensors, rename(&tensor.name), &tensor.shape);
    }
}

fn recognised(tensors: &Tensors<'_>) -> Fit {
    fit(tensors, None, None).unwrap_or_else(|error| panic!("{error}"))
}

const TORCHVISION: Naming = Naming::Torchvision;

#[test]
fn a_state_dict_is_found_at_any_depth() {
    for prefix in [
        "",
        "state_dict.",
        "model.",
        "module.",
        "net.",
        "_orig_mod.",
        "backbone.",
        "state_dict.module.densenet121.",
        "state_dict.model._orig_mod.module.backbone.",
        "model_state_dict.encoder.",
    ] {
        let tensors = state_dict("densenet121", (3, 14), TORCHVISION, |name| {
            format!("{prefix}{name}")
        });
        let fit = recognised(&tensors);
        assert_eq!(fit.prefix, prefix);
        assert_eq!((fit.outputs, fit.architecture.in_channels), (14, 3));
        assert_eq!(
            fit.file_name("classifier.bias"),
            format!("{prefix}classifier.bias")
        );
    }
}

#[test]
fn every_network_is_recognised_by_its_names_and_shapes() {
    for name in [
        "densenet121",
        "densenet169",
        "densenet201",
        "efficientnet_b0",
        "efficientnet_b1",
        "efficientnet_b2",
        "efficientnet_b3",
        "efficientnet_b4",
        "efficientnet_b5",
        "mnasnet1_0",
        "vgg19",
        "vgg19_bn",
        "densenet121+vgg19_bn",
        "combined",
    ] {
        for (channels, outputs) in [(1, 1), (3, 5), (3, 14), (1, 15), (1, 18)] {
            let tensors = state_dict(name, (channels, outputs), TORCHVISION, str::to_owned);
            let fit = recognised(&tensors);
            assert_eq!(
                fit.architecture,
                Architecture::named(name, channels).expect("known")
            );
            assert_eq!(fit.outputs, outputs);
        }
    }
    for name in [
        "efficientnet_b0_same",
        "efficientnet_b5_same",
        "efficientnet_lite0",
        "efficientnet_lite2",
    ] {
        let tensors = state_dict(name, (3, 14), Naming::EfficientNetPytorch, str::to_owned);
        assert_eq!(
            recognised(&tensors).architecture,
            Architecture::named(name, 3).expect("known")
        );
    }
}

#[test]
fn a_last_layer_is_found_wherever_classes_have_it() {
    for (prefix, head) in [
        ("model.", "model.classifier."),
        ("model.", "model.classifier.0."),
        ("model.", "model.classifier.1."),
        ("model.backbone.", "model.fc."),
        ("backbone.", "classifier.3."),
        ("net.", "head."),
    ] {
        let tensors = state_dict("densenet121", (3, 5), TORCHVISION, |name| {
            match name.strip_prefix("classifier.") {
                Some(kind) => format!("{head}{kind}"),
                None => format!("{prefix}{name}"),
            }
        });
        let fit = recognised(&tensors);
        assert_eq!(fit.file_name("classifier.weight"), format!("{head}weight"));
        assert!(fit.is_output("classifier.weight"));
    }
}

#[test]
fn old_names_and_names_without_features_are_read() {
    let old = |name: &str| {
        let parts = ["norm1", "norm2", "conv1", "conv2"];
        let start = parts.iter().fold(name.to_owned(), |name, part| {
            let (kind, number) = part.split_at(4);
            name.replace(&format!(".{part}."), &format!(".{kind}.{number}."))
        });
        format!("state_dict.module.{start}")
    };
    let fit_of_old = recognised(&state_dict("densenet121", (3, 14), TORCHVISION, old));
    assert!(fit_of_old.has_old_names);
    assert_eq!(
        fit_of_old.file_name("features.denseblock1.denselayer1.norm1.weight"),
        "state_dict.module.features.denseblock1.denselayer1.norm.1.weight"
    );
    let without = |name: &str| name.replace("features.", "backbone.");
    let fit_without = recognised(&state_dict("densenet169", (1, 1), TORCHVISION, without));
    assert!(!fit_without.has_old_names);
    assert_eq!(
        fit_without.file_name("features.conv0.weight"),
        "backbone.conv0.weight"
    );
    assert_eq!(
        fit_without.file_name("classifier.weight"),
        "classifier.weight"
    );
}

#[test]
fn trained_weights_go_before_their_averages_and_a_prefix_before_both() {
    let mut tensors = Tensors::default();
    for prefix in ["ema.", "model.", "swa_model.module."] {
        extend(&mut tensors, "densenet121", (3, 14), TORCHVISION, |name| {
            format!("{prefix}{name}")
        });
    }
    let taken = recognised(&tensors);
    assert_eq!(taken.prefix, "model.");
    assert_eq!(taken.copies, ["ema.", "swa_model.module."]);
    for (said, prefix) in [
        ("ema", "ema."),
        ("ema.", "ema."),
        ("swa_model", "swa_model.module."),
    ] {
        let chosen = fit(&tensors, None, Some(said)).map(|fit| fit.prefix);
        assert_eq!(chosen, Ok(prefix.to_owned()));
    }
    assert!(fit(&tensors, None, Some("em")).is_err());
}

#[test]
fn optimisers_and_losses_beside_the_weights_do_not_matter() {
    let mut tensors = state_dict("densenet121", (3, 14), TORCHVISION, |name| {
        format!("state_dict.model.{name}")
    });
    add(&mut tensors, "state_dict.loss.pos_weight".to_owned(), &[14]);
    add(
        &mut tensors,
        "state_dict.model.auroc.confmat".to_owned(),
        &[14, 2, 2],
    );
    for index in 0..400 {
        add(
            &mut tensors,
            format!("optimizer_states.0.state.{index}.exp_avg"),
            &[64, 3, 7, 7],
        );
    }
    assert_eq!(recognised(&tensors).prefix, "state_dict.model.");
}

#[test]
fn networks_that_there_are_not_here_are_called_by_their_name() {
    let error = |names: &[&str]| {
        let mut tensors = Tensors::default();
        for name in names {
            add(&mut tensors, (*name).to_owned(), &[64, 3, 7, 7]);
        }
        match fit(&tensors, None, None) {
            Err(ImportError::Misfit(why)) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it fits"),
        }
    };
    let said = error(&["conv1.weight", "layer1.0.conv1.weight", "fc.weight"]);
    assert!(
        said.contains("a ResNet") && said.contains("densenet121"),
        "{said}"
    );
    let said = error(&["cls_token", "blocks.0.attn.qkv.weight"]);
    assert!(said.contains("a vision transformer"), "{said}");
    let said = error(&["a.b", "c.d"]);
    assert!(
        said.contains("none of the networks") && said.contains("a.b"),
        "{said}"
    );
}
