//! Scores of many images, to measure.

use std::collections::BTreeSet;

use anyhow::Result;
use sightline::package::Unit;
use sightline::radiograph::Radiograph;
pub use sightline_measure::evaluation::{Figures, Header, Report, ScoredRow, column_of};

use super::metrics::Scored;
use super::parts::{Part, Shard};
use super::score::{Augmented, BATCH, Package};
use crate::data::{Dataset, stream};

/// Scores of images, or of a part of them, as `merge` joins them.
pub type Scores = Part<Header, ScoredRow>;

/// Scores images; of each, its labels and scores are kept, and not its picture.
pub fn score(
    package: &Package,
    data: Dataset,
    shard: Shard,
    unit: Unit,
    parts: &[String],
    set: String,
    augmented: Augmented,
) -> Result<Scores> {
    let input = &package.manifest.input;
    let columns_of_parts: BTreeSet<&str> = parts.iter().map(|part| column_of(part)).collect();
    for column in &columns_of_parts {
        data.has_column(column)?;
    }
    let views = |read: Radiograph| augmented.views(&read.image, input);
    let vocabulary = package.manifest.vocabulary();
    // The table may have been read for other findings too.
    let places = vocabulary.findings.iter().map(|f| data.place(*f));
    let places: Vec<Option<usize>> = places.collect();
    let mut scored = Vec::new();
    let notes = stream(&data, BATCH, views, |rows, pictures| {
        let scores = package.probabilities(&pictures)?;
        for (row, scores) in rows.iter().zip(scores) {
            let columns = columns_of_parts.iter().filter_map(|column| {
                let value = row.column(column)?;
                Some(((*column).to_owned(), value.to_owned()))
            });
            let of_row = ScoredRow {
                patient: row.patient.to_string(),
                study: row.study.to_string(),
                labels: places
                    .iter()
                    .map(|place| row.labels[(*place)?].value())
                    .collect(),
                scores,
                columns: columns.collect(),
            };
            scored.push((row.number, of_row));
        }
        Ok(())
    })?;
    notes.say(&data)?;
    Ok(Scores {
        of: "evaluate".to_owned(),
        shard,
        header: Header {
            crops: augmented.crops,
            parts: parts.to_vec(),
            ..Header::of(&package.manifest, set, unit)
        },
        rows: scored,
    })
}

/// Measures scores.
pub fn report(scores: &Scores) -> Report {
    sightline_measure::evaluation::report(&scores.header, rows(scores))
}

/// All cases of scored images.
pub fn all_cases(scores: &Scores) -> Vec<Scored> {
    sightline_measure::evaluation::all_cases(&scores.header, rows(scores))
}

fn rows(scores: &Scores) -> impl Iterator<Item = &ScoredRow> {
    scores.rows.iter().map(|(_, row)| row)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sightline::vocabulary::{CHEXPERT, CallRule};

    use super::*;
    use crate::golden::{json, numbers};

    #[test]
    fn golden_studies_take_the_maximum_over_their_views() {
        let golden = json("metrics/study_level.json");
        let images = golden["images"].as_array().expect("images").iter();
        let rows = images.enumerate().map(|(number, image)| {
            let path = image["path"].as_str().expect("a path");
            let named = crate::data::patient_and_study(path).expect("a patient");
            let (patient, study) = (named.0, named.1.expect("a study"));
            let study = format!("{patient}/{study}");
            let mut labels = vec![None; 14];
            let mut scores = vec![None; 14];
            let cases = numbers(&image["label"])
                .into_iter()
                .zip(numbers(&image["p"]));
            for (index, (label, p)) in cases.enumerate() {
                labels[index] = Some(label as f32);
                scores[index] = Some(p);
            }
            let row = ScoredRow {
                patient,
                study,
                labels,
                scores,
                columns: BTreeMap::new(),
            };
            (number, row)
        });
        let report = report(&Scores {
            of: "evaluate".to_owned(),
            shard: Shard::WHOLE,
            header: Header {
                model: String::new(),
                weights_sha256: String::new(),
                set: String::new(),
                unit: Unit::Study,
                crops: 1,
                findings: CHEXPERT.to_vec(),
                trained: vec![true; 14],
                operating_points: vec![None; 14],
                rules: vec![CallRule::chexpert()],
                parts: Vec::new(),
            },
            rows: rows.collect(),
        });
        let studies = golden["studies_sorted"].as_array().expect("studies");
        assert_eq!(report.parts[0].count, studies.len());
        let expected = golden["study_level_auc"].as_array().expect("AUCs");
        for (ours, expected) in report.parts[0].findings.iter().zip(expected) {
            match (ours.auc, expected.as_f64()) {
                (Some(ours), Some(expected)) => assert!((ours.value - expected).abs() < 1e-9),
                (ours, expected) => assert_eq!(ours.map(|e| e.value), expected),
            }
        }
    }
}
