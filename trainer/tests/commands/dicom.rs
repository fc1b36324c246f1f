//! DICOM files through the commands: nobody's name comes out, and scores are those of the same picture in another file.

use std::path::{Path, PathBuf};

use sightline::radiograph::Radiograph;

use super::command::{refuse, run, succeed, workspace};
use super::{HEADER, copy_of_package, shipped};

/// What the made files have of a person: name, number, dates, institution.
const SECRETS: [&str; 5] = ["Secret", "SECRET", "19010203", "19991231", "Hospital"];

fn made() -> PathBuf {
    workspace().join("tests/cases/dicom")
}

/// A folder with some of the made files, in a folder of their own.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("study/series");
    std::fs::create_dir_all(&below).expect("a folder");
    for name in names {
        let bytes = std::fs::read(made().join(format!("{name}.dcm"))).expect("a made file");
        assert!(
            says_a_secret(&bytes).is_some(),
            "{name} has no secret to keep"
        );
        std::fs::write(below.join(format!("{name}.dcm")), bytes).expect("written");
    }
    folder
}

fn says_a_secret(bytes: &[u8]) -> Option<&'static str> {
    let has = |secret: &&str| {
        bytes
            .windows(secret.len())
            .any(|found| found == secret.as_bytes())
    };
    SECRETS.into_iter().find(|secret| has(secret))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

const FILES: [&str; 5] = [
    "explicit-16",
    "signed-12",
    "jpeg-ls",
    "voi-table",
    "two-windows",
];

/// Every export of the command line: the CSV of `predict`, PNG and JSON of `explain`, PNG of `convert`, and what they print.
#[test]
fn no_export_has_anything_of_the_person() {
    let (folder, out) = (folder(&FILES), tempfile::tempdir().expect("a folder"));
    let (root, out) = (folder.path(), out.path());
    let (scores, maps, reports) = (
        out.join("scores.csv"),
        out.join("maps"),
        out.join("reports"),
    );
    let mut printed = Vec::new();
    let mut and_note = |output: std::process::Output| {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        printed.extend(output.stdout);
        printed.extend(output.stderr);
    };
    and_note(run(&[
        &"predict",
        &"--model",
        &shipped(),
        &"--root",
        &root,
        &"--out",
        &scores,
    ]));
    and_note(run(&[
        &"explain",
        &"--model",
        &shipped(),
        &"--root",
        &root,
        &"--out",
        &maps,
        &"--json",
        &reports,
    ]));
    for bits in ["8", "16"] {
        let pictures = out.join(bits);
        and_note(run(&[
            &"convert", &root, &"--bits", &bits, &"--out", &pictures,
        ]));
    }
    assert_eq!(
        says_a_secret(&printed),
        None,
        "{}",
        String::from_utf8_lossy(&printed)
    );
    let exports = files(out);
    assert_eq!(exports.len(), 1 + 4 * FILES.len());
    for path in exports {
        let bytes = std::fs::read(&path).expect("an export");
        assert_eq!(says_a_secret(&bytes), None, "{}", path.display());
        assert_eq!(says_a_secret(path.to_string_lossy().as_bytes()), None);
    }
    let rows = std::fs::read_to_string(scores).expect("scores");
    assert_eq!(rows.lines().count(), 1 + FILES.len());
    assert!(rows.contains("study/series/jpeg-ls.dcm,"), "{rows}");
}

#[test]
fn what_is_converted_is_the_picture_that_is_scored() {
    let (folder, out) = (folder(&FILES), tempfile::tempdir().expect("a folder"));
    for bits in ["8", "16"] {
        let pictures = out.path().join(bits);
        succeed(&[
            &"convert",
            &folder.path(),
            &"--bits",
            &bits,
            &"--out",
            &pictures,
        ]);
        for name in FILES {
            let dicom = std::fs::read(made().join(format!("{name}.dcm"))).expect("a file");
            let dicom = Radiograph::decode(&dicom).expect("a radiograph");
            let png = std::fs::read(pictures.join(format!("study_series_{name}.png")));
            let png = Radiograph::decode(&png.expect("a PNG")).expect("a radiograph");
            assert_eq!(png.bits.to_string(), bits);
            let pairs = dicom.image.pixels.iter().zip(&png.image.pixels);
            let apart = pairs.map(|(a, b)| a.abs_diff(*b)).max().expect("pixels");
            assert!(
                apart <= u8::from(bits == "16"),
                "{name}, {bits} bits: {apart}"
            );
        }
    }
    let none = run(&[
        &"convert",
        &workspace().join("README.md"),
        &"--out",
        &out.path(),
    ]);
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(
        !none.status.success() && said.contains("text file"),
        "{said}"
    );
}

/// A CSV's paths may be DICOM files; the scores are those of a PNG of the same samples.
#[test]
fn a_dicom_file_and_a_png_of_its_samples_have_the_same_scores() {
    let cases = workspace().join("tests/cases");
    let out = tempfile::tempdir().expect("a folder");
    let (csv, scores) = (out.path().join("rows.csv"), out.path().join("scores.csv"));
    let dicom = "08-other-kinds-named-jpg-png/no_preamble_explicit.dcm";
    let bits = out.path().join("png");
    succeed(&[
        &"convert",
        &cases.join(dicom),
        &"--bits",
        &"16",
        &"--out",
        &bits,
    ]);
    let png = bits.join("no_preamble_explicit.png");
    let rows = [cases.join(dicom), png]
        .map(|path| format!("{},,,,,{}p,test\n", path.display(), ",".repeat(14)));
    std::fs::write(&csv, format!("{HEADER}\n{}", rows.concat())).expect("written");
    succeed(&[
        &"predict",
        &"--model",
        &shipped(),
        &"--csv",
        &csv,
        &"--root",
        &"/",
        &"--out",
        &scores,
    ]);
    let text = std::fs::read_to_string(scores).expect("scores");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    let mut compared = 0;
    for (a, b) in rows[0][1..16].iter().zip(&rows[1][1..16]) {
        assert_eq!(a.is_empty(), b.is_empty());
        if let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) {
            assert!((a - b).abs() < 1e-3, "{a} and {b}");
            compared += 1;
        }
    }
    assert!(compared >= 10);
}

/// A package names the levels that it wants; the report says what was shown, and why.
#[test]
fn a_package_is_given_the_levels_that_it_asks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = copy_of_package(folder.path());
    let place = model.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&place).expect("a manifest")).expect("JSON");
    let image = workspace().join("www/samples/effusion.jpg");
    let report = folder.path().join("report.json");
    let mut explained = |levels: &str| {
        manifest["input"]["levels"] = levels.into();
        std::fs::write(&place, manifest.to_string()).expect("written");
        succeed(&[&"explain", &"--model", &model, &image, &"--json", &report]);
        succeed(&[&"explain", &"--model", &model, &image, &"--replay", &report]);
        let text = std::fs::read(&report).expect("a report");
        serde_json::from_slice::<serde_json::Value>(&text).expect("JSON")
    };
    let (file, percentiles) = (explained("file"), explained("percentile"));
    assert_eq!(
        file["image"]["levels"]["shown"],
        serde_json::json!({ "range": [0.0, 255.0] })
    );
    assert_eq!(percentiles["image"]["levels"]["rule"], "percentile");
    assert_ne!(
        percentiles["image"]["levels"]["shown"],
        file["image"]["levels"]["shown"]
    );
    assert_ne!(
        percentiles["findings"][2]["logit"],
        file["findings"][2]["logit"]
    );
    let mut logits = Vec::new();
    let (csv, scores) = (
        folder.path().join("rows.csv"),
        folder.path().join("scores.csv"),
    );
    std::fs::write(&csv, format!("Path\n{}\n", image.display())).expect("written");
    succeed(&[
        &"predict", &"--model", &model, &"--csv", &csv, &"--root", &"/", &"--out", &scores,
    ]);
    let text = std::fs::read_to_string(&scores).expect("scores");
    let cells: Vec<&str> = text.lines().nth(1).expect("a row").split(',').collect();
    for (finding, cell) in percentiles["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .zip(&cells[1..15])
    {
        if let (Some(p), Ok(cell)) = (finding["probability"].as_f64(), cell.parse::<f64>()) {
            assert!((p - cell).abs() < 1e-4, "{p} and {cell}");
            logits.push(p);
        }
    }
    assert!(logits.len() >= 10);
    refuse(
        &[
            &"explain",
            &"--model",
            &shipped(),
            &image,
            &"--replay",
            &report,
        ],
        "another model",
    );
}
