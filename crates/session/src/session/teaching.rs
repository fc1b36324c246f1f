//! The teaching mode: the reader says what is to be seen, and only then does the model.

use sightline_core::finding::Finding;

use super::Session;
use crate::teaching::{Confidences, ReadFirst, SCALE};

impl Session {
    /// Whether the reader reads first.
    pub fn reads_first(&self) -> bool {
        self.teaching.on
    }

    /// Whether scores are held back until the reader commits the reading.
    pub fn waits_for_reader(&self) -> bool {
        self.teaching.on && !self.teaching.committed
    }

    /// The number of the radiograph that the reader is to read now.
    pub fn to_be_read(&self) -> Option<u32> {
        (self.picture().is_some() && self.waits_for_reader()).then_some(self.teaching.study)
    }

    /// Whether a reading of the radiograph is recorded once it is committed: not if its scores were in view before.
    pub fn is_unseen(&self) -> bool {
        !self.teaching.seen
    }

    /// What the reader says of the radiograph.
    pub fn confidences(&self) -> &Confidences {
        &self.teaching.confidences
    }

    /// What the reader committed of the radiograph in view, while the mode is on.
    pub fn committed(&self) -> Option<&Confidences> {
        let teaching = &self.teaching;
        let shown = teaching.on && teaching.committed && self.picture().is_some();
        shown.then_some(&teaching.confidences)
    }

    /// The name of the library's case or of the sample that is read.
    pub fn case(&self) -> Option<&str> {
        self.teaching.case.as_deref()
    }

    /// What the committed reading is called in the table; `None` where it is not recorded.
    pub fn recorded_as(&self) -> Option<&str> {
        self.teaching.recorded_as.as_deref()
    }

    /// What was read first since the page was opened.
    pub fn readings(&self) -> &[ReadFirst] {
        &self.teaching.readings
    }

    /// Switches the mode. A reading that is not committed when it is switched off is not recorded: the scores are in view.
    pub fn read_first(&mut self, on: bool) {
        self.teaching.on = on;
        if self.lists_scores() {
            self.list.see_all();
        }
        self.scores_may_be_shown();
    }

    /// The file that was fetched as number `id` is a case of the library or a sample, by this name, or neither.
    pub fn is_case(&mut self, id: u32, case: Option<String>) {
        let current = self.file.as_ref().is_some_and(|file| file.fetched_as == id);
        if current {
            self.teaching.is_case(case);
        }
    }

    /// The reader's confidence that a finding is there: a place in [`SCALE`], or nothing.
    pub fn mark(&mut self, finding: Finding, confidence: Option<u8>) {
        let known = confidence.is_none_or(|confidence| usize::from(confidence) < SCALE.len());
        if known && self.to_be_read().is_some() {
            self.teaching.confidences.say(finding, confidence);
        }
    }

    /// Ends the reader's reading: the scores are shown. It is recorded unless they were in view before.
    pub fn commit_reading(&mut self, seconds: f64) {
        if self.to_be_read().is_none() {
            return;
        }
        self.teaching.committed = true;
        if self.is_unseen() {
            let path = self.teaching.path();
            self.teaching.recorded_as = Some(path.clone());
            let reading = ReadFirst {
                path,
                confidences: self.teaching.confidences.clone(),
                scores: self.scores(),
                model: self.model.clone(),
                seconds,
            };
            self.teaching.readings.push(reading);
        }
        self.scores_may_be_shown();
    }

    /// The scores in view, in the order of the model's findings; none of a picture that the gate stopped.
    fn scores(&self) -> Vec<(Finding, Option<f64>)> {
        let picture = self.picture().filter(|_| self.shows_scores());
        let score = |finding: &Finding| {
            let mut known = picture?.report.findings.iter();
            let known = known.find(|known| known.name == *finding)?;
            known.probability.filter(|_| known.trained)
        };
        let findings = self.vocabulary().findings.iter();
        findings.map(|finding| (*finding, score(finding))).collect()
    }

    /// Notes that scores are in view, if they are, and asks for the map that is chosen.
    pub(super) fn scores_may_be_shown(&mut self) {
        if self.shows_scores() {
            self.teaching.see();
            if let Some(open) = self.list.open {
                self.list.see(open);
            }
            self.explain();
        }
    }
}
