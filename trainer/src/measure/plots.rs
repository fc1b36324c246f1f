//! Figures as SVG: how a training went, and how good scores are.

use anyhow::{Result, anyhow};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use sightline::finding::Finding;

use crate::history::Epoch;
use crate::measure::metrics::probability::reliability;
use crate::measure::metrics::ranking::{precision_recall_curve, roc_curve};
use crate::measure::metrics::{Case, Scored, auc, cases_of};

/// What the figures' files are called.
pub const LOSS: &str = "loss.svg";
pub const VALIDATION_AUC: &str = "auc.svg";
pub const ROC: &str = "roc.svg";
pub const PRECISION_RECALL: &str = "precision-recall.svg";
pub const RELIABILITY: &str = "reliability.svg";

/// Pixels of a chart, without its legend.
const SIDE: u32 = 480;
const LEGEND: u32 = 260;

type Points = Vec<(f64, f64)>;

/// One line of a chart.
struct Line {
    name: String,
    points: Points,
}

/// A chart of lines over ranges of x and y.
struct Chart<'a> {
    title: &'a str,
    axes: (&'a str, &'a str),
    x: (f64, f64),
    y: (f64, f64),
    /// From corner to corner: what no skill, or perfect calibration, would be.
    diagonal: bool,
    lines: Vec<Line>,
}

impl Chart<'_> {
    fn svg(&self) -> Result<String> {
        let mut text = String::new();
        {
            let area =
                SVGBackend::with_string(&mut text, (SIDE + LEGEND, SIDE)).into_drawing_area();
            self.draw(&area)
                .map_err(|error| anyhow!("cannot draw {}: {error}", self.title))?;
        }
        Ok(text)
    }

    fn draw(
        &self,
        area: &DrawingArea<SVGBackend, plotters::coord::Shift>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        area.fill(&WHITE)?;
        let (chart, legend) = area.split_horizontally(SIDE);
        let mut context: ChartContext<_, Cartesian2d<RangedCoordf64, RangedCoordf64>> =
            ChartBuilder::on(&chart)
                .margin(12)
                .caption(self.title, ("sans-serif", 18))
                .x_label_area_size(36)
                .y_label_area_size(48)
                .build_cartesian_2d(self.x.0..self.x.1, self.y.0..self.y.1)?;
        context
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(self.axes.0)
            .y_desc(self.axes.1)
            .draw()?;
        if self.diagonal {
            let ends = [(self.x.0, self.y.0), (self.x.1, self.y.1)];
            context.draw_series(LineSeries::new(ends, BLACK.mix(0.4)))?;
        }
        for (index, line) in self.lines.iter().enumerate() {
            let color = Palette99::pick(index).to_rgba();
            context.draw_series(LineSeries::new(
                line.points.iter().copied(),
                color.stroke_width(2),
            ))?;
            let at = 40 + 24 * index as i32;
            legend.draw(&PathElement::new(
                [(4, at), (28, at)],
                color.stroke_width(3),
            ))?;
            let style = ("sans-serif", 13).into_font();
            legend.draw(&Text::new(line.name.clone(), (34, at - 7), style))?;
        }
        area.present()?;
        Ok(())
    }
}

/// The losses and validation AUCs of a run's epochs, as two files.
pub fn training(history: &[Epoch]) -> Result<Vec<(&'static str, String)>> {
    let last = history.len().max(2) as f64;
    let over = |name: &str, value: fn(&Epoch) -> f64| Line {
        name: name.to_owned(),
        points: history.iter().map(|e| (e.epoch as f64, value(e))).collect(),
    };
    let most = history.iter().map(|e| e.train_loss).fold(0.0, f64::max);
    let loss = Chart {
        title: "Training loss",
        axes: ("epoch", "loss"),
        x: (1.0, last),
        y: (0.0, 1.1 * most.max(1e-6)),
        diagonal: false,
        lines: vec![over("loss", |e| e.train_loss)],
    };
    let auc = Chart {
        title: "Validation AUC",
        axes: ("epoch", "AUC, mean over findings"),
        x: (1.0, last),
        y: (0.4, 1.0),
        diagonal: false,
        lines: vec![over("averaged weights", |e| e.valid_auc)],
    };
    Ok(vec![(LOSS, loss.svg()?), (VALIDATION_AUC, auc.svg()?)])
}

/// ROC, precision-recall and reliability of probabilities, as three files; findings with one class only are left out.
pub fn scores(scored: &[Scored], findings: &[Finding]) -> Result<Vec<(&'static str, String)>> {
    let everyone: Vec<&Scored> = scored.iter().collect();
    let cases = findings.iter().enumerate();
    let cases = cases.map(|(place, finding)| (finding, cases_of(&everyone, place)));
    let cases: Vec<(&Finding, Vec<Case>)> = cases.collect();
    let unit = (0.0, 1.0);
    let lines = |points: fn(&[Case]) -> Option<Points>| -> Vec<Line> {
        let lines = cases.iter().filter_map(|(finding, cases)| {
            let auc = auc(cases)?;
            Some(Line {
                name: format!("{finding} (AUC {auc:.3})"),
                points: points(cases)?,
            })
        });
        lines.collect()
    };
    let roc = Chart {
        title: "ROC",
        axes: ("1 - specificity", "sensitivity"),
        x: unit,
        y: unit,
        diagonal: true,
        lines: lines(|cases| {
            let curve = roc_curve(cases)?.into_iter();
            Some(curve.map(|(_, fpr, tpr)| (fpr, tpr)).collect())
        }),
    };
    let precision = Chart {
        title: "Precision and recall",
        axes: ("recall", "precision"),
        x: unit,
        y: unit,
        diagonal: false,
        lines: lines(|cases| {
            let curve = precision_recall_curve(cases)?.into_iter();
            Some(
                curve
                    .map(|(_, precision, recall)| (recall, precision))
                    .collect(),
            )
        }),
    };
    let calibration = Chart {
        title: "Reliability",
        axes: ("mean probability in the bin", "share of positives"),
        x: unit,
        y: unit,
        diagonal: true,
        lines: lines(|cases| {
            let bins = reliability(cases).into_iter().filter(|bin| bin.count > 0);
            Some(
                bins.map(|bin| (bin.mean_probability, bin.share_positive))
                    .collect(),
            )
        }),
    };
    Ok(vec![
        (ROC, roc.svg()?),
        (PRECISION_RECALL, precision.svg()?),
        (RELIABILITY, calibration.svg()?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_show_every_finding_that_is_defined() {
        let scored: Vec<Scored> = (0..60)
            .map(|i| {
                let mut cases = vec![None; 14];
                let score = f64::from(i * 37 % 60) / 60.0;
                cases[Finding::Edema.index()] = Some(Case::new(score, i % 3 == 0));
                cases[Finding::Fracture.index()] = Some(Case::new(score, false));
                Scored {
                    patient: i.to_string(),
                    cases,
                }
            })
            .collect();
        for (name, svg) in scores(&scored, &Finding::ALL).expect("figures") {
            assert!(
                svg.contains("Edema (AUC 0.") && !svg.contains("Fracture"),
                "{name}"
            );
        }
        let epoch = |epoch| Epoch {
            epoch,
            train_loss: 0.5 / epoch as f64,
            valid_auc: 0.7,
            seconds: 1.0,
        };
        for (name, svg) in training(&[epoch(1), epoch(2)]).expect("figures") {
            assert!(svg.contains("<polyline"), "{name}");
        }
    }
}
