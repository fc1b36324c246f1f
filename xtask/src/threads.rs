//! The kernels' program of several threads, which is built in a way of its own.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::run::Step;

/// What the page's server has it as. The engine asks for it where threads may share memory.
pub const FILE: &str = "threads.wasm";
/// Bytes of the memory at first, and at most: the engine makes one of these sizes (`app/engine/src/threads.rs`).
const MEMORY: [&str; 2] = ["4194304", "1073741824"];

/// Builds it. The standard library is the one that comes with Rust, which was not built for threads: `app/threads` says why that is well, and
/// `--no-check-features` makes the linker believe it.
///
/// # Errors
/// When it does not compile.
pub fn build(root: &Path) -> Result<PathBuf> {
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
        "-Ctarget-feature=+simd128,+atomics,+bulk-memory,+mutable-globals {}",
        link.join(" ")
    );
    // A folder of its own: other flags would build everything anew.
    let target = root.join("target/threads");
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
    Ok(target.join("wasm32-unknown-unknown/release/sightline_threads.wasm"))
}
