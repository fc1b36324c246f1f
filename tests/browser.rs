//! The engine in headless Chromium: the same numbers on the CPU and on WebGPU as PyTorch gives.
//!
//! Chromium's WebGPU adapter is SwiftShader here (`webdriver.json`), which computes shaders on the CPU.
#![cfg(target_arch = "wasm32")]

#[path = "golden/expected.rs"]
#[allow(dead_code)]
mod expected;

use std::cell::RefCell;

use burn::tensor::{Device, Tensor};
use expected as golden;
use serde_json::Value;
use sightline::grad_cam;
use sightline::network::share_among;
use sightline::package::sha256;
use sightline::radiograph::{Input, Options, Radiograph, Resize, Stored};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

macro_rules! golden_file {
    ($name:literal) => {
        concat!(env!("SIGHTLINE_GOLDEN"), "/", $name)
    };
}

const SMALL_DENSENET: &str = include_str!(golden_file!("networks/densenet121_small.json"));
const LITE0: &str = include_str!(golden_file!("networks/efficientnet_lite0.json"));
const B0: &str = include_str!(golden_file!("networks/efficientnet_b0.json"));
const MNASNET: &str = include_str!(golden_file!("networks/mnasnet1_0.json"));
const ORIGIN_DENSENET: &str = include_str!(golden_file!("networks/mlmip_densenet121.json"));
const XRV_DENSENET: &str = include_str!(golden_file!("networks/xrv_densenet121.json"));
const JPEG: &[u8] = include_bytes!(golden_file!("preprocess/xray0.jpg"));
const RESIZED: &[u8] = include_bytes!(golden_file!("preprocess/xray0.resize224.png"));

async fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data_async().await.expect("the device answers");
    data.try_to_vec::<f32>().expect("float32")
}

/// Probabilities of a golden network within 1e-3 of PyTorch's, and evidence that adds up to the logits.
async fn check(case: &str, device: &Device) {
    let golden: Value = serde_json::from_str(case).expect("golden JSON");
    let network = golden::network(&golden, device);
    let input = golden::generated_input(&golden, "input", device);

    // Two pictures, which are the same: the products behind the maps are of several.
    let feature_maps = network.feature_maps(input).into_iter();
    let feature_maps: Vec<_> = feature_maps
        .map(|map| Tensor::cat(vec![map.clone(), map], 0))
        .collect();
    let logits = read(network.classify(feature_maps.clone())).await;
    let expected = golden::numbers(&golden["logits_f64"]);
    assert_eq!(logits.len(), 2 * expected.len());
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for (ours, expected) in logits.iter().zip(expected.iter().cycle()) {
        let difference = (sigmoid(f64::from(*ours)) - sigmoid(*expected)).abs();
        assert!(difference < 1e-3, "{ours}, expected {expected}");
    }

    let evidence = grad_cam::evidence(network.classifier(), feature_maps);
    let [_, _, height, width] = evidence.cells.dims();
    let (cells, bias) = (read(evidence.cells).await, read(evidence.bias).await);
    for (index, logit) in logits.iter().enumerate() {
        let sum: f32 = cells[index * height * width..][..height * width]
            .iter()
            .sum();
        assert!(
            (sum + bias[index] - logit).abs() < 2e-3,
            "{sum} + {} is not {logit}",
            bias[index]
        );
    }
}

/// A golden network's logits by the kernels that read on the CPU, as near to PyTorch's as they are natively.
async fn check_kernels(case: &str) {
    let golden: Value = serde_json::from_str(case).expect("golden JSON");
    let device = Device::flex();
    let network = golden::network(&golden, &device);
    let kernels = golden::kernels(&golden, &network, &device);
    let input = golden::generated_input(&golden, "input", &device);
    let feature_maps = kernels.feature_maps(input);
    let logits = read(network.classify(feature_maps)).await;
    let expected = golden::numbers(&golden["logits_f64"]);
    let difference = golden::max_difference(&logits, &expected);
    let tolerance = golden["tolerance_abs"].as_f64().expect("a tolerance");
    assert!(
        difference <= tolerance,
        "the kernels' logits differ by {difference}"
    );
}

/// A golden network's logits as a graphics card computes them, whose results so many units share.
async fn check_on_card(case: &str, device: &Device, units: usize) {
    share_among(units);
    let golden: Value = serde_json::from_str(case).expect("golden JSON");
    let network = golden::network(&golden, &Device::flex());
    let card = golden::inference(&golden, &network, device);
    let input = golden::generated_input(&golden, "input", device);
    // The same picture twice, and another between.
    let another = input.clone().flip([3]);
    let pictures = Tensor::cat(vec![input.clone(), another, input], 0);
    let logits = read(card.forward(pictures)).await;
    share_among(0);
    let expected = golden::numbers(&golden["logits_f64"]);
    let tolerance = golden["tolerance_abs"].as_f64().expect("a tolerance");
    assert_eq!(logits.len(), 3 * expected.len());
    for (picture, logits) in logits.chunks_exact(expected.len()).enumerate() {
        let difference = golden::max_difference(logits, &expected);
        assert_eq!(
            difference <= tolerance,
            picture != 1,
            "picture {picture}: with {units} units for a result, logits differ by {difference}"
        );
    }
}

#[wasm_bindgen_test]
async fn golden_networks_on_the_cpu() {
    for case in [
        SMALL_DENSENET,
        LITE0,
        B0,
        MNASNET,
        ORIGIN_DENSENET,
        XRV_DENSENET,
    ] {
        check(case, &Device::flex()).await;
        check_kernels(case).await;
    }
}

thread_local! {
    static GRAPHICS_CARD: RefCell<Option<Device>> = const { RefCell::new(None) };
}

/// Chromium's WebGPU adapter, which a page begins with once.
async fn graphics_card() -> Device {
    if let Some(device) = GRAPHICS_CARD.with_borrow(Clone::clone) {
        return device;
    }
    let device = Device::wgpu_options().init_async().await;
    let device = device.expect("Chromium's WebGPU adapter");
    GRAPHICS_CARD.set(Some(device.clone()));
    device
}

#[wasm_bindgen_test]
async fn golden_networks_on_webgpu() {
    let device = graphics_card().await;
    // Computed by the CPU here: the larger DenseNets take half a minute each.
    for case in [SMALL_DENSENET, LITE0, B0, MNASNET] {
        check(case, &device).await;
        for units in [1, 2, 32] {
            check_on_card(case, &device, units).await;
        }
    }
}

/// Feature maps of pictures of odd sides, as the CPU computes them and as a graphics card does, by networks of every family.
#[wasm_bindgen_test]
async fn a_graphics_card_computes_what_the_cpu_does() {
    let device = graphics_card().await;
    for (architecture, last, channels, [height, width], gain) in [
        ("densenet121", "classifier", 1, [47, 33], 1.625),
        ("efficientnet_lite0", "_fc", 1, [63, 50], 1.393),
        ("efficientnet_b0", "classifier.1", 3, [45, 71], 1.743),
        ("efficientnet_b1_same", "classifier.1", 1, [33, 64], 1.743),
        ("mnasnet1_0", "classifier.1", 1, [95, 39], 1.3),
        ("vgg19+mnasnet1_0", "classifier", 3, [34, 49], 1.355),
        ("vgg19_bn+mnasnet1_0", "classifier", 1, [65, 32], 1.355),
    ] {
        let case = serde_json::json!({
            "architecture": architecture,
            "outputs": 2,
            "input_shape": [1, channels, height, width],
            "case_seed": "0x00c0ffee000000aa",
            "gain": gain,
            "final_linear": last,
        });
        let cpu = Device::flex();
        let network = golden::network(&case, &cpu);
        let pictures = ["input", "input2", "another"]
            .map(|name| golden::generated_input(&case, name, &cpu))
            .to_vec();
        let pictures = Tensor::cat(pictures, 0);
        let expected = golden::inference(&case, &network, &cpu).feature_maps(pictures.clone());
        let card = golden::inference(&case, &network, &device);
        for units in [1, 32] {
            share_among(units);
            let found = card.feature_maps(Tensor::from_data(pictures.to_data(), &device));
            for (branch, (found, expected)) in found.into_iter().zip(&expected).enumerate() {
                assert_eq!(found.dims(), expected.dims(), "{architecture}");
                let expected = read(expected.clone()).await;
                let squares: f32 = expected.iter().map(|value| value * value).sum();
                let size = (squares / expected.len() as f32).sqrt();
                assert!(size > 1e-2, "{architecture}: maps of nothing");
                let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
                let difference = golden::max_difference(&read(found).await, &expected);
                assert!(
                    difference <= 1e-3 * f64::from(size),
                    "{architecture}, branch {branch}, {units} units for a result: {difference} of {size}"
                );
            }
        }
        share_among(0);
    }
}

#[wasm_bindgen_test]
fn golden_preprocessing_in_the_browser() {
    let decoded = Radiograph::decode(JPEG).expect("a golden JPEG").image;
    let expected = Radiograph::decode(RESIZED).expect("a golden PNG").image;
    let input = Input {
        levels: Default::default(),
        size: 224,
        resize: Resize::Stretch,
        channels: 1,
        mean: vec![0.5],
        std: vec![0.5],
    };
    let ours = input.square(&decoded);
    assert_eq!(ours, expected);
}

macro_rules! case_file {
    ($name:expr) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/", $name))
    };
}

#[wasm_bindgen_test]
fn files_that_people_have_are_read_in_the_browser_as_natively() {
    let read = |bytes: &[u8]| Radiograph::decode(bytes).map(|radiograph| radiograph.image);
    let apart = case_file!("01-jpeg-scan-per-component/odd_420_apart.jpg");
    let together = case_file!("01-jpeg-scan-per-component/odd_420_together.jpg");
    assert_eq!(read(apart).expect("read"), read(together).expect("read"));
    let control = read(case_file!("03-png-12-of-16-bits/control.png")).expect("read");
    let twelve = Radiograph::decode(case_file!("03-png-12-of-16-bits/u12_in_16.png"));
    let twelve = twelve.expect("read");
    assert_eq!((twelve.depth.bits, twelve.image), (12, control));
    let cut = read(case_file!("05-jpeg-cut-but-closed/cut_half_closed.jpg"));
    assert!(cut.expect_err("half a picture").to_string().contains("40%"));
}

/// The samples that other decoders give stand beside each file in a PNG, which says nothing of its depth: it is chosen as the file's.
#[wasm_bindgen_test]
fn jpegs_of_hospitals_are_read_in_the_browser_as_natively() {
    let files: [(&[u8], &[u8], Option<u8>); 4] = [
        (
            case_file!("jpeg-ls/grey-12-near.jls"),
            case_file!("jpeg-ls/grey-12-near.png"),
            Some(12),
        ),
        (
            case_file!("jpeg-ls/rgb-lines.jls"),
            case_file!("jpeg-ls/rgb-lines.png"),
            None,
        ),
        (
            case_file!("jpeg-lossless/grey-14-6.jpg"),
            case_file!("jpeg-lossless/grey-14-6.png"),
            Some(14),
        ),
        (
            case_file!("jpeg-12/grey-90.jpg"),
            case_file!("jpeg-12/grey-90.png"),
            Some(12),
        ),
    ];
    for (file, samples, depth) in files {
        let read = Radiograph::decode(file).expect("read");
        let options = Options {
            depth,
            ..Options::default()
        };
        let expected = Radiograph::decode_with(samples, options).expect("read");
        assert!(read.image == expected.image, "other grey values");
        assert_eq!(read.depth.bits, depth.unwrap_or(8));
    }
}

macro_rules! dicom_files {
    ($($name:literal)*) => {
        [$(($name, case_file!(concat!("dicom/", $name, ".dcm")) as &[u8])),*]
    };
}

/// Stored values, or the grey that is made of them, of every transfer syntax equal pydicom's.
#[wasm_bindgen_test]
fn dicom_files_are_read_in_the_browser_as_natively() {
    let files = dicom_files!(
        "implicit-12" "explicit-16" "big-endian-12" "deflated-12" "signed-12" "two-windows" "voi-table" "palette" "rle-12" "jpeg-8"
        "jpeg-12" "jpeg-lossless-1" "jpeg-ls" "jpeg-2000-16" "jpeg-2000-signed" "high-throughput-16"
        "high-throughput-signed-tiles" "high-throughput-rpcl" "without-meta"
    );
    let expected: Value = serde_json::from_slice(case_file!("dicom/expect.json")).expect("JSON");
    for (name, bytes) in files {
        let radiograph = Radiograph::decode(bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
        let values: Vec<i32> = match radiograph.stored() {
            Stored::Eight(values) => values.iter().map(|v| i32::from(*v)).collect(),
            Stored::Sixteen(values) => values.iter().map(|v| i32::from(*v)).collect(),
            Stored::Signed(values) => values.iter().map(|v| i32::from(*v)).collect(),
        };
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let expected = &expected[name];
        assert_eq!(expected["sha256_int32_le"], sha256(&bytes), "{name}");
        if let Some(grey) = expected["sha256_grey"].as_str() {
            assert_eq!(sha256(&radiograph.image.pixels), grey, "{name}");
        }
    }
}
