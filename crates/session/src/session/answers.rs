//! What the engine says.

use std::sync::Arc;

use sightline_core::explain::method::Explanation;
use sightline_core::package::Manifest;
use sightline_core::trust::Trust;
use sightline_core::trust::erase::Erased;

use super::{Engine, Job, Negative, Remedy, Session, Status, Study};
use crate::messages::{Adapter, Answer, Reason, Refusal};
use crate::picture::ReadPicture;
use crate::worklist::BACKGROUND;

impl Session {
    pub fn hear(&mut self, answer: Answer) {
        let current = |id: u32| id == self.id && matches!(self.study, Study::Read(_));
        match answer {
            Answer::Progress(progress) => {
                let busy = [Status::Loading, Status::Reading, Status::Explaining];
                if busy.contains(&self.status()) {
                    self.progress = Some(progress);
                }
            }
            Answer::Scoring(pictures) => self.scoring = pictures,
            Answer::Opened(adapter) => self.adapter = Some(adapter),
            Answer::Ready { adapter, manifest } => self.loaded(adapter, *manifest),
            Answer::Read {
                id,
                report,
                preview,
                study,
            } => {
                if id & BACKGROUND != 0 {
                    self.row_read(id, *report, &preview, study);
                } else if id == self.id && matches!(self.study, Study::Reading) {
                    let picture = ReadPicture {
                        preview: Arc::new(preview),
                        report: *report,
                    };
                    self.show(picture, study);
                }
            }
            Answer::Explained {
                id,
                done,
                explanation,
            } if current(id) => self.show_explanation(*explanation, done),
            Answer::Probed { id, erased } if current(id) => self.show_erased(erased),
            Answer::Measured { id, trust } if current(id) => self.show_trust(*trust),
            Answer::Samples { id, samples } if current(id) => self.show_film(*samples),
            Answer::Card(html) => self.open_card(html),
            Answer::Proposed { id, form } => self.proposed(id, form),
            Answer::Keeps { models, added } => self.keeps(models, added),
            Answer::Packed => {}
            Answer::Validated { id, html, manifest } => self.validated(id, html, *manifest),
            Answer::Refused(refusal) => self.refused(refusal),
            Answer::Explained { .. }
            | Answer::Probed { .. }
            | Answer::Measured { .. }
            | Answer::Samples { .. } => {}
        }
    }

    fn loaded(&mut self, adapter: Adapter, manifest: Manifest) {
        self.progress = None;
        match manifest.check() {
            Ok(()) => {
                self.list.read_with(manifest.vocabulary());
                self.engine = Engine::Ready(Arc::new(manifest));
                self.adapter = Some(adapter);
                if matches!(self.study, Study::Waiting) {
                    self.read();
                }
            }
            Err(error) => self.fail(error.to_string(), Remedy::LoadAgain),
        }
    }

    fn refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Model(why) => self.fail(why.to_string(), Remedy::LoadAgain),
            Refusal::File { id, why } => {
                if id & BACKGROUND != 0 {
                    self.row_refused(id, why.to_string());
                } else if id == self.id && matches!(self.study, Study::Reading) {
                    match self.depth.chosen.take() {
                        // It could be read before the choice.
                        Some(_) => {
                            self.complain(why.to_string());
                            self.read();
                        }
                        None => self.refuse_file(why.to_string()),
                    }
                }
            }
            Refusal::Weights { id, why } => self.weights_refused(id, why.to_string()),
            Refusal::Keeping(why) => self.complain(why.to_string()),
            Refusal::Tables { id, why } => self.tables_refused(id, &why),
            Refusal::Job { id, why } => {
                if id == self.id && self.asked.is_some() {
                    self.refuse_job(&why);
                }
            }
        }
    }

    fn refuse_job(&mut self, why: &Reason) {
        let asked = self.asked.take();
        self.complain(why.to_string());
        if asked == Some(Job::Probe) {
            // The scores there may be are of other places.
            self.change_picture(|picture| picture.report.erased = None);
        } else {
            self.job_ended(asked);
            self.catch_up();
        }
    }

    fn show(&mut self, picture: ReadPicture, study: Option<u64>) {
        self.progress = None;
        if let Some(open) = self.list.open {
            let report = picture.report.clone();
            self.list
                .take_reading(open, report, &picture.preview, study);
        }
        if let Some(depth) = picture.report.image.depth
            && let Some(other) = depth.other
        {
            self.depth.told = Some([depth.bits, other]);
        }
        self.spots.clear();
        self.selected = self.first_finding(&picture);
        self.study = Study::Read(Arc::new(picture));
        self.film = Negative::None;
        self.put_drawn_into_report();
        self.scores_may_be_shown();
    }

    fn show_explanation(&mut self, explanation: Explanation, done: bool) {
        let asking = explanation.asking();
        // Not one that is made as nobody wants it any more: other settings were chosen while another method was in view, or before the engine
        // heard of it. What was cancelled on its way is taken: the engine has it, too, and measures it if it is asked to.
        if self.settings.asking(asking.method()).as_ref() == Some(&asking) {
            self.change_picture(|picture| picture.report.explain(explanation));
        }
        if done && self.asked == Some(Job::Explain(asking)) {
            self.asked = None;
            self.progress = None;
            self.catch_up();
        }
    }

    fn show_erased(&mut self, erased: Erased) {
        if self.asked != Some(Job::Probe) {
            return;
        }
        self.asked = None;
        if !self.spots.is_empty() {
            self.change_picture(|picture| picture.report.erased = Some(erased));
        }
        self.catch_up();
    }

    fn show_trust(&mut self, trust: Trust) {
        if self.asked != Some(Job::Measure(trust.finding, trust.method)) {
            return;
        }
        self.change_picture(|picture| picture.report.measure(trust));
        self.asked = None;
        self.progress = None;
        self.catch_up();
    }
}
