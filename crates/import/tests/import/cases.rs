//! The best-known checkpoints as people pass them on. Their files are in `../shared/cases`, beside the project.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sightline::finding::Finding;
use sightline::package::Calibration;
use sightline::reader::Reader;
use sightline::vocabulary::{NIH, TORCHXRAYVISION};
use sightline_import::{Settings, Source};

use crate::support::{check_logits, imported, json, read, reader, settings};

/// A folder of cases; `None` where `SIGHTLINE_WITHOUT_DATA` leaves out what needs `../shared`.
fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/cases")
        .join(name);
    if std::env::var_os("SIGHTLINE_WITHOUT_DATA").is_some() {
        return None;
    }
    assert!(
        folder.is_dir(),
        "{} is not there; SIGHTLINE_WITHOUT_DATA=1 leaves this test out",
        folder.display()
    );
    Some(folder)
}

fn expected_logits(folder: &Path) -> Vec<(Finding, f64)> {
    let logits = json(&folder.join("expected_logits.json"));
    let logits = logits.as_object().expect("logits").iter();
    let logit = |(name, value): (&String, &Value)| {
        let finding = Finding::from_name(name).expect("a finding");
        (finding, value.as_f64().expect("a logit"))
    };
    logits.map(logit).collect()
}

/// The probabilities of the folder's picture are those of a table, and empty where it is.
fn check_scores(reader: &Reader, folder: &Path, table: &str) {
    let picture = reader
        .decode(&read(&folder.join("picture.png")), None)
        .expect("a picture");
    let reading = pollster::block_on(reader.read(&reader.view(&picture.image))).expect("a reading");
    let table = String::from_utf8(read(&folder.join(table))).expect("a table");
    let mut rows = table.lines().map(|row| row.split(','));
    let (names, scores) = (rows.next().expect("names"), rows.next().expect("scores"));
    let mut compared = 0;
    for (name, score) in names.zip(scores).skip(1) {
        let finding = Finding::from_name(name).expect("a finding");
        let ours = reading.probabilities[finding.index()];
        let theirs: Option<f64> = score.parse().ok();
        assert_eq!(ours.is_some(), theirs.is_some(), "{finding}");
        if let Some((ours, theirs)) = ours.zip(theirs) {
            compared += 1;
            assert!((ours - theirs).abs() < 1e-4, "{finding}: {ours} {theirs}");
        }
    }
    assert!(compared > 5);
}

/// Needs `../shared/cases/14-chexnet-checkpoint`.
#[test]
fn chexnets_checkpoint_gives_pytorchs_scores() {
    let Some(folder) = folder("14-chexnet-checkpoint") else {
        return;
    };
    let labels = String::from_utf8(read(&folder.join("findings.txt"))).expect("text");
    let labels: Vec<String> = labels.trim().split(',').map(str::to_owned).collect();
    for file in ["model.pth.tar", "model_as_of_2017.pth.tar"] {
        let bytes = read(&folder.join(file));
        let of = |source, findings: Option<Vec<String>>| Settings {
            source,
            findings,
            ..settings()
        };
        let chexpert = vec!["chexpert".to_owned()];
        // The whole is computed for one of them; all have the same weights and outputs.
        let mut weights = Vec::new();
        for settings in [
            of(None, Some(chexpert.clone())),
            of(Some(Source::Chexnet), Some(chexpert.clone())),
            of(Some(Source::Torchvision), Some(labels.clone())),
        ] {
            let (made, said) = imported(file, &bytes, &settings).expect("weights");
            assert!(
                said.contains("densenet121 with 14 outputs and 3 input channels"),
                "{said}"
            );
            assert!(
                said.contains("\"state_dict.module.densenet121.\""),
                "{said}"
            );
            weights.push((made.weights, made.manifest.findings, made.manifest.input));
        }
        assert!(weights.iter().all(|one| *one == weights[0]));
        let (made, said) = imported(file, &bytes, &of(None, Some(chexpert))).expect("weights");
        let left_out = "Infiltration, Nodule, Emphysema, Fibrosis, Hernia";
        assert!(said.contains(left_out), "{said}");
        let limits = made.manifest.limits.clone();
        assert!(limits.iter().any(|limit| limit.contains(left_out)));
        let reader = reader(made);
        check_scores(&reader, &folder, "expected.csv");
        let picture = reader.decode(&read(&folder.join("picture.png")), None);
        let picture = picture.expect("a picture");
        check_logits(&reader, &picture.image, &expected_logits(&folder));

        // Without a word, all outputs are kept under their own names.
        let (own, said) = imported(file, &bytes, &of(None, None)).expect("weights");
        assert!(
            said.contains("Effusion, Infiltration, Mass, Nodule"),
            "{said}"
        );
        assert!(!said.contains("left out, as"), "{said}");
        for settings in [
            of(None, Some(vec!["chestx-ray14".to_owned()])),
            of(Some(Source::Chexnet), None),
        ] {
            let (same, _) = imported(file, &bytes, &settings).expect("weights");
            assert!(same.weights == own.weights);
            assert!(same.manifest.findings == own.manifest.findings);
        }
        let own = self::reader(own);
        let names = own.manifest.vocabulary().findings;
        assert_eq!(names, NIH);
        let of_chexpert = pollster::block_on(reader.read(&reader.view(&picture.image)));
        let of_chexpert = of_chexpert.expect("a reading");
        let reading = pollster::block_on(own.read(&own.view(&picture.image))).expect("a reading");
        for (here, there) in [
            (0, Finding::Atelectasis),
            (2, Finding::PleuralEffusion),
            (4, Finding::LungLesion),
        ] {
            let (here, there) = (reading.logits[here], of_chexpert.logits[there.index()]);
            assert!((here - there).abs() < 1e-3, "{here} {there}");
        }
    }
}

/// Needs `../shared/cases/15-torchxrayvision-whole-module`.
#[test]
fn torchxrayvisions_whole_modules_give_its_scores() {
    let Some(folder) = folder("15-torchxrayvision-whole-module") else {
        return;
    };
    for (file, table) in [
        (
            "nih-pc-chex-mimic_ch-google-openi-kaggle-densenet121-best.pt",
            "expected.csv",
        ),
        ("legacy-of-2020-densenet121-best.pt", "expected.csv"),
        (
            "whole-without-thresholds.pt",
            "expected_without_thresholds.csv",
        ),
    ] {
        let bytes = read(&folder.join(file));
        let said_source = Settings {
            source: Some(Source::Torchxrayvision),
            ..settings()
        };
        let (own, _) = imported(file, &bytes, &said_source).expect("weights");
        let (same, said) = imported(file, &bytes, &settings()).expect("weights");
        assert!(!said.contains("left out, as"), "{said}");
        assert!(same.weights == own.weights && same.manifest == own.manifest);
        assert_eq!(own.manifest.vocabulary().findings, TORCHXRAYVISION);
        let as_chexpert = Settings {
            findings: Some(vec!["chexpert".to_owned()]),
            ..settings()
        };
        let (made, said) = imported(file, &bytes, &as_chexpert).expect("weights");
        assert!(
            said.contains("densenet121 with 18 outputs and 1 input channels"),
            "{said}"
        );
        assert!(said.contains("Infiltration, Emphysema, Fibrosis"), "{said}");
        let reader = reader(made);
        check_scores(&reader, &folder, table);
        let calibrated =
            reader.manifest.findings.iter().filter(|card| {
                matches!(card.calibration, Some(Calibration::OperatingPoint { .. }))
            });
        assert_eq!(calibrated.count() > 0, table == "expected.csv");
    }
}
