//! The figures of `evaluate` and `localize` are those that the page has of the same scores and maps.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::Value;
use sightline::heat_map::HeatMap;
use sightline::package::Manifest;
use sightline::radiograph::{Radiograph, Region};
use sightline::reader::Reader;
use sightline_measure::validation::{Given, Picture, validate};

use crate::command::succeed;
use crate::shipped;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/cases")
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).expect("written")).expect("JSON")
}

/// The boxes of the case library as a table.
fn boxes() -> String {
    let index = json(&cases().join("index.json"));
    let mut text = "Path,Class,X,Y,W,H\n".to_owned();
    for case in index["cases"].as_array().expect("cases") {
        for b in case["boxes"].as_array().into_iter().flatten() {
            let file = case["file"].as_str().expect("a file");
            let class = b["finding"].as_str().expect("a finding");
            let sides = [&b["x"], &b["y"], &b["w"], &b["h"]].map(Value::to_string);
            writeln!(text, "{file},{class},{}", sides.join(",")).expect("written");
        }
    }
    text
}

/// Each picture's maps and the part of it that they cover.
fn maps(manifest: &Manifest, files: &[&str]) -> BTreeMap<String, (Vec<HeatMap>, Region)> {
    let weights = std::fs::read(shipped().join(&manifest.weights.file)).expect("weights");
    let reader = Reader::load(manifest.clone(), &weights, &Device::flex()).expect("a model");
    let read = |file: &&str| {
        let bytes = std::fs::read(cases().join(file)).expect("a case");
        let radiograph = Radiograph::decode(&bytes).expect("a radiograph");
        let reading = pollster::block_on(reader.read(&reader.view(&radiograph.image)));
        let reading = reading.expect("a reading");
        ((*file).to_owned(), (reading.evidence, reading.region))
    };
    // The samples that the table names too lie elsewhere.
    let here = files.iter().filter(|file| cases().join(file).is_file());
    here.map(read).collect()
}

/// Whether two JSONs are the same, with numbers that may differ in what they lose as text.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| same(value, &b[key]))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Number(a), Value::Number(b)) => {
            let difference = a.as_f64().zip(b.as_f64()).map(|(a, b)| (a - b).abs());
            difference.is_some_and(|difference| difference < 1e-9)
        }
        (a, b) => a == b,
    }
}

#[test]
fn the_same_scores_and_maps_give_the_figures_of_evaluate_and_localize() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let (model, csv, root) = (shipped(), cases().join("labels.csv"), cases());
    let (whole, judged, marked) = (place("whole"), place("judged"), place("boxes.csv"));
    std::fs::write(&marked, boxes()).expect("written");
    let evaluate = |out: &PathBuf, shard: &str| {
        succeed(&[
            &"evaluate",
            &"--model",
            &model,
            &"--csv",
            &csv,
            &"--root",
            &root,
            &"--shard",
            &shard,
            &"--json",
            out,
        ]);
    };
    evaluate(&whole, "0/1");
    // Parts have the scores themselves.
    let parts = [place("first"), place("second")];
    evaluate(&parts[0], "0/2");
    evaluate(&parts[1], "1/2");
    succeed(&[
        &"localize",
        &"--model",
        &model,
        &"--csv",
        &csv,
        &"--root",
        &root,
        &"--boxes",
        &marked,
        &"--json",
        &judged,
    ]);

    let table = std::fs::read_to_string(&csv).expect("labels");
    let names = table.lines().skip(1);
    let files: Vec<&str> = names
        .map(|line| line.split(',').next().unwrap_or_default())
        .collect();
    let manifest = std::fs::read(model.join("manifest.json")).expect("a manifest");
    let manifest = Manifest::parse(&manifest).expect("a manifest");
    let maps = maps(&manifest, &files);
    let mut pictures = Vec::new();
    for part in parts {
        for row in json(&part)["rows"].as_array().expect("rows") {
            let number = row[0].as_u64().expect("a number") as usize;
            let scores = row[1]["scores"].as_array().expect("scores").iter();
            let (maps, region) = maps[files[number]].clone();
            pictures.push(Picture {
                file: format!("dropped/{}", files[number]),
                probabilities: scores.map(Value::as_f64).collect(),
                maps,
                region,
            });
        }
    }
    let given = |path: &Path| Given {
        name: path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned(),
        bytes: std::fs::read(path).expect("a table"),
    };
    let validation = validate(&manifest, vec![given(&csv), given(&marked)], &pictures);
    let validation = validation.expect("figures");
    let ours: Value = serde_json::from_str(&validation.json().expect("figures")).expect("JSON");
    let theirs = json(&whole);
    assert!(
        same(&ours["parts"], &theirs["parts"]),
        "{ours:#}\n{theirs:#}"
    );
    let aucs = theirs["parts"][0]["findings"]
        .as_array()
        .expect("findings")
        .iter();
    assert!(aucs.filter(|finding| finding["auc"].is_object()).count() > 2);
    let pointing = validation.pointing.expect("boxes");
    let ours = serde_json::to_value(&pointing).expect("JSON");
    let theirs = json(&judged);
    assert!(
        same(&ours["findings"], &theirs["findings"]),
        "{ours:#}\n{theirs:#}"
    );
    assert!(!pointing.findings.is_empty());
}
