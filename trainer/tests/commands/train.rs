//! Training that is stopped, killed and resumed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sightline::finding::Finding;
use sightline::report::Report;

use crate::command::{
    Argument, command, refuse, run, shipped_recipe, succeed, training, workspace,
};
use crate::{csv, pictures};

/// A data folder of the samples, and a recipe of a small network for them.
pub fn prepare(root: &Path, change: impl Fn(&mut serde_json::Value)) -> PathBuf {
    let mut rows = Vec::new();
    let names = pictures(root, 24);
    let patients: Vec<String> = (0..24).map(|i| format!("patient-{i}")).collect();
    for (i, patient) in patients.iter().enumerate() {
        let split = ["train", "train", "train", "valid", "test", "train"][i / 4];
        rows.push((
            names[i].as_str(),
            ["1", "0", "-1"][i % 3],
            patient.as_str(),
            split,
        ));
    }
    csv(root, &rows);
    let mut recipe = shipped_recipe();
    recipe["data"]["csv"] = "labels.csv".into();
    recipe["input"]["size"] = 32.into();
    recipe["epochs"] = 2.into();
    recipe["patience"] = 9.into();
    change(&mut recipe);
    let path = root.join("recipe.json");
    std::fs::write(&path, recipe.to_string()).expect("written");
    path
}

/// Each epoch's loss and validation AUC, as the run recorded them.
pub fn figures(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join("metrics.csv")).expect("figures");
    // All but the seconds.
    let lines = text
        .lines()
        .map(|line| line.rsplit_once(',').expect("columns").0.to_owned());
    lines.collect()
}

#[test]
fn a_run_that_is_stopped_within_an_epoch_goes_on_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    for accumulate in [1, 2] {
        let recipe = prepare(root, |recipe| recipe["accumulate"] = accumulate.into());
        let (whole, broken) = (
            root.join(format!("whole-{accumulate}")),
            root.join(format!("broken-{accumulate}")),
        );
        let train =
            |out: &PathBuf, more: &[Argument]| succeed(&training(&recipe, &root, out, more));
        train(&whole, &[]);
        // Eight batches an epoch: stopped in the first epoch, and again in the second.
        assert!(train(&broken, &[&"--steps", &"3"]).contains("--resume continues"));
        assert!(!broken.join("metrics.csv").exists());
        // Pictures from the disk are the same.
        train(
            &broken,
            &[
                &"--resume",
                &"--steps",
                &"8",
                &"--cache",
                &root.join("cache"),
            ],
        );
        assert!(train(&broken, &[&"--resume"]).contains("done"));
        assert_eq!(figures(&broken), figures(&whole));
        // So are the best weights, byte for byte.
        let weights = |run: &PathBuf| {
            let package = run.with_extension("package");
            succeed(&[&"export", &"--checkpoint", run, &"--out", &package]);
            std::fs::read(package.join("weights.bpk")).expect("weights")
        };
        assert!(weights(&broken) == weights(&whole), "the weights differ");
    }
}

#[test]
fn a_killed_run_leaves_no_torn_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    // Saves after every step, so that most kills fall into a save.
    let recipe = prepare(root, |recipe| recipe["epochs"] = 40.into());
    let out = root.join("run");
    let mut kills = 0;
    for (attempt, wait) in [300u64, 411, 523, 640, 777].into_iter().enumerate() {
        let mut arguments = training(&recipe, &root, &out, &[&"--save-minutes", &"0"]);
        if out.join("state.json").exists() {
            arguments.push(&"--resume");
        }
        let mut child = command(&arguments).spawn().expect("the trainer starts");
        // From its first checkpoint on, so that there is something to tear.
        let start = Instant::now();
        while !out.join("state.json").exists() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(wait));
        kills += u32::from(child.try_wait().expect("a child").is_none());
        child.kill().expect("it is our own");
        child.wait().expect("it ended");
        let state = std::fs::read(out.join("state.json")).expect("a state");
        let state: serde_json::Value = serde_json::from_slice(&state).expect("a whole state");
        let checkpoint = state["checkpoint"].as_str().expect("a checkpoint");
        for file in ["student.bpk", "average.bpk", "optimizer.bpk"] {
            assert!(
                out.join(checkpoint).join(file).exists(),
                "attempt {attempt}: {file}"
            );
        }
    }
    assert!(kills > 0, "the run was over before it could be killed");
    let arguments = training(&recipe, &root, &out, &[&"--resume", &"--steps", &"2"]);
    succeed(&arguments);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_saves_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    // One epoch of many steps: nothing is saved before its end, unless something asks for it.
    let recipe = prepare(root, |recipe| {
        recipe["epochs"] = 1.into();
        recipe["input"]["size"] = 256.into();
        recipe["architecture"] = serde_json::json!(
            { "family": "densenet", "variant": "121", "in_channels": 3, "head": "linear" });
    });
    let out = root.join("run");
    let arguments = training(&recipe, &root, &out, &[]);
    let child = command(&arguments)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the trainer starts");
    let start = Instant::now();
    while !out.join("plan.json").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no training");
        std::thread::sleep(Duration::from_millis(5));
    }
    // The plan is written just before Ctrl-C is listened to.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!out.join("state.json").exists(), "it is saved already");
    // SAFETY: the child is our own and was not waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.contains("saving after this step"),
        "{said}"
    );
    let state = std::fs::read(out.join("state.json")).expect("a saved state");
    let state: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
    let checkpoint = state["checkpoint"].as_str().expect("a checkpoint");
    assert!(checkpoint.starts_with("epoch-1-step-"), "{checkpoint}");
}

#[test]
fn a_full_disk_leaves_the_checkpoint_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |_| {});
    let out = root.join("run");
    let train = training(&recipe, &root, &out, &[&"--steps", &"3"]);
    succeed(&train);
    let before = std::fs::read(out.join("state.json")).expect("a state");
    // A file larger than this cannot be written: as where the disk is full.
    let mut limited = std::process::Command::new("sh");
    limited
        .arg("-c")
        .arg("ulimit -f 100; trap '' XFSZ; exec \"$@\"")
        .arg("sh");
    limited
        .arg(env!("CARGO_BIN_EXE_sightline-trainer"))
        .args(train.iter().map(|a| a.as_ref()))
        .arg("--resume");
    let output = limited.output().expect("sh");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("the one before is whole"),
        "{said}"
    );
    assert_eq!(
        std::fs::read(out.join("state.json")).expect("a state"),
        before
    );
    let left = std::fs::read_dir(&out).expect("a folder").filter(|entry| {
        let name = entry.as_ref().expect("an entry").file_name();
        name.to_string_lossy().ends_with(".new")
    });
    assert_eq!(left.count(), 0, "half a checkpoint is left");
    let mut resume = train.to_vec();
    resume.push(&"--resume");
    succeed(&resume);
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = prepare(folder.path(), |_| {});
    let said = succeed(&[
        &"train",
        &"--config",
        &recipe,
        &"--data",
        &folder.path(),
        &"--dry-run",
    ]);
    for part in [
        "train: 16 images of 16 patients",
        "valid: 4 images",
        "test: 4 images",
        "Cardiomegaly",
        "parameters",
        "2 epochs of 8 steps",
    ] {
        assert!(said.contains(part), "no {part:?} in\n{said}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        24 + 2
    );
}

#[test]
fn the_first_steps_of_every_chexpert_recipe_work_in_its_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let names = pictures(root, 8);
    let header = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,\
                  Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,\
                  Fracture,Support Devices";
    for split in ["train", "valid"] {
        let mut text = header.to_owned();
        for patient in 1..=4 {
            let number = if split == "train" {
                patient
            } else {
                64540 + patient
            };
            let path =
                format!("CheXpert-v1.0-small/{split}/patient{number:05}/study1/view1_frontal.jpg");
            let file = root.join(&path);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            let other = if split == "train" { 0 } else { 4 };
            std::fs::copy(root.join(&names[patient - 1 + other]), file).expect("a copy");
            let label = ["1.0", "-1.0", "0.0", ""][patient % 4];
            text += &format!(
                "\n{path},Female,60,Frontal,AP{}",
                format!(",{label}").repeat(14)
            );
        }
        std::fs::write(root.join(format!("CheXpert-v1.0-small/{split}.csv")), text)
            .expect("written");
    }
    let mut recipes = 0;
    for file in std::fs::read_dir(workspace().join("trainer/configs")).expect("recipes") {
        let path = file.expect("a recipe").path();
        let text = std::fs::read_to_string(&path).expect("a recipe");
        if !text.contains("CheXpert-v1.0-small/train.csv") {
            continue;
        }
        // Small, so that the largest takes seconds.
        let mut recipe: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        recipe["input"]["size"] = 64.into();
        let config = root.join("recipe.json");
        std::fs::write(&config, recipe.to_string()).expect("written");
        let out = root.join(format!("run-{recipes}"));
        let said = succeed(&training(&config, &root, &out, &[&"--steps", &"1"]));
        assert!(
            said.contains("on 4 images of 4 patients") && said.contains("--resume continues"),
            "{said}"
        );
        std::fs::remove_dir_all(&out).expect("a run");
        recipes += 1;
    }
    assert!(recipes >= 5, "{recipes} recipes");
}

#[test]
fn what_cannot_be_trained_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let out = root.join("run");
    let refused = |change: fn(&mut serde_json::Value), why: &str| {
        let recipe = prepare(root, change);
        refuse(&training(&recipe, &root, &out, &[]), why);
    };
    refused(
        |recipe| recipe["batch"] = 1.into(),
        "batch must be 2 or more",
    );
    refused(
        |recipe| recipe["lerning_rate"] = 1.into(),
        "unknown field `lerning_rate`",
    );
    refused(
        |recipe| recipe["data"]["csv"] = "none.csv".into(),
        "none.csv",
    );
    refused(
        |recipe| recipe["input"]["resize"] = serde_json::json!({ "shorter_side": 40 }),
        "stretch",
    );
    let recipe = prepare(root, |_| {});
    let output = run(&training(&recipe, &root, &out, &[&"--device", &"cuda:1"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        cfg!(feature = "cuda") || said.contains("--features cuda"),
        "{said}"
    );
}

#[test]
fn maps_learn_from_boxes_on_training_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let prepared = |pointing: Option<f64>| {
        prepare(root, |recipe| {
            recipe["input"]["size"] = 64.into();
            recipe["epochs"] = 3.into();
            recipe["keeps"] = "last".into();
            if let Some(weight) = pointing {
                recipe["pointing"] = serde_json::json!({ "csv": "boxes.csv", "weight": weight });
            }
        })
    };
    let boxes = |class: &str| {
        let text = format!("Path,Class,X,Y,W,H\nimage-0.png,{class},0.1,0.1,0.2,0.2\n");
        std::fs::write(root.join("boxes.csv"), text).expect("written");
    };
    let (with, without) = (root.join("with"), root.join("without"));
    boxes("Cardiomegaly");
    let said = succeed(&training(&prepared(Some(10.0)), &root, &with, &[]));
    assert!(
        said.contains("boxes are on") && said.contains("epoch 3 is kept"),
        "{said}"
    );
    // The package says so.
    let taught = |run: &Path| {
        let package = run.with_extension("package");
        succeed(&[&"export", &"--checkpoint", &run, &"--out", &package]);
        let manifest = std::fs::read(package.join("manifest.json")).expect("a manifest");
        let manifest = sightline::package::Manifest::parse(&manifest).expect("a sound manifest");
        manifest.training.taught_with_boxes
    };
    assert!(taught(&with));
    // So does that of a network that starts from it and has no boxes of its own.
    let (after, recipe) = (
        root.join("after"),
        prepare(root, |recipe| {
            recipe["input"]["size"] = 64.into();
            recipe["epochs"] = 1.into();
            recipe["start"] = serde_json::json!({ "packages": [with.with_extension("package")] });
        }),
    );
    succeed(&training(&recipe, &root, &after, &[]));
    assert!(taught(&after));
    // The same training without boxes has another map: how far the box's cell, the upper left one of four, stands out.
    succeed(&training(&prepared(None), &root, &without, &[]));
    let in_box = |run: &Path| {
        let (package, json) = (run.with_extension("package"), root.join("map.json"));
        let image = root.join("image-0.png");
        succeed(&[&"explain", &"--model", &package, &image, &"--json", &json]);
        let report = std::fs::read(&json).expect("a report");
        let report: Report = serde_json::from_slice(&report).expect("a sound report");
        let findings = &report.findings[Finding::Cardiomegaly.index()];
        let cells = &findings.grad_cam.cells.values;
        cells[0] - cells.iter().sum::<f32>() / cells.len() as f32
    };
    assert!(!taught(&without));
    let (inside, untaught) = (in_box(&with), in_box(&without));
    assert!(inside > untaught, "{inside} {untaught}");
    let recipe = prepared(Some(1.0));
    let without = root.join("no-box");
    // Boxes that changed since are another training.
    let halted = root.join("halted");
    succeed(&training(&recipe, &root, &halted, &[&"--steps", &"3"]));
    boxes("Edema");
    refuse(
        &training(&recipe, &root, &halted, &[&"--resume"]),
        "other boxes",
    );
    // A class that is no finding marks nothing.
    boxes("Hernia");
    refuse(
        &training(&recipe, &root, &without, &[]),
        "no box on a training image",
    );
}

#[test]
fn a_network_learns_from_another_and_both_are_combined() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let train = |recipe: &Path, run: &str, more: &[Argument]| {
        let out = root.join(run);
        succeed(&training(&recipe, &root, &out, more));
        out
    };
    let export = |run: &Path| {
        let package = run.with_extension("package");
        succeed(&[&"export", &"--checkpoint", &run, &"--out", &package]);
        package
    };
    let recipe = prepare(root, |_| {});
    let teacher = export(&train(&recipe, "teacher", &[]));

    // At another size than the teacher's, and resumed: the map between both is kept too.
    let student = |recipe: &mut serde_json::Value| {
        recipe["architecture"] = serde_json::json!(
            { "family": "densenet", "variant": "121", "in_channels": 1, "head": "linear" });
        recipe["input"] = serde_json::json!(
            { "size": 48, "resize": "stretch", "channels": 1, "mean": [0.5], "std": [0.25] });
        recipe["distillation"] =
            serde_json::json!({ "package": teacher, "features": 1.0, "logits": 0.5 });
        recipe["epochs"] = 1.into();
    };
    let recipe = prepare(root, student);
    let whole = train(&recipe, "whole", &[]);
    let broken = train(&recipe, "broken", &[&"--steps", &"3"]);
    assert!(!broken.join("metrics.csv").exists());
    train(&recipe, "broken", &[&"--resume"]);
    assert_eq!(figures(&broken), figures(&whole));

    // Of two packages one network, whose classifier alone is trained: the backbones stay as they are.
    let combined = |variant: &'static str| {
        let teacher = &teacher;
        prepare(root, move |recipe| {
            recipe["architecture"]["family"] = "combined".into();
            recipe["architecture"]["variant"] = variant.into();
            recipe["start"] = serde_json::json!({ "packages": [teacher, teacher] });
            recipe["trains"] = "classifier".into();
            recipe["epochs"] = 1.into();
        })
    };
    let recipe = combined("efficientnet_lite0+efficientnet_lite0");
    let package = export(&train(&recipe, "combined", &[]));
    let weights = |package: &Path| std::fs::read(package.join("weights.bpk")).expect("weights");
    let (one, both) = (weights(&teacher), weights(&package));
    // A long run of the backbone's numbers is found again, twice.
    let part = &one[one.len() / 2..][..4096];
    let found = both.windows(part.len()).filter(|window| *window == part);
    assert_eq!(found.count(), 2);
    let recipe = combined("efficientnet_lite0+densenet121");
    let out = root.join("other");
    let arguments = training(&recipe, &root, &out, &[]);
    refuse(&arguments, "the packages are of");
}
