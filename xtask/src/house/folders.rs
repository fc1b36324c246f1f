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
    let folders: BTreeSet<&str> = files
        .lines()
        .filter_map(|file| Some(file.rsplit_once('/')?.0))
        .collect();
    let missing = folders
        .iter()
        .filter(|folder| !is_described(folder, &described))
        .map(|folder| format!("ARCHITECTURE.md's table does not describe {folder}/"));
    let gone = described
        .iter()
        .filter(|folder| !root.join(folder).is_dir())
        .map(|folder| format!("ARCHITECTURE.md's table describes {folder}, which is not there"));
    Ok(missing.chain(gone).collect())
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

/// Whether a row describes the folder, one that it is in, or one that is in it.
fn is_described(folder: &str, described: &[String]) -> bool {
    let is_in = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    described
        .iter()
        .any(|known| is_in(folder, known) || is_in(known, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_described_by_its_row_or_by_one_above_or_below() {
        let table = "| folder | what |\n|---|---|\n| `src/` | the engine |\n| `xtask/src/` | |\n| `.ci/`, `.github/` | checks, `cargo/` |\n| `a.rs` | a file |\n";
        let described = described(table);
        assert_eq!(described, ["src", "xtask/src", ".ci", ".github"]);
        for (folder, known) in [
            ("src", true),
            ("src/network", true),
            ("srcs", false),
            ("xtask", true),
            ("xtask/bench", false),
            (".github/workflows", true),
            ("app/page", false),
        ] {
            assert_eq!(is_described(folder, &described), known, "{folder}");
        }
    }
}
