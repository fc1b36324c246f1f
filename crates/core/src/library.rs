//! The page's case library: radiographs with what is known of them. The page fetches `cases/index.json`, and of the pictures only the one
//! that is chosen.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::Finding;

/// Where the library lies, relative to the page.
pub const FOLDER: &str = "cases";

/// The library's index.
#[derive(Clone, Debug, Deserialize)]
pub struct Library {
    /// Whose the pictures are, and what may be done with them.
    pub licence: String,
    pub cases: Vec<Case>,
}

/// One radiograph of the library, or a sample of the page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Case {
    /// Relative to the library's folder.
    pub file: String,
    /// The image in the data set that it is from.
    pub source: String,
    /// 1: present. 0: absent. A finding that is not named is not labelled.
    pub labels: BTreeMap<Finding, i8>,
    pub boxes: Vec<BoundingBox>,
}

/// A rectangle that a radiologist drew around a finding, in shares of the picture's width and height.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BoundingBox {
    pub finding: Finding,
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
}

impl Library {
    /// # Errors
    /// When it is no index of a library.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The case of this name, or the sample.
    pub fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name() == name)
    }

    /// Whether a file of this name is a case: names of ChestX-ray14 are no other picture's. Those of samples may be.
    pub fn has(&self, name: &str) -> bool {
        self.case(name).is_some_and(|case| !case.is_sample())
    }
}

impl Case {
    /// The file's name, by which a table knows the case.
    pub fn name(&self) -> &str {
        self.file
            .rsplit_once('/')
            .map_or(&self.file, |(_, name)| name)
    }

    /// Whether it is one of the page's samples: they are offered elsewhere.
    pub fn is_sample(&self) -> bool {
        self.file.contains('/')
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::radiograph::Radiograph;

    fn www() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../www")
    }

    fn shipped() -> Library {
        let text = std::fs::read_to_string(www().join("cases/index.json")).expect("the index");
        Library::parse(&text).expect("an index")
    }

    #[test]
    fn the_shipped_cases_are_small_radiographs_with_boxes_within_them() {
        let library = shipped();
        let cases: Vec<&Case> = library.cases.iter().filter(|c| !c.is_sample()).collect();
        assert!(cases.len() >= 24, "{} cases", cases.len());
        for case in &library.cases {
            let bytes = std::fs::read(www().join(FOLDER).join(&case.file)).expect("its picture");
            assert!(
                bytes.len() <= 60_000,
                "{}: {} bytes",
                case.file,
                bytes.len()
            );
            Radiograph::decode(&bytes).expect("a radiograph");
            for BoundingBox {
                finding,
                x,
                y,
                w,
                h,
            } in &case.boxes
            {
                assert!(
                    *x >= 0.0 && *y >= 0.0 && *w > 0.0 && *h > 0.0 && x + w <= 1.0 && y + h <= 1.0
                );
                assert_eq!(case.labels.get(finding), Some(&1), "{}", case.file);
            }
        }
        assert!(
            cases.iter().any(|case| !case.boxes.is_empty()),
            "nothing is marked"
        );
        // No picture lies there that the index does not name.
        let named: BTreeSet<&str> = cases.iter().map(|case| case.file.as_str()).collect();
        let files = std::fs::read_dir(www().join(FOLDER)).expect("the folder");
        let files = files.map(|file| file.expect("a file").file_name().into_string());
        let files: BTreeSet<String> = files.map(|name| name.expect("UTF-8")).collect();
        let pictures = files.iter().filter(|name| name.ends_with(".jpg"));
        assert_eq!(pictures.map(String::as_str).collect::<BTreeSet<_>>(), named);
    }

    #[test]
    fn no_shipped_model_was_trained_on_a_case_or_on_its_patient() {
        // The table by which the shipped models were trained and measured.
        let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/models/nih.csv");
        let table = std::fs::read_to_string(table).expect("the table");
        let mut lines = table.lines();
        let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
        let column = |name: &str| header.iter().position(|found| *found == name);
        let (path, split) = (
            column("Path").expect("paths"),
            column("Split").expect("splits"),
        );
        let rows = lines.map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[path].to_owned(), cells[split].to_owned())
        });
        let rows: Vec<(String, String)> = rows.collect();
        for case in &shipped().cases {
            let patient = &case.source[..8];
            let splits = rows.iter().filter(|(path, _)| path.starts_with(patient));
            let splits: BTreeSet<&str> = splits.map(|(_, split)| split.as_str()).collect();
            assert_eq!(splits, BTreeSet::from(["test"]), "{}", case.source);
        }
    }
}
