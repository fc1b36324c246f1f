//! What is asked of the radiograph that is shown.

use std::sync::Arc;

use sightline_core::explain::fill::Fill;
use sightline_core::explain::lime;
use sightline_core::trust::erase::{Erased, Spot};
use sightline_core::trust::faithfulness;

use super::{Asked, Effect, SAMPLES, Session, Status, Study};
use crate::messages::Request;
use crate::picture::{Method, ReadPicture};

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

    /// Changes how LIME is made, and makes it if it is shown.
    pub fn choose_lime(&mut self, change: impl FnOnce(&mut lime::Options)) {
        change(&mut self.lime);
        self.lime.samples = self.lime.samples.clamp(*SAMPLES.start(), *SAMPLES.end());
        self.explain();
    }

    /// Asks for LIME if it is chosen and not there as it is wanted.
    pub(super) fn explain(&mut self) {
        let Some(picture) = self.picture() else {
            return;
        };
        let lime = picture.lime(&self.lime);
        let there = lime.is_some_and(|lime| {
            let enough = self.lime.until_stable && lime.stable;
            enough || lime.samples == self.lime.samples
        });
        // Perhaps it is being made already.
        let job = Asked::Lime(self.lime.clone());
        if self.method != Method::Lime || there || self.asked.as_ref() == Some(&job) {
            return;
        }
        self.progress = None;
        self.complaint = None;
        self.send(Request::Explain {
            id: self.id,
            options: self.lime.clone(),
        });
        self.asked = Some(job);
    }

    /// Measures the map in view.
    pub fn measure(&mut self) {
        let (Some(picture), Status::Ready) = (self.picture(), self.status()) else {
            return;
        };
        let map = |finding, method| picture.map(finding, method, None, &self.lime);
        let other = match self.method {
            Method::GradCam => Method::Lime,
            Method::Lime => Method::GradCam,
        };
        let Some(finding) = self.selected else {
            return;
        };
        let Some(shown) = map(finding, self.method) else {
            return;
        };
        let (other, method) = (map(finding, other), self.method);
        let name = picture.report.findings[finding].name;
        self.progress = None;
        self.complaint = None;
        self.send(Request::Measure {
            id: self.id,
            finding,
            method: method.name().to_owned(),
            map: shown,
            other,
            options: faithfulness::Options::default(),
        });
        self.asked = Some(Asked::Measure(name, method));
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
            self.asked = Some(Asked::Probe);
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
    pub(super) fn job_ended(&mut self, asked: Option<Asked>) {
        self.asked = None;
        self.progress = None;
        if matches!(asked, Some(Asked::Lime(_))) {
            let made = self
                .picture()
                .and_then(|picture| picture.report.lime.as_ref());
            match made.map(|lime| lime.options.clone()) {
                Some(options) => self.lime = options,
                None => self.method = Method::GradCam,
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
        self.effects.push(Effect::Send(request));
    }
}
