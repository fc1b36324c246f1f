//! Files of `tests/cases` with the samples that other decoders give of them.

use super::png;
use crate::radiograph::samples::{Pixels, Samples};

/// A file: its path, its content, and its samples.
pub type Case = (String, Vec<u8>, Pixels);

/// The files of a folder with such an ending. A PNG beside each has its samples.
pub fn of_folder(folder: &str, ending: &str) -> Vec<Case> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases");
    let entries = std::fs::read_dir(format!("{root}/{folder}")).expect("the cases");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let files = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    let cases = files.map(|path| {
        let png = std::fs::read(path.with_extension("png")).expect("its samples");
        let (pixels, _) = png::decode(&png).expect("a PNG");
        let bytes = std::fs::read(&path).expect("a file");
        (path.display().to_string(), bytes, pixels)
    });
    cases.collect()
}

/// Whether a picture has the samples that it is to have.
pub fn assert_same(name: &str, pixels: &Pixels, expected: &Pixels) {
    let shape = |pixels: &Pixels| (pixels.width, pixels.height, pixels.channels);
    assert_eq!(shape(pixels), shape(expected), "{name}");
    assert!(values(pixels) == values(expected), "{name}: other samples");
}

/// The samples of a picture, whatever their depth.
pub fn values(pixels: &Pixels) -> Vec<u16> {
    match &pixels.samples {
        Samples::Eight(values) => values.iter().map(|value| u16::from(*value)).collect(),
        Samples::Sixteen(samples) => samples.values.clone(),
    }
}
