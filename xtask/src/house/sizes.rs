//! How large the programs are that a visitor loads.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// What a program may have, in bytes: as it is, and gzipped.
const LIMITS: [(&str, [u64; 2]); 2] = [
    ("page_bg.wasm", [1_200_000, 400_000]),
    ("engine-webgpu_bg.wasm", [13_000_000, 3_000_000]),
];

/// A program's size in bytes: as it is, and gzipped.
pub struct Size {
    pub name: &'static str,
    pub plain: u64,
    pub gzipped: u64,
}

/// The sizes of the page's and the engines' programs in `dist/`.
///
/// # Errors
/// When they are not there, or there is no gzip.
pub fn of_programs(root: &Path) -> Result<Vec<Size>> {
    let size = |name: &'static str| {
        let file = root.join("dist").join(name);
        let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
        Ok(Size {
            name,
            plain: bytes.len() as u64,
            gzipped: gzipped(bytes)?,
        })
    };
    let names = ["page_bg.wasm", "engine_bg.wasm", "engine-webgpu_bg.wasm"];
    let threads = crate::threads::PROGRAMS.map(|(name, _)| name);
    let names = names.into_iter().chain(threads);
    names.map(size).collect()
}

fn gzipped(bytes: Vec<u8>) -> Result<u64> {
    let gzip = Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut gzip = gzip.context("gzip does not start")?;
    let mut stdin = gzip.stdin.take().context("standard input is piped")?;
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = gzip.wait_with_output()?;
    writer.join().ok().context("gzip takes no bytes")??;
    Ok(output.stdout.len() as u64)
}

/// Prints the sizes, as a table.
///
/// # Errors
/// As [`of_programs`].
pub fn print(root: &Path) -> Result<()> {
    println!("\n| program | bytes | gzipped |\n|---|---:|---:|");
    for Size {
        name,
        plain,
        gzipped,
    } in of_programs(root)?
    {
        println!("| {name} | {plain} | {gzipped} |");
    }
    Ok(())
}

/// # Errors
/// When a program is larger than it may be.
pub fn check(root: &Path) -> Result<()> {
    print(root)?;
    for size in of_programs(root)? {
        for (_, [plain, gzipped]) in LIMITS.iter().filter(|(name, _)| *name == size.name) {
            if size.plain > *plain || size.gzipped > *gzipped {
                bail!(
                    "{} may have {plain} bytes, and {gzipped} gzipped",
                    size.name
                );
            }
        }
    }
    Ok(())
}
