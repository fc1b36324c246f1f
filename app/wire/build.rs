//! Names this build, for the page and its engine to tell whether they are of one: the name is another as soon as any source is.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

/// What the two programs are made of, relative to this package.
const SOURCES: [&str; 6] = [
    "src",
    "../page/src",
    "../engine/src",
    "../../crates",
    "../../src",
    "../../Cargo.lock",
];

fn main() -> std::io::Result<()> {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        for file in files(Path::new(source))? {
            hasher.write(file.to_string_lossy().as_bytes());
            hasher.write(&std::fs::read(file)?);
        }
    }
    println!("cargo::rustc-env=SIGHTLINE_BUILD={:016x}", hasher.finish());
    Ok(())
}

/// The file, or every file in the folder and below, in order.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path)? {
        entries.push(entry?.path());
    }
    entries.sort();
    let mut all = Vec::new();
    for entry in entries {
        all.extend(files(&entry)?);
    }
    Ok(all)
}
