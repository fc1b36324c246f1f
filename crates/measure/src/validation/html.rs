//! What was measured, as a table for the page.

use crate::evaluation::{Figures, FindingResult};
use crate::metrics::Estimate;
use crate::pointing;
use sightline_core::finding::Finding;
use sightline_core::package::Manifest;

/// A figure, and how it is written.
type Cell = (Option<f64>, String);

/// A column of the table: what it is called, by what programs find its cells, and a finding's cell: the figure and how it is written.
struct Column<'a> {
    title: &'static str,
    name: &'static str,
    cell: Box<dyn Fn(&FindingResult) -> Cell + 'a>,
}

/// The table of a part's figures. Columns of which nothing is known are left out.
pub fn table(part: &Figures, manifest: &Manifest, pointing: Option<&pointing::Report>) -> String {
    let of_card = |finding: Finding| manifest.findings.iter().find(|card| card.name == finding);
    let hits = |finding: Finding| {
        let mut judged = pointing.iter().flat_map(|report| &report.findings);
        judged.find(|judged| judged.name == finding)
    };
    let columns = [
        column("Pictures", "images", |one| {
            let count = one.positives + one.negatives;
            (Some(count as f64), count.to_string())
        }),
        column("Positive", "positives", |one| {
            (Some(one.positives as f64), one.positives.to_string())
        }),
        column("AUC (95% interval)", "auc", |one| match one.auc {
            Some(auc) => estimate(Some(auc)),
            None => (None, undefined(one).to_owned()),
        }),
        column(
            "Average precision (95% interval)",
            "average-precision",
            |one| estimate(one.average_precision),
        ),
        column("Brier score", "brier", |one| number(one.brier)),
        column("Calibration error", "calibration-error", |one| {
            number(one.calibration_error)
        }),
        column("Operating point", "operating-point", |one| {
            number(of_card(one.name).and_then(|card| card.operating_point))
        }),
        column("Sensitivity", "sensitivity", |one| number(one.sensitivity)),
        column("Specificity", "specificity", |one| number(one.specificity)),
        column("Maps that hit a box (95% interval)", "box-hits", |one| {
            estimate(hits(one.name).map(|judged| judged.pointing_hit))
        }),
        column("Pictures with a box", "boxed", |one| {
            let count = hits(one.name).map(|judged| judged.n);
            (
                count.map(|n| n as f64),
                count.map_or(String::new(), |n| n.to_string()),
            )
        }),
    ];
    let all = part.findings.iter();
    let shown = all.filter(|one| one.trained || one.positives + one.negatives > 0);
    let shown: Vec<&FindingResult> = shown.collect();
    let known = columns.into_iter().filter(|column| {
        let mut cells = shown.iter().map(|one| (column.cell)(one).0);
        cells.any(|figure| figure.is_some())
    });
    let known: Vec<Column> = known.collect();
    let mut html = format!(
        "<table><caption>{} pictures of {} patients</caption><thead><tr><th scope=\"col\">Finding</th>",
        part.count, part.patients
    );
    for column in &known {
        html += &format!("<th scope=\"col\">{}</th>", column.title);
    }
    html += "</tr></thead><tbody>";
    for one in shown {
        let name = escaped(one.name.name());
        html += &format!("<tr data-finding=\"{name}\"><th scope=\"row\">{name}</th>");
        for column in &known {
            let (figure, said) = (column.cell)(one);
            let figure = figure.map_or(String::new(), |figure| format!(" data-value=\"{figure}\""));
            html += &format!("<td data-figure=\"{}\"{figure}>{said}</td>", column.name);
        }
        html += "</tr>";
    }
    html += "</tbody></table>";
    if let Some(mean) = part.mean_of_five {
        html += &format!(
            "<p data-figure=\"mean-of-five\" data-value=\"{}\">Mean AUC of the five findings of CheXpert's competition: {mean}</p>",
            mean.value
        );
    }
    html
}

fn column<'a>(
    title: &'static str,
    name: &'static str,
    cell: impl Fn(&FindingResult) -> Cell + 'a,
) -> Column<'a> {
    Column {
        title,
        name,
        cell: Box::new(cell),
    }
}

/// Why there is no AUC.
fn undefined(one: &FindingResult) -> &'static str {
    match (one.trained, one.positives, one.negatives) {
        (false, ..) => "The model was not trained on it.",
        (true, 0, 0) => "The table has no label of it.",
        (true, 0, _) => "Undefined: no picture has it.",
        (true, _, 0) => "Undefined: every picture has it.",
        _ => "Undefined.",
    }
}

fn number(value: Option<f64>) -> Cell {
    (
        value,
        value.map_or(String::new(), |value| format!("{value:.3}")),
    )
}

fn estimate(value: Option<Estimate>) -> Cell {
    let said = value.map_or(String::new(), |value| value.to_string());
    (value.map(|value| value.value), said)
}

/// Text from elsewhere, as HTML shows it.
pub fn escaped(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        letter => letter.to_string(),
    });
    letters.collect()
}
