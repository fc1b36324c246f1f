//! The files of a built page once more, compressed as well as can be: servers send those in place of compressing them anew for each visitor.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Kinds of files that are smaller compressed; pictures and weights are not.
const KINDS: [&str; 9] = [
    "css",
    "html",
    "js",
    "json",
    "md",
    "po",
    "svg",
    "wasm",
    "webmanifest",
];
/// Smaller files fit into a packet as they are.
const LEAST: u64 = 1024;
const BROTLI: &str = "br";
const GZIP: &str = "gz";

/// Writes `FILE.br` and `FILE.gz` beside the files of `dist`. Those of files that are gone are deleted, and those that are newer than their file
/// stay.
///
/// # Errors
/// When a file cannot be read, written or deleted.
pub fn run(dist: &Path) -> Result<()> {
    let mut sizes = [0; 3];
    folder(dist, &mut sizes)?;
    let [plain, brotli, gzip] = sizes.map(|bytes| bytes as f64 / 1e6);
    println!(
        "{plain:.2} MB in {}: Brotli {brotli:.2} MB, gzip {gzip:.2} MB",
        dist.display()
    );
    Ok(())
}

fn folder(place: &Path, sizes: &mut [u64; 3]) -> Result<()> {
    for entry in std::fs::read_dir(place).with_context(|| place.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            folder(&path, sizes)?;
            continue;
        }
        let kind = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        if [BROTLI, GZIP].contains(&kind) && !path.with_extension("").exists() {
            std::fs::remove_file(&path)?;
        } else if KINDS.contains(&kind) && path.metadata()?.len() >= LEAST {
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            sizes[0] += bytes.len() as u64;
            sizes[1] += beside(&path, BROTLI, || brotli_of(&bytes))?;
            sizes[2] += beside(&path, GZIP, || gzip_of(&bytes))?;
        }
    }
    Ok(())
}

/// Writes a file beside another, and says how large it is. One that is newer stays.
fn beside(path: &Path, kind: &str, made: impl FnOnce() -> Result<Vec<u8>>) -> Result<u64> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(kind);
    let target = Path::new(&name);
    if let Ok(known) = target.metadata()
        && known.modified()? > path.metadata()?.modified()?
    {
        return Ok(known.len());
    }
    let bytes = made()?;
    std::fs::write(target, &bytes).with_context(|| target.display().to_string())?;
    Ok(bytes.len() as u64)
}

fn brotli_of(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        // A window of 16 MB, the largest that browsers take.
        lgwin: 24,
        size_hint: bytes.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &bytes[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

fn gzip_of(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn compressed_files_are_those_files_and_go_with_them() -> Result<()> {
        let dist = std::env::temp_dir().join(format!("sightline-compress-{}", std::process::id()));
        std::fs::create_dir_all(dist.join("models"))?;
        let text = "radiograph ".repeat(200);
        let file = dist.join("models/page.js");
        std::fs::write(&file, &text)?;
        std::fs::write(dist.join("small.js"), "1")?;
        std::fs::write(dist.join("picture.png"), &text)?;
        run(&dist)?;
        let mut read = String::new();
        let brotli = std::fs::read(dist.join("models/page.js.br"))?;
        brotli::Decompressor::new(&brotli[..], 4096).read_to_string(&mut read)?;
        assert_eq!(read, text);
        read.clear();
        let gzip = std::fs::read(dist.join("models/page.js.gz"))?;
        flate2::read::GzDecoder::new(&gzip[..]).read_to_string(&mut read)?;
        assert_eq!(read, text);
        let is_there = |name: &str| dist.join(name).exists();
        assert!(!is_there("small.js.br") && !is_there("picture.png.br"));
        std::fs::remove_file(&file)?;
        run(&dist)?;
        assert!(!is_there("models/page.js.br") && !is_there("models/page.js.gz"));
        std::fs::remove_dir_all(&dist)?;
        Ok(())
    }
}
