//! Files of every kind, good and bad.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use proptest::prelude::*;
use sightline::radiograph::{
    Format, GreyImage, Input, Radiograph, RadiographError, Resize, resize,
};

fn encode(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("an encoder");
    bytes.into_inner()
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encode(image.into(), ImageFormat::Png)
}

fn ramp(x: u32) -> u8 {
    (x * 7 % 256) as u8
}

#[test]
fn every_kind_of_png_becomes_the_same_grey() {
    let size = (40, 33);
    let kinds: [(&str, Vec<u8>, u8); 6] = [
        (
            "grey",
            png(image::GrayImage::from_fn(size.0, size.1, |x, _| {
                Luma([ramp(x)])
            })),
            8,
        ),
        (
            "grey with alpha",
            png(image::GrayAlphaImage::from_fn(size.0, size.1, |x, _| {
                LumaA([ramp(x), 255])
            })),
            8,
        ),
        (
            "RGB",
            png(RgbImage::from_fn(size.0, size.1, |x, _| Rgb([ramp(x); 3]))),
            8,
        ),
        (
            "RGBA",
            png(image::RgbaImage::from_fn(size.0, size.1, |x, _| {
                let v = ramp(x);
                Rgba([v, v, v, 255])
            })),
            8,
        ),
        (
            "16-bit grey",
            png(image::ImageBuffer::<Luma<u16>, _>::from_fn(
                size.0,
                size.1,
                |x, _| Luma([u16::from(ramp(x)) * 257]),
            )),
            16,
        ),
        (
            "16-bit RGB",
            png(DynamicImage::ImageRgb16(image::ImageBuffer::from_fn(
                size.0,
                size.1,
                |x, _| Rgb([u16::from(ramp(x)) * 257; 3]),
            ))),
            16,
        ),
    ];
    for (kind, bytes, bits) in kinds {
        let radiograph =
            Radiograph::decode(&bytes).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(
            (radiograph.format, radiograph.bits),
            (Format::Png, bits),
            "{kind}"
        );
        let image = radiograph.image;
        assert_eq!((image.width, image.height), (40, 33), "{kind}");
        for (index, value) in image.pixels.iter().enumerate() {
            assert_eq!(*value, ramp(index as u32 % 40), "{kind}");
        }
    }
}

#[test]
fn colour_is_pillows_luma() {
    let image = RgbImage::from_fn(32, 32, |x, _| {
        if x < 16 {
            Rgb([200, 10, 90])
        } else {
            Rgb([0, 255, 3])
        }
    });
    let grey = Radiograph::decode(&png(image)).expect("a PNG").image;
    // (19595 R + 38470 G + 7471 B + 0x8000) >> 16
    assert_eq!((grey.pixels[0], grey.pixels[31]), (76, 150));
}

#[test]
fn a_palette_is_resolved() {
    let mut bytes = Vec::new();
    let mut encoder = png_crate(&mut bytes, 32, 32);
    encoder.set_palette(vec![10, 10, 10, 250, 250, 250]);
    let mut writer = encoder.write_header().expect("a header");
    let pixels: Vec<u8> = (0..32 * 32).map(|i| u8::from(i % 32 >= 16)).collect();
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    let grey = Radiograph::decode(&bytes).expect("a PNG").image;
    assert_eq!((grey.pixels[0], grey.pixels[31]), (10, 250));
}

fn png_crate(bytes: &mut Vec<u8>, width: u32, height: u32) -> png::Encoder<'_, &mut Vec<u8>> {
    let mut encoder = png::Encoder::new(bytes, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
}

#[test]
fn a_header_that_promises_100_megapixels_is_refused_before_decoding() {
    let mut bytes = png(image::GrayImage::new(64, 64));
    bytes[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
    // The header's checksum, so that only its promise is wrong.
    let sum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    let error = Radiograph::decode(&bytes).expect_err("a lie");
    assert!(
        matches!(
            error,
            RadiographError::TooLarge {
                width: 10_000,
                height: 10_000
            }
        ),
        "{error}"
    );
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

#[test]
fn files_cut_anywhere_are_refused_and_never_read_in_part() {
    let noise = image::GrayImage::from_fn(64, 64, |x, y| Luma([(x * 31 + y * 57) as u8]));
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let whole = encode(noise.clone().into(), format);
        Radiograph::decode(&whole).expect("the whole file");
        // The last bytes are an end mark that holds nothing: 12 of a PNG, 2 of a JPEG.
        let needed = if format == ImageFormat::Png { 12 } else { 2 };
        for length in 0..whole.len() - needed {
            let read = Radiograph::decode(&whole[..length]);
            assert!(
                read.is_err(),
                "{format:?} cut to {length} of {} was read",
                whole.len()
            );
        }
    }
}

#[test]
fn other_files_are_named() {
    let named = |bytes: &[u8], kind: &str| {
        let error = Radiograph::decode(bytes).expect_err(kind).to_string();
        assert!(error.contains(kind), "{error}");
    };
    named(b"", "empty");
    named(b"%PDF-1.7 ...", "PDF");
    named(b"hello there", "text");
    let mut dicom = vec![0; 128];
    dicom.extend_from_slice(b"DICM");
    named(&dicom, "DICOM");
    named(&png(image::GrayImage::new(8, 8)), "8 x 8");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_the_decoder_panic(
        start in prop_oneof![Just(vec![]), Just(vec![0xFF, 0xD8, 0xFF]), Just(b"\x89PNG\r\n\x1a\n".to_vec())],
        rest in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = start;
        bytes.extend(rest);
        let _ = Radiograph::decode(&bytes);
    }

    #[test]
    fn a_flipped_byte_never_makes_the_decoder_panic(at in 0usize..2000, flip in 1u8..) {
        let noise = image::GrayImage::from_fn(48, 48, |x, y| Luma([(x * 31 + y * 57) as u8]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let mut bytes = encode(noise.clone().into(), format);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let _ = Radiograph::decode(&bytes);
        }
    }

    #[test]
    fn resizing_keeps_a_constant_picture_and_never_leaves_its_range(
        width in 1usize..80, height in 1usize..80, to_width in 1usize..80, to_height in 1usize..80,
        pixels in proptest::collection::vec(any::<u8>(), 80 * 80), level in any::<u8>(),
    ) {
        let constant = GreyImage { width, height, pixels: vec![level; width * height] };
        let same = resize(&constant, to_width, to_height);
        prop_assert_eq!(same.pixels.len(), to_width * to_height);
        prop_assert!(same.pixels.iter().all(|v| *v == level));
        let image = GreyImage { width, height, pixels: pixels[..width * height].to_vec() };
        let resized = resize(&image, to_width, to_height);
        let (low, high) = (image.pixels.iter().min(), image.pixels.iter().max());
        prop_assert!(resized.pixels.iter().all(|v| Some(v) >= low && Some(v) <= high));
    }

    #[test]
    fn any_shape_becomes_the_networks_square_and_its_region_lies_inside(
        width in 16usize..400, height in 16usize..400, crop in any::<bool>(),
    ) {
        let resize = if crop { Resize::ShorterSide(72) } else { Resize::Stretch };
        let input = Input { levels: Default::default(), size: 64, resize, channels: 1, mean: vec![0.5], std: vec![0.25] };
        let image = GreyImage { width, height, pixels: vec![7; width * height] };
        let square = input.square(&image);
        prop_assert_eq!((square.width, square.height, square.pixels.len()), (64, 64, 64 * 64));
        let region = input.region(width, height);
        prop_assert!(region.x >= 0.0 && region.x + region.width <= 1.0 + 1e-9);
        prop_assert!(region.y >= 0.0 && region.y + region.height <= 1.0 + 1e-9);
        if crop {
            // In the middle, to a pixel of the resized picture; of its shorter side 64 of 72 pixels.
            prop_assert!((region.x + region.width / 2.0 - 0.5).abs() <= 1.0 / 72.0);
            prop_assert!((region.y + region.height / 2.0 - 0.5).abs() <= 1.0 / 72.0);
            let of_the_shorter = if width < height { region.width } else { region.height };
            prop_assert!((of_the_shorter - 64.0 / 72.0).abs() < 1e-6);
        } else {
            prop_assert_eq!((region.x, region.y, region.width, region.height), (0.0, 0.0, 1.0, 1.0));
        }
    }
}

#[test]
fn the_region_of_a_crop_is_where_the_network_looks() {
    let input = Input {
        levels: Default::default(),
        size: 64,
        resize: Resize::ShorterSide(72),
        channels: 1,
        mean: vec![0.5],
        std: vec![0.25],
    };
    let region = input.region(300, 200);
    let found = [region.x, region.y, region.width, region.height];
    let expected = [22.0 / 108.0, 4.0 / 72.0, 64.0 / 108.0, 64.0 / 72.0];
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{region:?}");
    }
}
