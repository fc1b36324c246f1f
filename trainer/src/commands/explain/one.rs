//! One image: read, explained, and what comes of it written.

use std::time::Instant;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use sightline::explain::method::{Method, Settings};
use sightline::finding::Finding;
use sightline::gate::{Judgement, Known, Verdict};
use sightline::package::{Output, sha256};
use sightline::reader::Reader;
use sightline::report::{Report, Timings};

use super::picture;
use crate::data::said;
use crate::measure::asking::ask;
use crate::storage::Location;

/// What is done with each image.
pub struct HowTo<'a> {
    pub reader: &'a Reader,
    pub method: Method,
    pub settings: Settings,
    /// The finding to explain; the one with the highest score if none is named.
    pub finding: Option<Finding>,
    /// How many bits of 16-bit samples are used, if someone has chosen.
    pub depth: Option<u8>,
    /// What computes, for the report.
    pub device: String,
}

impl HowTo<'_> {
    /// Explains an image: prints the finding and its score, and writes the picture and the report to where they are wanted.
    ///
    /// # Errors
    /// When the image cannot be read or explained, or something cannot be written.
    pub fn explain(
        &self,
        image: &Location,
        out: Option<&Location>,
        json: Option<&Location>,
    ) -> Result<()> {
        let Self {
            reader,
            method,
            settings,
            ..
        } = self;
        let bytes = image.read()?;
        let start = Instant::now();
        let radiograph = reader.decode(&bytes, self.depth);
        let radiograph = radiograph.with_context(|| image.to_string())?;
        for notice in &radiograph.notices {
            eprintln!("{}: {}", image.name(), said(notice));
        }
        let decode = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let view = reader.view(&radiograph.image);
        let reading = pollster::block_on(reader.read(&view))?;
        let read = start.elapsed().as_secs_f64() * 1e3;
        let (detector, shares) = (reader.manifest.gate.as_ref(), reading.odd.as_deref());
        let gate = Judgement::new(detector, shares, &Known::of(&radiograph), &image.name());
        if gate.verdict != Verdict::Pass {
            eprintln!("{}: {}", image.name(), gate.why);
        }
        let scored = reading.probabilities.iter().enumerate();
        let mut scored = scored.filter_map(|(output, p)| Some((Output(output), (*p)?)));
        let chosen = match self.finding.map(|finding| reader.manifest.output(finding)) {
            Some(output) => scored.find(|(scored, _)| Some(*scored) == output),
            None => scored.max_by(|a, b| a.1.total_cmp(&b.1)),
        };
        let (output, probability) = chosen.context("the package has no trained finding")?;
        println!(
            "{}: {probability:.3}",
            reader.manifest.findings[output.0].name
        );
        let explanation = match settings.asking(*method) {
            Some(asking) => {
                let style = format!("{} {{bar:40}} {{pos}}/{{len}} ({{eta}} left)", method);
                let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(&style)?);
                let job = asking.start(&view, &reader.manifest.input);
                let explanation = ask(reader, job, &bar)?;
                bar.finish_and_clear();
                println!("{}: {}", method, explanation.said(output));
                Some(explanation)
            }
            None => None,
        };
        let map = match &explanation {
            Some(made) => made
                .map(output)
                .context("a trained finding has an explanation")?,
            None => reading.evidence[output.0].clone(),
        };

        if let Some(out) = out {
            out.write(&picture::png(&radiograph.image, &map, reading.region)?)?;
        }
        if let Some(json) = json {
            let timings = Timings::new(decode, read);
            let mut report = Report::new(
                &reader.manifest,
                &radiograph,
                &image.name(),
                sha256(&bytes),
                &reading,
                &self.device,
                timings,
            );
            explanation
                .into_iter()
                .for_each(|made| report.explain(made));
            json.write(&serde_json::to_vec_pretty(&report)?)?;
        }
        Ok(())
    }
}
