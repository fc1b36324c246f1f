//! Weight files of other tools: PyTorch's `.pth` of every age, and safetensors.
//!
//! Reading a file never executes anything in it: a `.pth` is a pickle, and only tensors and the containers
//! around them are understood.

use std::collections::BTreeMap;

use burn::tensor::{Bytes, DType, TensorData};
use safetensors::SafeTensors;

use crate::error::ImportError;

/// The floating-point tensors of a file, by the name under which it has them.
pub type StateDict = BTreeMap<String, Values>;

/// A tensor's shape and its values in row-major order.
pub type Values = (Vec<usize>, Vec<f32>);

/// # Errors
/// When the bytes are of no known format, or hold a whole pickled module.
pub fn read(bytes: &[u8]) -> Result<StateDict, ImportError> {
    let tensors = match is_safetensors(bytes) {
        true => safetensors(bytes)?,
        false => pytorch(bytes)?,
    };
    if tensors.is_empty() {
        return Err(ImportError::Container(
            "the file holds no floating-point tensor".to_owned(),
        ));
    }
    Ok(tensors)
}

/// A header's length in eight bytes, then JSON.
fn is_safetensors(start: &[u8]) -> bool {
    start.len() > 8 && start[8] == b'{'
}

fn safetensors(bytes: &[u8]) -> Result<StateDict, ImportError> {
    let tensors = SafeTensors::deserialize(bytes);
    let tensors = tensors.map_err(|error| ImportError::Container(error.to_string()))?;
    let mut result = StateDict::new();
    for (name, tensor) in tensors.iter() {
        let dtype = match tensor.dtype() {
            safetensors::Dtype::F64 => DType::F64,
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            _ => continue, // counters such as `num_batches_tracked`
        };
        let values = floats(name, tensor.data().to_vec(), tensor.shape(), dtype)?;
        result.insert(name.to_owned(), (tensor.shape().to_vec(), values));
    }
    Ok(result)
}

/// The reader of PyTorch's containers opens files by their path alone, so the bytes become one for a moment.
#[cfg(not(target_arch = "wasm32"))]
fn pytorch(bytes: &[u8]) -> Result<StateDict, ImportError> {
    use std::io::Write;

    use pytorch_reader::PytorchReader;

    let refused = |why: String| ImportError::Container(why);
    refuse_pickled_module(bytes)?;
    let file = tempfile::NamedTempFile::new().and_then(|mut file| {
        file.write_all(bytes)?;
        file.flush()?;
        Ok(file)
    });
    let file = file.map_err(|error| refused(format!("no room for a copy of it: {error}")))?;
    let reader = PytorchReader::new(file.path());
    let reader = reader.map_err(|error| refused(error.to_string()))?;
    let mut result = StateDict::new();
    for (name, tensor) in reader.into_tensors() {
        let dtype = match tensor.dtype() {
            pytorch_reader::DType::F64 => DType::F64,
            pytorch_reader::DType::F32 => DType::F32,
            pytorch_reader::DType::F16 => DType::F16,
            pytorch_reader::DType::BF16 => DType::BF16,
            _ => continue,
        };
        let bytes = tensor.read();
        let bytes = bytes.map_err(|error| refused(format!("{name}: {error}")))?;
        let values = floats(&name, bytes, tensor.shape(), dtype)?;
        result.insert(name, (tensor.shape().to_vec(), values));
    }
    Ok(result)
}

#[cfg(target_arch = "wasm32")]
fn pytorch(bytes: &[u8]) -> Result<StateDict, ImportError> {
    refuse_pickled_module(bytes)?;
    Err(ImportError::Container(
        "it is not in the safetensors format, the only one that is read in a browser".to_owned(),
    ))
}

/// A pickled module names the classes of its layers; a state dict names none.
fn refuse_pickled_module(bytes: &[u8]) -> Result<(), ImportError> {
    const LAYERS: &[u8] = b"torch.nn.modules.";
    match memchr::memmem::find(bytes, LAYERS) {
        None => Ok(()),
        Some(_) => Err(ImportError::Container(
            "the file holds a whole pickled module, which only the program that saved it should load. Load it \
             there, save its weights alone with torch.save(model.state_dict(), \"weights.pth\"), and import that"
                .to_owned(),
        )),
    }
}

fn floats(
    name: &str,
    bytes: Vec<u8>,
    shape: &[usize],
    dtype: DType,
) -> Result<Vec<f32>, ImportError> {
    let data = TensorData::from_bytes(Bytes::from_bytes_vec(bytes), shape.to_vec(), dtype);
    let data = data.convert_dtype(DType::F32);
    data.try_to_vec::<f32>()
        .map_err(|error| ImportError::Container(format!("{name}: {error:?}")))
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
        let mut tensors =
            read(&std::fs::read(&weights).expect("cargo xtask weights")).expect("weights");
        let device = Device::flex();
        let architecture =
            Architecture::named(&format!("efficientnet_{variant}"), 3).expect("known");
        let network = Network::new(&architecture, 1000, &device).expect("known");
        let network = network.load_state_dict(Naming::EfficientNetPytorch, false, |wanted| {
            tensors.remove(&wanted.name)
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
            let theirs = floats("logits", tensor.data().to_vec(), tensor.shape(), DType::F32);
            let theirs = theirs.expect("float32");
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
