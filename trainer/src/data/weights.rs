//! Files of weights on disk, of which several may belong together.

use std::path::Path;

use anyhow::{Context, Result};
use sightline_import::Index;

/// The file, or those of which it is the index or one part.
///
/// # Errors
/// When one of them cannot be opened, or the index names a file that is not beside it.
pub fn read(file: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let open = |file: &Path| {
        std::fs::read(file).with_context(|| format!("cannot open {}", file.display()))
    };
    let bytes = open(file)?;
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let index = Index::parse(&bytes)
        .with_context(|| format!("cannot read the weights {}", file.display()))?;
    let Some(index) = index.or_else(|| Index::of_series(name)) else {
        return Ok(vec![(file.display().to_string(), bytes)]);
    };
    let parts = index.files.iter().map(|part| {
        let part = file.with_file_name(part);
        let bytes =
            open(&part).context("the weights are in several files, all of which are needed")?;
        Ok::<_, anyhow::Error>((part.display().to_string(), bytes))
    });
    parts.collect()
}
