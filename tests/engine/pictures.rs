//! What a picture file holds is what is read: its bits, its transparency, all of its parts.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{
    DynamicImage, ExtendedColorType, Frame, GrayImage, ImageBuffer, ImageFormat, Luma, RgbaImage,
};
use sightline::radiograph::{
    DepthSource, Format, Notice, Options, Radiograph, RadiographError, resize,
};

const SIDE: u32 = 64;

/// A smooth picture with grain, from 10 to 250.
fn level(x: u32, y: u32) -> u8 {
    let wave = f64::from(x * x + 3 * y) / 97.0;
    (130.0 + 100.0 * wave.sin()) as u8 + ((x * 7 + y * 13) % 17) as u8
}

fn grey() -> GrayImage {
    GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([level(x, y)]))
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .into()
        .write_to(&mut bytes, format)
        .expect("an encoder");
    bytes.into_inner()
}

/// A 16-bit PNG of samples that `scale` makes of 8-bit levels, with an sBIT chunk if asked.
fn sixteen(scale: impl Fn(u8) -> u16, significant: Option<u8>) -> Vec<u8> {
    let image = ImageBuffer::from_fn(SIDE, SIDE, |x, y| Luma([scale(level(x, y))]));
    let bytes = encode(DynamicImage::ImageLuma16(image), ImageFormat::Png);
    match significant {
        None => bytes,
        Some(bits) => {
            // Behind the header, which is always 33 bytes long with the signature.
            let mut chunk = vec![0, 0, 0, 1, b's', b'B', b'I', b'T', bits];
            chunk.extend(crc32(&chunk[4..]).to_be_bytes());
            [&bytes[..33], &chunk, &bytes[33..]].concat()
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

fn of_bits(bits: u32) -> impl Fn(u8) -> u16 {
    move |v| (f64::from(v) * f64::from((1u32 << bits) - 1) / 255.0).round() as u16
}

fn worst(a: &Radiograph, b: &[u8]) -> u8 {
    let pairs = a.image.pixels.iter().zip(b);
    pairs.map(|(a, b)| a.abs_diff(*b)).max().expect("pixels")
}

#[test]
fn nine_to_fifteen_bits_in_sixteen_are_read_as_what_they_are_and_said() {
    let expected = grey().into_raw();
    for bits in 9..=15 {
        let radiograph = Radiograph::decode(&sixteen(of_bits(bits), None)).expect("a PNG");
        assert_eq!(u32::from(radiograph.depth.bits), bits);
        assert_eq!(radiograph.depth.told_by, DepthSource::Pixels);
        assert_eq!(worst(&radiograph, &expected), 0, "{bits} bits");
        assert_eq!(radiograph.bits, 16);
        let said = radiograph.notices[0].to_string();
        assert_eq!(said, format!("{bits} bits, as far as the pixels tell."));
    }
}

#[test]
fn a_file_that_says_its_bits_is_taken_at_its_word() {
    let dark = |v: u8| of_bits(12)(v) / 8;
    // 12 bits that are not scaled up, though the picture uses 9 of them.
    let radiograph = Radiograph::decode(&sixteen(dark, Some(12))).expect("a PNG");
    assert_eq!(
        (radiograph.depth.bits, radiograph.depth.told_by),
        (12, DepthSource::Tag)
    );
    assert!(radiograph.image.pixels.iter().all(|v| *v < 33));
    // 12 bits scaled up to 16, as the standard asks, by shifting: dark or not, white is 65535.
    for scale in [
        |v: u8| of_bits(12)(v) << 4,
        |v: u8| (of_bits(12)(v) / 64) << 4,
    ] {
        let radiograph = Radiograph::decode(&sixteen(scale, Some(12))).expect("a PNG");
        assert_eq!(radiograph.depth.bits, 16);
        assert!(radiograph.notices.is_empty());
    }
    // All 16 bits: a picture is dark if its file says so.
    let radiograph = Radiograph::decode(&sixteen(of_bits(12), Some(16))).expect("a PNG");
    assert_eq!(radiograph.depth.bits, 16);
    assert!(radiograph.image.pixels.iter().all(|v| *v < 16));
}

#[test]
fn a_dark_picture_scaled_up_from_8_bits_is_not_brightened() {
    for scale in [
        |v: u8| u16::from(v / 5) * 257,
        |v: u8| u16::from(v / 5) << 8,
    ] {
        let radiograph = Radiograph::decode(&sixteen(scale, None)).expect("a PNG");
        assert_eq!(radiograph.depth.bits, 16);
        let expected: Vec<u8> = grey().into_raw().iter().map(|v| v / 5).collect();
        assert_eq!(worst(&radiograph, &expected), 0);
    }
}

#[test]
fn a_depth_that_was_chosen_is_used_and_one_that_is_too_small_is_refused() {
    let bytes = sixteen(of_bits(11), None);
    let read = |depth| {
        let depth = Some(depth);
        Radiograph::decode_with(
            &bytes,
            Options {
                depth,
                ..Options::default()
            },
        )
    };
    let as_12 = read(12).expect("11 bits fit into 12");
    assert_eq!(
        (as_12.depth.bits, as_12.depth.told_by),
        (12, DepthSource::Choice)
    );
    let half: Vec<u8> = grey().into_raw().iter().map(|v| v.div_ceil(2)).collect();
    assert!(worst(&as_12, &half) <= 1);
    let as_16 = read(16).expect("a dark picture");
    assert!(as_16.image.pixels.iter().all(|v| *v < 9));
    assert!(matches!(
        read(10),
        Err(RadiographError::Depth {
            used: 11,
            chosen: 10
        })
    ));
}

#[test]
fn transparency_never_makes_a_picture_black() {
    for alpha in [
        |_: u32| 0u8,
        |x: u32| if x < 32 { 0 } else { 255 },
        |x: u32| x as u8,
    ] {
        let picture = RgbaImage::from_fn(SIDE, SIDE, |x, y| {
            let v = level(x, y);
            image::Rgba([v, v, v, alpha(x)])
        });
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            let radiograph =
                Radiograph::decode(&encode(picture.clone(), format)).expect("a picture");
            assert_eq!(worst(&radiograph, &grey()), 0);
            assert_eq!(radiograph.notices, [Notice::Transparency]);
        }
    }
    let opaque = DynamicImage::from(grey()).into_rgba8();
    let radiograph = Radiograph::decode(&encode(opaque, ImageFormat::Png)).expect("a picture");
    assert!(radiograph.notices.is_empty());
}

#[test]
fn a_picture_of_one_grey_level_is_refused() {
    for level in [0, 77, 255] {
        let even = GrayImage::from_pixel(SIDE, SIDE, Luma([level]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp] {
            let error =
                Radiograph::decode(&encode(even.clone(), format)).expect_err("nothing in it");
            assert!(matches!(error, RadiographError::Blank), "{error}");
        }
    }
}

/// Start and end of the last scan's data.
fn scan_data(jpeg: &[u8]) -> std::ops::Range<usize> {
    let at = jpeg
        .windows(2)
        .rposition(|pair| pair == [0xFF, 0xDA])
        .expect("a scan");
    at + 2 + usize::from(jpeg[at + 3])..jpeg.len() - 2
}

#[test]
fn a_jpeg_that_is_cut_and_closed_again_is_refused_and_says_how_much_is_there() {
    let jpeg = encode(grey(), ImageFormat::Jpeg);
    let data = scan_data(&jpeg);
    let mut last = 0;
    for end in data.clone().step_by(7) {
        let mut cut = jpeg[..end].to_vec();
        if cut.last() == Some(&0xFF) {
            continue;
        }
        cut.extend([0xFF, 0xD9]);
        match Radiograph::decode(&cut) {
            Err(RadiographError::Truncated {
                percent: Some(percent),
            }) => {
                assert!(percent >= last, "{percent}% after {last}%");
                last = percent;
            }
            other => panic!("cut at {end} of {}: {other:?}", data.end),
        }
    }
    assert!(last > 90, "{last}%");
}

#[test]
fn a_jpeg_with_a_hole_is_refused_and_one_without_its_end_mark_is_read() {
    let jpeg = encode(grey(), ImageFormat::Jpeg);
    let data = scan_data(&jpeg);
    let whole = Radiograph::decode(&jpeg).expect("whole");
    for start in (data.start..data.end - 40).step_by(50) {
        let mut hole = jpeg.clone();
        hole[start..start + 40].fill(0);
        let error = Radiograph::decode(&hole).expect_err("a hole").to_string();
        assert!(error.contains("damaged"), "{error}");
    }
    let endless = Radiograph::decode(&jpeg[..jpeg.len() - 2]).expect("every pixel is there");
    assert_eq!(endless.image, whole.image);
    assert_eq!(endless.notices, [Notice::NoEnd]);
    let trailing = [&jpeg[..], &[0; 4096]].concat();
    assert_eq!(
        Radiograph::decode(&trailing).expect("whole").image,
        whole.image
    );
}

#[test]
fn a_png_without_its_end_is_read_and_one_without_pixels_is_not() {
    let png = encode(grey(), ImageFormat::Png);
    let whole = Radiograph::decode(&png).expect("whole");
    for missing in 1..=12 {
        let radiograph =
            Radiograph::decode(&png[..png.len() - missing]).expect("every pixel is there");
        assert_eq!(radiograph.image, whole.image);
        // The name of the end mark is enough, without its checksum.
        let said = radiograph.notices.contains(&Notice::NoEnd);
        assert_eq!(said, missing > 4, "{missing} bytes are missing");
    }
    assert!(Radiograph::decode(&png[..png.len() - 13]).is_err());
}

#[test]
fn bmp_tiff_webp_and_gif_are_read_as_their_png_twin() {
    let expected = grey().into_raw();
    let formats = [
        (ImageFormat::Bmp, Format::Bmp),
        (ImageFormat::Tiff, Format::Tiff),
        (ImageFormat::WebP, Format::WebP),
    ];
    for (format, named) in formats {
        let picture = if format == ImageFormat::WebP {
            DynamicImage::from(grey()).into_rgb8().into()
        } else {
            DynamicImage::from(grey())
        };
        let radiograph = Radiograph::decode(&encode(picture, format)).expect("a picture");
        assert_eq!(
            (radiograph.format, worst(&radiograph, &expected)),
            (named, 0)
        );
    }
    let wide = ImageBuffer::from_fn(SIDE, SIDE, |x, y| Luma([of_bits(12)(level(x, y))]));
    let tiff = encode(DynamicImage::ImageLuma16(wide), ImageFormat::Tiff);
    let radiograph = Radiograph::decode(&tiff).expect("a TIFF");
    assert_eq!(
        (radiograph.depth.bits, worst(&radiograph, &expected)),
        (12, 0)
    );
}

#[test]
fn of_an_animation_the_first_picture_is_read_and_that_is_said() {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    let black = RgbaImage::from_pixel(SIDE, SIDE, image::Rgba([0, 0, 0, 255]));
    for picture in [DynamicImage::from(grey()).into_rgba8(), black] {
        encoder.encode_frame(Frame::new(picture)).expect("a frame");
    }
    drop(encoder);
    let radiograph = Radiograph::decode(&bytes).expect("a GIF");
    // Palettes are made to fit, so that levels move a little.
    assert!(worst(&radiograph, &grey()) < 8);
    assert_eq!(radiograph.notices, [Notice::FirstOfSeveral]);
}

#[test]
fn what_jpeg_cannot_be_read_as_is_named() {
    let jpeg = encode(grey(), ImageFormat::Jpeg);
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .expect("a frame");
    let with = |marker: u8, bits: u8| {
        let mut changed = jpeg.clone();
        changed[frame + 1] = marker;
        changed[frame + 4] = bits;
        Radiograph::decode(&changed)
            .expect_err("not read")
            .to_string()
    };
    for (marker, bits, word) in [
        (0xC3, 8, "lossless"),
        (0xC9, 8, "arithmetic"),
        (0xCA, 8, "arithmetic"),
        (0xC1, 12, "12-bit"),
        (0xF7, 8, "JPEG-LS"),
        (0xC5, 8, "hierarchical"),
    ] {
        let said = with(marker, bits);
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_large_jpeg_is_decoded_smaller_for_training_and_is_the_same_picture() {
    let (width, height) = (1003, 1210);
    let picture = GrayImage::from_fn(width, height, |x, y| {
        let ramp = 160 * x / width + if y > height / 3 { 60 } else { 0 };
        Luma([(ramp + (x * 7 + y * 13) % 5) as u8])
    });
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 92)
        .encode(&picture, width, height, ExtendedColorType::L8)
        .expect("a JPEG");
    let full = Radiograph::decode(&bytes).expect("a JPEG").image;
    for (least, reduced_width) in [(200, 251), (400, 502), (900, 1003), (100, 126)] {
        let options = Options {
            least: Some(least),
            ..Options::default()
        };
        let image = Radiograph::decode_with(&bytes, options)
            .expect("a JPEG")
            .image;
        assert_eq!(image.width, reduced_width);
        let (a, b) = (resize(&image, 100, 100), resize(&full, 100, 100));
        let apart: Vec<u8> = a
            .pixels
            .iter()
            .zip(&b.pixels)
            .map(|(a, b)| a.abs_diff(*b))
            .collect();
        let sum: usize = apart.iter().map(|d| usize::from(*d)).sum();
        assert!(
            sum < apart.len(),
            "{sum} levels over {} pixels",
            apart.len()
        );
        assert!(apart.iter().all(|d| *d < 24), "{:?}", apart.iter().max());
    }
    let cut = &bytes[..bytes.len() / 2];
    let options = Options {
        least: Some(100),
        ..Options::default()
    };
    assert!(Radiograph::decode_with(cut, options).is_err());
}

#[test]
fn other_kinds_of_file_are_named() {
    let mut headerless = b"\x08\x00\x05\x00CS\x0A\x00ISO_IR 100".to_vec();
    headerless.resize(400, 0);
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let ftyp = |brand: &[u8; 4]| [b"\0\0\0\x18ftyp", &brand[..], b"\0\0\0\0mif1", brand].concat();
    let mut nifti = vec![0; 400];
    nifti[..4].copy_from_slice(&348u32.to_le_bytes());
    nifti[344..348].copy_from_slice(b"n+1\0");
    let files: [(&[u8], &str); 19] = [
        (&headerless, "DICOM"),
        (b"\x08\x00\x00\x00\x04\x00\x00\x00\xDA\x01\x00\x00\x08\x00\x05\x00\x0A\x00\x00\x00ISO_IR 100", "DICOM"),
        (&ftyp(b"heic"), "HEIC"),
        (&ftyp(b"avif"), "AVIF"),
        (&ftyp(b"mp42"), "HEIC"),
        (b"\xFF\x4F\xFF\x51\0\0", "JPEG 2000"),
        (b"\xFF\x0A\0\0", "JPEG XL"),
        (b"\x1F\x8B\x08\0", "gzip"),
        (b"PK\x03\x04", "ZIP"),
        (&tar, "tar"),
        (&nifti, "NIfTI"),
        (&[0; 2000], "zeros"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xEF\xBB\xBF<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "LFS"),
        (b"\xFF\xFEP\0a\0t\0h\0", "text"),
        (b"Bericht: unauff\xE4llig", "text"),
        (b"\x89PNG\n\x1A\n\0\0", "text mode"),
        (b"BM are two letters", "text"),
    ];
    for (bytes, word) in files {
        let said = Radiograph::decode(bytes).expect_err(word).to_string();
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn resizing_takes_columns_first_where_pillow_13_does() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/pillow-order");
    let read = |name: String| {
        let bytes = std::fs::read(format!("{folder}/{name}.png")).expect("a picture");
        Radiograph::decode(&bytes).expect("a PNG").image
    };
    for name in ["tall", "wide"] {
        let expected = read(format!("{name}.resize64"));
        assert_eq!(resize(&read(name.to_owned()), 64, 64), expected, "{name}");
    }
}
