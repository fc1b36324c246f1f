//! Every container that `torch.save` has had, and safetensors: the same small tensors come out of each.

use sightline_import::containers;
use sightline_import::tensors::Tensors;

use crate::support::{fixtures, json, read};

/// The tensors of a file under a prefix are those that PyTorch wrote, and no others.
fn check(file: &str, part: &str, prefix: &str) {
    let folder = fixtures().join("containers");
    let bytes = read(&folder.join(file));
    let mut tensors = containers::read(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
    let expected = json(&folder.join("containers.json"));
    let expected = expected[part].as_object().expect("tensors");
    assert!(!expected.is_empty());
    for (name, expected) in expected {
        let (shape, values) = tensors
            .take(&format!("{prefix}{name}"))
            .unwrap_or_else(|| panic!("{file}: no {name}"));
        let numbers = |values: &serde_json::Value| -> Vec<f64> {
            let values = values.as_array().expect("numbers");
            values
                .iter()
                .filter_map(serde_json::Value::as_f64)
                .collect()
        };
        let shape: Vec<f64> = shape.into_iter().map(|size| size as f64).collect();
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        assert_eq!(
            (shape, values),
            (numbers(&expected[0]), numbers(&expected[1])),
            "{file}: {name}"
        );
    }
    let left = tensors.names().filter(|name| name.starts_with(prefix));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<&String>::new(), "{file}");
}

#[test]
fn zips_and_legacy_files_and_tars_hold_the_same_tensors() {
    for file in [
        "zip.pth",
        "legacy.pth",
        "tar.pth",
        "protocol4.pth",
        "protocol3_legacy.pth",
        "without_checksums.pth",
        "parameters.pth",
    ] {
        check(file, "tensors", "");
    }
}

#[test]
fn tensors_are_found_in_a_nested_checkpoint() {
    check("nested.pth", "tensors", "state_dict.");
    let bytes = read(&fixtures().join("containers/nested.pth"));
    let mut tensors = containers::read(&bytes).expect("a checkpoint");
    let part = tensors.take("3.0").expect("a tensor in a list");
    assert_eq!(part, (vec![4], vec![-0.75, -0.5, -0.25, 0.0]));
    assert_eq!(tensors.take("3.1.x"), Some((vec![], vec![2.5])));
    assert_eq!(tensors.texts["note"], ["text"]);
}

#[test]
fn half_precision_and_bfloat16_are_read_from_every_container() {
    for file in ["halves.pth", "halves_legacy.pth", "halves.safetensors"] {
        let bytes = read(&fixtures().join("containers").join(file));
        let mut tensors = containers::read(&bytes).expect("tensors");
        for name in ["half", "brain"] {
            let (shape, values) = tensors.take(name).expect("a tensor");
            let expected = (0_u8..24).map(|v| f32::from(v) / 4.0 - 2.0);
            assert_eq!(
                (shape, values),
                (vec![4, 6], expected.collect()),
                "{file} {name}"
            );
        }
    }
}

#[test]
fn whole_modules_are_read_as_the_state_dict_that_they_have() {
    check("module.pt", "module", "");
    check("modules.pt", "module", "model.module.");
    check("modules.pt", "module", "ema.");
}

/// What a file does that has any of its bytes changed, or is cut anywhere: it is read or refused.
#[test]
fn files_that_are_cut_or_damaged_are_refused_and_never_misread() {
    let folder = fixtures().join("containers");
    for file in [
        "zip.pth",
        "legacy.pth",
        "tar.pth",
        "module.pt",
        "protocol4.pth",
        "halves.safetensors",
    ] {
        let bytes = read(&folder.join(file));
        let whole = names(&containers::read(&bytes).expect("whole"));
        for length in 0..bytes.len() {
            // A tar's end is two blocks of zeros, and filled up with more of them.
            let is_whole = match containers::read(&bytes[..length]) {
                Ok(tensors) => names(&tensors) == whole && file == "tar.pth",
                Err(_) => true,
            };
            assert!(is_whole, "{file} cut to {length}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            let _ = containers::read(&damaged);
        }
    }
}

fn names(tensors: &Tensors<'_>) -> Vec<String> {
    tensors.names().cloned().collect()
}

#[test]
fn a_damaged_number_in_a_zip_is_noticed_by_its_checksum() {
    let bytes = read(&fixtures().join("containers/zip.pth"));
    // 3.75, the last of the numbers.
    let at = bytes
        .windows(4)
        .rposition(|part| part == 3.75_f32.to_le_bytes());
    let mut damaged = bytes.clone();
    damaged[at.expect("the number")] ^= 1;
    let error = containers::read(&damaged).expect_err("damaged");
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn safetensors_in_several_files_are_read_together() {
    let part = |name: &str, value: f32| {
        let bytes = value.to_le_bytes();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &bytes);
        safetensors::serialize([(name, view.expect("a tensor"))], None).expect("safetensors")
    };
    let (one, two) = (part("a", 1.0), part("b", 2.0));
    let mut both = containers::read_all(&[("m-1", &one), ("m-2", &two)]).expect("tensors");
    assert_eq!(both.take("a"), Some((vec![1], vec![1.0])));
    assert_eq!(both.take("b"), Some((vec![1], vec![2.0])));
    let error = containers::read_all(&[("m-1", &one), ("m-2", &one)]).expect_err("twice");
    assert_eq!(error.to_string(), "m-2: a is in another of the files too");
}
