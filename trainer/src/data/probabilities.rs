//! A model's probabilities of images, as `predict` and others write them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use sightline::finding::Finding;

use super::table::{Table, number, text_of};
use super::{nih, paths};
use crate::storage::Location;

/// What a model said of images, by their [`paths::key`].
pub type Probabilities = BTreeMap<String, [Option<f64>; Finding::COUNT]>;

/// Reads `Path` and a column for each finding, or `prob_` before each of ChestX-ray14's labels; of several columns for one
/// finding, the highest counts.
///
/// # Errors
/// When that cannot be read.
pub fn read(csv: &Location) -> Result<Probabilities> {
    parse(&text_of(csv)?).with_context(|| csv.to_string())
}

pub(super) fn parse(text: &str) -> Result<Probabilities> {
    with_suffix(text, "")?.context("no column is named after a finding")
}

/// The columns that are named after a finding with `suffix` behind; `None` where there is none.
pub(super) fn with_suffix(text: &str, suffix: &str) -> Result<Option<Probabilities>> {
    let mut table = Table::of(text)?;
    let path = table.needed("Path")?;
    let columns: Vec<Vec<Finding>> = table
        .header()
        .iter()
        .map(|name| match name.strip_suffix(suffix) {
            Some(name) => findings_of(name),
            None => Vec::new(),
        })
        .collect();
    if columns.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let mut rows = BTreeMap::new();
    while let Some(line) = table.next()? {
        let mut row = [None; Finding::COUNT];
        for (text, findings) in line.cells().zip(&columns) {
            if text.is_empty() || findings.is_empty() {
                continue;
            }
            let p = number(text).filter(|p| (0.0..=1.0).contains(p));
            let p = p.with_context(|| {
                format!(
                    "{}: {text:?} is no probability: they are from 0 to 1",
                    line.place()
                )
            })?;
            for finding in findings {
                let best = &mut row[finding.index()];
                *best = Some(best.map_or(p, |best: f64| best.max(p)));
            }
        }
        let image = paths::key(line.cell(path)).into_owned();
        if let Some(before) = rows.insert(image, row)
            && before != row
        {
            bail!(
                "{}: its image is there before, with other scores",
                line.place()
            );
        }
    }
    Ok(Some(rows))
}

fn findings_of(column: &str) -> Vec<Finding> {
    match column.strip_prefix("prob_") {
        Some(label) => nih::findings_of(label),
        None => Finding::from_name(column).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_as_excel_writes_them_and_what_is_no_score_is_named_by_its_line() {
        let text = "sep=;\nPath;Edema;prob_Effusion\nimages\\a.png;0,25;NA\nimages/b.png;1;0\n";
        let scores = parse(text).expect("scores");
        let edema = Finding::Edema.index();
        assert_eq!(scores["images/a.png"][edema], Some(0.25));
        assert_eq!(
            scores["images/a.png"][Finding::PleuralEffusion.index()],
            None
        );
        assert_eq!(scores["images/b.png"][edema], Some(1.0));
        for (wrong, why) in [
            (
                text.replace("0,25", "2,5"),
                "line 3: \"2,5\" is no probability",
            ),
            (
                text.replace("b.png", "a.png"),
                "line 4: its image is there before",
            ),
        ] {
            let error = parse(&wrong).expect_err("no scores").to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
