//! Files of every kind against pydicom.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;
use crate::radiograph::levels::{Function, Levels, Modality, Shown, Window};
use crate::radiograph::samples::Stored;

fn root(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(folder)
}

fn json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

fn shape(dicom: &Dicom) -> Vec<usize> {
    let channels = (dicom.channels > 1).then_some(dicom.channels);
    [dicom.height, dicom.width]
        .into_iter()
        .chain(channels)
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash(values: &[i32]) -> String {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    sha256(&bytes)
}

/// What two decoders make of the same lossy file may differ by one level.
fn within_one(values: &[i32], expected: &[Value]) -> bool {
    let near = |(value, expected): (&i32, &Value)| {
        expected
            .as_i64()
            .is_some_and(|expected| expected.abs_diff((*value).into()) <= 1)
    };
    values.len() == expected.len() && values.iter().zip(expected).all(near)
}

/// The made files, by their names.
fn made() -> Vec<(String, Vec<u8>, Value)> {
    let folder = root("tests/cases/dicom");
    let expected = json(&folder.join("expect.json"));
    let files = expected.as_object().expect("files").iter();
    let files = files.map(|(name, expected)| {
        let bytes = std::fs::read(folder.join(format!("{name}.dcm"))).expect("a file");
        (name.clone(), bytes, expected.clone())
    });
    files.collect()
}

fn made_file(name: &str) -> Vec<u8> {
    let found = made().into_iter().find(|made| made.0 == name);
    found.expect("a file of that name").1
}

#[test]
fn golden_every_kind_of_file_has_the_stored_values_and_the_grey_of_pydicom() {
    let made = made();
    assert_eq!(made.len(), 52);
    let mut shown = 0;
    for (name, bytes, expected) in made {
        let dicom = Dicom::read(&bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(
            serde_json::json!(shape(&dicom)),
            expected["shape"],
            "{name}"
        );
        if let Some(values) = expected["values"].as_array() {
            assert!(within_one(&dicom.values, values), "{name}");
        } else {
            assert_eq!(hash(&dicom.values), expected["sha256_int32_le"], "{name}");
        }
        if let Some(grey) = expected["sha256_grey"].as_str() {
            assert_eq!(sha256(&dicom.grey().pixels), grey, "{name}: other grey");
            shown += 1;
        }
        let several = name.contains("two-frames");
        assert_eq!(dicom.notices == [Notice::FirstOfSeveral], several, "{name}");
        assert_eq!(dicom.facts.view.as_deref(), Some("PA"));
    }
    assert_eq!(shown, 12);
}

/// Needs the files of `../shared/data/dicom`; `SIGHTLINE_WITHOUT_DATA`, which `cargo xtask test` sets where they are not there, leaves it out.
#[test]
fn golden_files_of_others_have_the_stored_values_of_pydicom() {
    if std::env::var_os("SIGHTLINE_WITHOUT_DATA").is_some() {
        return;
    }
    let shared = root("../shared");
    let expected = json(&shared.join("golden/dicom.json"));
    let mut equal = 0;
    for (name, expected) in expected.as_object().expect("files") {
        let bytes = std::fs::read(shared.join("data/dicom").join(name)).expect("a file");
        let dicom = Dicom::read(&bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
        let decoded = &expected["decoded"];
        // Neither of pydicom's decoders reads JPEG of 12 bits.
        let Some(values) = decoded["sha256_int32_le"].as_str() else {
            continue;
        };
        assert_eq!(serde_json::json!(shape(&dicom)), decoded["shape"], "{name}");
        if dicom.facts.transfer_syntax == "JPEG 2000" {
            let middle = dicom.values.len() / 2;
            let parts = [("first8", 0), ("middle8", middle)];
            for (key, start) in parts {
                let expected = decoded[key].as_array().expect("values");
                assert!(
                    within_one(&dicom.values[start..start + 8], expected),
                    "{key}"
                );
            }
            let sum: f64 = dicom.values.iter().map(|value| f64::from(*value)).sum();
            let mean = decoded["mean"].as_f64().expect("a mean");
            assert!((sum / dicom.values.len() as f64 - mean).abs() < 0.01);
        } else {
            assert_eq!(hash(&dicom.values), values, "{name}");
        }
        equal += 1;
    }
    assert!(equal >= 10, "{equal}");
}

#[test]
fn golden_windows_are_as_the_standard_says() {
    let golden = json(&root("tests/golden/preprocess/dicom_window.json"));
    let tables = golden["tables"].as_array().expect("tables");
    assert!(tables.len() > 5);
    for table in tables {
        let number = |key: &str| table[key].as_f64().expect("a number");
        let numbers = |key: &str| -> Vec<f64> {
            let all = table[key].as_array().expect("numbers");
            all.iter()
                .map(|value| value.as_f64().expect("a number"))
                .collect()
        };
        let (slope, intercept) = match &table["modality_lut"] {
            Value::Null => (1.0, 0.0),
            lut => {
                let of = |key: &str| lut[key].as_f64().expect("a number");
                (of("slope"), of("intercept"))
            }
        };
        let function = match table["function"].as_str() {
            Some("LINEAR") => Function::Linear,
            Some("LINEAR_EXACT") => Function::LinearExact,
            Some("SIGMOID") => Function::Sigmoid,
            other => panic!("{other:?}"),
        };
        let mut levels = Levels {
            modality: Modality::Linear { slope, intercept },
            shown: Shown::Window(Window {
                center: number("center"),
                width: number("width"),
                function,
                explanation: None,
            }),
            inverted: false,
        };
        // `x` is what a rescale gives, where there is one.
        let stored = match table["modality_lut"]["stored"].as_array() {
            Some(stored) => stored
                .iter()
                .map(|value| value.as_f64().expect("a number"))
                .collect(),
            None => numbers("x"),
        };
        let exact = numbers("y_0_255");
        let (grey, inverse) = (numbers("u8_round_half_up"), numbers("u8_MONOCHROME1"));
        for (place, x) in stored.iter().map(|x| *x as i32).enumerate() {
            let y = levels.share(x) * 255.0;
            assert!(
                (y - exact[place]).abs() < 1e-9,
                "{x}: {y} for {}",
                exact[place]
            );
            let on_half = (exact[place].fract() - 0.5).abs() < 1e-9;
            for (inverted, expected) in [(false, grey[place]), (true, inverse[place])] {
                levels.inverted = inverted;
                let apart = (f64::from(levels.grey(x)) - expected).abs();
                assert!(apart <= f64::from(u8::from(on_half)), "{x}");
            }
        }
    }
}

#[test]
fn nobodys_name_number_or_date_is_kept() {
    for (name, bytes, _) in made() {
        assert!(bytes.windows(6).any(|six| six == b"Secret") || name == "deflated-12");
        let dicom = Dicom::read(&bytes).expect("read");
        let kept = format!("{:?} {:?}", dicom.facts, dicom.notices);
        for secret in ["Secret", "SECRET", "1901", "1999"] {
            assert!(!kept.contains(secret), "{name}: {kept}");
        }
    }
}

#[test]
fn a_file_that_is_cut_is_refused_wherever_it_is_cut() {
    for (name, bytes, _) in made() {
        for length in (0..bytes.len() - 40).step_by(61) {
            let read = Dicom::read(&bytes[..length]);
            assert!(
                read.is_err(),
                "{name}: read with {length} of {} bytes",
                bytes.len()
            );
        }
    }
    let said = Dicom::read(&made_file("explicit-16")[..3000])
        .expect_err("cut")
        .to_string();
    assert!(said.contains('%'), "{said}");
}

/// A file with an element's value in place of another's of the same length.
fn with(name: &str, before: &[u8], after: &[u8]) -> Result<Dicom, RadiographError> {
    let mut bytes = made_file(name);
    let at = bytes
        .windows(before.len())
        .position(|found| found == before);
    let at = at.expect("the element");
    bytes[at..at + after.len()].copy_from_slice(after);
    Dicom::read(&bytes)
}

#[test]
fn what_cannot_be_read_is_named() {
    let said = |read: Result<Dicom, RadiographError>| read.expect_err("not read").to_string();
    let other = with(
        "jpeg-ls",
        b"1.2.840.10008.1.2.4.80",
        b"1.2.840.10008.1.2.4.92",
    );
    assert!(said(other).contains("JPEG 2000 Part 2"));
    let unknown = with(
        "jpeg-ls",
        b"1.2.840.10008.1.2.4.80",
        b"1.2.840.10008.1.2.4.99",
    );
    assert!(said(unknown).contains("1.2.840.10008.1.2.4.99"));
    let photometric = with("explicit-16", b"MONOCHROME2", b"MONOCHROMEX");
    assert!(said(photometric).contains("MONOCHROMEX"));
    // The pixels' tag is another's, as in a report or a presentation state.
    let none = with(
        "explicit-16",
        &[0xE0, 0x7F, 0x10, 0],
        &[0xE0, 0x7F, 0x12, 0],
    );
    assert!(said(none).contains("without a picture"));
    // Of more rows than there are pixels for.
    let rows = [0x28, 0, 0x10, 0, b'U', b'S', 2, 0];
    let lies = with(
        "explicit-16",
        &[&rows[..], &[40, 0]].concat(),
        &[&rows[..], &[80, 0]].concat(),
    );
    assert!(said(lies).contains("50%"));
    let lies = with(
        "jpeg-ls",
        &[&rows[..], &[40, 0]].concat(),
        &[&rows[..], &[80, 0]].concat(),
    );
    assert!(said(lies).contains("another size"));
    // Samples of 12 bits are no values of 6 or of 8.
    let bits = |stored: u8, allocated: u8| {
        let mut bytes = made_file("jpeg-ls");
        for (element, value) in [(0, allocated), (1, stored), (2, stored - 1)] {
            let header = [0x28, 0, element, 1, b'U', b'S', 2, 0];
            let mut places = bytes.windows(8).enumerate();
            let place = places.find_map(|(place, found)| (found == header).then_some(place));
            bytes[place.expect("the element") + 8] = value;
        }
        Dicom::read(&bytes)
    };
    assert!(bits(12, 16).is_ok());
    assert!(said(bits(6, 16)).contains("6 bits"));
    assert!(said(bits(8, 8)).contains("more bits than it says"));
    let function = with("sigmoid", b"SIGMOID ", b"SIGMUND ");
    assert!(said(function).contains("SIGMUND"));
}

#[test]
fn what_a_file_says_of_its_picture_is_kept() {
    let facts = Dicom::read(&made_file("two-windows")).expect("read").facts;
    assert_eq!(facts.transfer_syntax, "Explicit VR Little Endian");
    assert_eq!(facts.laterality.as_deref(), Some("U"));
    assert_eq!(facts.patient_orientation, ["L", "F"]);
    assert_eq!(facts.spacing_mm, Some([0.143, 0.139]));
    assert!(facts.spacing_on_detector);
    let said: Vec<_> = facts
        .windows
        .iter()
        .map(|w| w.explanation.as_deref())
        .collect();
    assert_eq!(said, [Some("NORMAL"), Some("HARDER")]);
}

/// What somebody writes into an element that should have a code is not shown.
#[test]
fn a_code_that_is_none_is_not_kept() {
    let named = with("explicit-16", b"CS\x06\0CHEST ", b"CS\x06\0D^Jane").expect("read");
    assert_eq!(named.facts.body_part, None);
}

fn radiograph(name: &str, chosen: Option<u8>) -> Radiograph {
    decode(&made_file(name), chosen).unwrap_or_else(|why| panic!("{name}: {why}"))
}

#[test]
fn a_radiograph_keeps_its_samples_and_is_shown_through_its_window() {
    let windowed = radiograph("two-windows", None);
    assert!(matches!(windowed.notices[..], [Notice::Windows(2, _)]));
    let Stored::Sixteen(values) = windowed.stored() else {
        panic!("other samples");
    };
    let read = Dicom::read(&made_file("two-windows")).expect("read");
    assert!(
        values
            .iter()
            .map(|v| i32::from(*v))
            .eq(read.values.iter().copied())
    );
    assert_eq!(windowed.image, read.grey());
    assert_eq!((windowed.bits, windowed.depth.bits), (16, 12));
    // A chosen depth comes before the window.
    let chosen = radiograph("two-windows", Some(12));
    assert_eq!(chosen.image, radiograph("implicit-12", None).image);
    let signed = radiograph("signed-12", None);
    assert!(matches!(signed.stored(), Stored::Signed(_)));
    // Palettes and colours are kept as they are shown.
    assert!(matches!(radiograph("rgb", None).stored(), Stored::Eight(_)));
}

/// As of a PNG of the same samples: white is the highest value that the bits can have.
#[test]
fn without_a_window_all_values_of_the_bits_are_shown() {
    for name in [
        "implicit-12",
        "coarse-12",
        "high-bit-13",
        "explicit-16",
        "implicit-8",
    ] {
        let radiograph = radiograph(name, None);
        let read = Dicom::read(&made_file(name)).expect("read");
        let white = f64::from((1u32 << radiograph.depth.bits) - 1);
        let grey = read
            .values
            .iter()
            .map(|v| (f64::from(*v) / white * 255.0 + 0.5) as u8);
        assert!(grey.eq(radiograph.image.pixels.iter().copied()), "{name}");
        assert_eq!(radiograph.depth.bits, read.facts.bits_stored, "{name}");
    }
}

#[test]
fn a_window_that_shows_nothing_is_not_used_and_said() {
    let flat = radiograph("rescaled", None);
    assert_eq!(flat.notices, []);
    let mut bytes = made_file("rescaled");
    let center = bytes
        .windows(5)
        .position(|found| found == b"800.5")
        .expect("it");
    bytes[center..center + 5].copy_from_slice(b"90000");
    let flat = decode(&bytes, None).expect("read");
    assert_eq!(flat.notices, [Notice::FlatWindow]);
    assert!(flat.image.pixels.contains(&0) && flat.image.pixels.contains(&255));
}

/// A negative is the same picture, if it says that it is one.
#[test]
fn a_file_and_its_inverse_show_the_same() {
    let bytes = made_file("explicit-16");
    let mut inverse = bytes.clone();
    let at = inverse
        .windows(11)
        .position(|found| found == b"MONOCHROME2");
    inverse[at.expect("it") + 10] = b'1';
    let pixels = bytes.len() - 2 * 48 * 40;
    for byte in &mut inverse[pixels..] {
        *byte = !*byte;
    }
    let read = |bytes: &[u8]| Dicom::read(bytes).expect("read").grey().pixels;
    let (one, other) = (read(&bytes), read(&inverse));
    assert_eq!(one, other);
}

/// Files of one study have the same number, those of another another, and the identifier itself is in no report.
#[test]
fn files_of_a_study_have_one_number_that_is_not_the_identifier() {
    let of = |identifier: &str| {
        let mut bytes = made_file("explicit-16");
        let mut known = bytes.windows(6);
        let at = known
            .position(|found| found == b"\x28\0\x02\0US")
            .expect("samples per pixel");
        let mut element = b"\x20\0\x0D\0UI".to_vec();
        element.extend((identifier.len() as u16).to_le_bytes());
        element.extend(identifier.as_bytes());
        bytes.splice(at..at, element);
        decode(&bytes, None).expect("read")
    };
    let (one, other) = (of("1.2.840.99.1\0"), of("1.2.840.99.2\0"));
    assert!(one.study.is_some() && one.study == of("1.2.840.99.1 ").study);
    assert_ne!(one.study, other.study);
    let facts = serde_json::to_string(&one.dicom).expect("JSON");
    assert!(!facts.contains("840.99"), "{facts}");
    assert_eq!(of("").study, None);
}
