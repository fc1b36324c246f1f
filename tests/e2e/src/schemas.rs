//! What the page saves, by the schemas of `docs/schemas/`.

use anyhow::{Result, ensure};
use serde_json::Value;

/// # Errors
/// When a report lacks what it must have, or has something else than it may.
pub fn fits_report(report: &[u8]) -> Result<()> {
    const SCHEMA: &str = include_str!("../../../docs/schemas/report.schema.json");
    let schema: Value = serde_json::from_str(SCHEMA)?;
    let report: Value = serde_json::from_slice(report)?;
    let validator = jsonschema::draft202012::new(&schema)?;
    let wrong = validator.iter_errors(&report);
    let wrong: Vec<String> = wrong
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    ensure!(
        wrong.is_empty(),
        "the report does not fit its schema: {wrong:?}"
    );
    Ok(())
}
