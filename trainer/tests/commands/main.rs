//! The commands, run as a model maker runs them, on the bundled radiographs.

mod cache;
mod command;
mod dicom;
mod figures;
mod gate;
mod import;
mod object_store;
mod portable;
mod reader;
mod runs;
mod shards;
mod shipped;
mod streams;
mod tables;
mod train;
mod validation;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sightline::finding::Finding;
use sightline::package::{LocalisedBy, Manifest};
use sightline::radiograph::Radiograph;
use sightline::reader::Reader;
use sightline::report::Report;

use command::{Argument, refuse, run, shipped_recipe, succeed, training, workspace};

const HEADER: &str = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,\
                      Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,\
                      Fracture,Support Devices,Patient,Split";
const SAMPLES: [&str; 3] = ["cardiomegaly.jpg", "effusion.jpg", "no-finding.jpg"];

/// Whose maps, against which marks, by the name that a manifest has for it.
fn by(name: &str) -> LocalisedBy {
    LocalisedBy::from(name.to_owned())
}

fn samples() -> PathBuf {
    workspace().join("www/samples")
}

fn shipped() -> PathBuf {
    workspace().join("www/models/efficientnet-lite0-nih")
}

/// A copy of the shipped package in a folder.
fn copy_of_package(folder: &Path) -> PathBuf {
    let model = folder.join("model");
    std::fs::create_dir(&model).expect("a folder");
    for file in ["manifest.json", "weights.bpk", "card.md", "training.json"] {
        std::fs::copy(shipped().join(file), model.join(file)).expect("copied");
    }
    model
}

/// Small pictures, each another one, and their names.
fn pictures(folder: &Path, count: usize) -> Vec<String> {
    let small = SAMPLES.map(|sample| {
        let picture = image::open(samples().join(sample)).expect("a sample");
        picture.thumbnail_exact(96, 96).into_luma8()
    });
    let write = |number: usize| {
        let mut picture = small[number % small.len()].clone();
        for pixel in picture.pixels_mut() {
            pixel.0[0] = pixel.0[0].saturating_sub(number as u8);
        }
        let name = format!("image-{number}.png");
        picture.save(folder.join(&name)).expect("written");
        name
    };
    (0..count).map(write).collect()
}

/// A CSV of the samples: a row for each path, finding (1 or 0 for all 14), patient and split.
fn csv(folder: &Path, rows: &[(&str, &str, &str, &str)]) -> PathBuf {
    let mut text = HEADER.to_owned();
    for (path, label, patient, split) in rows {
        let labels = [*label; 14].join(",");
        text += &format!("\n{path},Female,60,Frontal,PA,{labels},{patient},{split}");
    }
    let path = folder.join("labels.csv");
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn predict_gives_the_scores_that_a_reading_gives() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = SAMPLES.map(|path| (path, "0", path, "test"));
    let csv = csv(folder.path(), &rows);
    let out = folder.path().join("scores.csv");
    succeed(&[
        &"predict",
        &"--model",
        &shipped(),
        &"--csv",
        &csv,
        &"--root",
        &samples(),
        &"--out",
        &out,
    ]);

    let manifest =
        Manifest::parse(&std::fs::read(shipped().join("manifest.json")).expect("a manifest"));
    let manifest = manifest.expect("the shipped manifest");
    let weights = std::fs::read(shipped().join(&manifest.weights.file)).expect("weights");
    let reader = Reader::load(manifest, &weights, &Device::flex()).expect("the shipped package");
    let scores = std::fs::read_to_string(&out).expect("scores");
    let mut lines = scores.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    assert_eq!(header[0], "Path");
    assert_eq!(header[1..15], Finding::ALL.map(Finding::name));
    assert_eq!(header[15..], ["Gate", "GateVerdict", "GateKind"]);
    assert_eq!(scores.lines().count(), 1 + SAMPLES.len());
    for (line, sample) in lines.zip(SAMPLES) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), header.len());
        assert_eq!(cells[16..], ["pass", ""], "{sample}");
        assert_eq!(cells[0], sample);
        let bytes = std::fs::read(samples().join(sample)).expect("a sample");
        let image = Radiograph::decode(&bytes).expect("a radiograph").image;
        let reading = pollster::block_on(reader.read(&reader.view(&image))).expect("a reading");
        for (cell, expected) in cells[1..15].iter().zip(reading.probabilities) {
            match expected {
                Some(p) => assert!(
                    (cell.parse::<f64>().expect("a number") - p).abs() < 1e-3,
                    "{cell} {p}"
                ),
                None => assert_eq!(*cell, "", "an untrained finding has a score"),
            }
        }
    }
}

#[test]
fn what_localize_finds_against_masks_is_recorded_beside_the_boxes() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    std::fs::copy(samples().join("cardiomegaly.jpg"), root.join("heart.jpg")).expect("a copy");
    let csv = csv(root, &[("heart.jpg", "1", "patient", "test")]);
    let model = copy_of_package(root);
    // A heart that begins right of the middle.
    let mask = image::GrayImage::from_fn(40, 40, |x, _| image::Luma([255 * u8::from(x > 22)]));
    mask.save(root.join("heart.png")).expect("a mask");
    let masks = root.join("masks.csv");
    let text =
        "Path,Mask,Class,SourceClass\nheart.jpg,heart.png,,heart\nheart.jpg,heart.png,,left_lung\n";
    std::fs::write(&masks, text).expect("written");
    let figures = || {
        let manifest = std::fs::read(model.join("manifest.json")).expect("a manifest");
        let manifest = Manifest::parse(&manifest).expect("a sound manifest");
        manifest.findings[Finding::Cardiomegaly.index()]
            .localisation
            .clone()
    };
    let mut before = figures();
    let options: [Argument; 9] = [
        &"localize",
        &"--model",
        &model,
        &"--csv",
        &csv,
        &"--masks",
        &masks,
        &"--record",
        &"--method",
    ];
    for method in ["grad-cam", "center"] {
        succeed(&[&options[..], &[&method]].concat());
    }
    let mut after = figures();
    let middle = after.remove(&by("center on masks")).expect("recorded");
    assert_eq!((middle.n, middle.pointing_hit), (1, 0.0));
    assert_eq!(
        after.remove(&by("grad-cam on masks")).expect("recorded").n,
        1
    );
    for figures in [&mut before, &mut after] {
        figures.retain(|method, _| !method.to_string().ends_with("on masks"));
    }
    assert_eq!(after, before);
    let card = std::fs::read_to_string(model.join("card.md")).expect("a card");
    assert!(
        card.contains("| Cardiomegaly | grad-cam on masks | 1 |"),
        "{card}"
    );
}

#[test]
fn localize_judges_maps_by_boxes_and_records_what_it_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = csv(
        folder.path(),
        &SAMPLES.map(|path| (path, "1", path, "test")),
    );
    let model = copy_of_package(folder.path());
    let boxes = folder.path().join("boxes.csv");
    // Effusion: everywhere. Cardiomegaly: the middle of one picture, a corner of another. Fracture is not trained.
    let rows = "Path,Class,X,Y,W,H\n\
                effusion.jpg,Pleural Effusion,0,0,1,1\n\
                cardiomegaly.jpg,Cardiomegaly,0.4,0.4,0.2,0.2\n\
                effusion.jpg,Cardiomegaly,0,0,0.1,0.1\n\
                no-finding.jpg,Fracture,0,0,1,1\n";
    std::fs::write(&boxes, rows).expect("written");
    let json = folder.path().join("localisation.json");
    let judge = |method: &str| {
        let said = succeed(&[
            &"localize",
            &"--model",
            &model,
            &"--csv",
            &csv,
            &"--root",
            &samples(),
            &"--boxes",
            &boxes,
            &"--method",
            &method,
            &"--json",
            &json,
            &"--record",
        ]);
        assert!(
            said.contains("Cardiomegaly") && !said.contains("Fracture"),
            "{said}"
        );
        let report = std::fs::read(&json).expect("a report");
        serde_json::from_slice::<serde_json::Value>(&report).expect("JSON")
    };
    let hits = |report: &serde_json::Value| -> Vec<(String, f64)> {
        let findings = report["findings"].as_array().expect("findings").iter();
        findings
            .map(|f| {
                let name = f["name"].as_str().expect("a name").to_owned();
                (name, f["pointing_hit"]["value"].as_f64().expect("a share"))
            })
            .collect()
    };
    let centre = judge("center");
    let expected = [("Cardiomegaly", 0.5), ("Pleural Effusion", 1.0)];
    assert_eq!(
        hits(&centre),
        expected.map(|(name, hit)| (name.to_owned(), hit))
    );
    let maps = judge("grad-cam");
    assert_eq!(hits(&maps)[1], ("Pleural Effusion".to_owned(), 1.0));

    let manifest = std::fs::read(model.join("manifest.json")).expect("a manifest");
    let manifest = Manifest::parse(&manifest).expect("a sound manifest");
    let recorded = &manifest.findings[Finding::Cardiomegaly.index()].localisation;
    assert_eq!(recorded[&by("center")].pointing_hit, 0.5);
    assert_eq!(recorded[&by("grad-cam")].n, 2);
    // Beside the middle of the same two pictures.
    let over = recorded[&by("grad-cam")].over_middle.expect("compared");
    let hits = recorded[&by("grad-cam")].pointing_hit - recorded[&by("center")].pointing_hit;
    assert!(
        (over.hit - hits).abs() < 1e-9 && over.hit_p == 1.0,
        "{over:?}"
    );
    // One image tells nothing of the maps.
    let effusion = &manifest.findings[Finding::PleuralEffusion.index()];
    assert_eq!(effusion.pointing(&by("grad-cam")), None);
    let card = std::fs::read_to_string(model.join("card.md")).expect("a card");
    assert_eq!(card.matches("Where its maps point").count(), 1);
    assert!(
        card.contains("| Cardiomegaly | center | 2 | 0.50 (0.00 to 1.00) |"),
        "{card}"
    );
    std::fs::write(&boxes, "Path,Class,X,Y,W,H\neffusion.jpg,Edema,0,0,2,1\n").expect("written");
    let wrong: [&dyn AsRef<std::ffi::OsStr>; 9] = [
        &"localize",
        &"--model",
        &model,
        &"--csv",
        &csv,
        &"--root",
        &samples(),
        &"--boxes",
        &boxes,
    ];
    refuse(&wrong, "line 2: X, Y, W, H must be in 0..1");
}

#[test]
fn explain_writes_a_picture_and_a_report_whose_cells_add_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (png, json) = (
        folder.path().join("map.png"),
        folder.path().join("map.json"),
    );
    let image = samples().join("effusion.jpg");
    let model = shipped();
    succeed(&[
        &"explain",
        &"--model",
        &model,
        &"--finding",
        &"lung opacity",
        &image,
        &"--out",
        &png,
        &"--json",
        &json,
    ]);
    let report: Report =
        serde_json::from_slice(&std::fs::read(&json).expect("a report")).expect("a report");
    for finding in &report.findings {
        let sum = finding.grad_cam.cells.values.iter().sum::<f32>() + finding.grad_cam.bias;
        assert!(
            (sum - finding.logit).abs() < 1e-3,
            "{}: {sum} {}",
            finding.name,
            finding.logit
        );
    }
    // Colour where there is evidence, and only then.
    let evidence = &report.findings[Finding::LungOpacity.index()].grad_cam.cells;
    let map = image::open(&png).expect("a picture").into_rgb8();
    assert_eq!(map.pixels().any(|p| p.0[0] != p.0[2]), evidence.max() > 0.0);
    refuse(
        &[
            &"explain",
            &"--model",
            &model,
            &"--finding",
            &"Fracture",
            &image,
        ],
        "not trained",
    );
    refuse(
        &[
            &"explain",
            &"--model",
            &model,
            &"--finding",
            &"Hernia",
            &image,
        ],
        "no finding",
    );
}

#[test]
fn a_report_can_be_repeated_and_another_image_or_another_score_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("report.json");
    let (image, model) = (samples().join("effusion.jpg"), shipped());
    succeed(&[
        &"explain",
        &"--model",
        &model,
        &"--method",
        &"lime",
        &"--samples",
        &"60",
        &image,
        &"--json",
        &json,
    ]);
    let replay = |report: &PathBuf, image: &PathBuf| -> Vec<std::ffi::OsString> {
        let arguments: [&dyn AsRef<std::ffi::OsStr>; 6] =
            [&"explain", &"--model", &model, &"--replay", report, image];
        arguments.iter().map(|a| a.as_ref().to_owned()).collect()
    };
    let with = |arguments: &[std::ffi::OsString]| {
        let arguments: Vec<Argument> = arguments.iter().map(|a| a as Argument).collect();
        run(&arguments)
    };
    let output = with(&replay(&json, &image));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("can be repeated"),
        "{said}"
    );
    let refused = |arguments: &[std::ffi::OsString], why: &str| {
        let output = with(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
    };
    refused(
        &replay(&json, &samples().join("no-finding.jpg")),
        "not the image of the report",
    );
    let text = std::fs::read_to_string(&json).expect("a report");
    let mut report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    report["findings"][3]["probability"] = 0.123.into();
    let changed = folder.path().join("changed.json");
    std::fs::write(&changed, report.to_string()).expect("written");
    refused(
        &replay(&changed, &image),
        "findings.3.probability: the report says 0.123",
    );
}

/// `report.json` was written at the end of 2026 by `explain --method hirescam`, with the shipped EfficientNet-Lite0. It is written again only
/// where that model's weights change: a change of the format is to leave it readable.
#[test]
fn a_report_of_an_earlier_version_still_replays() {
    let report = workspace().join("trainer/tests/commands/report.json");
    let (image, model) = (samples().join("effusion.jpg"), shipped());
    let said = succeed(&[&"explain", &"--model", &model, &"--replay", &report, &image]);
    assert!(said.contains("can be repeated"), "{said}");
}

#[test]
fn a_model_is_trained_resumed_exported_and_evaluated() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    std::fs::write(root.join("broken.jpg"), b"no picture").expect("written");
    let mut rows = vec![("broken.jpg", "1", "p-broken", "train")];
    let names = pictures(root, 9);
    for (number, name) in names.iter().enumerate() {
        let (label, split) = (
            ["1", "0", "-1"][number % 3],
            ["train", "valid", "test"][number / 3],
        );
        // Every image is of another patient.
        rows.push((name, label, name, split));
    }
    csv(root, &rows);
    let recipe = |epochs: usize| {
        let path = root.join("recipe.json");
        let mut recipe = shipped_recipe();
        recipe["data"]["csv"] = "labels.csv".into();
        recipe["input"]["size"] = 64.into();
        recipe["epochs"] = epochs.into();
        std::fs::write(&path, recipe.to_string()).expect("written");
        path
    };
    let config = recipe(2);
    let run_folder = root.join("run");
    let train = training(&config, &root, &run_folder, &[]);
    let said = run(&train);
    let errors = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success(), "{errors}");
    assert!(
        errors.contains("broken.jpg"),
        "the broken image was left out silently: {errors}"
    );
    refuse(&train, "--resume");
    let mut resumed = train.to_vec();
    resumed.push(&"--resume");
    assert!(
        succeed(&resumed).contains("done"),
        "a finished run has nothing to do"
    );
    recipe(3);
    refuse(&resumed, "another recipe");

    let package = root.join("package");
    succeed(&[&"export", &"--checkpoint", &run_folder, &"--out", &package]);
    let card = std::fs::read_to_string(package.join("card.md")).expect("a card");
    assert!(card.contains("Area under the ROC curve"), "{card}");
    let labels = root.join("labels.csv");
    let json = root.join("evaluation.json");
    let table = succeed(&[
        &"evaluate",
        &"--model",
        &package,
        &"--csv",
        &labels,
        &"--split",
        &"test",
        &"--part",
        &"Sex",
        &"--part",
        &"Age group",
        &"--part",
        &"AP/PA",
        &"--json",
        &json,
    ]);
    assert!(table.contains("Mean of the competition five"), "{table}");
    // Measured anew, the package is what it was, now with pictures.
    let before = std::fs::read(package.join("manifest.json")).expect("a manifest");
    let measure: [Argument; 8] = [
        &"card",
        &"--model",
        &package,
        &"--csv",
        &labels,
        &"--split",
        &"test",
        &"--pictures",
    ];
    succeed(&measure);
    assert!(before == std::fs::read(package.join("manifest.json")).expect("a manifest"));
    let pictures = std::fs::read_to_string(package.join("card.md")).expect("a card");
    assert!(pictures.starts_with(&card) && pictures.contains("Gravest errors"));
    assert!(image::open(package.join("failures.jpg")).is_ok());
    let figures = pictures.split("](").skip(1);
    let figures = figures.filter_map(|rest| rest.split(')').next()?.strip_suffix(".svg"));
    let figures: Vec<&str> = figures.collect();
    let shown = ["roc", "precision-recall", "reliability", "loss", "auc"];
    assert_eq!(figures, shown);
    for figure in figures {
        let svg = std::fs::read_to_string(package.join(figure).with_extension("svg"));
        assert!(svg.expect("a figure").starts_with("<svg"), "{figure}");
    }
    // The evaluation repeats the card's figures.
    let read = |path: PathBuf| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).expect("figures")).expect("JSON")
    };
    assert_eq!(
        read(json)["parts"],
        read(package.join("evaluation.json"))["parts"]
    );
}

#[test]
fn splits_that_share_a_patient_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = [("train", 0), ("valid", 1), ("test", 2)];
    let shared = shared.map(|(split, sample)| (SAMPLES[sample], "1", "the same", split));
    csv(folder.path(), &shared);
    let text = std::fs::read_to_string(
        workspace().join("trainer/configs/efficientnet-lite0-nih-labels.json"),
    );
    let config = folder.path().join("recipe.json");
    std::fs::write(
        &config,
        text.expect("a recipe").replace("nih.csv", "labels.csv"),
    )
    .expect("written");
    let out = folder.path().join("run");
    refuse(
        &training(&config, &folder.path(), &out, &[]),
        "patient the same is in two splits (labels.csv, line 2; labels.csv, line 3)",
    );
}
