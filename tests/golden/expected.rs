//! Expected numbers from the field's own Python libraries; see `README.md` in this folder.
//!
//! They come from the folder named by `SIGHTLINE_GOLDEN` (`.cargo/config.toml` names this one), and those
//! too large for it from `../shared/golden`. In the browser they are compiled in.

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;
use sightline::network::{Architecture, Head, Inference, Naming, Network};

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

/// A JSON array (of numbers) as numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    let array = value.as_array().expect("an array");
    array
        .iter()
        .map(|v| v.as_f64().expect("a number"))
        .collect()
}

pub fn sizes(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|v| v as usize).collect()
}

/// The generator of the golden README: FNV-1a of the tensor's name seeds SplitMix64; values in [-1, 1).
pub struct Generator(u64);

impl Generator {
    pub fn new(name: &str, case_seed: u64) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash ^ case_seed)
    }

    pub fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 * 2f64.powi(-52) - 1.0
    }

    pub fn take(mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.draw()).collect()
    }
}

pub fn seed(case: &Value) -> u64 {
    let text = case["case_seed"].as_str().expect("a seed");
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a hexadecimal seed")
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
    let seed = seed(case);
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
    let gain_of = |name: &str| match &case["gain"] {
        Value::Object(gains) => {
            let gain = gains.iter().find(|(prefix, _)| name.starts_with(*prefix));
            gain.and_then(|(_, gain)| gain.as_f64())
        }
        gain => gain.as_f64(),
    };
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
        let draws = Generator::new(&name, seed).take(count).into_iter();
        let values: Vec<f32> = match (kind, tensor.batch_norm) {
            ("weight", true) => draws.map(|u| (1.0 + 0.1 * u) as f32).collect(),
            ("running_var", _) => draws.map(|u| (1.0 + 0.5 * u.abs()) as f32).collect(),
            ("weight", false) => {
                let fan_in: usize = tensor.shape[1..].iter().product();
                let gain = if is_final { Some(1.0) } else { gain_of(&name) };
                let scale = (3.0 / fan_in as f64).sqrt() * gain.expect("a gain");
                draws.map(|u| (u * scale) as f32).collect()
            }
            _ => draws.map(|u| (0.1 * u) as f32).collect(),
        };
        if let Some(check) = case["tensor_check"].get(&name) {
            assert_eq!(sizes(&check["shape"]), tensor.shape, "{name}");
            for (value, expected) in values.iter().zip(numbers(&check["first3"])) {
                assert!(
                    (f64::from(*value) - expected).abs() < 1e-7,
                    "{name}: {value} {expected}"
                );
            }
        }
        Some((tensor.shape.clone(), values))
    });
    loaded.expect("the generated weights fit")
}

/// The input of a golden network: `input` or `input2`, as `[1, C, H, W]`.
pub fn generated_input(case: &Value, name: &str, device: &Device) -> Tensor<4> {
    let shape = sizes(&case["input_shape"]);
    let [channels, height, width] = [shape[1], shape[2], shape[3]];
    let seed = seed(case);
    let coarse = Generator::new(&format!("{name}.coarse"), seed).take(channels * 8 * 8);
    let fine = Generator::new(name, seed).take(channels * height * width);
    let mut values = Vec::with_capacity(fine.len());
    for c in 0..channels {
        for i in 0..height {
            for j in 0..width {
                let coarse = coarse[(c * 8 + i * 8 / height) * 8 + j * 8 / width];
                let fine = fine[(c * height + i) * width + j];
                values.push((1.5 * coarse + 0.5 * fine) as f32);
            }
        }
    }
    Tensor::from_data(
        TensorData::new(values, [1, channels, height, width]),
        device,
    )
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("float32")
}

/// The largest absolute difference; panics if the lengths differ.
pub fn max_difference(ours: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(ours.len(), expected.len());
    let differences = ours
        .iter()
        .zip(expected)
        .map(|(a, b)| (f64::from(*a) - b).abs());
    differences.fold(0.0, |worst, d| {
        if d.is_nan() {
            f64::INFINITY
        } else {
            worst.max(d)
        }
    })
}
