//! What the page's service worker keeps: the files of a build and their hashes, in `sw.js` itself.
//!
//! Browsers look for a new version by comparing `sw.js`. With the hashes in it, it is another file as soon as any file is.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sha2::{Digest, Sha256};

/// The line of `sw.js` that the table takes the place of.
const EMPTY: &str = "const BUILD = null;";
const WORKER: &str = "sw.js";
/// Folders whose files come when they are wanted: packages, which may change without a new build, and the case library. The service worker
/// keeps those that are used.
const APART: [&str; 2] = ["models", "cases"];

/// Writes the table of a built page into its service worker.
///
/// # Errors
/// When a file cannot be read or written, or `sw.js` has no place for the table.
pub fn write(dist: &Path) -> Result<()> {
    let path = dist.join(WORKER);
    let worker = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut files = BTreeMap::new();
    add(dist, "", &mut files)?;
    std::fs::write(&path, filled(&worker, &files)?).with_context(|| path.display().to_string())
}

/// Adds the files of a folder below `dist`, whose address is empty or ends in a slash.
fn add(folder: &Path, address: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{address}{name}");
        if path.is_dir() {
            if !APART.contains(&name.as_str()) {
                add(&path, &format!("{name}/"), files)?;
            }
        } else if name != WORKER {
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            files.insert(name, hexadecimal(&bytes));
        }
    }
    Ok(())
}

/// The service worker with the table. The build's name is another as soon as any file is.
fn filled(worker: &str, files: &BTreeMap<String, String>) -> Result<String> {
    ensure!(
        worker.matches(EMPTY).count() == 1,
        "{WORKER} has no line {EMPTY:?} for the build's table, or several"
    );
    let name = hexadecimal(json!(files).to_string().as_bytes());
    let table = json!({ "name": name[..16], "files": files });
    Ok(worker.replace(EMPTY, &format!("const BUILD = {table};")))
}

/// The SHA-256 of bytes, as `sw.js` writes it.
fn hexadecimal(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_named_by_all_of_its_files_but_packages() -> Result<()> {
        let dist = std::env::temp_dir().join(format!("sightline-table-{}", std::process::id()));
        std::fs::create_dir_all(dist.join("models/a"))?;
        std::fs::create_dir_all(dist.join("icons/models"))?;
        let built = |page: &str, model: &str| -> Result<String> {
            std::fs::write(dist.join("index.html"), page)?;
            std::fs::write(dist.join("icons/models/a.svg"), "icon")?;
            std::fs::write(dist.join("models/a/manifest.json"), model)?;
            std::fs::write(dist.join(WORKER), format!("// before\n{EMPTY}\n// after\n"))?;
            write(&dist)?;
            Ok(std::fs::read_to_string(dist.join(WORKER))?)
        };
        let (first, model, page) = (built("abc", "1")?, built("abc", "2")?, built("xyz", "1")?);
        std::fs::remove_dir_all(&dist)?;
        // FIPS 180-2, B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        ensure!(
            first.contains(&format!(r#""index.html":"{abc}""#)),
            "{first}"
        );
        ensure!(first.contains(r#""icons/models/a.svg":""#), "{first}");
        ensure!(!first.contains("manifest.json"), "{first}");
        ensure!(
            first.starts_with("// before\nconst BUILD = {") && first.ends_with("};\n// after\n")
        );
        ensure!(first == model, "a package made another build");
        let name = |text: &str| {
            text.split(r#""name":""#)
                .nth(1)
                .map(|rest| rest[..16].to_owned())
        };
        ensure!(name(&first).is_some() && name(&first) != name(&page));
        Ok(())
    }

    #[test]
    fn a_worker_without_a_place_for_the_table_is_an_error() {
        assert!(filled("const BUILD = 1;", &BTreeMap::new()).is_err());
        let page = include_str!("../../www/sw.js");
        assert!(filled(page, &BTreeMap::new()).is_ok());
    }
}
