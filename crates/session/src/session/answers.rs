//! What the engine says.

use std::sync::Arc;

use sightline_core::explain::lime;
use sightline_core::package::Manifest;
use sightline_core::radiograph::GreyImage;
use sightline_core::report::{Report, Trust};
use sightline_core::trust::erase::Erased;

use super::{Asked, Engine, Remedy, Session, Status, Study};
use crate::messages::{Adapter, Answer, ReadingAnswer, What};
use crate::picture::ReadPicture;

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
            Answer::Opened { adapter } => self.adapter = Some(adapter),
            Answer::Ready { adapter, manifest } => self.loaded(adapter, &manifest),
            Answer::Reading(reading) => {
                if reading.id == self.id && matches!(self.study, Study::Reading) {
                    self.show(*reading);
                }
            }
            Answer::Explanation { id, done, lime } if current(id) => self.show_lime(&lime, done),
            Answer::Probed { id, erased } if current(id) => self.show_erased(&erased),
            Answer::Measured { id, trust } if current(id) => self.show_trust(&trust),
            Answer::Refused { what, why } => self.refused(what, why),
            Answer::Explanation { .. } | Answer::Probed { .. } | Answer::Measured { .. } => {}
            // Between engines.
            Answer::Scores { .. } => {}
        }
    }

    fn loaded(&mut self, adapter: Adapter, manifest: &str) {
        self.progress = None;
        match Manifest::parse(manifest.as_bytes()) {
            Ok(manifest) => {
                self.engine = Engine::Ready(Arc::new(manifest));
                self.adapter = Some(adapter);
                if matches!(self.study, Study::Waiting) {
                    self.read();
                }
            }
            Err(error) => self.fail(error.to_string(), Remedy::LoadAgain),
        }
    }

    fn refused(&mut self, what: What, why: String) {
        match what {
            What::Model => self.fail(why, Remedy::LoadAgain),
            What::File(id) => {
                if id == self.id && matches!(self.study, Study::Reading) {
                    match self.depth.chosen.take() {
                        // It could be read before the choice.
                        Some(_) => {
                            self.complain(why);
                            self.read();
                        }
                        None => self.refuse_file(why),
                    }
                }
            }
            What::Job(id) => {
                if id == self.id && self.asked.is_some() {
                    self.refuse_job(why);
                }
            }
            // Between engines.
            What::Score(_) => {}
        }
    }

    fn refuse_job(&mut self, why: String) {
        let asked = self.asked.take();
        self.complain(why);
        if asked == Some(Asked::Probe) {
            // The scores there may be are of other places.
            self.change_picture(|picture| picture.report.erased = None);
        } else {
            self.job_ended(asked);
            self.catch_up();
        }
    }

    fn show(&mut self, reading: ReadingAnswer) {
        self.progress = None;
        let report = match serde_json::from_str::<Report>(&reading.report) {
            Ok(report) => report,
            Err(error) => return self.refuse_file(unintelligible(&error)),
        };
        let preview = GreyImage {
            width: reading.width,
            height: reading.height,
            pixels: reading.pixels,
        };
        if let Some(depth) = report.image.depth
            && let Some(other) = depth.other
        {
            self.depth.told = Some([depth.bits, other]);
        }
        let picture = ReadPicture { preview, report };
        self.spots.clear();
        self.selected = picture.trained().first().copied();
        self.study = Study::Read(Arc::new(picture));
        self.explain();
    }

    fn show_lime(&mut self, lime: &str, done: bool) {
        match serde_json::from_str::<lime::Explanation>(lime) {
            // Sent before the engine heard of something else: the answer to that is yet to come.
            Ok(lime) if self.asked != Some(Asked::Lime(lime.options.clone())) => return,
            Ok(lime) => self.change_picture(|picture| picture.explain(lime)),
            Err(error) => return self.refuse_job(unintelligible(&error)),
        }
        if done {
            self.asked = None;
            self.progress = None;
            self.catch_up();
        }
    }

    fn show_erased(&mut self, erased: &str) {
        if self.asked != Some(Asked::Probe) {
            return;
        }
        self.asked = None;
        match serde_json::from_str::<Erased>(erased) {
            Ok(erased) => {
                if !self.spots.is_empty() {
                    self.change_picture(|picture| picture.report.erased = Some(erased));
                }
                self.catch_up();
            }
            Err(error) => self.complain(unintelligible(&error)),
        }
    }

    fn show_trust(&mut self, trust: &str) {
        let measured = |trust: &Trust| match self.asked {
            Some(Asked::Measure(finding, method)) => {
                finding == trust.finding && method.name() == trust.method
            }
            _ => false,
        };
        match serde_json::from_str::<Trust>(trust) {
            Ok(trust) if !measured(&trust) => return,
            Ok(trust) => self.change_picture(|picture| picture.measure(trust)),
            Err(error) => return self.refuse_job(unintelligible(&error)),
        }
        self.asked = None;
        self.progress = None;
        self.catch_up();
    }
}

fn unintelligible(error: &serde_json::Error) -> String {
    format!("The engine's answer cannot be understood: {error}.")
}
