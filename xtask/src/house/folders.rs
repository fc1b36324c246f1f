//! Whether ARCHITECTURE.md's table of folders knows every folder, and none that is not there.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use crate::run::output;

/// Folders that no row of the table describes, and rows whose folder is not there.
///
/// # Errors
/// When ARCHITECTURE.md cannot be read, or Git does not list the files.
pub fn found(root: &Path) -> Result<Vec<String>> {
    let described = described(&std::fs::read_to_string(root.join("ARCHITECTURE.md"))?);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let files = output("git", &["ls-files"], &path).context("git lists no files")?;
    let mut missing = BTreeSet::new();
    for file in files.lines() {
        let Some((folder, name)) = file.rsplit_once('/') else {
            continue;
        };
        if !is_described(folder, name.ends_with(".rs"), &described) {
            missing.insert(format!(
                "ARCHITECTURE.md's table does not describe {folder}/"
            ));
        }
    }
    let gone = described
        .iter()
        .filter(|folder| !root.join(folder).is_dir())
        .map(|folder| format!("ARCHITECTURE.md's table describes {folder}, which is not there"));
    Ok(missing.into_iter().chain(gone).collect())
}

/// The folders of the table's first column, without the slash at their end; the files in it are left out.
fn described(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    let names = first.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names
        .filter_map(|name| Some(name.strip_suffix('/')?.to_owned()))
        .collect()
}

/// Whether a row describes the folder, one in it, or one that it is in: for sources, the one that it is directly in.
fn is_described(folder: &str, of_sources: bool, described: &[String]) -> bool {
    let below = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer)?;
        let starts = rest.is_empty() || rest.starts_with('/');
        starts.then(|| rest.matches('/').count())
    };
    let most = if of_sources { 1 } else { usize::MAX };
    described.iter().any(|known| {
        below(known, folder).is_some() || below(folder, known).is_some_and(|levels| levels <= most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_described_by_its_row_or_by_one_near() {
        let table = "| folder | what |\n|---|---|\n| `src/` | the engine |\n| `xtask/src/` | |\n| `.ci/`, `.github/` | checks, `cargo/` |\n\
                     | `a.rs` | a file |\n";
        let described = described(table);
        assert_eq!(described, ["src", "xtask/src", ".ci", ".github"]);
        for (folder, sources, known) in [
            ("src", true, true),
            ("src/network", true, true),
            ("src/network/cpu", true, false),
            ("src/network/cpu", false, true),
            ("srcs", false, false),
            ("xtask", true, true),
            ("xtask/bench", false, false),
            (".github/workflows", false, true),
            ("app/page", true, false),
        ] {
            assert_eq!(is_described(folder, sources, &described), known, "{folder}");
        }
    }
}
