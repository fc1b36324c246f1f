//! Work in parts: what `merge` makes of them is what the command without `--shard` writes, byte for byte.

use std::path::{Path, PathBuf};

use crate::command::{refuse, run_with, succeed};
use crate::{csv, pictures, shipped};

/// Several rows, so that each of three parts has some, with both classes; and their images.
fn rows(folder: &Path) -> PathBuf {
    let patients = ["a", "b", "c", "d", "e", "f", "g"];
    let names = pictures(folder, patients.len());
    let rows: Vec<_> = patients
        .iter()
        .enumerate()
        .map(|(i, patient)| (names[i].as_str(), ["0", "1", "1"][i % 3], *patient, "test"))
        .collect();
    csv(folder, &rows)
}

/// Runs a command whole and in three parts; compares what it writes with what is merged.
fn merged_is_whole(folder: &Path, arguments: &[&dyn AsRef<std::ffi::OsStr>], out: &str) {
    let file = |name: &str| folder.join(name);
    let write = |place: &PathBuf, shard: Option<&str>| {
        let mut arguments = arguments.to_vec();
        arguments.push(&out);
        arguments.push(place);
        if let Some(shard) = &shard {
            arguments.push(&"--shard");
            arguments.push(shard);
        }
        succeed(&arguments)
    };
    let (whole, joined) = (file("whole"), file("joined"));
    let said = write(&whole, None);
    let parts = [0, 1, 2].map(|part| file(&format!("part-{part}")));
    for (index, part) in parts.iter().enumerate() {
        write(part, Some(&format!("{index}/3")));
    }
    refuse(
        &[&"merge", &parts[0], &parts[2], &"--out", &joined],
        "part 1/3 is missing",
    );
    refuse(
        &[
            &"merge", &parts[0], &parts[0], &parts[1], &parts[2], &"--out", &joined,
        ],
        "there twice",
    );
    // In any order.
    let merged = succeed(&[&"merge", &parts[2], &parts[0], &parts[1], &"--out", &joined]);
    let read = |place: &PathBuf| std::fs::read_to_string(place).expect("written");
    assert_eq!(read(&joined), read(&whole));
    if out == "--json" {
        assert_eq!(merged, said, "the same tables");
    }
}

#[test]
fn parts_of_predict_join_to_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = rows(folder.path());
    let (model, root) = (shipped(), folder.path());
    merged_is_whole(
        folder.path(),
        &[
            &"predict", &"--model", &model, &"--csv", &csv, &"--root", &root,
        ],
        "--out",
    );
}

#[test]
fn selected_rows_are_divided_evenly_and_parts_of_another_result_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    // Every second row is a test image: by their numbers, one of two parts would have none.
    let names = pictures(folder.path(), 6);
    let rows: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), "1", name.as_str(), ["train", "test"][i % 2]))
        .collect();
    let csv = csv(folder.path(), &rows);
    let (model, root) = (shipped(), folder.path());
    let predict = |split: &str, shard: &str| {
        let out = folder.path().join(format!("{split}-{}", &shard[..1]));
        let said = succeed(&[
            &"predict", &"--model", &model, &"--csv", &csv, &"--root", &root, &"--split", &split,
            &"--shard", &shard, &"--out", &out,
        ]);
        (said, out)
    };
    let (said, first) = predict("test", "0/2");
    assert!(said.contains("2 images scored"), "{said}");
    let (said, second) = predict("test", "1/2");
    assert!(said.contains("1 images scored"), "{said}");
    let whole = folder.path().join("whole");
    succeed(&[&"merge", &first, &second, &"--out", &whole]);
    let (_, other) = predict("train", "1/2");
    refuse(
        &[&"merge", &first, &other, &"--out", &whole],
        "is of another model or selection",
    );
}

#[test]
fn parts_of_evaluate_join_to_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = rows(folder.path());
    let (model, root) = (shipped(), folder.path());
    merged_is_whole(
        folder.path(),
        &[
            &"evaluate",
            &"--model",
            &model,
            &"--csv",
            &csv,
            &"--root",
            &root,
            &"--part",
            &"Patient",
        ],
        "--json",
    );
}

#[test]
fn parts_of_localize_join_to_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = rows(folder.path());
    let boxes = folder.path().join("boxes.csv");
    let mut text = "Path,Class,X,Y,W,H\n".to_owned();
    for effusion in [1, 4] {
        text += &format!("image-{effusion}.png,Pleural Effusion,0,0.5,1,0.5\n");
    }
    for heart in [0, 3, 6] {
        text += &format!("image-{heart}.png,Cardiomegaly,0.4,0.4,0.2,0.2\n");
    }
    std::fs::write(&boxes, text).expect("written");
    let (model, root) = (shipped(), folder.path());
    // The random map, too, is each image's own.
    for method in ["grad-cam", "random"] {
        merged_is_whole(
            folder.path(),
            &[
                &"localize",
                &"--model",
                &model,
                &"--csv",
                &csv,
                &"--root",
                &root,
                &"--boxes",
                &boxes,
                &"--method",
                &method,
            ],
            "--json",
        );
    }
}

#[test]
fn a_slurm_array_and_a_kubernetes_job_take_their_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = rows(folder.path());
    let (model, root) = (shipped(), folder.path());
    let predict = |name: &str, environment: &[(&str, &str)]| {
        let out = folder.path().join(name);
        let arguments: [&dyn AsRef<std::ffi::OsStr>; 9] = [
            &"predict", &"--model", &model, &"--csv", &csv, &"--root", &root, &"--out", &out,
        ];
        let output = run_with(&arguments, environment);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        out
    };
    let whole = predict("whole.csv", &[]);
    let slurm = [
        ("SLURM_ARRAY_TASK_COUNT", "2"),
        ("SLURM_ARRAY_TASK_MIN", "1"),
    ];
    let first = predict("slurm", &[slurm[0], slurm[1], ("SLURM_ARRAY_TASK_ID", "1")]);
    let second = predict(
        "pod",
        &[("JOB_COMPLETION_INDEX", "1"), ("JOB_COMPLETIONS", "2")],
    );
    let joined = folder.path().join("joined.csv");
    succeed(&[&"merge", &first, &second, &"--out", &joined]);
    let read = |place: &PathBuf| std::fs::read_to_string(place).expect("written");
    assert_eq!(read(&joined), read(&whole));
}

#[test]
fn explain_takes_many_images_and_its_part_of_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = rows(folder.path());
    let (model, root, out) = (shipped(), folder.path(), folder.path().join("maps"));
    // Seven images: four and three.
    for (shard, so_far) in [("0/2", 4), ("1/2", 7)] {
        succeed(&[
            &"explain", &"--model", &model, &"--csv", &csv, &"--root", &root, &"--shard", &shard,
            &"--out", &out,
        ]);
        let maps = std::fs::read_dir(&out).expect("a folder").count();
        assert_eq!(maps, so_far, "{shard}");
    }
}
