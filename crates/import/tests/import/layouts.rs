//! The layouts that tools save: PyTorch's own logits, of files that `make_layouts.py` made.

use sightline::finding::Finding;
use sightline_import::{Settings, Source};

use crate::support::{check_logits, fixtures, imported, json, picture, reader, settings, unpacked};

/// A file's logits are PyTorch's. Gives what was said.
fn check(file: &str, said_findings: bool) -> String {
    let cases = json(&fixtures().join("layouts.json"));
    let cases = cases["cases"].as_array().expect("cases");
    let case = cases
        .iter()
        .find(|case| case["file"] == file)
        .expect("a case");
    let findings = case["findings"].as_array().expect("findings");
    let findings: Vec<&str> = findings
        .iter()
        .map(|name| name.as_str().unwrap_or("-"))
        .collect();
    let settings = Settings {
        prefix: case["prefix"].as_str().map(str::to_owned),
        findings: said_findings.then(|| findings.iter().map(|name| (*name).to_owned()).collect()),
        ..settings()
    };
    let (made, said) = imported(file, &unpacked(file), &settings).expect("weights");
    let reader = reader(made);
    let logits = case["logits"].as_array().expect("logits");
    let expected = findings.iter().zip(logits).filter_map(|(name, logit)| {
        Some((Finding::from_name(name)?, logit.as_f64().expect("a logit")))
    });
    let side = case["side"].as_u64().expect("a side") as usize;
    check_logits(&reader, &picture(side), &expected.collect::<Vec<_>>());
    said
}

#[test]
fn timms_efficientnet_in_bfloat16_without_counters_is_imported() {
    let said = check("timm_b0_bf16.pth", true);
    assert!(
        said.contains("efficientnet_b0 with 5 outputs and 3 input channels"),
        "{said}"
    );
    assert!(said.contains("\"_orig_mod.\""), "{said}");
    assert!(said.contains("those of timm"), "{said}");
}

#[test]
fn averaged_weights_are_taken_where_the_prefix_says_so() {
    let said = check("timm_tf_b0_ema.pth.tar", true);
    assert!(
        said.contains("efficientnet_b0_same with 15 outputs"),
        "{said}"
    );
    assert!(
        said.contains("the weights are those under \"state_dict_ema.\""),
        "{said}"
    );
    // Without a word the trained ones are taken, and that there are others is said.
    let names = vec!["-".to_owned(); 14]
        .into_iter()
        .chain(["No Finding".to_owned()]);
    let settings = Settings {
        findings: Some(names.collect()),
        ..settings()
    };
    let bytes = unpacked("timm_tf_b0_ema.pth.tar");
    let (_, said) = imported("it", &bytes, &settings).expect("weights");
    assert!(
        said.contains("the weights are those under \"state_dict.\""),
        "{said}"
    );
    assert!(
        said.contains("in the file under \"state_dict_ema.\" too; --prefix"),
        "{said}"
    );
    let wrong = Settings {
        prefix: Some("ema".to_owned()),
        ..settings
    };
    let error = imported("it", &bytes, &wrong)
        .expect_err("no such prefix")
        .to_string();
    assert!(
        error.contains("there are those under \"state_dict.\", \"state_dict_ema.\""),
        "{error}"
    );
}

#[test]
fn a_lightning_checkpoint_in_half_precision_is_imported() {
    let said = check("lightning_half.ckpt", true);
    assert!(said.contains("densenet121 with 1 outputs"), "{said}");
    assert!(said.contains("\"state_dict.model.backbone.\""), "{said}");
    assert!(
        said.contains("other tensors in the file were left out"),
        "{said}"
    );
}

#[test]
fn a_whole_module_says_what_its_outputs_are() {
    let said = check("whole_with_labels.pt", false);
    assert!(
        said.contains("the file says what its outputs are, in class_names"),
        "{said}"
    );
}

#[test]
fn onnx_with_folded_normalisation_is_read_by_the_order_of_its_layers() {
    let said = check("efficientnet_b0_folded.onnx", true);
    assert!(
        said.contains("efficientnet_b0 with 14 outputs and 3 input channels"),
        "{said}"
    );
    let bytes = unpacked("efficientnet_b0_folded.onnx");
    let error = imported("it", &bytes[..bytes.len() / 2], &settings())
        .expect_err("cut")
        .to_string();
    assert!(error.contains("cut off"), "{error}");
}

#[test]
fn the_network_and_its_conventions_are_recognised() {
    for (file, network, source) in [
        (
            "origin_densenet121.pth",
            "densenet121 with 14",
            Source::Mlmip,
        ),
        (
            "origin_efficientnet_b5.pth",
            "efficientnet_b5_same with 14",
            Source::Mlmip,
        ),
        (
            "two_combined.pth",
            "densenet121 + mnasnet1_0 with 14",
            Source::Mlmip,
        ),
        (
            "torchxrayvision.pt",
            "densenet121 with 18 outputs and 1 input",
            Source::Torchxrayvision,
        ),
        (
            "densenet121_2017.pth.tar",
            "densenet121 with 14",
            Source::Chexnet,
        ),
    ] {
        let (made, said) = imported(file, &unpacked(file), &settings()).expect("weights");
        assert!(said.contains(network), "{said}");
        assert!(
            made.manifest
                .training
                .recipe
                .contains(&format!("conventions of {source}")),
            "{said}"
        );
    }
}
