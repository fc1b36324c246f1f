//! Figures are what they are called: validation figures are not test figures, and what is no number is none.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::Value;
use sightline::network::Naming;
use sightline::package::{self, Manifest};

use crate::command::{Argument, dry_run, refuse, succeed, training, workspace};
use crate::train::prepare;
use crate::{SAMPLES, copy_of_package, csv, samples, shipped};

fn manifest(package: &Path) -> Manifest {
    let json = std::fs::read(package.join("manifest.json")).expect("a manifest");
    Manifest::parse(&json).expect("a sound manifest")
}

fn text(path: PathBuf) -> String {
    std::fs::read_to_string(path).expect("a text")
}

/// Changes a CSV line by line; the first is the header.
fn rewrite(csv: &Path, change: impl Fn(usize, &str) -> Option<String>) {
    let lines = text(csv.to_owned());
    let lines = lines.lines().enumerate();
    let lines: Vec<String> = lines
        .filter_map(|(number, line)| change(number, line))
        .collect();
    std::fs::write(csv, lines.join("\n")).expect("written");
}

#[test]
fn figures_of_validation_images_are_called_so_until_there_are_test_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let trained = |change: fn(&mut Value), run: &str, rows: fn(&str) -> bool| {
        let recipe = prepare(root, |recipe| {
            recipe["epochs"] = 1.into();
            change(recipe);
        });
        let csv = root.join("labels.csv");
        rewrite(&csv, |_, line| rows(line).then(|| line.to_owned()));
        let out = root.join(run);
        succeed(&training(&recipe, &root, &out, &[]));
        let package = root.join(format!("{run}.package"));
        succeed(&[&"export", &"--checkpoint", &out, &"--out", &package]);
        package
    };
    let without_test = trained(|_| {}, "split", |line| !line.ends_with(",test"));
    let held_out = trained(
        |recipe| recipe["data"]["hold_out"] = serde_json::json!({ "valid": 0.3, "test": 0 }),
        "held",
        |_| true,
    );
    for (package, of) in [
        (&without_test, "labels.csv, Split=valid"),
        (&held_out, "labels.csv, 0.3 of the patients held out"),
    ] {
        let manifest = manifest(package);
        let set = manifest.evaluation.expect("measured").set;
        assert!(
            set.starts_with(of)
                && set.contains("validation images")
                && set.contains("no test images"),
            "{set}"
        );
        let limits = manifest.limits.join(" ");
        assert!(limits.contains("No image was kept for testing"), "{limits}");
        let card = text(package.join("card.md"));
        assert!(
            card.contains("No image was kept for testing") && card.contains(&set),
            "{card}"
        );
        let evaluation = text(package.join("evaluation.json"));
        assert!(evaluation.contains("no test images"), "{evaluation}");
    }
    // Measured on test images, it has figures of those, and is not called untested any more.
    prepare(root, |_| {});
    let labels = root.join("labels.csv");
    let measure: [Argument; 5] = [&"card", &"--model", &without_test, &"--csv", &labels];
    refuse(&measure, "say with --split which images to measure");
    succeed(&[&measure[..], &[&"--split", &"test"]].concat());
    let manifest = manifest(&without_test);
    let set = manifest.evaluation.expect("measured").set;
    assert_eq!(set, "labels.csv, Split=test");
    assert!(!manifest.limits.join(" ").contains("No image was kept"));
    let card = text(without_test.join("card.md"));
    assert!(!card.contains("validation images, which also"), "{card}");
}

#[test]
fn test_rows_that_cannot_be_used_are_an_error_and_not_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |_| {});
    rewrite(&root.join("labels.csv"), |_, line| {
        let is_test = line.ends_with(",test");
        let lateral = line.replace(",Frontal,", ",Lateral,");
        Some(if is_test { lateral } else { line.to_owned() })
    });
    let dry_run = dry_run(&recipe, &root);
    refuse(&dry_run, "no row with Split=test is of the views");
}

#[test]
fn a_recipe_with_an_impossible_number_is_refused_by_a_dry_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let refused = |change: fn(&mut Value), why: &str| {
        let recipe = prepare(root, change);
        let dry_run = dry_run(&recipe, &root);
        refuse(&dry_run, why);
    };
    refused(
        |recipe| recipe["learning_rate"] = (-0.1).into(),
        "learning_rate must be above 0, at most 100, and is -0.1",
    );
    refused(
        |recipe| recipe["augmentation"]["crop"] = serde_json::json!([1.0, 0.8]),
        "augmentation.crop must be from 0.05 to at most 2, the smaller first, and is 1 to 0.8",
    );
    refused(
        |recipe| recipe["data"]["hold_out"] = serde_json::json!({ "valid": 0.6, "test": 0.5 }),
        "data.hold_out must be together below 1",
    );
}

#[test]
fn parts_are_measured_where_they_are_asked_for_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let labels = csv(root, &SAMPLES.map(|path| (path, "1", path, "test")));
    rewrite(&labels, |number, line| {
        let repo = ["Repo", "jrzech/reproduce-chexnet", "here", "here"][number];
        Some(format!("{line},{repo}"))
    });
    let model = copy_of_package(root);
    let json = root.join("figures.json");
    let parts = |more: &[Argument]| -> Vec<String> {
        let known: [Argument; 9] = [
            &"evaluate",
            &"--model",
            &model,
            &"--csv",
            &labels,
            &"--root",
            &samples(),
            &"--json",
            &json,
        ];
        succeed(&[&known, more].concat());
        let report: Value = serde_json::from_str(&text(json.clone())).expect("JSON");
        let parts = report["parts"].as_array().expect("parts").iter();
        parts
            .map(|part| part["part"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(parts(&[]), ["all"]);
    assert_eq!(parts(&[&"--part", &"Repo=here"]), ["all", "Repo=here"]);

    let measure: [Argument; 9] = [
        &"card",
        &"--model",
        &model,
        &"--csv",
        &labels,
        &"--root",
        &samples(),
        &"--split",
        &"test",
    ];
    succeed(&measure);
    assert!(!text(model.join("card.md")).contains("### Repo="));
    succeed(&[&measure[..], &[&"--unselected", &"Repo=here"]].concat());
    let card = text(model.join("card.md"));
    assert!(
        card.contains("### Repo=here: 2 images of 2 patients") && !card.contains("### Repo=jrzech"),
        "{card}"
    );
}

/// A package whose numbers grow until they are infinite.
fn overflowing(folder: &Path) -> PathBuf {
    let shipped = workspace().join("www/models/densenet121-nih");
    let mut manifest = manifest(&shipped);
    let weights = std::fs::read(shipped.join("weights.bpk")).expect("weights");
    let network = package::load(&manifest, &weights, &Device::flex()).expect("the shipped package");
    let network = network.load_state_dict(Naming::Torchvision, false, |tensor| {
        let count = tensor.shape.iter().product();
        let value = match tensor.name.rsplit('.').next() {
            Some("running_mean") => 0.0,
            _ if tensor.name.ends_with("running_var") || !tensor.batch_norm => 1.0,
            _ => 1e30,
        };
        Some((tensor.shape.clone(), vec![value; count]))
    });
    let weights = package::save(&network.expect("it fits")).expect("finite weights");
    manifest.weights.sha256 = package::sha256(&weights);
    manifest.weights.bytes = weights.len() as u64;
    manifest.input.size = 64;
    let package = folder.join("overflowing");
    std::fs::create_dir(&package).expect("a folder");
    let json = serde_json::to_vec(&manifest).expect("JSON");
    std::fs::write(package.join("manifest.json"), json).expect("written");
    std::fs::write(package.join("weights.bpk"), weights).expect("written");
    for file in ["card.md", "training.json"] {
        std::fs::copy(shipped.join(file), package.join(file)).expect("copied");
    }
    package
}

#[test]
fn answers_that_are_no_numbers_are_errors_in_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let model = overflowing(root);
    let labels = csv(root, &SAMPLES.map(|path| (path, "1", path, "test")));
    let image = samples().join(SAMPLES[0]);
    let boxes = root.join("boxes.csv");
    let marked = "Path,Class,X,Y,W,H\neffusion.jpg,Edema,0,0,1,1\n";
    std::fs::write(&boxes, marked).expect("written");
    let out = root.join("out");
    let rows: [Argument; 6] = [&"--model", &model, &"--csv", &labels, &"--root", &samples()];
    let of_rows = |command: Argument, more: &[Argument]| {
        refuse(&[&[command], &rows[..], more].concat(), "not a number");
    };
    of_rows(&"predict", &[&"--out", &out]);
    of_rows(&"evaluate", &[&"--json", &out]);
    of_rows(&"localize", &[&"--boxes", &boxes, &"--json", &out]);
    of_rows(
        &"localize",
        &[
            &"--boxes",
            &boxes,
            &"--method",
            &"lime",
            &"--samples",
            &"4",
            &"--json",
            &out,
        ],
    );
    of_rows(&"card", &[&"--split", &"test"]);
    for method in ["grad-cam", "lime"] {
        let explain: [Argument; 8] = [
            &"explain",
            &"--model",
            &model,
            &"--method",
            &method,
            &image,
            &"--json",
            &out,
        ];
        refuse(&explain, "not a number");
    }
    assert!(!out.exists(), "figures were written all the same");
}

#[test]
fn images_of_one_name_do_not_overwrite_each_others_maps() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let image = |patient: &str, sample: &str| {
        let study = root.join(patient).join("study1");
        std::fs::create_dir_all(&study).expect("a folder");
        let file = study.join("view1_frontal.jpg");
        std::fs::copy(samples().join(sample), &file).expect("a copy");
        file
    };
    let first = image("patient00001", SAMPLES[0]);
    let second = image("patient00002", SAMPLES[1]);
    let (maps, reports) = (root.join("maps"), root.join("reports"));
    let arguments: [Argument; 10] = [
        &"explain",
        &"--model",
        &shipped(),
        &first,
        &second,
        &first,
        &"--out",
        &maps,
        &"--json",
        &reports,
    ];
    succeed(&arguments);
    let files = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .into_string()
                .expect("a name")
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(
        files(&maps),
        [
            "patient00001_study1_view1_frontal.png",
            "patient00002_study1_view1_frontal.png"
        ]
    );
    assert_eq!(files(&reports).len(), 2);
    let hash = |name: &str| -> Value {
        let report: Value = serde_json::from_str(&text(reports.join(name))).expect("JSON");
        assert_eq!(report["adapter"], "CPU");
        report["image"]["sha256"].clone()
    };
    let bytes = std::fs::read(&second).expect("an image");
    assert_eq!(
        hash("patient00002_study1_view1_frontal.json"),
        package::sha256(&bytes)
    );
}
