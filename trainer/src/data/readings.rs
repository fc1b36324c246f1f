//! A person's readings of images, as the page's teaching mode saves them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use sightline::finding::Finding;
use sightline::vocabulary::{self, CHEXPERT};
use sightline_measure::tables::{Table, paths};

use super::dataset::Dataset;
use super::files::text_of;
use super::probabilities::{Probabilities, with_suffix};
use crate::storage::Location;

/// What stands behind a finding's name in the column of the model's scores.
const OF_MODEL: &str = " (model)";
/// Pictures that an error names.
const NAMED: usize = 5;

/// What a person said of images, and a model's scores of them.
#[derive(Debug)]
pub struct Readings {
    /// What was read, in the order of the values.
    findings: Vec<Finding>,
    /// How sure the person was that a finding is there, from 0 to 1.
    confidences: Probabilities,
    scores: Probabilities,
}

impl Readings {
    /// Reads `Path` and a column for each of the findings, and perhaps such columns with ` (model)` behind their names. Without
    /// `findings`, those that the table names.
    ///
    /// # Errors
    /// When that cannot be read, or nobody said anything.
    pub fn read(csv: &Location, findings: Option<&[Finding]>) -> Result<Self> {
        Self::parse(&text_of(csv)?, findings).with_context(|| csv.to_string())
    }

    pub(super) fn parse(text: &str, findings: Option<&[Finding]>) -> Result<Self> {
        let findings = match findings {
            Some(findings) => findings.to_vec(),
            None => named_in(Table::of(text)?.header())?,
        };
        let confidences = with_suffix(text, "", &findings)?;
        let confidences = confidences.context("no column is named after a finding")?;
        if confidences.is_empty() {
            bail!("there is no reading, only a header");
        }
        if confidences.values().flatten().all(Option::is_none) {
            bail!("no finding is marked in any reading");
        }
        Ok(Self {
            confidences: by_image(confidences),
            scores: by_image(with_suffix(text, OF_MODEL, &findings)?.unwrap_or_default()),
            findings,
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

    /// What was read, in the order of the values of an image.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What the person said of an image.
    pub fn confidences(&self, path: &str) -> Vec<Option<f64>> {
        self.of(&self.confidences, path)
    }

    /// The model's scores of an image.
    pub fn scores(&self, path: &str) -> Vec<Option<f64>> {
        self.of(&self.scores, path)
    }

    fn of(&self, values: &Probabilities, path: &str) -> Vec<Option<f64>> {
        let found = values.get(&image(path)).cloned();
        found.unwrap_or_else(|| vec![None; self.findings.len()])
    }

    /// Takes another model's scores, in the order of the findings, in place of those in the table.
    pub fn score_anew(&mut self, scores: impl IntoIterator<Item = (String, Vec<Option<f64>>)>) {
        let scores = scores.into_iter();
        self.scores = scores
            .map(|(path, scores)| (image(&path), scores))
            .collect();
    }
}

/// The findings that columns are named after: those of a list that is known, and those of which a model's scores are there too. Where all are
/// CheXpert's, they are all of CheXpert's.
fn named_in(header: &[String]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for name in header {
        let known = vocabulary::known(name).or_else(|| Finding::from_name(name));
        let scored = || header.contains(&format!("{name}{OF_MODEL}"));
        let finding = match known {
            Some(finding) => finding,
            None if scored() => Finding::named(name)?,
            None => continue,
        };
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    Ok(
        match findings.iter().all(|finding| finding.place().is_some()) {
            true => CHEXPERT.to_vec(),
            false => findings,
        },
    )
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
        let readings = Readings::parse(TEXT, None).expect("readings");
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
        let readings = Readings::parse(TEXT, None).expect("readings");
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
            let error = Readings::parse(&wrong, None).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_table_names_the_findings_of_its_own_package() {
        let text = "Path,Hernia,Wire loop,Wire loop (model),Hernia (model),Model,Seconds\nown-1,0.75,0,0.25,0.5,one,3\n";
        let readings = Readings::parse(text, None).expect("readings");
        let names: Vec<&str> = readings.findings().iter().map(|f| f.name()).collect();
        assert_eq!(names, ["Hernia", "Wire loop"]);
        assert_eq!(readings.confidences("own-1"), [Some(0.75), Some(0.0)]);
        assert_eq!(readings.scores("own-1"), [Some(0.5), Some(0.25)]);
        // A package's findings are looked for where one is given.
        let hernia = Finding::named("Hernia").expect("a name");
        let readings = Readings::parse(text, Some(&[Finding::Edema, hernia])).expect("readings");
        assert_eq!(readings.confidences("own-1"), [None, Some(0.75)]);
        // CheXpert's are all there, as they were before packages had their own.
        let readings = Readings::parse(TEXT, None).expect("readings");
        assert_eq!(readings.findings(), CHEXPERT);
    }
}
