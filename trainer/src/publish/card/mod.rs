//! The model card, from the figures of a run and nothing else.

mod failures;
mod gate;

pub use gate::table as gate_table;

use anyhow::{Context, Result};
use sightline::finding::Finding;
use sightline::package::{Manifest, Maps, Pointing, about};
use sightline::reader::Reader;
use sightline::vocabulary::CallRule;
pub use sightline_measure::record::{UNTESTED, evaluated, record};

use crate::data::{Dataset, Label};
use crate::history::Epoch;
use crate::measure::beside::Beside;
use crate::measure::evaluation::{Figures, Report, Scores, all_cases};
use crate::measure::plots::{self, LOSS, PRECISION_RECALL, RELIABILITY, ROC, VALIDATION_AUC};
use crate::measure::score::Package;
use crate::storage::{Location, write_together};

/// Columns by whose values the images are told apart, where the CSV has them.
const SUBGROUPS: [&str; 3] = ["Sex", "Age group", "AP/PA"];
/// Smaller subgroups are left out of the card.
const LEAST: usize = 20;
/// The weights' file in a package's folder.
pub const WEIGHTS: &str = "weights.bpk";
/// The epochs' figures, in a package's folder.
pub const HISTORY: &str = "training.json";

/// What the card's images are told apart by: the column that tells which were selected, and [`SUBGROUPS`].
pub fn parts(unselected: Option<&str>) -> Vec<String> {
    let column = unselected.and_then(|part| part.split_once('='));
    let columns = column.map(|(column, _)| column).into_iter();
    columns.chain(SUBGROUPS).map(str::to_owned).collect()
}

/// What a card is written of.
pub struct Measured<'a> {
    pub scores: &'a Scores,
    pub report: &'a Report,
    pub history: &'a [Epoch],
    /// The images that it was trained, chosen and tested on, and what these are called.
    pub sets: &'a [(String, Dataset)],
    /// `COLUMN=VALUE`: the part that nobody chose by class, if that is known.
    pub unselected: Option<&'a str>,
    /// The images of the scores, if the errors' pictures may be shown.
    pub pictures: Option<&'a Dataset>,
}

/// Writes a package's figures, card and manifest, and its weights where they are new.
pub fn write(
    folder: &Location,
    package: Package,
    weights: Option<Vec<u8>>,
    measured: &Measured<'_>,
) -> Result<()> {
    let Measured {
        scores,
        report,
        history,
        sets,
        unselected,
        pictures,
    } = *measured;
    let manifest = package.manifest.clone();
    let mut text = markdown(&manifest, report, history, sets, unselected);
    // All is made before anything is written. The manifest is last: it makes a package of the other files.
    let weights = weights.map(|weights| (WEIGHTS, weights));
    let mut files: Vec<_> = weights.into_iter().collect();
    files.extend([
        ("evaluation.json", serde_json::to_vec_pretty(report)?),
        (HISTORY, serde_json::to_vec_pretty(history)?),
    ]);
    let mut figures = plots::scores(&all_cases(scores), &scores.header.findings)?;
    if !history.is_empty() {
        figures.extend(plots::training(history)?);
    }
    files.extend(
        figures
            .into_iter()
            .map(|(name, svg)| (name, svg.into_bytes())),
    );
    let failures = pictures.map(|data| (data, failures::gravest(data, scores)));
    if let Some((data, failures)) = failures.filter(|(_, failures)| !failures.is_empty()) {
        let reader = Reader::new(package.manifest, package.network, package.device);
        files.push(("failures.jpg", failures::sheet(&reader, data, &failures)?));
        let five = match scores.header.five() == Finding::COMPETITION {
            true => "the competition's five findings",
            false => "five findings",
        };
        text += &format!(
            "\n## Gravest errors\n\nOf {five}: the image without it that has the highest score \
                 (above), and the image with it that has the lowest (below), with the model's map. Labels are text-mined: some of \
                 these may be the label's errors.\n\n![Radiographs with maps](failures.jpg)\n\n\
                 | finding | label | score | image |\n|---|---|---:|---|\n"
        );
        for failure in &failures {
            let label = if failure.positive {
                "present"
            } else {
                "absent"
            };
            text += &format!(
                "| {} | {label} | {:.2} | {} |\n",
                failure.finding, failure.score, failure.path
            );
        }
    }
    let text = with_later(&text, &manifest);
    files.push(("card.md", text.into_bytes()));
    files.push(("manifest.json", serde_json::to_vec_pretty(&manifest)?));
    write_together(folder, &files)
}

/// The card of a trained model as Markdown.
fn markdown(
    manifest: &Manifest,
    report: &Report,
    history: &[Epoch],
    sets: &[(String, Dataset)],
    unselected: Option<&str>,
) -> String {
    let mut text = about(manifest) + &label_table(sets);
    text += &format!(
        "\n## Area under the ROC curve\n\nMeasured on the shipped weights, on {}; intervals by bootstrap over patients \
         (1,000 draws). The score is the image's; uncertain and blank labels are left out.\n",
        report.set
    );
    let shown = report.parts.iter().enumerate();
    for (_, part) in
        shown.filter(|(index, part)| *index == 0 || Some(part.part.as_str()) == unselected)
    {
        text += &auc_table(part);
    }
    text += &format!(
        "\n![ROC of each finding, all images]({ROC})\n\n![Precision and recall of each finding, all images]({PRECISION_RECALL})\n"
    );
    text += &report
        .beside
        .as_ref()
        .map_or(String::new(), Beside::markdown);
    let groups: Vec<&Figures> = report.parts[1..]
        .iter()
        .filter(|part| part.count >= LEAST)
        .collect();
    if !groups.is_empty() {
        text += "\n### Subgroups\n\n| images with | images | ";
        let five = five(report);
        let names: Vec<&str> = five.iter().map(|finding| finding.name()).collect();
        text += &names.join(" | ");
        text += &format!(" |\n|---|---:|{}\n", "---|".repeat(five.len()));
        for group in groups {
            let auc = five.iter().map(|finding| {
                let mut results = group.findings.iter();
                let result = results.find(|result| result.name == *finding);
                let auc = result.and_then(|result| result.auc.as_ref());
                auc.map_or("undefined".to_owned(), |auc| auc.to_string())
            });
            let auc: Vec<String> = auc.collect();
            text += &format!(
                "| {} | {} | {} |\n",
                group.part,
                group.count,
                auc.join(" | ")
            );
        }
    }
    text += "\n## Calibration and operating points\n\nMeasured on the same images; `export` fits both on the validation images. \
             ECE: expected calibration error in 15 bins.";
    text += &rules(manifest);
    text += "\n\n| finding | operating point | sensitivity | specificity | Brier | ECE |\n|---|---:|---:|---:|---:|---:|\n";
    for card in &manifest.findings {
        // By name: a package may have its outputs in another order.
        let mut results = report.parts[0].findings.iter();
        if let Some(result) = results.find(|result| result.name == card.name && card.trained) {
            let number =
                |value: Option<f64>| value.map_or("undefined".to_owned(), |v| format!("{v:.2}"));
            text += &format!(
                "| {} | {} | {} | {} | {} | {} |\n",
                card.name,
                number(card.operating_point),
                number(result.sensitivity),
                number(result.specificity),
                number(result.brier),
                number(result.calibration_error)
            );
        }
    }
    text += &format!("\n![Mean probability and share of positives, bin by bin]({RELIABILITY})\n");
    if !history.is_empty() {
        text += "\n## Training\n\n| epoch | training loss | validation AUC | seconds |\n|---:|---:|---:|---:|\n";
    }
    for epoch in history {
        text += &format!(
            "| {} | {:.4} | {:.4} | {:.0} |\n",
            epoch.epoch, epoch.train_loss, epoch.valid_auc, epoch.seconds
        );
    }
    if !history.is_empty() {
        text += &format!("\n![Training loss]({LOSS})\n\n![Validation AUC]({VALIDATION_AUC})\n");
    }
    text
}

/// Which findings are called only alone.
fn rules(manifest: &Manifest) -> String {
    let said = |rule: &CallRule| {
        let except: Vec<&str> = rule.except.iter().map(|finding| finding.name()).collect();
        let except = match except.is_empty() {
            true => String::new(),
            false => format!(" but {}", except.join(", ")),
        };
        let alone = rule.alone;
        format!(" {alone} counts as called only where nothing else{except} is.")
    };
    manifest.vocabulary().rules.iter().map(said).collect()
}

/// Five findings that stand for all: the competition's, or the first five that were trained where there are others.
fn five(report: &Report) -> Vec<Finding> {
    let results = &report.parts[0].findings;
    let has = |finding: &Finding| results.iter().any(|result| result.name == *finding);
    if Finding::COMPETITION.iter().all(has) {
        return Finding::COMPETITION.to_vec();
    }
    let trained = results.iter().filter(|result| result.trained);
    trained.take(5).map(|result| result.name).collect()
}

/// How often each finding was labelled in each set.
fn label_table(sets: &[(String, Dataset)]) -> String {
    let mut text =
        "\n## Labels\n\nPresent / absent / uncertain; the rest was not labelled.\n\n| finding |"
            .to_owned();
    for (name, data) in sets {
        text += &format!(" {name}, {} images |", data.rows.len());
    }
    text += &format!("\n|---|{}\n", "---:|".repeat(sets.len()));
    let findings = sets.first().map(|(_, data)| data.findings.as_slice());
    for (place, finding) in findings.unwrap_or_default().iter().enumerate() {
        let counts = sets.iter().map(|(_, data)| {
            let count = |label: Label| {
                let labels = data.rows.iter().map(|row| row.labels[place]);
                labels.filter(|found| *found == label).count()
            };
            format!(
                " {} / {} / {} |",
                count(Label::Present),
                count(Label::Absent),
                count(Label::Uncertain)
            )
        });
        text += &format!("| {finding} |{}\n", counts.collect::<String>());
    }
    text
}

/// The AUC of every finding on a set of images.
fn auc_table(part: &Figures) -> String {
    let mut text = format!(
        "\n### {}: {} images of {} patients\n\n| finding | positive | negative | AUC (95%) |\n|---|---:|---:|---|\n",
        part.part, part.count, part.patients
    );
    for finding in &part.findings {
        let auc = match (&finding.auc, finding.trained) {
            (_, false) => "not trained".to_owned(),
            (Some(auc), true) => auc.to_string(),
            (None, true) => "undefined".to_owned(),
        };
        text += &format!(
            "| {} | {} | {} | {auc} |\n",
            finding.name, finding.positives, finding.negatives
        );
    }
    let mean = part
        .mean_of_five
        .map_or("undefined".to_owned(), |mean| mean.to_string());
    text + &format!("| **Mean of the competition five** | | | **{mean}** |\n")
}

/// Writes what `localize` or `gate` recorded in a manifest, and the card that says it, to the package's folder.
///
/// # Errors
/// When the card is not there, or cannot be written.
pub fn record_later(folder: &Location, manifest: &Manifest) -> Result<()> {
    let place = folder.join("card.md");
    let card = String::from_utf8(place.read()?).with_context(|| place.to_string())?;
    let card = with_later(&card, manifest);
    let files = [
        ("card.md", card.into_bytes()),
        ("manifest.json", serde_json::to_vec_pretty(manifest)?),
    ];
    write_together(folder, &files)
}

/// The card with what was recorded in the manifest after it was first written.
fn with_later(card: &str, manifest: &Manifest) -> String {
    let before = card.split(gate::TITLE).next().unwrap_or(card);
    let text = with_localisation(before, manifest);
    text + &manifest.gate.as_ref().map_or(String::new(), gate::section)
}

const LOCALISATION: &str = "\n## Where its maps point\n";

/// The card with what `localize` recorded in the manifest, in place of what it said of that before.
fn with_localisation(card: &str, manifest: &Manifest) -> String {
    let before = card.split(LOCALISATION).next().unwrap_or(card);
    let mut rows = String::new();
    for card in &manifest.findings {
        for (by, measured) in &card.localisation {
            let verdict = match (&by.maps, card.pointing(by)) {
                (Maps::Centre | Maps::Random, _) | (_, None) => String::new(),
                (_, Some(Pointing::Better { p })) => format!("better than the middle (p = {p:.3})"),
                (_, Some(Pointing::Unsettled { p })) => {
                    format!("perhaps better: too few images to tell (p = {p:.2})")
                }
                (_, Some(Pointing::Unreliable)) => "unreliable".to_owned(),
            };
            let figure = |value: Option<f64>, ci95: Option<[f64; 2]>| match (value, ci95) {
                (Some(value), Some([low, high])) => format!("{value:.2} ({low:.2} to {high:.2})"),
                (Some(value), None) => format!("{value:.2}"),
                (None, _) => String::new(),
            };
            let samples = measured.samples;
            rows += &format!(
                "| {} | {by}{} | {} | {} | {} | {} | {verdict} |\n",
                card.name,
                samples.map_or(String::new(), |most| format!(", {most} samples")),
                measured.n,
                figure(Some(measured.pointing_hit), measured.pointing_hit_ci95),
                figure(Some(measured.iou), measured.iou_ci95),
                figure(measured.iou_same_area, measured.iou_same_area_ci95),
            );
        }
    }
    if rows.is_empty() {
        return before.to_owned();
    }
    format!(
        "{before}{LOCALISATION}\nAgainst radiologists' boxes, with 95% intervals by patient. Hit: the map's maximum lies in a box. IoU: \
         of the boxes and the map above Otsu's threshold, and of the boxes and as much of the map as they cover. `center` is a \
         Gaussian in the middle of every picture and `random` a map drawn at random: what a map must beat to say anything of \
         where. Maps that hit no oftener than the middle (or, where the middle hits nearly always, have no higher IoU above \
         Otsu's threshold) are unreliable. They are better where a paired test on the same images says so: the patients' differences \
         from the middle get random signs, and at most 5% of the draws may be as far from 0 (p). *On masks*: the same against masks, such \
         as of hearts where Cardiomegaly is labelled, on another set of images. *Samples*: of LIME, at most.\n\n\
         | finding | map | images | hit | IoU (Otsu) | IoU (same area) | |\n|---|---|---:|---|---|---|---|\n{rows}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline::package::Unit;
    use sightline_measure::evaluation::FindingResult;

    #[test]
    fn figures_stand_beside_the_finding_that_they_are_of_in_whatever_order_it_is() {
        let manifest =
            include_bytes!("../../../../www/models/efficientnet-lite0-nih/manifest.json");
        let mut manifest = Manifest::parse(manifest).expect("a manifest");
        manifest.findings.reverse();
        let result = |finding: Finding| FindingResult {
            name: finding,
            trained: true,
            positives: 1,
            negatives: 1,
            auc: None,
            average_precision: None,
            brier: None,
            log_loss: None,
            calibration_error: None,
            sensitivity: Some(finding.index() as f64 / 100.0),
            specificity: None,
        };
        let part = Figures {
            part: "all".to_owned(),
            count: 2,
            patients: 2,
            findings: Finding::ALL.map(result).into(),
            mean_of_five: None,
        };
        let report = Report {
            model: String::new(),
            weights_sha256: String::new(),
            set: "the test images".to_owned(),
            unit: Unit::Image,
            crops: 1,
            parts: vec![part],
            beside: None,
        };
        let card = markdown(&manifest, &report, &[], &[], None);
        assert!(card.contains("on the test images;"), "{card}");
        let rows = card.split("## Calibration").nth(1).expect("a table");
        for finding in Finding::ALL {
            let row = rows
                .lines()
                .find(|line| line.starts_with(&format!("| {finding} |")));
            let trained = manifest.findings.iter().find(|card| card.name == finding);
            assert_eq!(row.is_some(), trained.is_some_and(|card| card.trained));
            let sensitivity = format!("| 0.{:02} | undefined |", finding.index());
            assert!(row.is_none_or(|row| row.contains(&sensitivity)), "{row:?}");
        }
    }
}
