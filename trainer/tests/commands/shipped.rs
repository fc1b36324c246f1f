//! The packages of this repository say what the commands print of them.

use serde_json::Value;
use sightline::package::{Manifest, ModelIndex};

use crate::by;
use crate::command::{Argument, succeed, workspace};

/// Needs the radiographs of `../shared/data`; `SIGHTLINE_WITHOUT_DATA`, which `cargo xtask test` sets where they are not there, leaves it out.
#[test]
fn evaluate_and_localize_print_the_figures_of_the_shipped_packages() {
    let data = workspace().join("../shared/data");
    let csv = data.join("nih.csv");
    if std::env::var_os("SIGHTLINE_WITHOUT_DATA").is_some() {
        return;
    }
    assert!(
        csv.is_file(),
        "{} is not there; SIGHTLINE_WITHOUT_DATA=1 leaves this test out",
        csv.display()
    );
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("figures.json");
    let measured = |arguments: &[Argument]| -> Value {
        let images: [Argument; 6] = [&"--csv", &csv, &"--split", &"test", &"--json", &json];
        succeed(&[arguments, images.as_slice()].concat());
        serde_json::from_slice(&std::fs::read(&json).expect("figures")).expect("JSON")
    };
    let models = workspace().join("www/models");
    let index = std::fs::read(models.join("index.json")).expect("the models");
    let index: ModelIndex = serde_json::from_slice(&index).expect("an index");
    for model in index.models {
        let package = models.join(&model.name);
        let read = |file: &str| std::fs::read(package.join(file)).expect("a file of the package");
        let manifest = Manifest::parse(&read("manifest.json")).expect("a sound manifest");
        let recorded: Value = serde_json::from_slice(&read("evaluation.json")).expect("JSON");

        let report = measured(&[&"evaluate", &"--model", &package]);
        let whole = &report["parts"][0];
        same(
            &whole["mean_of_five"],
            &recorded["parts"][0]["mean_of_five"],
            &model.name,
        );
        for (card, found) in manifest.findings.iter().zip(findings(whole)) {
            let auc = serde_json::json!({ "value": card.auc, "ci95": card.auc_ci95 });
            if card.trained {
                same(
                    &found["auc"],
                    &auc,
                    &format!("{}, {}", model.name, card.name),
                );
            }
        }

        let boxes = data.join("boxes.csv");
        let report = measured(&[&"localize", &"--model", &package, &"--boxes", &boxes]);
        assert_eq!(findings(&report).len(), 7, "{}", model.name);
        for found in findings(&report) {
            let name = found["name"].as_str().expect("a name");
            let mut cards = manifest.findings.iter();
            let card = cards
                .find(|card| card.name.name() == name)
                .expect("a finding");
            let recorded = &card.localisation[&by("grad-cam")];
            let name = format!("{}, {name}", model.name);
            // One image's maximum may lie elsewhere where two are about as high.
            let hit = found["pointing_hit"]["value"].as_f64().expect("a share");
            let off = (hit - recorded.pointing_hit).abs() * recorded.n as f64;
            assert!(off < 1.01, "{name}: {hit}, not {}", recorded.pointing_hit);
            let iou = serde_json::json!({ "value": recorded.iou, "ci95": recorded.iou_ci95 });
            same(&found["iou_otsu"], &iou, &name);
        }
    }
}

fn findings(part: &Value) -> &Vec<Value> {
    part["findings"].as_array().expect("findings")
}

/// A figure and its interval: another processor adds up in another order, and a rank may change.
fn same(found: &Value, recorded: &Value, what: &str) {
    let numbers = |figure: &Value| {
        let ends = [&figure["ci95"][0], &figure["ci95"][1]];
        [&figure["value"], ends[0], ends[1]].map(Value::as_f64)
    };
    for (found, recorded) in numbers(found).into_iter().zip(numbers(recorded)) {
        let (found, recorded) = (found.expect(what), recorded.expect(what));
        assert!(
            (found - recorded).abs() < 5e-3,
            "{what}: {found}, not {recorded}"
        );
    }
}
