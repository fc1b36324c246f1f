//! The list of the radiographs that were given: what came of each, their order, studies of several views, and the tables of all.
//!
//! A row is there from the moment its file is given, and stays whatever becomes of the file or the engine. It holds no bytes of the file.

use std::sync::Arc;

use sightline_core::finding::Finding;
use sightline_core::gate::{Kind, Verdict};
use sightline_core::order::{falling, ordered};
use sightline_core::radiograph::{GreyImage, resize};
use sightline_core::report::{Report, several};
use sightline_core::vocabulary::{Score, Vocabulary, called};

use crate::table::cell;

/// The most rows of a list.
pub const MOST_ROWS: usize = 5_000;
/// The longer side of a row's picture.
const THUMBNAIL_SIDE: usize = 96;
/// How many findings a row names.
const TOP: usize = 3;
/// After so many ends of the engine while it read one file, that file is not tried again.
const MOST_ENDS: u32 = 2;
/// After so many ends of the engine in a row, whichever files it read, it is the engine's fault.
const MOST_ENDS_IN_A_ROW: u32 = 6;
/// What sets numbers of readings in the background apart from those of the radiograph that is shown.
pub(crate) const BACKGROUND: u32 = 1 << 31;

/// How far a row is; `data-state` of the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    Waiting,
    Reading,
    Read,
    Refused,
}

impl RowState {
    pub fn name(self) -> &'static str {
        match self {
            RowState::Waiting => "waiting",
            RowState::Reading => "reading",
            RowState::Read => "read",
            RowState::Refused => "refused",
        }
    }
}

/// What came of a file.
#[derive(Clone, Debug, Default)]
pub enum Outcome {
    #[default]
    None,
    Read(Arc<Report>),
    Refused(String),
}

/// What the list depends on: while it is the same, the list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListState {
    pub(crate) changes: u32,
    pub sorted_by: Option<Finding>,
    pub(crate) halted: bool,
    pub(crate) under_way: Option<usize>,
    /// The row that is shown or on its way there, and whether it is on its way.
    pub(crate) open: Option<(usize, bool)>,
}

/// One file of the list.
#[derive(Clone, Debug)]
pub struct Row {
    /// The file's name, with its folders if it came in one; empty for a pasted picture.
    pub name: String,
    /// Another for each row that there ever was.
    pub born: u32,
    /// Becomes another whenever the row does.
    pub changed: u32,
    pub outcome: Outcome,
    pub thumbnail: Option<Arc<GreyImage>>,
    study: Option<StudyKey>,
    /// How often the engine ended while it read this file.
    ends: u32,
    /// The number under which it was read last in the background; 0: never.
    asked_as: u32,
    /// Scores of it were in view.
    seen: bool,
}

impl Row {
    /// What the row is called on the page.
    pub fn shown_name(&self) -> &str {
        match self.name.as_str() {
            "" => "Pasted picture",
            name => name,
        }
    }

    pub fn report(&self) -> Option<&Arc<Report>> {
        match &self.outcome {
            Outcome::Read(report) => Some(report),
            _ => None,
        }
    }

    /// Why the file cannot be read.
    pub fn why(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Refused(why) => Some(why),
            _ => None,
        }
    }

    /// The findings of the highest scores, and whether they are called; none of a picture that the gate stopped.
    pub fn top(&self) -> Vec<(Finding, f64, bool)> {
        let report = self.report().filter(|report| !is_stopped(report));
        let findings = report.iter().flat_map(|report| &report.findings);
        let scored = findings.filter(|finding| finding.trained);
        let scored = scored.filter_map(|f| Some((f.name, f.probability?, f.called)));
        let mut all = ordered(scored.collect(), |a: &(_, f64, _), b| b.1.total_cmp(&a.1));
        all.truncate(TOP);
        all
    }
}

/// What makes files views of one study.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StudyKey {
    /// What DICOM files say.
    Number(u64),
    /// The study's folder, as CheXpert and others lay out files.
    Folder(String),
}

impl StudyKey {
    fn of(name: &str, number: Option<u64>) -> Option<Self> {
        if let Some(number) = number {
            return Some(StudyKey::Number(number));
        }
        let parts: Vec<&str> = name.split(['/', '\\']).collect();
        let (_, folders) = parts.split_last()?;
        let is_study = |part: &&str| part.to_ascii_lowercase().starts_with("study");
        let at = folders.iter().rposition(is_study)?;
        Some(StudyKey::Folder(folders[..=at].join("/")))
    }
}

/// A study of several views that were read.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// The rows of its views.
    pub rows: Vec<usize>,
    /// The maximum over the views of each finding's score, in the order of the model's findings, as CheXpert scores a study. Views that
    /// the gate stopped do not count: their scores mean nothing.
    pub maximum: Vec<Option<f64>>,
    /// The findings that these scores call.
    pub called: Vec<Finding>,
}

/// The file that is read in the background.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    row: usize,
    id: u32,
    /// The engine was told; before, the file is fetched.
    sent: bool,
}

/// All rows, and which of them is read and shown.
#[derive(Clone, Debug, Default)]
pub struct Worklist {
    rows: Vec<Row>,
    /// The row that is shown, or is to be.
    pub(crate) open: Option<usize>,
    /// The row of the first of the files that were given last.
    pub(crate) given_at: usize,
    /// The reader does not want more to be read in the background.
    pub(crate) halted: bool,
    pub(crate) sorted_by: Option<Finding>,
    /// The findings of the model that reads the rows.
    vocabulary: Vocabulary,
    under_way: Option<UnderWay>,
    ends_in_a_row: u32,
    /// How many readings there were in the background.
    readings: u32,
    changes: u32,
}

/// What there is to see.
impl Worklist {
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// One radiograph needs no list.
    pub fn is_shown(&self) -> bool {
        self.rows.len() > 1
    }

    pub fn sorted_by(&self) -> Option<Finding> {
        self.sorted_by
    }

    /// The findings of the model that reads the rows, or of the one before while another is loaded; CheXpert's before the first.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Whether the reader stopped the reading in the background.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// Becomes another whenever a row does.
    pub fn changes(&self) -> u32 {
        self.changes
    }

    /// The row that is shown, or is to be.
    pub fn open(&self) -> Option<usize> {
        self.open
    }

    /// The row that is read in the background.
    pub fn under_way(&self) -> Option<usize> {
        self.under_way.map(|under_way| under_way.row)
    }

    /// How many rows are read, and how many cannot be.
    pub fn counts(&self) -> (usize, usize) {
        let read = self.rows.iter().filter(|row| row.report().is_some());
        let refused = self.rows.iter().filter(|row| row.why().is_some());
        (read.count(), refused.count())
    }

    /// The rows in the order in which they are shown: as given, or by the score of a finding, the highest first. Behind them are pictures
    /// without a score to compare, and those that are not read.
    pub fn order(&self) -> Vec<usize> {
        let Some(finding) = self.sorted_by else {
            return (0..self.rows.len()).collect();
        };
        let places = self.rows.iter().map(|row| {
            let report = row.report();
            let score = report.and_then(|report| score(report, finding));
            score.unwrap_or(match report {
                Some(_) => -1.0,
                None => -2.0,
            })
        });
        falling(&places.collect::<Vec<f64>>())
    }

    /// The studies of which two views or more were read, in the order of their first.
    pub fn studies(&self) -> Vec<Study> {
        let key = |row: usize| self.rows[row].study.as_ref();
        let read = |row: &usize| self.rows[*row].report().is_some() && key(*row).is_some();
        let views: Vec<usize> = (0..self.rows.len()).filter(read).collect();
        let by_key = ordered(views, |a, b| key(*a).cmp(&key(*b)));
        let several = by_key.chunk_by(|a, b| key(*a) == key(*b));
        let several = several.filter(|rows| rows.len() > 1).map(<[usize]>::to_vec);
        let several: Vec<Vec<usize>> = ordered(several.collect(), Ord::cmp);
        several.into_iter().map(|rows| self.study(rows)).collect()
    }

    fn study(&self, rows: Vec<usize>) -> Study {
        let views = || rows.iter().filter_map(|row| self.rows[*row].report());
        let findings = self.vocabulary.findings.iter();
        let scores = findings.map(|&finding| Score {
            finding,
            probability: views()
                .filter_map(|view| score(view, finding))
                .reduce(f64::max),
            operating_point: views().find_map(|view| {
                let mut findings = view.findings.iter();
                findings
                    .find(|known| known.name == finding)?
                    .operating_point
            }),
        });
        let scores: Vec<Score> = scores.collect();
        let called = called(&scores, &self.vocabulary.rules).into_iter();
        let called = called.zip(&scores).filter(|(is_called, _)| *is_called);
        Study {
            called: called.map(|(_, score)| score.finding).collect(),
            maximum: scores.iter().map(|score| score.probability).collect(),
            rows,
        }
    }

    /// The table that `sightline-trainer predict` writes, of the rows that are read, in the order in which they were given.
    pub fn csv(&self) -> String {
        let mut text = "Path".to_owned();
        for finding in &self.vocabulary.findings {
            text.push(',');
            text += &cell(finding.name());
        }
        text += ",Gate,GateVerdict,GateKind\n";
        let number = |value: Option<f64>| value.map_or(String::new(), |p| format!("{p:.6}"));
        for row in &self.rows {
            let Some(report) = row.report() else {
                continue;
            };
            text += &cell(row.shown_name());
            for finding in &self.vocabulary.findings {
                let mut findings = report.findings.iter();
                let found = findings.find(|known| known.name == *finding);
                text.push(',');
                text += &number(found.and_then(|found| found.probability));
            }
            let gate = report.gate.as_ref();
            let verdict = gate.map_or("", |gate| gate.verdict.name());
            let kind = gate.and_then(|gate| gate.kind).map_or("", Kind::name);
            let value = number(gate.and_then(|gate| gate.value));
            text += &format!(",{value},{verdict},{kind}\n");
        }
        text
    }

    /// The reports of the rows that are read, and the studies of several views; `None` where a report cannot be written.
    pub fn json(&self) -> Option<String> {
        let studies = self.studies().into_iter().map(|study| {
            let maxima = self.vocabulary.findings.iter().zip(study.maximum);
            let maxima = maxima.filter_map(|(finding, score)| Some((finding.name(), score?)));
            let files = study.rows.iter().map(|row| self.rows[*row].shown_name());
            several::Study {
                files: files.collect(),
                maximum: maxima.collect(),
            }
        });
        let studies: Vec<several::Study> = studies.collect();
        let reports = self.rows.iter().filter_map(Row::report).map(Arc::as_ref);
        several::json(reports, &studies).ok()
    }
}

/// What happens to rows.
impl Worklist {
    /// Keeps so many rows and adds others behind them.
    pub(crate) fn give(&mut self, kept: usize, names: &[String]) {
        self.rows.truncate(kept);
        self.given_at = self.rows.len();
        if kept == 0 {
            self.halted = false;
            self.ends_in_a_row = 0;
        }
        for name in names {
            self.changes += 1;
            self.rows.push(Row {
                name: name.clone(),
                born: self.changes,
                changed: self.changes,
                outcome: Outcome::None,
                thumbnail: None,
                study: None,
                ends: 0,
                asked_as: 0,
                seen: false,
            });
        }
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.under_way = None;
        self.open = None;
        self.halted = false;
        self.changes += 1;
    }

    /// The findings of the model that reads the rows from now on.
    pub(crate) fn read_with(&mut self, vocabulary: Vocabulary) {
        let known = |finding: &Finding| vocabulary.place(*finding).is_some();
        self.sorted_by = self.sorted_by.filter(known);
        self.vocabulary = vocabulary;
    }

    /// All rows are to be read again: another model is there.
    pub(crate) fn forget_readings(&mut self) {
        for index in 0..self.rows.len() {
            let row = self.change(index);
            row.outcome = Outcome::None;
            row.ends = 0;
            row.asked_as = 0;
        }
        self.ends_in_a_row = 0;
    }

    pub(crate) fn take_reading(
        &mut self,
        index: usize,
        report: Report,
        preview: &GreyImage,
        study: Option<u64>,
    ) {
        if index >= self.rows.len() {
            return;
        }
        let row = self.change(index);
        row.study = StudyKey::of(&row.name, study);
        row.thumbnail = Some(Arc::new(thumbnail(preview)));
        row.ends = 0;
        row.outcome = Outcome::Read(Arc::new(report));
    }

    pub(crate) fn refuse(&mut self, index: usize, why: String) {
        if index < self.rows.len() {
            self.change(index).outcome = Outcome::Refused(why);
        }
    }

    /// Scores of a row are in view.
    pub(crate) fn see(&mut self, index: usize) {
        if let Some(row) = self.rows.get_mut(index) {
            row.seen = true;
        }
    }

    /// Scores of all rows that are read are in view.
    pub(crate) fn see_all(&mut self) {
        for row in self.rows.iter_mut().filter(|row| row.report().is_some()) {
            row.seen = true;
        }
    }

    pub(crate) fn was_seen(&self, index: usize) -> bool {
        self.rows.get(index).is_some_and(|row| row.seen)
    }

    /// Begins to read the next row in the background, and says its number and which it is.
    pub(crate) fn begin_next(&mut self) -> Option<(u32, usize)> {
        if self.under_way.is_some() || self.halted || !self.is_shown() {
            return None;
        }
        let waits = |row: &Row| matches!(row.outcome, Outcome::None);
        let row = self.rows.iter().position(waits)?;
        self.readings = (self.readings + 1) % BACKGROUND;
        let id = BACKGROUND | self.readings;
        self.change(row).asked_as = id;
        self.under_way = Some(UnderWay {
            row,
            id,
            sent: false,
        });
        Some((id, row))
    }

    /// The file of the row under way is at hand. `false`: it is not wanted any more.
    pub(crate) fn send(&mut self, id: u32) -> bool {
        let under_way = self.under_way.as_mut().filter(|row| row.id == id);
        under_way.is_some_and(|under_way| {
            under_way.sent = true;
            true
        })
    }

    /// What is read in the background is given up for now.
    pub(crate) fn interrupt(&mut self) {
        if let Some(under_way) = self.under_way.take() {
            self.change(under_way.row);
        }
    }

    /// The row of an answer, which may come after its reading was given up; none where it is known already.
    pub(crate) fn answered(&mut self, id: u32) -> Option<usize> {
        if self.under_way.is_some_and(|under_way| under_way.id == id) {
            self.under_way = None;
        }
        let row = self.rows.iter().position(|row| row.asked_as == id)?;
        self.ends_in_a_row = 0;
        matches!(self.rows[row].outcome, Outcome::None).then_some(row)
    }

    /// The engine ended. The name of the file that it was reading in the background, if it is to be started again for the others.
    pub(crate) fn engine_ended(&mut self) -> Option<String> {
        let under_way = self.under_way.filter(|under_way| under_way.sent);
        self.interrupt();
        let index = under_way?.row;
        self.ends_in_a_row += 1;
        let row = self.change(index);
        row.ends += 1;
        let name = row.shown_name().to_owned();
        if row.ends >= MOST_ENDS {
            row.outcome = Outcome::Refused("The engine ended twice while reading it.".to_owned());
        }
        if self.ends_in_a_row >= MOST_ENDS_IN_A_ROW {
            self.ends_in_a_row = 0;
            self.halted = true;
            return None;
        }
        Some(name)
    }

    fn change(&mut self, index: usize) -> &mut Row {
        self.changes += 1;
        let row = &mut self.rows[index];
        row.changed = self.changes;
        row
    }
}

fn is_stopped(report: &Report) -> bool {
    let gate = report.gate.as_ref();
    gate.is_some_and(|gate| gate.verdict == Verdict::Stop)
}

/// The score of a finding; none of a picture that the gate stopped.
fn score(report: &Report, finding: Finding) -> Option<f64> {
    let mut findings = report.findings.iter().filter(|_| !is_stopped(report));
    findings.find(|known| known.name == finding)?.probability
}

fn thumbnail(image: &GreyImage) -> GreyImage {
    let side = image.width.max(image.height);
    if side <= THUMBNAIL_SIDE {
        return image.clone();
    }
    let scaled = |length: usize| (length * THUMBNAIL_SIDE / side).max(1);
    resize(image, scaled(image.width), scaled(image.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_is_known_by_its_number_or_else_by_its_folder() {
        let folder = |name: &str| match StudyKey::of(name, None) {
            Some(StudyKey::Folder(folder)) => Some(folder),
            _ => None,
        };
        let of = |name: &str| folder(name).unwrap_or_default();
        assert_eq!(
            of("valid/patient1/study2/view1_frontal.jpg"),
            "valid/patient1/study2"
        );
        assert_eq!(of("patient1\\Study3\\a.png"), "patient1/Study3");
        assert_ne!(of("p1/study1/a.png"), of("p2/study1/a.png"));
        // A file's own name is no folder.
        assert_eq!(folder("study1.png"), None);
        assert_eq!(folder("p1/study1.png"), None);
        assert_eq!(folder(""), None);
        let number = StudyKey::of("p1/study1/a.dcm", Some(7));
        assert_eq!(number, Some(StudyKey::Number(7)));
    }
}
