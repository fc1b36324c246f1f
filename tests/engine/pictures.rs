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
        assert_eq!(
            said,
            format!("{bits} bits of each pixel are used, judging by the pixels.")
        );
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
fn a_white_of_two_to_the_n_and_a_word_that_the_pixels_contradict_change_no_depth() {
    let to_12 = of_bits(12);
    let brightest = (0..SIDE * SIDE).map(|i| level(i % SIDE, i / SIDE)).max();
    let brightest = brightest.expect("pixels");
    let white = |v: u8| if v == brightest { 4096 } else { to_12(v) };
    for (bytes, why) in [
        (sixteen(white, None), "a white of 4096"),
        (sixteen(of_bits(12), Some(10)), "12 bits said to be 10"),
        (sixteen(of_bits(12), Some(8)), "12 bits said to be 8"),
    ] {
        let radiograph = Radiograph::decode(&bytes).expect("a picture");
        let depth = radiograph.depth;
        assert_eq!(
            (depth.bits, depth.told_by),
            (12, DepthSource::Pixels),
            "{why}"
        );
        assert_eq!(depth.other, Some(16), "{why}");
    }
}

#[test]
fn letters_that_were_burned_in_leave_the_choice_of_the_depth() {
    let to_12 = of_bits(12);
    let place = std::cell::Cell::new(0);
    let letters = |v: u8| {
        place.set(place.get() + 1);
        if place.get() < 20 { u16::MAX } else { to_12(v) }
    };
    let bytes = sixteen(letters, None);
    let told = Radiograph::decode(&bytes).expect("a picture");
    assert_eq!((told.depth.bits, told.depth.other), (16, Some(12)));
    assert!(matches!(told.notices[..], [Notice::Depth(_)]));
    let depth = Some(12);
    let options = Options {
        depth,
        ..Options::default()
    };
    let chosen = Radiograph::decode_with(&bytes, options).expect("a picture");
    let behind = 20 * SIDE as usize;
    let grey = grey().into_raw();
    let off = chosen.image.pixels[behind..].iter().zip(&grey[behind..]);
    assert!(off.map(|(a, b)| a.abs_diff(*b)).max() <= Some(1));
    assert_eq!(chosen.image.pixels[0], 255);
}

#[test]
fn what_lies_behind_the_pixels_of_a_png_counts_too() {
    let bytes = encode(grey(), ImageFormat::Png);
    // Exif of one entry: orientation 3, upside down.
    let mut chunk =
        b"\0\0\0\x1aeXIfII*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0".to_vec();
    chunk.extend(crc32(&chunk[4..]).to_be_bytes());
    let end = bytes.len() - 12;
    let turned = [&bytes[..end], &chunk, &bytes[end..]].concat();
    let radiograph = Radiograph::decode(&turned).expect("a picture");
    let mut expected = grey().into_raw();
    expected.reverse();
    assert_eq!(worst(&radiograph, &expected), 0);
}

#[test]
fn transparency_of_a_gif_is_ignored_and_a_picture_that_does_not_fill_it_refused() {
    let mut opaque = Vec::new();
    let mut encoder = GifEncoder::new(&mut opaque);
    let frame = Frame::new(DynamicImage::from(grey()).into_rgba8());
    encoder.encode_frame(frame).expect("a frame");
    drop(encoder);
    let expected = Radiograph::decode(&opaque).expect("a picture").image;
    let control = opaque.windows(3).position(|bytes| bytes == [0x21, 0xF9, 4]);
    let control = control.expect("a graphic control extension");
    let mut transparent = opaque.clone();
    transparent[control + 3] |= 1;
    transparent[control + 6] = 0;
    let radiograph = Radiograph::decode(&transparent).expect("a picture");
    assert_eq!(radiograph.image, expected);
    assert_eq!(radiograph.notices, [Notice::Transparency]);
    // The logical screen is a row higher.
    let mut larger = opaque;
    larger[8] += 1;
    let error = Radiograph::decode(&larger)
        .expect_err("a row is missing")
        .to_string();
    assert!(error.contains("does not fill it"), "{error}");
}

/// A TIFF of three strips; whether they are its colours, and how they are compressed, as the tags say.
fn tiff_of_strips(planes: u16, compression: u16) -> Vec<u8> {
    let strip = vec![128u8; (SIDE * SIDE) as usize];
    let entries: [(u16, u32); 8] = [
        (256, SIDE),
        (257, SIDE),
        (258, 8),
        (259, compression.into()),
        (262, 2),
        (277, 3),
        (278, SIDE),
        (284, planes.into()),
    ];
    let count = entries.len() as u32 + 2;
    let arrays = 8 + 2 + 12 * count + 4;
    let data = arrays + 24;
    // Tag, type (SHORT or LONG), how many, the value or where the values are.
    let mut all: Vec<(u16, u16, u32, u32)> = entries.map(|(tag, v)| (tag, 3, 1, v)).to_vec();
    all.extend([(273, 4, 3, arrays), (279, 4, 3, arrays + 12)]);
    all.sort_unstable();
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((count as u16).to_le_bytes());
    for (tag, kind, count, value) in all {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    let length = strip.len() as u32;
    for place in 0..3 {
        bytes.extend((data + place * length).to_le_bytes());
    }
    bytes.extend([length; 3].map(u32::to_le_bytes).concat());
    bytes.extend([strip.as_slice(); 3].concat());
    bytes
}

#[test]
fn what_would_be_read_in_part_is_refused_by_name() {
    for (bytes, word) in [
        (tiff_of_strips(2, 1), "each colour apart"),
        (tiff_of_strips(2, 7), "JPEG in it"),
    ] {
        let error = Radiograph::decode(&bytes).expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
    let mut bitmap = encode(grey(), ImageFormat::Bmp);
    bitmap[30] = 1;
    let error = Radiograph::decode(&bitmap).expect_err("runs").to_string();
    assert!(error.contains("run-length"), "{error}");
    // A progressive JPEG of one refinement after the other.
    let (bytes, scans) = many_scans();
    let error = Radiograph::decode(&bytes).expect_err("a bomb").to_string();
    assert!(error.contains("more scans"), "{scans}: {error}");
}

/// A progressive JPEG of 4,000 x 4,000 pixels and far more scans than it needs, each of a few bytes.
fn many_scans() -> (Vec<u8>, usize) {
    const SIDE: u16 = 4000;
    let segment = |marker: u8, body: &[u8]| {
        let length = (body.len() as u16 + 2).to_be_bytes();
        [&[0xFF, marker], &length[..], body].concat()
    };
    let [high, low] = SIDE.to_be_bytes();
    let mut table = [&[0u8; 1][..], &[8; 64]].concat();
    let mut file = [&[0xFF, 0xD8][..], &segment(0xDB, &table)].concat();
    file.extend(segment(0xC2, &[8, high, low, high, low, 1, 1, 0x11, 0]));
    // DC: one code, a zero, for no difference. AC: one code, a zero, for the end of 2^14 bands and more.
    for (class, value) in [(0x00, 0x00), (0x10, 0xE0)] {
        table = [&[class, 1][..], &[0; 15], &[value]].concat();
        file.extend(segment(0xC4, &table));
    }
    let blocks = usize::from(SIDE / 8).pow(2);
    file.extend(segment(0xDA, &[1, 1, 0, 0, 0, 0]));
    file.extend(vec![0; blocks / 8]);
    let scans = 200;
    for _ in 0..scans {
        file.extend(segment(0xDA, &[1, 1, 0, 1, 63, 0]));
        // Codes of one bit, each followed by 14 of its length.
        let codes = blocks.div_ceil((1 << 15) - 1);
        let mut bits = String::new();
        for _ in 0..codes {
            bits += &format!("0{}", "1".repeat(14));
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        for byte in bits.as_bytes().chunks(8) {
            let text = std::str::from_utf8(byte).expect("digits");
            let byte = u8::from_str_radix(text, 2).expect("a byte");
            file.push(byte);
            if byte == 0xFF {
                file.push(0);
            }
        }
    }
    file.extend([0xFF, 0xD9]);
    (file, scans)
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
        (0xC9, 8, "arithmetic"),
        (0xCA, 8, "arithmetic"),
        (0xC2, 12, "progressive 12-bit"),
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
