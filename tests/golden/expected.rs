//! Expected numbers from the field's own Python libraries; see `README.md` in this folder.
//!
//! They come from the folder named by `SIGHTLINE_GOLDEN` (`.cargo/config.toml` names this one), and those
//! too large for it from `../shared/golden`. In the browser they are compiled in.

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;
use sightline::network::{Architecture, Head, Inference, Naming, Network};

#[path = "formula.rs"]
mod formula;
pub use formula::*;

#[cfg(not(target_arch = "wasm32"))]
pub fn bytes(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("SIGHTLINE_GOLDEN"));
    let folder = std::env::var_os("SIGHTLINE_GOLDEN").map_or(folder.to_owned(), Into::into);
    let mut path = folder.join(name);
    if !path.exists() {
        path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../shared/golden")
            .join(name);
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the JSON files in a folder of the golden numbers, without their endings.
#[cfg(not(target_arch = "wasm32"))]
pub fn names(folder: &str) -> Vec<String> {
    let golden = std::env::var_os("SIGHTLINE_GOLDEN");
    let golden = golden.unwrap_or_else(|| env!("SIGHTLINE_GOLDEN").into());
    let files = std::fs::read_dir(std::path::Path::new(&golden).join(folder));
    let files = files.unwrap_or_else(|error| panic!("{folder}: {error}"));
    files
        .filter_map(|file| {
            let name = file.expect("a file").file_name();
            name.to_str()?.strip_suffix(".json").map(str::to_owned)
        })
        .collect()
}

/// A file of this project's own numbers, whatever folder is named: other sets do not have it.
#[cfg(not(target_arch = "wasm32"))]
pub fn own(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let path = folder.join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(not(target_arch = "wasm32"))]
pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).expect("golden JSON")
}

/// What a golden case is of: its architecture, and whose names its tensors have.
fn architecture(case: &Value) -> (Architecture, Naming) {
    let text = case["architecture"].as_str().expect("an architecture");
    let name = text.trim_start_matches("mlmip_").trim_start_matches("xrv_");
    let channels = sizes(&case["input_shape"])[1];
    let mut architecture = Architecture::named(name, channels).expect("a known network");
    let mut naming = Naming::Torchvision;
    if text == "mlmip_densenet121" {
        architecture.head = Head::Bottleneck;
    }
    if text == "mlmip_efficientnet_b5" {
        architecture.variant += "_same";
    }
    if text == "mlmip_efficientnet_b5" || text == "efficientnet_lite0" {
        naming = Naming::EfficientNetPytorch;
    }
    (architecture, naming)
}

/// The network of a golden case, with its weights.
pub fn network(case: &Value, device: &Device) -> Network {
    let outputs = case["outputs"].as_u64().expect("a number of outputs") as usize;
    build(case, outputs, device, false)
}

/// A golden case's network as a device computes it to read.
pub fn inference(case: &Value, network: &Network, device: &Device) -> Inference {
    let (architecture, _) = architecture(case);
    Inference::new(network.clone(), &architecture, device)
}

/// A golden case's network as the CPU's kernels compute it, all of its branches.
pub fn kernels(case: &Value, network: &Network, device: &Device) -> Inference {
    let kernels = inference(case, network, device);
    assert_eq!(kernels.left_out(), 0, "branches are left to Burn");
    kernels
}

/// The network of a golden case with the identity, `outputs` square, as its last linear layer.
pub fn network_with_identity(case: &Value, outputs: usize, device: &Device) -> Network {
    build(case, outputs, device, true)
}

/// Weights by the formulas of the golden README.
fn build(case: &Value, outputs: usize, device: &Device, identity: bool) -> Network {
    let final_linear = case["final_linear"].as_str().expect("a name");
    let (architecture, naming) = architecture(case);
    let network = Network::new(&architecture, outputs, device).expect("a known architecture");
    // The origin's two networks were saved inside a module that calls them `net`.
    let prefix = if final_linear.starts_with("net.") {
        "net."
    } else {
        ""
    };
    let tensors = network.state_dict(naming);
    let our_final = tensors.last().expect("a last layer").name.clone();
    let our_final = our_final.trim_end_matches(".bias");
    let loaded = network.load_state_dict(naming, false, |tensor| {
        let (layer, kind) = tensor.name.rsplit_once('.').expect("a layer's name");
        let is_final = layer == our_final;
        let name = if is_final {
            format!("{final_linear}.{kind}")
        } else {
            format!("{prefix}{}", tensor.name)
        };
        let count = tensor.shape.iter().product();
        if is_final && identity {
            let one = |index: usize| kind == "weight" && index % outputs == index / outputs;
            let values = (0..count).map(|index| f32::from(u8::from(one(index))));
            return Some((tensor.shape.clone(), values.collect()));
        }
        let values = parameter(case, &name, &tensor.shape, is_final);
        Some((tensor.shape.clone(), values))
    });
    loaded.expect("the generated weights fit")
}

/// The input of a golden network: `input` or `input2`, as `[1, C, H, W]`.
pub fn generated_input(case: &Value, name: &str, device: &Device) -> Tensor<4> {
    let (values, [channels, height, width]) = input(case, name);
    Tensor::from_data(
        TensorData::new(values, [1, channels, height, width]),
        device,
    )
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("float32")
}
