//! Decoding, resizing and normalising against Pillow and torchvision.

use crate::expected as golden;

use burn::tensor::Device;
use sightline::input::Tensors;
use sightline::radiograph::{GreyImage, Input, Radiograph, Resize};

fn grey_png(name: &str) -> GreyImage {
    Radiograph::decode(&golden::bytes(name))
        .expect("a golden picture")
        .image
}

fn input(resize: Resize, images: &serde_json::Value) -> Input {
    let numbers = |key: &str| {
        golden::numbers(&images[key])
            .iter()
            .map(|v| *v as f32)
            .collect()
    };
    Input {
        levels: Default::default(),
        size: 224,
        resize,
        channels: 3,
        mean: numbers("mean"),
        std: numbers("std"),
    }
}

#[test]
fn golden_resize_gives_pillows_pixels() {
    let images = golden::json("preprocess/images.json");
    for image in images["images"].as_array().expect("images") {
        let decoded = grey_png(image["decoded"].as_str().expect("a name"));
        for pipeline in image["pipelines"].as_array().expect("pipelines") {
            let name = pipeline["u8_image"].as_str().expect("a name");
            let resize = match pipeline["name"].as_str().expect("a name") {
                "resize224" => Resize::Stretch,
                "resize256_center224" => Resize::ShorterSide(256),
                other => panic!("an unknown pipeline: {other}"),
            };
            let ours = input(resize, &images).square(&decoded);
            assert_eq!(ours, grey_png(name), "{name}");
        }
    }
}

#[test]
fn golden_jpeg_decoding_is_libjpegs_bit_for_bit() {
    let images = golden::json("preprocess/images.json");
    for image in images["images"].as_array().expect("images") {
        let jpeg = grey_png(image["jpeg"].as_str().expect("a name"));
        let expected = grey_png(image["decoded"].as_str().expect("a name"));
        assert_eq!((jpeg.width, jpeg.height), (expected.width, expected.height));
        let pairs = jpeg.pixels.iter().zip(&expected.pixels);
        let worst = pairs.map(|(a, b)| a.abs_diff(*b)).max().expect("pixels");
        assert_eq!(worst, 0, "{worst} levels");
    }
}

#[test]
fn golden_normalised_tensors_are_torchvisions() {
    let images = golden::json("preprocess/images.json");
    for image in images["images"].as_array().expect("images") {
        let pipeline = &image["pipelines"][0];
        let square = grey_png(pipeline["u8_image"].as_str().expect("a name"));
        let input = input(Resize::Stretch, &images);
        let tensor = input.tensor(&[&square], &Device::flex());
        assert_eq!(tensor.dims(), [1, 3, 224, 224]);
        let ours = golden::values(tensor);
        let first = golden::numbers(&pipeline["normalized"]["first6"]);
        assert!(golden::max_difference(&ours[..6], &first) < 1e-6);
        let means = golden::numbers(&pipeline["channel_means"]);
        for (channel, expected) in ours.chunks_exact(224 * 224).zip(means) {
            let mean = channel.iter().map(|v| f64::from(*v)).sum::<f64>() / channel.len() as f64;
            assert!((mean - expected).abs() < 1e-5, "{mean} {expected}");
        }
    }
}

#[test]
fn golden_sixteen_bits_are_scaled_exactly() {
    let expected = golden::json("preprocess/sixteen_bit.json");
    let radiograph = Radiograph::decode(&golden::bytes("preprocess/grey16.png"));
    let flat = |key: &str| -> Vec<f64> {
        let rows = expected[key].as_array().expect("rows");
        rows.iter().flat_map(golden::numbers).collect()
    };
    match radiograph {
        Ok(radiograph) => {
            assert_eq!(radiograph.bits, 16);
            let ours: Vec<f64> = radiograph
                .image
                .pixels
                .iter()
                .map(|v| f64::from(*v))
                .collect();
            assert_eq!(ours, flat("png_round_v_div_257"));
        }
        Err(error) => panic!("{error}"),
    }
}
