//! The list of radiographs: rows are opened, and the others are read in the background while nothing else is asked of the engine.

use sightline_core::finding::Finding;
use sightline_core::radiograph::GreyImage;
use sightline_core::report::Report;

use super::{Effect, Engine, Session, Study};
use crate::given::Given;
use crate::messages::Request;
use crate::worklist::{ListState, Outcome, RowState, Worklist};

/// What there is to see.
impl Session {
    pub fn worklist(&self) -> &Worklist {
        &self.list
    }

    /// What the list depends on: while it is the same, the list is.
    pub fn list_state(&self) -> ListState {
        ListState {
            changes: self.list.changes(),
            sorted_by: self.list.sorted_by(),
            halted: self.list.is_halted(),
            under_way: self.list.under_way(),
            open: self.list.open.map(|row| (row, self.is_opening())),
        }
    }

    /// How far a row is.
    pub fn row_state(&self, index: usize) -> RowState {
        let is_opened = self.list.open == Some(index) && self.is_opening();
        if is_opened || self.list.under_way() == Some(index) {
            return RowState::Reading;
        }
        match self.list.rows().get(index).map(|row| &row.outcome) {
            Some(Outcome::Read(_)) => RowState::Read,
            Some(Outcome::Refused(_)) => RowState::Refused,
            Some(Outcome::None) | None => RowState::Waiting,
        }
    }

    /// Whether the list shows scores: not to a reader who reads first.
    pub fn lists_scores(&self) -> bool {
        !self.reads_first()
    }

    /// The rows in the order in which they are shown.
    pub fn row_order(&self) -> Vec<usize> {
        match self.lists_scores() {
            true => self.list.order(),
            false => (0..self.list.rows().len()).collect(),
        }
    }

    /// How many rows stay if so many files are given: a file alone, where there is no list, takes the place of the one before.
    pub fn rows_kept(&self, files: usize) -> usize {
        let stay = files != 1 || self.list.is_shown();
        if stay { self.list.rows().len() } else { 0 }
    }

    /// Whether the radiograph to be shown is on its way.
    fn is_opening(&self) -> bool {
        let on_its_way = matches!(
            self.study,
            Study::Fetching | Study::Waiting | Study::Reading
        );
        on_its_way && matches!(self.engine, Engine::Ready(_))
    }
}

/// What a person does.
impl Session {
    /// Shows a row; it is read again, so that maps can be made.
    pub fn open_row(&mut self, index: usize) {
        let Some(row) = self.list.rows().get(index) else {
            return;
        };
        if self.list.open == Some(index) && matches!(self.study, Study::Read(_)) {
            return;
        }
        let name = row.name.clone();
        self.leave_radiograph();
        self.given = Given::new(vec![name], Vec::new());
        self.list.given_at = index;
        self.fetch(0);
    }

    /// Shows the row so many places further down the list.
    pub fn open_next(&mut self, step: isize) {
        if !self.list.is_shown() {
            return;
        }
        let order = self.row_order();
        let at = self
            .list
            .open
            .and_then(|open| order.iter().position(|row| *row == open));
        let next = match at {
            Some(at) => at.checked_add_signed(step),
            None if step > 0 => Some(0),
            None => order.len().checked_sub(1),
        };
        if let Some(row) = next.and_then(|next| order.get(next)) {
            self.open_row(*row);
        }
    }

    /// Shows the rows in the order of a finding's scores, or as they were given.
    pub fn sort_rows(&mut self, by: Option<Finding>) {
        self.list.sorted_by = by;
    }

    /// Reads nothing more in the background.
    pub fn halt_list(&mut self) {
        self.list.halted = true;
        if self.list.under_way().is_some() {
            self.send(Request::Cancel);
        }
    }

    /// Reads on in the background.
    pub fn resume_list(&mut self) {
        self.list.halted = false;
    }

    /// Forgets all rows. The radiograph that is shown stays.
    pub fn clear_list(&mut self) {
        if self.list.under_way().is_some() {
            self.send(Request::Cancel);
        }
        let name = self.given.name().to_owned();
        self.given = Given::new(vec![name], Vec::new());
        self.list.clear();
        self.validation.tables.clear();
        self.validation.again();
    }
}

/// What comes of it.
impl Session {
    /// Reads the next row, where nothing else is under way.
    pub(super) fn read_on(&mut self) {
        let idle = matches!(self.study, Study::None | Study::Read(_) | Study::Refused(_));
        let ready = matches!(self.engine, Engine::Ready(_));
        if !idle || !ready || self.asked.is_some() {
            return;
        }
        if let Some((id, index)) = self.list.begin_next() {
            self.effects.push(Effect::FetchRow { id, index });
        }
    }

    /// The file of a row is at hand under this name, or why it is not.
    pub fn row_fetched(&mut self, id: u32, name: Result<String, String>) {
        match name {
            Ok(file) => {
                if self.list.send(id) {
                    let request = Request::Read {
                        id,
                        file,
                        depth: None,
                        keep: false,
                    };
                    self.effects.push(Effect::SendWithFile(request, id));
                }
            }
            Err(why) => self.row_refused(id, why),
        }
    }

    pub(super) fn row_read(
        &mut self,
        id: u32,
        report: Report,
        preview: &GreyImage,
        study: Option<u64>,
    ) {
        if let Some(row) = self.list.answered(id) {
            self.list.take_reading(row, report, preview, study);
            if self.lists_scores() {
                self.list.see(row);
            }
        }
    }

    pub(super) fn row_refused(&mut self, id: u32, why: String) {
        if let Some(row) = self.list.answered(id) {
            self.list.refuse(row, why);
        }
    }
}
