//! Trunk's hook after each build: the kernels' programs of several threads are built, too, the programs are made smaller, and the service worker is told
//! what the build's files are.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::Step;
use crate::threads;

/// The npm package that brings wasm-opt; distributions' own are often too old for today's wasm.
pub const BINARYEN: &str = "132.0.0";
/// Set where wasm-opt is there to be used; a plain `trunk serve` does not wait for it.
pub const WANTED: &str = "SIGHTLINE_SHRINK";
/// What wasm-bindgen makes, and has names still; and how each is made smaller.
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("page_bg.wasm", PAGE),
    ("engine_bg.wasm", ENGINE),
    ("engine-webgpu_bg.wasm", WEBGPU),
];
/// How the linker calls an export that it has wrapped.
const WRAPPED: &[u8] = b".command_export";
/// What nobody reads is left out, and addresses are folded: rustc puts the stack first, so that no data lies in the first 1,024 bytes.
const MORE: &[&str] = &[
    "--low-memory-unused",
    "--strip-producers",
    "--strip-target-features",
];
/// The engine computes: levels beyond take three times as long for two per cent less. Functions of like names lie together, and are often alike:
/// gzip makes 11% less of it.
const ENGINE: &[&str] = &["-O1", "--reorder-functions-by-name"];
/// More than half of this engine compiles shaders, and is made for size. Functions that differ in constants alone, as those of like shaders do, are one:
/// it is 7% smaller by that.
const WEBGPU: &[&str] = &[
    "-O2",
    "--shrink-level=1",
    "--one-caller-inline-max-function-size=0",
    "--merge-similar-functions",
    "--reorder-functions-by-name",
];
/// The page is made for size, too: the next level makes 2 kB less of it, gzipped. All is done again until nothing changes, which is worth a third
/// of a kilobyte.
const PAGE: &[&str] = &[
    "-O2",
    "--shrink-level=1",
    "--one-caller-inline-max-function-size=0",
    "--converge",
    "--reorder-functions-by-name",
];
/// The kernels are compiled for speed as they are.
const THREADS: &[&str] = &["-O1", "--enable-threads"];
const RELAXED: &[&str] = &["-O1", "--enable-threads", "--enable-relaxed-simd"];
/// What rustc and wasm-bindgen use and every browser with WebGPU has. With `--all-features` wasm-opt writes a format (most likely compact
/// imports) that Chromium 156 does not start.
const FEATURES: &[&str] = &[
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Finishes the folder that Trunk is about to publish.
///
/// # Errors
/// When wasm-opt fails, or a file cannot be written.
pub fn staged(root: &Path) -> Result<()> {
    let Some(staging) = std::env::var_os("TRUNK_STAGING_DIR").map(PathBuf::from) else {
        println!("trunk calls this after a build; there is nothing to do by hand");
        return Ok(());
    };
    for (program, _) in PROGRAMS {
        refuse_command(&staging.join(program))?;
    }
    threads::build(root, &staging)?;
    if std::env::var_os(WANTED).is_some() {
        programs(root, &staging)?;
    }
    crate::build_table::write(&staging)
}

/// # Errors
/// When a program is a command to the linker: every call from JavaScript would run all its constructors.
fn refuse_command(program: &Path) -> Result<()> {
    let bytes = std::fs::read(program).with_context(|| program.display().to_string())?;
    if bytes.windows(WRAPPED.len()).any(|name| name == WRAPPED) {
        bail!(
            "{} runs its constructors at every call: its `main` is to call __wasm_call_ctors, as engine-webgpu's does",
            program.display()
        );
    }
    Ok(())
}

/// Shrinks the programs by a third.
fn programs(root: &Path, staging: &Path) -> Result<()> {
    // Trunk calls this with the path of the tools.
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (program, how) in PROGRAMS {
        smaller(root, &staging.join(program), how, &path)?;
    }
    for (program, features) in threads::PROGRAMS {
        let how = if features.is_empty() {
            THREADS
        } else {
            RELAXED
        };
        smaller(root, &staging.join(program), how, &path)?;
    }
    Ok(())
}

/// Shrinks the program of the npm package as the page's. `path`: where wasm-opt is.
///
/// # Errors
/// When wasm-opt fails, or a file cannot be written.
pub fn embedded(root: &Path, file: &Path, path: &OsString) -> Result<()> {
    smaller(root, file, PAGE, path)
}

/// Shrinks a program. What was shrunk before is kept.
fn smaller(root: &Path, file: &Path, own: &[&str], path: &OsString) -> Result<()> {
    let kept = root.join("target/tools/shrunk");
    std::fs::create_dir_all(&kept)?;
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let mut hasher = DefaultHasher::new();
    (&bytes, MORE, own, FEATURES, BINARYEN).hash(&mut hasher);
    let small = kept.join(format!("{:016x}-{}.wasm", hasher.finish(), bytes.len()));
    if !small.exists() {
        let (from, part) = (file.to_string_lossy(), small.with_extension("part"));
        let to = part.to_string_lossy();
        let arguments = [MORE, own, FEATURES, &[from.as_ref(), "-o", to.as_ref()]].concat();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        Step::new("wasm-opt", &arguments)
            .path(path)
            .run(&format!("make {name} smaller by a third (minutes, once)"))?;
        std::fs::rename(&part, &small)?;
    }
    std::fs::copy(&small, file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_whose_exports_are_wrapped_is_refused() {
        let place = std::env::temp_dir().join(format!("sightline-shrink-{}", std::process::id()));
        let with = |name: &str| {
            std::fs::write(&place, [b"\0asm", name.as_bytes()].concat()).expect("a file");
            refuse_command(&place)
        };
        with("__externref_table_alloc").expect("not wrapped");
        let refused = with("__externref_table_alloc.command_export").expect_err("wrapped");
        assert!(
            refused.to_string().contains("__wasm_call_ctors"),
            "{refused}"
        );
        std::fs::remove_file(&place).expect("the file");
    }
}
