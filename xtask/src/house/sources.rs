//! The sources that are checked.

use std::path::Path;

use anyhow::{Context, Result};

/// The sources below a folder, with their text.
pub fn sources(root: &Path, folder: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path);
                let text = text.with_context(|| path.display().to_string())?;
                let name = path.strip_prefix(root)?.display().to_string();
                found.push((name, text));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A source without its tests.
pub fn without_tests(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod tests");
    tests.map_or(text, |tests| &text[..tests])
}
