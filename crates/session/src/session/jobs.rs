//! What is asked of the radiograph that is shown.

use std::sync::Arc;

use sightline_core::explain::fill::Fill;
use sightline_core::explain::method::{Method, Settings};
use sightline_core::package::Output;
use sightline_core::trust::erase::{Erased, Spot};
use sightline_core::trust::faithfulness;

use super::{Effect, Job, SAMPLES, Session, Status, Study};
use crate::messages::Request;
use crate::picture::ReadPicture;

impl Session {
    /// Shows the map of a finding; one that was not trained has none.
    pub fn select(&mut self, index: usize) {
        let trained = |picture: &Arc<ReadPicture>| {
            let finding = picture.report.findings.get(index);
            finding.is_some_and(|finding| finding.trained)
        };
        if self.picture().is_some_and(trained) {
            self.selected = Some(index);
        }
    }

    /// Shows the map of the finding `step` places further down the ranking.
    pub fn select_by(&mut self, step: isize) {
        let order = self.picture().map(|picture| picture.trained());
        let order = order.unwrap_or_default();
        let at = order.iter().position(|index| Some(*index) == self.selected);
        if let Some(at) = at {
            let next = (at as isize + step).clamp(0, order.len() as isize - 1);
            self.selected = Some(order[next as usize]);
        }
    }

    /// Shows the maps of a method, and makes them if they are not there.
    pub fn explain_by(&mut self, method: Method) {
        self.method = method;
        self.explain();
    }

    /// Changes how maps are made, and makes the one that is shown.
    pub fn choose(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        let samples = &mut self.settings.lime.samples;
        *samples = (*samples).clamp(*SAMPLES.start(), *SAMPLES.end());
        self.explain();
    }

    /// Shows the scores of a picture that the gate stopped.
    pub fn show_scores(&mut self) {
        self.wanted_anyway = true;
        self.scores_may_be_shown();
    }

    /// Asks for the explanation that is chosen if it is not there as it is wanted.
    pub(super) fn explain(&mut self) {
        if !self.shows_scores() {
            return;
        }
        let (Some(picture), Some(asking)) = (self.picture(), self.settings.asking(self.method))
        else {
            return;
        };
        let made = picture.explanation(self.method, &self.settings);
        let there = made.is_some_and(|made| made.is_complete(&asking));
        // Perhaps it is being made already.
        let job = Job::Explain(asking.clone());
        if there || self.asked.as_ref() == Some(&job) {
            return;
        }
        self.progress = None;
        self.complaint = None;
        self.send(Request::Explain {
            id: self.id,
            asking,
        });
        self.asked = Some(job);
    }

    /// Measures the map in view.
    pub fn measure(&mut self) {
        let (Some(picture), Status::Ready) = (self.picture(), self.status()) else {
            return;
        };
        let (method, settings) = (self.method, &self.settings);
        let Some(finding) = self.selected else {
            return;
        };
        if picture.map(finding, method, None, settings).is_none() {
            return;
        }
        let other = picture.compared_with(method, finding, settings);
        let name = picture.report.findings[finding].name;
        let request = Request::Measure {
            id: self.id,
            output: Output(finding),
            map: settings.asking(method),
            other: other.and_then(|other| settings.asking(other)),
            options: faithfulness::Options::default(),
        };
        self.progress = None;
        self.complaint = None;
        self.send(request);
        self.asked = Some(Job::Measure(name, method));
    }

    /// Paints over a place, or takes places back; the scores follow.
    pub fn erase(&mut self, change: impl FnOnce(&mut Vec<Spot>)) {
        change(&mut self.spots);
        self.probe();
    }

    /// Changes what painted places are filled with; the scores follow.
    pub fn choose_fill(&mut self, fill: Fill) {
        self.fill = fill;
        self.probe();
    }

    /// Asks for the scores of what is painted now. While an answer is waited for nothing is asked: it asks again.
    pub(super) fn probe(&mut self) {
        if self.spots.is_empty() {
            return self.change_picture(|picture| picture.report.erased = None);
        }
        if self.picture().is_some() && self.asked.is_none() {
            self.send(Request::Probe {
                id: self.id,
                mask: self.spots.clone(),
                fill: self.fill,
            });
            self.asked = Some(Job::Probe);
        }
    }

    /// Asks for the scores of what was painted meanwhile.
    pub(super) fn catch_up(&mut self) {
        let known = self
            .picture()
            .and_then(|picture| picture.report.erased.as_ref());
        if known.is_none_or(|erased| !self.is_current(erased)) && !self.spots.is_empty() {
            self.probe();
        }
    }

    fn is_current(&self, erased: &Erased) -> bool {
        erased.spots == self.spots && erased.fill == self.fill
    }

    /// What is known of a job that ended stays, and the controls say how the map in view was made.
    pub(super) fn job_ended(&mut self, asked: Option<Job>) {
        self.asked = None;
        self.progress = None;
        if let Some(Job::Explain(asking)) = asked {
            let method = asking.method();
            let made = self
                .picture()
                .and_then(|picture| picture.report.explanations.by(method));
            match made {
                Some(made) => self.settings.adopt(made.asking()),
                None if self.method == method => self.method = Method::GradCam,
                None => {}
            }
        }
    }

    pub(super) fn change_picture(&mut self, change: impl FnOnce(&mut ReadPicture)) {
        if let Study::Read(picture) = &mut self.study {
            change(Arc::make_mut(picture));
        }
    }

    pub(super) fn send(&mut self, request: Request) {
        // The engine works for the newest request only: any other ends what was asked before without an answer.
        self.asked = None;
        self.list.interrupt();
        self.effects.push(Effect::Send(request));
    }
}
