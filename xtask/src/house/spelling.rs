//! Spelling, by `typos`: of sources, comments and documents. What it should let pass stands in `typos.toml`.

use std::path::Path;

use anyhow::Result;

use crate::run::Step;
use crate::tools;

/// In the version that PyPI has as a built program.
const TYPOS: &str = "typos==1.52.0";

/// # Errors
/// When a word is misspelt, or the tool cannot be had.
pub fn check(root: &Path) -> Result<()> {
    let program = tools::from_pypi(root, "typos", TYPOS)?;
    Step::new(&program.to_string_lossy(), &[]).run("find words that are misspelt")
}
