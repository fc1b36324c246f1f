//! The committed files, and packages made of them.

use std::io::Read;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::Value;
use sightline::finding::Finding;
use sightline::radiograph::GreyImage;
use sightline::reader::Reader;
use sightline_import::{ImportError, Imported, Settings, import};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/import")
}

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&read(path)).expect("JSON")
}

/// One of the packed files.
pub fn unpacked(name: &str) -> Vec<u8> {
    let packed = read(&fixtures().join(format!("{name}.gz")));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut bytes)
        .expect("gzip");
    bytes
}

pub fn settings() -> Settings {
    Settings {
        source: None,
        architecture: None,
        prefix: None,
        name: "mine".to_owned(),
        title: "Mine".to_owned(),
        findings: None,
        size: None,
        resize: None,
        mean: None,
        std: None,
        licence: "Not stated.".to_owned(),
        attribution: "Not stated.".to_owned(),
        date: "2026-01-31".to_owned(),
    }
}

/// A file's package, and what was said of it.
pub fn imported(
    name: &str,
    bytes: &[u8],
    settings: &Settings,
) -> Result<(Imported, String), ImportError> {
    let mut said = Vec::new();
    let made = import((name, bytes), settings, &Device::flex(), |line| {
        said.push(line)
    })?;
    Ok((made, said.join("\n")))
}

pub fn reader(imported: Imported) -> Reader {
    let Imported { manifest, weights } = imported;
    Reader::load(manifest, &weights, &Device::flex()).expect("a package")
}

/// The picture for which PyTorch gave the expected logits.
pub fn picture(side: usize) -> GreyImage {
    let level = |place| {
        let (i, j) = (place / side, place % side);
        ((31 * i + 17 * j + (i * j) % 97) % 256) as u8
    };
    GreyImage {
        width: side,
        height: side,
        pixels: (0..side * side).map(level).collect(),
    }
}

/// Every logit of a picture is within 1e-4 of what PyTorch gave. What was not expected is not trained.
pub fn check_logits(reader: &Reader, image: &GreyImage, expected: &[(Finding, f64)]) {
    let reading = pollster::block_on(reader.read(&reader.view(image))).expect("a reading");
    let largest = expected
        .iter()
        .map(|(_, logit)| logit.abs())
        .fold(1.0, f64::max);
    for (finding, expected) in expected {
        let output = reader.manifest.output(*finding).expect("it is there");
        let ours = f64::from(reading.logits[output.0]);
        assert!(
            (ours - expected).abs() < 1e-4 * largest,
            "{finding}: {ours}, PyTorch {expected}"
        );
    }
    let trained = reader.manifest.findings.iter().filter(|card| card.trained);
    let trained: Vec<_> = trained.map(|card| card.name).collect();
    let mut wanted: Vec<_> = expected.iter().map(|(finding, _)| *finding).collect();
    wanted.sort_unstable();
    let mut trained = trained;
    trained.sort_unstable();
    assert_eq!(trained, wanted);
}
