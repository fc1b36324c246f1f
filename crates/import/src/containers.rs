//! Weight files of other tools: PyTorch's of every age, safetensors and ONNX.
//!
//! Reading a file never executes anything in it: a `.pth` is a pickle, which is read as plain data.

use std::collections::BTreeSet;

use safetensors::SafeTensors;

use crate::error::ImportError;
use crate::kinds;
use crate::onnx;
use crate::tensors::{Number, Storage, Stored, Tensors};
use crate::torch_file::{self, TorchError};
use crate::zip;

/// Everything that a file has.
///
/// # Errors
/// When the bytes are no weights that can be read; the kind of file is named where it is known.
pub fn read(bytes: &[u8]) -> Result<Tensors<'_>, ImportError> {
    if let Some(refusal) = kinds::refusal(bytes) {
        return Err(ImportError::Container(refusal));
    }
    let of_torch = |read: Result<_, TorchError>| {
        read.map_err(|error| ImportError::Container(error.to_string()))
    };
    let tensors = if is_safetensors(bytes) {
        safetensors(bytes)?
    } else if zip::is_zip(bytes) {
        of_torch(torch_file::read_zip(bytes))?
    } else if torch_file::is_legacy(bytes) {
        of_torch(torch_file::read_legacy(bytes))?
    } else if torch_file::is_torch_tar(bytes) {
        of_torch(torch_file::read_tar(bytes))?
    } else if onnx::is_onnx(bytes) {
        onnx::read(bytes).map_err(|error| ImportError::Container(error.to_string()))?
    } else if is_pickle(bytes) {
        of_torch(torch_file::read_pickle(bytes))?
    } else {
        return Err(ImportError::Container(
            "the file is of no kind that is known here. PyTorch's .pth, .pt and .ckpt, .safetensors and .onnx are read"
                .to_owned(),
        ));
    };
    if tensors.is_empty() {
        return Err(ImportError::Container(
            "the file holds no floating-point tensor".to_owned(),
        ));
    }
    Ok(tensors)
}

/// What several files have together: the parts into which safetensors are cut.
///
/// # Errors
/// When one of them cannot be read, or two have a tensor of the same name.
pub fn read_all<'a>(files: &[(&str, &'a [u8])]) -> Result<Tensors<'a>, ImportError> {
    let mut all = Tensors::default();
    let mut seen = BTreeSet::new();
    for (name, bytes) in files {
        let named = |why: String| match files {
            [_] => ImportError::Container(why),
            _ => ImportError::Container(format!("{name}: {why}")),
        };
        let part = read(bytes).map_err(|error| named(error.to_string()))?;
        if let Some(twice) = part.names().find(|tensor| !seen.insert((*tensor).clone())) {
            return Err(named(format!("{twice} is in another of the files too")));
        }
        all.extend(part);
    }
    Ok(all)
}

fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..]) || matches!(bytes.first(), Some(b'(' | b'c' | b'}' | b']'))
}

/// A header's length in eight bytes, then JSON.
fn is_safetensors(start: &[u8]) -> bool {
    start.len() > 8 && start[8] == b'{'
}

fn safetensors(bytes: &[u8]) -> Result<Tensors<'_>, ImportError> {
    let tensors = SafeTensors::deserialize(bytes);
    let tensors =
        tensors.map_err(|error| ImportError::Container(damaged_safetensors(bytes, &error)))?;
    let mut result = Tensors::default();
    let metadata = SafeTensors::read_metadata(bytes).ok();
    let texts = metadata.and_then(|(_, header)| header.metadata().clone());
    let texts = texts.into_iter().flatten();
    result.texts = texts.map(|(name, text)| (name, vec![text])).collect();
    for (name, tensor) in tensors.iter() {
        let number = match tensor.dtype() {
            safetensors::Dtype::F64 => Number::F64,
            safetensors::Dtype::F32 => Number::F32,
            safetensors::Dtype::F16 => Number::F16,
            safetensors::Dtype::BF16 => Number::Bf16,
            _ => continue, // counters such as `num_batches_tracked`
        };
        let storage = Storage {
            bytes: tensor.data(),
            number,
            big_endian: false,
        };
        let stored = Stored::contiguous(storage, tensor.shape().to_vec());
        let stored = stored.ok_or_else(|| {
            ImportError::Container(format!("the file is damaged: {name} is not all there"))
        })?;
        result.insert(name.to_owned(), stored);
    }
    Ok(result)
}

/// The library says of a file that is cut only that something is invalid.
fn damaged_safetensors(bytes: &[u8], error: &safetensors::SafeTensorError) -> String {
    use safetensors::SafeTensorError as Error;
    let header = bytes
        .first_chunk::<8>()
        .map(|length| u64::from_le_bytes(*length));
    let is_cut = header.is_some_and(|header| header.saturating_add(8) > bytes.len() as u64);
    match error {
        Error::InvalidHeaderLength if is_cut => {
            "the safetensors file is cut off within its header, as after a download that broke off. Get it again".to_owned()
        }
        Error::MetadataIncompleteBuffer => {
            "the safetensors file is cut off, or has bytes too many, as after a download that broke off. Get it again".to_owned()
        }
        error => format!("the safetensors file is damaged: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;
    use sightline::input::Tensors;
    use sightline::network::{Architecture, Naming, Network};
    use sightline::radiograph::{Input, Resize};

    use super::*;
    use burn::tensor::{Device, Tensor};

    fn golden(name: &str) -> Vec<u8> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = std::env::var_os("SIGHTLINE_GOLDEN").map(std::path::PathBuf::from);
        let places = [
            folder.unwrap_or_else(|| env!("SIGHTLINE_GOLDEN").into()),
            root.join("tests/golden"),
        ];
        let file = places
            .iter()
            .map(|folder| folder.join(name))
            .find(|f| f.exists());
        std::fs::read(file.unwrap_or_else(|| panic!("no {name}"))).expect("a golden file")
    }

    #[test]
    #[ignore = "needs the weights that `cargo xtask weights` fetches"]
    fn golden_imagenet_weights_of_the_lite_networks_give_pytorchs_logits() {
        for variant in ["lite0", "lite1", "lite2"] {
            check_imagenet_weights(variant);
        }
    }

    /// All 1000 logits of the ImageNet weights, in torch's format before 1.6, as PyTorch computes them.
    fn check_imagenet_weights(variant: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let weights = root.join(format!("runs/weights/efficientnet-{variant}-imagenet.pth"));
        let weights = std::fs::read(&weights).expect("cargo xtask weights");
        let mut tensors = read(&weights).expect("weights");
        let device = Device::flex();
        let architecture =
            Architecture::named(&format!("efficientnet_{variant}"), 3).expect("known");
        let network = Network::new(&architecture, 1000, &device).expect("known");
        let network = network.load_state_dict(Naming::EfficientNetPytorch, false, |wanted| {
            tensors.take(&wanted.name)
        });
        let network = network.expect("the weights fit");

        let golden_json: Value =
            serde_json::from_slice(&golden(&format!("networks/{variant}_imagenet.json")))
                .expect("JSON");
        let expected = golden(&format!("networks/{variant}_imagenet_logits.safetensors"));
        let expected = SafeTensors::deserialize(&expected).expect("safetensors");
        for case in golden_json["cases"].as_array().expect("cases") {
            let name = case["image"].as_str().expect("a picture");
            let name = name.split(' ').next().unwrap_or(name);
            let picture = image::load_from_memory(&golden(name))
                .expect("a picture")
                .to_rgb8();
            let side = picture.width() as usize;
            let mut values = Vec::new();
            for channel in 0..3 {
                let pixels = picture.pixels();
                values.extend(pixels.map(|p| (f32::from(p.0[channel]) - 127.0) / 128.0));
            }
            let input = Input {
                levels: Default::default(),
                size: side,
                resize: Resize::Stretch,
                channels: 3,
                mean: vec![0.5; 3],
                std: vec![0.5; 3],
            };
            let logits: Tensor<2> = network.forward(input.tensor_of(values, &device));
            let ours = logits.into_data().try_to_vec::<f32>().expect("float32");
            // networks/lite0_generated.png: generated, preprocess/xray0.resize224.png: xray0
            let key = name.split(['/', '.']).nth(1).expect("a file in a folder");
            let tensor = expected.tensor(key.trim_start_matches("lite0_"));
            let tensor = tensor.unwrap_or_else(|_| panic!("no logits of {key}"));
            let theirs = tensor.data().chunks_exact(4);
            let theirs = theirs.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            let theirs: Vec<f32> = theirs.collect();
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!((ours - theirs).abs() < 1e-3, "{name}: {ours} {theirs}");
            }
            let mut order: Vec<usize> = (0..ours.len()).collect();
            order.sort_by(|a, b| ours[*b].total_cmp(&ours[*a]));
            let top = case["top5_index"].as_array().expect("indices");
            let top: Vec<_> = top.iter().filter_map(Value::as_u64).collect();
            assert!(
                order.iter().zip(&top).all(|(a, b)| *a as u64 == *b),
                "{name}"
            );
        }
    }
}
