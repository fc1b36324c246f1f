//! The model measured on the pictures of the list, against tables that were given with them.

use std::sync::Arc;

use sightline_core::package::Manifest;
use sightline_core::report::Report;

use super::{Effect, Engine, Session, Study};
use crate::messages::{Reason, Request, ScoredPicture};
use crate::validation::{Stage, TABLES, Validation};
use crate::worklist::{Outcome, Row};

impl Session {
    pub fn validation(&self) -> &Validation {
        &self.validation
    }

    /// How far the measuring is, in words; nothing where no table was given.
    pub fn validation_said(&self) -> String {
        let Some((first, _)) = self.validation.tables.first() else {
            return String::new();
        };
        let rows = self.list.rows();
        let (all, left) = (rows.len(), rows.iter().filter(|row| waits(row)).count());
        match &self.validation.stage {
            Stage::Refused(why) => why.clone(),
            Stage::Done(_) => format!("Measured with {first}."),
            Stage::Asked => "The figures are computed.".to_owned(),
            Stage::Wanted if all == 0 => format!("Now give the pictures that {first} names."),
            Stage::Wanted if left > 0 => {
                format!("{} of {all} read. The figures follow the last.", all - left)
            }
            Stage::Wanted => "The figures follow when the model is loaded.".to_owned(),
        }
    }

    /// Tables were given: their names, and how many bytes each has. The model is measured as soon as all pictures of the list are read.
    pub fn validate(&mut self, tables: Vec<(String, u64)>) {
        self.validation.tables = tables;
        self.validation.again();
    }

    /// Asks for the figures, if all that they need is there.
    pub(super) fn measure_on(&mut self) {
        let rows = self.list.rows();
        let ready = matches!(self.engine, Engine::Ready(_));
        let idle = matches!(self.study, Study::None | Study::Read(_) | Study::Refused(_));
        let wanted = self.validation.state() == "waiting";
        if !wanted || !ready || !idle || rows.is_empty() || rows.iter().any(waits) {
            return;
        }
        // One table cannot be of labels and of boxes.
        let with_maps = self.validation.tables.len() > 1;
        let reports = rows
            .iter()
            .filter_map(|row| Some((&row.name, row.report()?)));
        let pictures = reports.filter_map(|(name, report)| scored(name, report, with_maps));
        let pictures: Vec<ScoredPicture> = pictures.collect();
        self.validation.id += 1;
        self.validation.stage = Stage::Asked;
        let request = Request::Validate {
            id: self.validation.id,
            tables: self.validation.tables.clone(),
            pictures,
            kept: self.kept_model().map(|kept| kept.hash.clone()),
        };
        self.effects.push(Effect::SendWithFile(request, TABLES));
    }

    pub(super) fn validated(&mut self, id: u32, html: String, manifest: Manifest) {
        if !self.awaits_figures(id) {
            return;
        }
        if matches!(&self.engine, Engine::Ready(known) if known.weights == manifest.weights) {
            self.engine = Engine::Ready(Arc::new(manifest));
        }
        self.validation.stage = Stage::Done(html.into());
    }

    pub(super) fn tables_refused(&mut self, id: u32, why: &Reason) {
        if self.awaits_figures(id) {
            self.validation.stage = Stage::Refused(why.to_string());
        }
    }

    fn awaits_figures(&self, id: u32) -> bool {
        id == self.validation.id && self.validation.is_asked()
    }
}

/// Whether a row is yet to be read.
fn waits(row: &Row) -> bool {
    matches!(row.outcome, Outcome::None)
}

fn scored(name: &str, report: &Report, with_maps: bool) -> Option<ScoredPicture> {
    let findings = report.findings.iter();
    let maps = findings.clone().filter(|_| with_maps);
    Some(ScoredPicture {
        file: name.to_owned(),
        probabilities: findings.map(|finding| finding.probability).collect(),
        maps: maps.map(|finding| finding.grad_cam.cells.clone()).collect(),
        region: report.findings.first()?.grad_cam.region,
    })
}
