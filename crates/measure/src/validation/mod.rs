//! A model measured on pictures that were read one by one, against tables that were given with them: the figures of `evaluate` and, where
//! boxes are known, of `localize`.

mod html;
mod matching;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use sightline_core::explain::method::Method;
use sightline_core::heat_map::HeatMap;
use sightline_core::package::{LocalisedBy, Manifest, Maps, Marks, Unit};
use sightline_core::radiograph::Region;

use super::evaluation::{self, Header, Report, ScoredRow};
use super::overlap::grid;
use super::pointing::{self, Judged, against, centre, spread};
use super::record;
use super::tables::{Boxes, Folder, Label, Place, Reading, Row, text};

/// A picture that was read.
#[derive(Clone, Debug)]
pub struct Picture {
    /// As it was called, with the folders that it came in.
    pub file: String,
    /// By finding of the manifest.
    pub probabilities: Vec<Option<f64>>,
    /// Grad-CAM's maps, by finding. They are needed for boxes only.
    pub maps: Vec<HeatMap>,
    /// The part of the picture that the maps cover.
    pub region: Region,
}

/// A file that was given for a table.
#[derive(Clone, Debug)]
pub struct Given {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// What was measured.
pub struct Validation {
    pub report: Report,
    /// How well Grad-CAM's maps point at boxes, where there were some.
    pub pointing: Option<pointing::Report>,
    /// The model's manifest with these figures.
    pub manifest: Manifest,
    /// What is to be known of pictures and tables, a sentence each.
    pub notes: Vec<String>,
}

impl Validation {
    /// A package's `evaluation.json`.
    ///
    /// # Errors
    /// When a figure is no number.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.report)?)
    }

    /// The figures as a table in HTML, and what is to be known of them. What comes from the files is escaped.
    pub fn html(&self) -> String {
        let mut html = String::new();
        if let Some(part) = self.report.parts.first() {
            html += &html::table(part, &self.manifest, self.pointing.as_ref());
        }
        let notes = self.notes.iter();
        let items: String = notes
            .map(|note| format!("<li>{}</li>", html::escaped(note)))
            .collect();
        match items.is_empty() {
            true => html,
            false => html + &format!("<ul>{items}</ul>"),
        }
    }
}

/// Nothing is known of where the images of a table are: they were given.
struct Nowhere;

impl Folder for Nowhere {
    fn has(&self, _: &Place) -> bool {
        false
    }
}

/// Measures a model against the tables: one of labels, and one of boxes if there is one.
///
/// # Errors
/// When a table cannot be read, or there is nothing to measure: with what a person can do about it.
pub fn validate(
    manifest: &Manifest,
    tables: Vec<Given>,
    pictures: &[Picture],
) -> Result<Validation> {
    let findings = manifest.vocabulary().findings;
    let (mut labels, mut boxes) = (Vec::new(), Vec::new());
    for Given { name, bytes } in tables {
        let text = text(bytes).with_context(|| name.clone())?;
        let is_boxes = Boxes::is_list(&text).with_context(|| name.clone())?;
        if is_boxes { &mut boxes } else { &mut labels }.push((name, text));
    }
    let (name, text) = one(labels, |one, two| {
        format!("There are two tables of labels, {one} and {two}: give one at a time")
    })?
    .context(
        "There is no table of labels among the files: give a CSV with a row for each picture",
    )?;
    let reading = Reading::of(&text, &name, &findings);
    let (rows, mut notes) = reading
        .and_then(|reading| reading.finish(&Nowhere))
        .with_context(|| name.clone())?;
    let says = |row: &Row| row.labels.iter().any(|label| *label != Label::Unlabelled);
    if !rows.iter().any(says) {
        let names: Vec<&str> = findings.iter().map(|finding| finding.name()).collect();
        bail!(
            "{name} has no label of a finding of this model. A column needs a finding's name: {}",
            names.join(", ")
        );
    }
    let matched = matched(&name, &rows, pictures, &mut notes)?;
    let scored: Vec<ScoredRow> = matched
        .iter()
        .map(|(row, picture)| ScoredRow {
            patient: row.patient.to_string(),
            study: row.study.to_string(),
            labels: row.labels.iter().map(|label| label.value()).collect(),
            scores: picture.probabilities.clone(),
            columns: BTreeMap::new(),
        })
        .collect();
    let header = Header::of(manifest, name.clone(), Unit::Image);
    let report = evaluation::report(&header, &scored);
    let figures = report.parts.first().map(|part| part.findings.as_slice());
    if figures
        .unwrap_or_default()
        .iter()
        .all(|figures| figures.auc.is_none())
    {
        bail!(
            "Of no finding are there pictures with it and pictures without it, among the {} that {name} names; an AUC needs both. Give \
             more pictures",
            scored.len()
        );
    }
    let mut manifest = manifest.clone();
    record::evaluated(&mut manifest, &report, None);
    let pointing = match one(boxes, |one, two| {
        format!("There are two tables of boxes, {one} and {two}: give one at a time")
    })? {
        None => None,
        Some((name, text)) => {
            let (boxes, others) = Boxes::parse(&text, &findings).with_context(|| name.clone())?;
            if !others.is_empty() {
                let others = Vec::from_iter(others).join(", ");
                notes.push(format!(
                    "Boxes of what is no finding of the model are left out: {others}."
                ));
            }
            let judged = judged(&manifest, &boxes, &matched);
            if judged.is_empty() {
                notes.push(format!("Boxes in {name} on none of the pictures."));
            }
            let header = pointing::Header {
                model: manifest.name.clone(),
                weights_sha256: manifest.weights.sha256.clone(),
                csv: report.set.clone(),
                marks: name,
                method: Maps::By(Method::GradCam),
                options: None,
            };
            let pointing = pointing::report(&header, &judged);
            pointing.record(
                &mut manifest,
                &LocalisedBy {
                    maps: Maps::By(Method::GradCam),
                    marks: Marks::Boxes,
                },
            );
            Some(pointing).filter(|_| !judged.is_empty())
        }
    };
    Ok(Validation {
        report,
        pointing,
        manifest,
        notes,
    })
}

/// The only one of a kind, if there is one.
fn one(
    mut tables: Vec<(String, String)>,
    two: fn(&str, &str) -> String,
) -> Result<Option<(String, String)>> {
    if let [first, second, ..] = tables.as_slice() {
        bail!(two(&first.0, &second.0));
    }
    Ok(tables.pop())
}

/// The frontal images of a table that were given, each with its picture.
fn matched<'a>(
    table: &str,
    rows: &'a [Row],
    pictures: &'a [Picture],
    notes: &mut Vec<String>,
) -> Result<Vec<(&'a Row, &'a Picture)>> {
    let files: Vec<&str> = pictures.iter().map(|one| one.file.as_str()).collect();
    let found = matching::rows_of(rows, &files);
    let mut nameless = files.iter().zip(&found).filter(|(_, row)| row.is_none());
    let first = nameless.next().map(|(file, _)| *file);
    let mut by_row = BTreeMap::new();
    let mut again = 0;
    for (row, picture) in found.iter().zip(pictures) {
        if let Some(row) = row
            && by_row.insert(*row, picture).is_some()
        {
            again += 1;
        }
    }
    if by_row.is_empty() {
        bail!(
            "No row of {table} names a picture that was given. Its first row is {}; the first picture is {}. Give the pictures in the \
             folders that the table names, or a table with their names",
            rows.first().map_or("", |row| &row.path),
            first.unwrap_or_default()
        );
    }
    if let Some(first) = first {
        notes.push(format!(
            "Pictures that no row names: {} (first {first}).",
            1 + nameless.count()
        ));
    }
    if again > 0 {
        notes.push(format!(
            "Pictures that were given twice, and count once: {again}."
        ));
    }
    if by_row.len() < rows.len() {
        notes.push(format!(
            "Rows without a picture, which are left out: {}.",
            rows.len() - by_row.len()
        ));
    }
    let all = by_row.len();
    let both = by_row
        .into_iter()
        .map(|(row, picture)| (&rows[row], picture));
    let frontal: Vec<_> = both.filter(|(row, _)| !row.lateral).collect();
    if frontal.len() < all {
        notes.push(format!(
            "Lateral views, which are left out: {}.",
            all - frontal.len()
        ));
    }
    Ok(frontal)
}

/// The maps of the images that have a box of a finding that was trained, against the boxes.
fn judged(manifest: &Manifest, boxes: &Boxes, matched: &[(&Row, &Picture)]) -> Vec<Judged> {
    let blot = centre();
    let mut judged = Vec::new();
    for (row, picture) in matched {
        let (mut findings, mut middle) = (BTreeMap::new(), BTreeMap::new());
        for (place, rectangles) in boxes.of_image(&row.path) {
            let card = &manifest.findings[place];
            let Some(map) = picture.maps.get(place).filter(|_| card.trained) else {
                continue;
            };
            let mark = grid(rectangles);
            let map = spread(map, picture.region);
            findings.insert(card.name, against(&mark, &map));
            middle.insert(card.name, against(&mark, &blot));
        }
        if !findings.is_empty() {
            judged.push(Judged {
                patient: row.patient.to_string(),
                findings,
                middle,
            });
        }
    }
    judged
}

#[cfg(test)]
mod tests;
