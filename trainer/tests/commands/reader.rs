//! Readings of a person, as the page saves them, are measured beside a model.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Argument, refuse, succeed, workspace};
use crate::{samples, shipped};

/// The labels of the page's case library.
fn labels() -> PathBuf {
    workspace().join("www/cases/labels.csv")
}

/// Readings by somebody who knows the labels of Cardiomegaly, beside a model that says the opposite.
fn readings(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(labels()).expect("labels");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let at = |name: &str| header.iter().position(|found| *found == name);
    let (path, label) = (
        at("Path").expect("paths"),
        at("Cardiomegaly").expect("labels"),
    );
    let mut table = "Path,Cardiomegaly,Edema,Cardiomegaly (model),Model,Seconds\n".to_owned();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let label: f64 = cells[label].parse().expect("all are labelled");
        let row = (cells[path], 0.25 + 0.5 * label, 0.9 - 0.5 * label);
        table += &format!("{},{},,{},one,12.5\n", row.0, row.1, row.2);
    }
    let file = folder.join("readings.csv");
    std::fs::write(&file, table).expect("written");
    file
}

#[test]
fn a_reader_who_is_right_is_measured_beside_a_model_that_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let (readings, labels) = (readings(folder.path()), labels());
    let json = folder.path().join("figures.json");
    let table = succeed(&[
        &"evaluate",
        &"--reader",
        &readings,
        &"--csv",
        &labels,
        &"--json",
        &json,
    ]);
    let line = table.lines().find(|line| line.starts_with("Cardiomegaly"));
    let line = line.expect("a line");
    assert!(
        line.contains("1.000 (1.000 to 1.000)")
            && line.contains("0.000 (0.000 to 0.000)")
            && line.contains("+1.000"),
        "{line}"
    );
    let edema = table.lines().find(|line| line.starts_with("Edema"));
    assert!(edema.expect("a line").contains("not read"), "{table}");
    let figures = std::fs::read(&json).expect("figures");
    let figures: Value = serde_json::from_slice(&figures).expect("JSON");
    let found = &figures["findings"][2];
    assert_eq!(found["name"], "Cardiomegaly");
    assert_eq!(found["reader"]["value"], 1.0);
    assert_eq!(found["model"]["value"], 0.0);
    assert_eq!(found["difference"]["ci95"], serde_json::json!([1.0, 1.0]));
}

#[test]
fn a_package_scores_the_images_that_were_read_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    // No other of the table's images lies beside the samples.
    let text = "Path,Cardiomegaly\ncardiomegaly.jpg,1\neffusion.jpg,0\nno-finding.jpg,0\n";
    let readings = folder.path().join("readings.csv");
    std::fs::write(&readings, text).expect("written");
    let (labels, model, root) = (labels(), shipped(), samples());
    let arguments: [Argument; 9] = [
        &"evaluate",
        &"--reader",
        &readings,
        &"--csv",
        &labels,
        &"--root",
        &root,
        &"--model",
        &model,
    ];
    let table = succeed(&arguments);
    assert!(
        table.contains("efficientnet-lite0-nih") && table.contains("3 images of 3 patients"),
        "{table}"
    );
    let line = table.lines().find(|line| line.starts_with("Cardiomegaly"));
    // The reader's, the model's and their difference, each with its interval.
    assert_eq!(line.expect("a line").matches(" to ").count(), 3, "{table}");
}

#[test]
fn readings_that_do_not_go_with_the_labels_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let labels = labels();
    let evaluate = |text: &str, because: &str| {
        let file = folder.path().join("readings.csv");
        std::fs::write(&file, text).expect("written");
        refuse(
            &[&"evaluate", &"--reader", &file, &"--csv", &labels],
            because,
        );
    };
    evaluate("Path,Edema\nown-1,1\n", "without a row of labels: own-1");
    evaluate("Path,Edema\neffusion.jpg,4\n", "\"4\" is no probability");
    evaluate("Path,Edema\n", "there is no reading");
    evaluate("Path,Edema\neffusion.jpg,\n", "no finding is marked");
    // Without readings, a package is what is measured.
    refuse(&[&"evaluate", &"--csv", &labels], "--model");
}
