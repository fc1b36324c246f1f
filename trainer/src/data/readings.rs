//! A person's readings of images, as the page's teaching mode saves them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use sightline::finding::Finding;

use super::dataset::Dataset;
use super::paths;
use super::probabilities::{Probabilities, with_suffix};
use super::table::text_of;
use crate::storage::Location;

/// What stands behind a finding's name in the column of the model's scores.
const OF_MODEL: &str = " (model)";
/// Pictures that an error names.
const NAMED: usize = 5;

/// What a person said of images, and a model's scores of them.
#[derive(Debug)]
pub struct Readings {
    /// How sure the person was that a finding is there, from 0 to 1.
    confidences: Probabilities,
    scores: Probabilities,
}

impl Readings {
    /// Reads `Path` and a column for each finding, and perhaps such columns with ` (model)` behind their names.
    ///
    /// # Errors
    /// When that cannot be read, or nobody said anything.
    pub fn read(csv: &Location) -> Result<Self> {
        Self::parse(&text_of(csv)?).with_context(|| csv.to_string())
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let confidences = with_suffix(text, "")?.context("no column is named after a finding")?;
        if confidences.is_empty() {
            bail!("there is no reading, only a header");
        }
        if confidences.values().flatten().all(Option::is_none) {
            bail!("no finding is marked in any reading");
        }
        Ok(Self {
            confidences: by_image(confidences),
            scores: by_image(with_suffix(text, OF_MODEL)?.unwrap_or_default()),
        })
    }

    /// The rows of the images that were read.
    ///
    /// # Errors
    /// When an image that was read has no row: nothing says what is right of it.
    pub fn rows(&self, mut data: Dataset) -> Result<Dataset> {
        let rows = data.rows.iter();
        let known: BTreeSet<String> = rows.map(|row| image(&row.path)).collect();
        let paths = self.confidences.keys();
        let missing: Vec<&str> = paths
            .filter(|path| !known.contains(*path))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let more = if missing.len() > NAMED { ", ..." } else { "" };
            bail!(
                "{} of {} readings are of images without a row of labels: {}{more}",
                missing.len(),
                self.confidences.len(),
                missing[..missing.len().min(NAMED)].join(", ")
            );
        }
        data.rows
            .retain(|row| self.confidences.contains_key(&image(&row.path)));
        Ok(data)
    }

    /// What the person said of an image.
    pub fn confidences(&self, path: &str) -> [Option<f64>; Finding::COUNT] {
        let found = self.confidences.get(&image(path));
        found.copied().unwrap_or_default()
    }

    /// The model's scores of an image.
    pub fn scores(&self, path: &str) -> [Option<f64>; Finding::COUNT] {
        let found = self.scores.get(&image(path));
        found.copied().unwrap_or_default()
    }

    /// Takes another model's scores in place of those in the table.
    pub fn score_anew(
        &mut self,
        scores: impl IntoIterator<Item = (String, [Option<f64>; Finding::COUNT])>,
    ) {
        let scores = scores.into_iter();
        self.scores = scores
            .map(|(path, scores)| (image(&path), scores))
            .collect();
    }
}

fn by_image(rows: Probabilities) -> Probabilities {
    let rows = rows.into_iter();
    rows.map(|(path, row)| (image(&path), row)).collect()
}

/// The image that a path names: of ChestX-ray14, whether it is a PNG or was made a JPEG.
fn image(path: &str) -> String {
    let key = paths::key(path);
    match key.split_once('.') {
        Some((stem, _)) if paths::is_nih(&key) => stem.to_owned(),
        _ => Cow::into_owned(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Row;

    const TEXT: &str = "Path,Edema,Fracture,Edema (model),Model,Seconds\n00000012_001.jpg,0.75,,0.2,one,3.1\nown-1,,0,,one,9\n";

    fn data(paths: &[&str]) -> Dataset {
        let row = |path: &&str| Row {
            path: (*path).to_owned(),
            ..Row::default()
        };
        let rows = paths.iter().map(row).collect();
        Dataset::new(".".parse().expect("a place"), rows)
    }

    #[test]
    fn a_reading_is_of_the_image_whatever_kind_of_file_it_was_made() {
        let readings = Readings::parse(TEXT).expect("readings");
        let table = data(&["images/00000012_001.png", "own-1", "00000013_000.png"]);
        let rows = readings.rows(table).expect("both are labelled").rows;
        assert_eq!(rows.len(), 2);
        let edema = Finding::Edema.index();
        assert_eq!(readings.confidences(&rows[0].path)[edema], Some(0.75));
        assert_eq!(readings.scores(&rows[0].path)[edema], Some(0.2));
        assert_eq!(readings.confidences("own-1")[edema], None);
        assert_eq!(
            readings.confidences("own-1")[Finding::Fracture.index()],
            Some(0.0)
        );
    }

    #[test]
    fn what_does_not_match_is_refused_with_its_reason() {
        let readings = Readings::parse(TEXT).expect("readings");
        let error = readings.rows(data(&["00000012_001.png"])).expect_err("one");
        let error = error.to_string();
        assert!(
            error.contains("1 of 2 readings") && error.contains("own-1"),
            "{error}"
        );
        for (wrong, why) in [
            (TEXT.replace("0.75", "3"), "line 2: \"3\" is no probability"),
            (
                TEXT.replace(",0.2,", ",-0.2,"),
                "line 2: \"-0.2\" is no probability",
            ),
            (TEXT.lines().take(1).collect(), "there is no reading"),
            (
                TEXT.replace("0.75", "").replace(",,0,", ",,,"),
                "no finding is marked",
            ),
            ("Path,Seconds\na.png,3\n".to_owned(), "no column is named"),
        ] {
            let error = Readings::parse(&wrong).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
