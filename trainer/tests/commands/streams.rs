//! What is written while images are read: whole or not there, and every image that was left out is named.

use std::path::Path;
use std::process::Stdio;

use crate::command::{Argument, Running, command, refuse, run, succeed, wait_for, workspace};
use crate::{SAMPLES, csv, samples, shipped};

/// The drafts of files that are in a folder, and how long they are.
fn drafts(folder: &Path) -> Vec<u64> {
    let files = std::fs::read_dir(folder).expect("a folder");
    let files = files.map(|file| file.expect("a file").path());
    files
        .filter(|file| file.extension().is_some_and(|ending| ending == "new"))
        .map(|file| file.metadata().map_or(0, |found| found.len()))
        .collect()
}

#[test]
fn predictions_are_written_as_they_come_and_a_killed_process_leaves_the_old_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    // Many names of one file.
    std::fs::copy(samples().join(SAMPLES[0]), folder.path().join("image.jpg")).expect("a copy");
    let link = |number: usize| {
        let name = format!("image-{number}.jpg");
        std::fs::hard_link(folder.path().join("image.jpg"), folder.path().join(&name))
            .expect("a link");
        name
    };
    let names: Vec<String> = (0..5_000).map(link).collect();
    let rows: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "1", "a", "test"))
        .collect();
    let csv = csv(folder.path(), &rows);
    let (model, root) = (shipped(), folder.path());
    let place = folder.path().join("out");
    std::fs::create_dir(&place).expect("a folder");
    let out = place.join("scores.csv");
    std::fs::write(&out, "the scores before").expect("written");
    let arguments: [Argument; 9] = [
        &"predict", &"--model", &model, &"--csv", &csv, &"--root", &root, &"--out", &out,
    ];
    let child = command(&arguments).stdout(Stdio::null()).spawn();
    let running = Running(child.expect("the trainer starts"));
    // Some rows are on their way to the disk long before the last is scored.
    wait_for("rows", || drafts(&place).iter().any(|length| *length > 0));
    drop(running);
    assert_eq!(
        std::fs::read_to_string(&out).expect("a file"),
        "the scores before"
    );
}

#[test]
fn images_that_cannot_be_read_are_named_at_the_end_with_the_reason_and_their_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    std::fs::copy(samples().join(SAMPLES[0]), root.join("whole.jpg")).expect("a copy");
    std::fs::write(root.join("text.jpg"), "no picture").expect("written");
    let rows = ["text.jpg", "whole.jpg", "missing.jpg"];
    let rows = rows.map(|path| (path, "1", path, "test"));
    let csv = csv(root, &rows);
    let boxes = root.join("boxes.csv");
    let marks = ["text.jpg", "whole.jpg", "missing.jpg"]
        .map(|path| format!("{path},Cardiomegaly,0.4,0.4,0.2,0.2\n"));
    std::fs::write(&boxes, format!("Path,Class,X,Y,W,H\n{}", marks.concat())).expect("written");
    let (model, out) = (shipped(), root.join("out"));
    let common: [Argument; 5] = [&"--model", &model, &"--csv", &csv, &"--views"];
    let commands: [&[Argument]; 3] = [
        &[&"all", &"--out", &out],
        &[&"all", &"--json", &out],
        &[&"all", &"--boxes", &boxes, &"--json", &out],
    ];
    for (name, more) in ["predict", "evaluate", "localize"].iter().zip(commands) {
        let arguments = [&[name as Argument], &common[..], more].concat();
        let output = run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        for file in ["text.jpg", "missing.jpg"] {
            assert!(said.contains(file), "{name}: {said}");
        }
        let last = said.lines().last().expect("a line");
        assert!(
            last.starts_with("2 of 3 images could not be read"),
            "{name}: {said}"
        );
        assert!(out.exists() && drafts(root).is_empty());
        std::fs::remove_file(&out).expect("written");
    }
    // Of no image there is nothing to write.
    std::fs::remove_file(root.join("whole.jpg")).expect("removed");
    let arguments = [&[&"predict" as Argument], &common[..], commands[0]].concat();
    refuse(&arguments, "none of the 3 images");
    assert!(!out.exists() && drafts(root).is_empty());
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    // Were it read, it would be named.
    std::fs::write(root.join("text.jpg"), "no picture").expect("written");
    let csv = csv(root, &[("text.jpg", "1", "a", "test")]);
    let boxes = root.join("boxes.csv");
    std::fs::write(&boxes, "Path,Class,X,Y,W,H\ntext.jpg,Edema,0,0,1,1\n").expect("written");
    let (model, missing) = (shipped(), root.join("missing/out"));
    let commands: [(&str, &[Argument]); 3] = [
        ("predict", &[&"--out"]),
        ("evaluate", &[&"--json"]),
        ("localize", &[&"--boxes", &boxes, &"--json"]),
    ];
    for (name, more) in commands {
        let common: [Argument; 5] = [&name, &"--model", &model, &"--csv", &csv];
        for (place, why) in [
            (missing.as_path(), "is not there"),
            (root, "it is a folder"),
        ] {
            let arguments = [&common[..], more, &[&place as Argument]].concat();
            refuse(&arguments, why);
        }
    }
    refuse(
        &[
            &"predict", &"--model", &model, &"--csv", &csv, &"--root", &csv, &"--out", &missing,
        ],
        "--root is the folder",
    );
}

#[test]
fn a_depth_that_the_pixels_tell_is_said_and_another_can_be_chosen() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let case = workspace().join("tests/cases/03-png-12-of-16-bits/u12_in_16.png");
    let names = ["a.png", "b.png"];
    for name in names {
        std::fs::copy(&case, root.join(name)).expect("a copy");
    }
    let csv = csv(root, &names.map(|name| (name, "1", name, "test")));
    let (model, out) = (shipped(), root.join("out.csv"));
    let predict = |more: &[Argument]| {
        let known: [Argument; 7] = [
            &"predict", &"--model", &model, &"--csv", &csv, &"--out", &out,
        ];
        let output = run(&[&known, more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        (std::fs::read_to_string(&out).expect("scores"), said)
    };
    let (told, said) = predict(&[]);
    let notice =
        "2 images, the first of them a.png: 12 bits of each pixel are used, judging by the pixels.";
    assert!(said.contains(notice), "{said}");
    assert_eq!(predict(&[&"--depth", &"12"]).0, told);
    let (dark, said) = predict(&[&"--depth", &"16"]);
    assert!(
        said.contains("16 bits of each pixel are used, as chosen") && dark != told,
        "{said}"
    );
    let arguments: [Argument; 8] = [
        &"predict",
        &"--model",
        &model,
        &"--csv",
        &csv,
        &"--out",
        &out,
        &"--depth=10",
    ];
    refuse(&arguments, "uses 12 bits of each pixel");

    // Parts that were read in two ways are not joined.
    let part = |shard: &str, depth: &[Argument]| {
        let out = root.join(shard.replace('/', "-"));
        let known: [Argument; 9] = [
            &"predict", &"--model", &model, &"--csv", &csv, &"--out", &out, &"--shard", &shard,
        ];
        succeed(&[&known, depth].concat());
        out
    };
    let (first, second) = (part("0/2", &[&"--depth=16"]), part("1/2", &[]));
    let joined = root.join("joined.csv");
    refuse(
        &[&"merge", &first, &second, &"--out", &joined],
        "another model or selection",
    );

    // The report records the choice, and a replay takes it.
    let (image, report) = (root.join("a.png"), root.join("report.json"));
    let explain: [Argument; 6] = [&"explain", &"--model", &model, &image, &"--depth", &"16"];
    succeed(&[&explain[..], &[&"--json", &report]].concat());
    let json = std::fs::read_to_string(&report).expect("a report");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        json["image"]["depth"],
        serde_json::json!({ "bits": 16, "told_by": "choice" })
    );
    succeed(&[&"explain", &"--model", &model, &image, &"--replay", &report]);
}

#[test]
fn a_file_whose_name_says_lateral_is_read_with_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, report) = (shipped(), folder.path().join("report.json"));
    for (name, warned) in [("view2_lateral.jpg", true), ("view1_frontal.jpg", false)] {
        let image = folder.path().join(name);
        std::fs::copy(samples().join(SAMPLES[0]), &image).expect("a copy");
        let output = run(&[&"explain", &"--model", &model, &image, &"--json", &report]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert_eq!(said.contains("lateral view"), warned, "{said}");
        let json = std::fs::read_to_string(&report).expect("a report");
        assert_eq!(json.contains("lateral view"), warned, "{name}");
    }
}
