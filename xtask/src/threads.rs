//! The kernels' program of several threads, which is built in a way of its own, and twice.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::run::Step;

/// What the page's server has them as, with what each uses besides. On the CPU the engine asks for the last one that the browser can
/// compile. Relaxed SIMD multiplies and adds at once, where the machine can.
pub const PROGRAMS: [(&str, &str); 2] = [
    ("threads.wasm", ""),
    ("threads-relaxed.wasm", ",+relaxed-simd"),
];
/// `f32x4.relaxed_madd`.
const MULTIPLY_ADD: [u8; 3] = [0xfd, 0x85, 0x02];
/// Bytes of the memory at first, and at most: the engine makes one of these sizes (`app/engine/src/threads.rs`).
const MEMORY: [&str; 2] = ["4194304", "1073741824"];

/// Builds them into a folder. The standard library is the one that comes with Rust, which was not built for threads: `app/threads` says why that is well, and
/// `--no-check-features` makes the linker believe it.
///
/// # Errors
/// When they do not compile.
pub fn build(root: &Path, into: &Path) -> Result<()> {
    for (file, features) in PROGRAMS {
        one(root, &into.join(file), features).with_context(|| format!("build {file}"))?;
    }
    Ok(())
}

fn one(root: &Path, file: &Path, features: &str) -> Result<()> {
    let [initial, most] = MEMORY;
    let link = [
        "--shared-memory",
        "--import-memory",
        &format!("--initial-memory={initial}"),
        &format!("--max-memory={most}"),
        "--no-check-features",
        "--export=__stack_pointer",
    ]
    .map(|argument| format!("-Clink-arg={argument}"));
    let flags = format!(
        "-Ctarget-feature=+simd128,+atomics,+bulk-memory,+mutable-globals{features} {}",
        link.join(" ")
    );
    // A folder of its own: other flags would build everything anew.
    let target = root
        .join("target")
        .join(file.file_stem().unwrap_or_default());
    Step::new(
        "cargo",
        &[
            "build",
            "--release",
            "--quiet",
            "--package=sightline-threads",
            "--target=wasm32-unknown-unknown",
        ],
    )
    .env("RUSTFLAGS", flags)
    .env("CARGO_TARGET_DIR", &target)
    .run("build the kernels' program of several threads")?;
    let built = target.join("wasm32-unknown-unknown/release/sightline_threads.wasm");
    // Chromium runs either: no test of the page would see them changed over.
    let bytes = std::fs::read(&built).with_context(|| built.display().to_string())?;
    let fuses = bytes
        .windows(MULTIPLY_ADD.len())
        .any(|code| code == MULTIPLY_ADD);
    ensure!(
        fuses == features.contains("relaxed-simd"),
        "{} has relaxed SIMD, or has it not, where it is to be the other way round",
        built.display()
    );
    std::fs::copy(&built, file).with_context(|| built.display().to_string())?;
    Ok(())
}
