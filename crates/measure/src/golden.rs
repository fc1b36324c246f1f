//! Expected numbers from the field's own Python libraries, for tests; see `tests/golden/README.md`.

use std::path::PathBuf;

use serde_json::Value;

/// A file of the folder named by `SIGHTLINE_GOLDEN` (`.cargo/config.toml` names the project's own).
pub fn path(name: &str) -> PathBuf {
    let folder = std::env::var_os("SIGHTLINE_GOLDEN").map(PathBuf::from);
    folder
        .unwrap_or_else(|| env!("SIGHTLINE_GOLDEN").into())
        .join(name)
}

pub fn json(name: &str) -> Value {
    let bytes = std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&bytes).expect("golden JSON")
}

pub fn numbers(value: &Value) -> Vec<f64> {
    let array = value.as_array().expect("an array").iter();
    array.map(|v| v.as_f64().expect("a number")).collect()
}
