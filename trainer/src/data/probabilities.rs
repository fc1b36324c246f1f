//! A model's probabilities of images, as `predict` and others write them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use sightline::finding::Finding;
use sightline::vocabulary;
use sightline_measure::tables::{Table, nih, number, paths};

use super::files::text_of;
use crate::storage::Location;

/// What a model said of images, by their [`paths::key`], in the order of the findings that were read.
pub type Probabilities = BTreeMap<String, Vec<Option<f64>>>;

/// Reads `Path` and a column for each of the findings, or `prob_` before each of ChestX-ray14's labels; of several columns for one
/// finding, the highest counts.
///
/// # Errors
/// When that cannot be read.
pub fn read(csv: &Location, findings: &[Finding]) -> Result<Probabilities> {
    parse(&text_of(csv)?, findings).with_context(|| csv.to_string())
}

pub(super) fn parse(text: &str, findings: &[Finding]) -> Result<Probabilities> {
    with_suffix(text, "", findings)?.context("no column is named after a finding")
}

/// The columns that are named after a finding with `suffix` behind; `None` where there is none.
pub(super) fn with_suffix(
    text: &str,
    suffix: &str,
    findings: &[Finding],
) -> Result<Option<Probabilities>> {
    let mut table = Table::of(text)?;
    let path = table.needed("Path")?;
    let columns: Vec<Vec<usize>> = table
        .header()
        .iter()
        .map(|name| match name.strip_suffix(suffix) {
            Some(name) => places_of(name, findings),
            None => Vec::new(),
        })
        .collect();
    if columns.iter().all(Vec::is_empty) {
        return Ok(None);
    }
    let mut rows = BTreeMap::new();
    while let Some(line) = table.next_line()? {
        let mut row = vec![None; findings.len()];
        for (text, places) in line.cells().zip(&columns) {
            if text.is_empty() || places.is_empty() {
                continue;
            }
            let p = number(text).filter(|p| (0.0..=1.0).contains(p));
            let p = p.with_context(|| {
                format!(
                    "{}: {text:?} is no probability: they are from 0 to 1",
                    line.place()
                )
            })?;
            for place in places {
                let best: &mut Option<f64> = &mut row[*place];
                *best = Some(best.map_or(p, |best: f64| best.max(p)));
            }
        }
        let image = paths::key(line.cell(path)).into_owned();
        let before = rows.insert(image.clone(), row);
        if before.is_some_and(|before| before != rows[&image]) {
            bail!(
                "{}: its image is there before, with other scores",
                line.place()
            );
        }
    }
    Ok(Some(rows))
}

/// The places of the findings that a column is of.
fn places_of(column: &str, findings: &[Finding]) -> Vec<usize> {
    let named = match column.strip_prefix("prob_") {
        Some(label) => {
            let own = vocabulary::find(findings, label);
            own.into_iter().chain(nih::findings_of(label)).collect()
        }
        None => Vec::from_iter(vocabulary::find(findings, column)),
    };
    let is_named = |place: &usize| named.contains(&findings[*place]);
    (0..findings.len()).filter(is_named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_as_excel_writes_them_and_what_is_no_score_is_named_by_its_line() {
        let text = "sep=;\nPath;Edema;prob_Effusion\nimages\\a.png;0,25;NA\nimages/b.png;1;0\n";
        let scores = parse(text, &Finding::ALL).expect("scores");
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
            let error = parse(&wrong, &Finding::ALL)
                .expect_err("no scores")
                .to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
