//! `--cache`, used by several processes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::command::{Running, command, refuse, run, succeed, training};
use crate::train::{figures, prepare};
use crate::{SAMPLES, samples};

fn lock_of(cache: &Path) -> PathBuf {
    let files = std::fs::read_dir(cache).expect("the cache");
    let mut files = files.map(|file| file.expect("a file").path());
    let lock = files.find(|file| file.extension().is_some_and(|ending| ending == "lock"));
    lock.expect("a lock")
}

#[test]
fn processes_that_share_a_cache_wait_for_each_other_and_train_on_the_same_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |recipe| recipe["epochs"] = 1.into());
    let (cache, plain) = (root.join("cache"), root.join("plain"));
    let out = ["one", "two"].map(|run| root.join(run));
    // Two begin one pack together.
    let both = out.each_ref().map(|out| {
        let child = command(&training(&recipe, &root, out, &[&"--cache", &cache]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Running(child.expect("the trainer starts"))
    });
    for mut running in both {
        assert!(running.0.wait().expect("it ends").success());
    }
    succeed(&training(&recipe, &root, &plain, &[]));
    for out in &out {
        assert_eq!(figures(out), figures(&plain));
    }

    // While another is at work there, a third waits, and says for what.
    let lock = File::options()
        .write(true)
        .open(lock_of(&cache))
        .expect("the lock");
    lock.lock().expect("free");
    let third = root.join("three");
    let child = command(&training(&recipe, &root, &third, &[&"--cache", &cache]))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut running = Running(child.expect("the trainer starts"));
    let mut said = BufReader::new(running.0.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert!(line.contains("waiting for another process"), "{line}");
    assert!(!third.join("plan.json").exists(), "it did not wait");
    lock.unlock().expect("held");
    said.read_to_string(&mut line).expect("lines");
    assert!(running.0.wait().expect("it ends").success(), "{line}");
    assert_eq!(figures(&third), figures(&plain));
}

#[test]
fn a_replaced_picture_is_said_and_an_unreadable_one_named_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |_| {});
    let cache = root.join("cache");
    let train = |out: &str| {
        let out = root.join(out);
        let more: [crate::Argument; 4] = [&"--cache", &cache, &"--steps", &"1"];
        let output = run(&training(&recipe, &root, &out, &more));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    let picture = root.join("image-0.png");
    assert!(!train("first").contains("changed since"));
    std::fs::copy(samples().join(SAMPLES[1]), &picture).expect("a copy");
    assert!(train("second").contains("1 images changed since they were decoded"));
    std::fs::write(&picture, "no picture").expect("written");
    for out in ["third", "fourth"] {
        let said = train(out);
        assert!(
            said.contains("left out") && said.contains("image-0.png"),
            "{said}"
        );
    }
    std::fs::copy(samples().join(SAMPLES[0]), &picture).expect("a copy");
    let said = train("fifth");
    assert!(!said.contains("left out"), "{said}");
}

#[test]
fn a_cache_that_cannot_be_written_is_refused_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let recipe = prepare(root, |_| {});
    let (out, file) = (root.join("run"), root.join("labels.csv"));
    for cache in [file.clone(), file.join("below")] {
        let arguments = training(&recipe, &root, &out, &[&"--cache", &cache]);
        refuse(&arguments, &format!("--cache {}", cache.display()));
    }
}
