//! The npm package: the session as a program of its own, and the engine of `dist/`, which is of the same sources.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::Step;
use crate::tools::Tools;

/// What it has of `dist/`, and of the workspace's root.
const OF_DIST: [&str; 6] = [
    "engine.js",
    "engine_bg.wasm",
    "engine-webgpu.js",
    "engine-webgpu_bg.wasm",
    "threads.wasm",
    "threads-relaxed.wasm",
];
const OF_ROOT: [&str; 3] = ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"];

/// Makes the package of a `dist/` that was built, and gives the archive that npm installs.
///
/// # Errors
/// When it cannot be built, or npm is missing.
pub fn package(root: &Path, tools: &Tools) -> Result<PathBuf> {
    let build = ["build", "--profile", "page", "--target"];
    let which = ["wasm32-unknown-unknown", "-p", "sightline-embed"];
    Step::new("cargo", &[&build[..], &which].concat())
        .path(&tools.path)
        .run("build the npm package's program")?;
    let folder = root.join("target/npm");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let inside = folder.join("sightline");
    copy_all(&root.join("packages/sightline"), &inside)?;
    for (from, names) in [
        (root.join("dist"), &OF_DIST[..]),
        (root.to_owned(), &OF_ROOT),
    ] {
        for name in names {
            let file = from.join(name);
            std::fs::copy(&file, inside.join(name))
                .with_context(|| format!("{} is not there", file.display()))?;
        }
    }
    let program = root.join("target/wasm32-unknown-unknown/page/sightline_embed.wasm");
    let (to, from) = (inside.to_string_lossy(), program.to_string_lossy());
    let web = ["--target", "web", "--no-typescript", "--out-name"];
    let places = ["sightline", "--out-dir", &to, &from];
    Step::new("wasm-bindgen", &[&web[..], &places].concat())
        .path(&tools.path)
        .run("call the npm package's program from JavaScript")?;
    if tools.shrinks {
        crate::shrink::embedded(root, &inside.join("sightline_bg.wasm"), &tools.path)?;
    }
    let place = folder.to_string_lossy();
    let pack = ["pack", "--silent", "--pack-destination", &place, &to];
    Step::new("npm", &pack)
        .path(&tools.path)
        .run("make the archive that npm installs")?;
    let archive = std::fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "tgz"));
    archive.context("npm made no archive")
}

/// Copies a folder with all that is in it.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            copy_all(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
