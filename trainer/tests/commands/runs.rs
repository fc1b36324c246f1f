//! A run's folder: whose it is, and what may go on in it.

use std::path::Path;
use std::process::Stdio;

use crate::command::{Running, command, refuse, succeed, training, wait_for};
use crate::train::{figures, prepare};

#[test]
fn one_process_at_a_time_trains_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |recipe| recipe["epochs"] = 400.into());
    let out = root.join("run");
    let first = command(&training(&recipe, &root, &out, &[&"--save-minutes", &"0"]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the trainer starts");
    let first = Running(first);
    wait_for("a checkpoint", || out.join("state.json").exists());
    let resume = training(&recipe, &root, &out, &[&"--resume", &"--steps", &"1"]);
    let holder = format!("process {}", first.0.id());
    for arguments in [&resume, &training(&recipe, &root, &out, &[])] {
        refuse(arguments, &holder);
    }
    // A process that was killed leaves no lock.
    drop(first);
    succeed(&resume);
}

#[test]
fn resuming_a_folder_without_a_run_is_refused_and_makes_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |_| {});
    let mistyped = root.join("rnu");
    let resume = training(&recipe, &root, &mistyped, &[&"--resume"]);
    refuse(&resume, "holds no run to go on with");
    assert!(!mistyped.exists());
}

#[test]
fn a_run_goes_on_with_the_rows_and_labels_it_was_started_with_or_says_which_csv_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |_| {});
    let out = root.join("run");
    succeed(&training(&recipe, &root, &out, &[&"--steps", &"3"]));
    let csv = root.join("labels.csv");
    let before = std::fs::read_to_string(&csv).expect("labels");
    let resume = training(&recipe, &root, &out, &[&"--resume", &"--steps", &"1"]);
    let edit = |from: &str, to: &str| {
        let line = before
            .lines()
            .find(|line| line.contains(from))
            .expect("a row");
        let edited = before.replace(line, &line.replace(from, to));
        assert!(edited != before);
        std::fs::write(&csv, edited).expect("written");
    };
    // One label of a training image, and a patient of a validation image.
    edit("0,0,patient-1,", "0,1,patient-1,");
    refuse(&resume, "labels.csv (train) has other rows or labels");
    edit("patient-13,", "patient-113,");
    refuse(&resume, "labels.csv (valid) has other rows or labels");
    // What no training looks at may change.
    edit("Female,60,Frontal,PA,0", "Male,61,Frontal,PA,0");
    succeed(&resume);
}

#[test]
fn another_recipe_is_refused_by_what_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let out = root.join("run");
    let recipe = prepare(root, |_| {});
    succeed(&training(&recipe, &root, &out, &[&"--steps", &"1"]));
    let other = prepare(root, |recipe| {
        recipe["learning_rate"] = 0.5.into();
        recipe["epochs"] = 9.into();
    });
    refuse(
        &training(&other, &root, &out, &[&"--resume"]),
        "another recipe: epochs, learning_rate changed",
    );
}

#[test]
fn a_copied_folder_goes_on_as_the_original_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |_| {});
    let (out, copy) = (root.join("run"), root.join("copy"));
    succeed(&training(&recipe, &root, &out, &[&"--steps", &"3"]));
    copy_folder(&out, &copy);
    for run in [&out, &copy] {
        succeed(&training(&recipe, &root, run, &[&"--resume"]));
    }
    assert_eq!(figures(&copy), figures(&out));
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("a copy")),
        }
    }
}

#[test]
fn a_file_where_a_folder_belongs_and_a_time_that_is_none_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |_| {});
    let (out, file) = (root.join("run"), root.join("labels.csv"));
    refuse(
        &training(&recipe, &file, &out, &[]),
        "--data is the folder with the recipe's CSV",
    );
    refuse(
        &training(&recipe, &root, &file, &[]),
        "there is a file of that name",
    );
    refuse(
        &training(&recipe, &root, &out, &[&"--save-minutes=-1"]),
        "a number of minutes",
    );
    assert!(!out.exists());
}
