//! The radiograph that was given last.

use super::{Depths, Effect, Engine, File, Negative, Remedy, Session, Status, Study};
use sightline_core::report::drawn::Drawn;

use crate::given::{Given, said_of_folders};
use crate::messages::Request;
use crate::worklist::MOST_ROWS;

impl Session {
    /// Files were given, in this order, and folders beside them. From now on this is the radiograph; what is under way for another ends.
    /// `folders`: those in which there is no file.
    pub fn give(&mut self, mut files: Vec<String>, folders: Vec<String>) {
        let kept = self.rows_kept(files.len());
        let room = MOST_ROWS.saturating_sub(kept);
        let left_out = files.len().saturating_sub(room);
        files.truncate(room);
        if !files.is_empty() {
            self.leave_radiograph();
            self.list.give(kept, &files);
            self.validation.again();
            self.given = Given::new(files, folders);
            self.fetch(0);
        } else if !folders.is_empty() {
            self.complain(said_of_folders(&folders));
        }
        if left_out > 0 {
            self.complain(format!(
                "The list takes {MOST_ROWS} files. {left_out} more are left out."
            ));
        }
    }

    /// Another radiograph will be shown: what is under way for this one ends.
    pub(super) fn leave_radiograph(&mut self) {
        if matches!(self.engine, Engine::Ready(_)) {
            self.send(Request::Cancel);
        }
        self.complaint = None;
        self.fallback = None;
        self.progress = None;
        self.file = None;
        self.depth = Depths::default();
        self.wanted_anyway = false;
        self.drawn = Drawn::default();
    }

    /// Fetches one of the files that were given last.
    pub(super) fn fetch(&mut self, index: usize) {
        self.forget_reading();
        self.teaching.begin();
        self.id += 1;
        self.study = Study::Fetching;
        let (id, index) = (self.id, self.list.given_at + index);
        self.list.open = Some(index);
        self.teaching.seen |= self.list.was_seen(index);
        self.effects.push(Effect::Fetch { id, index });
    }

    /// The file that was given as number `id` is at hand under this name, or why it is not.
    pub fn fetched(&mut self, id: u32, name: Result<String, String>) {
        if id != self.id || !matches!(self.study, Study::Fetching) {
            return;
        }
        match name {
            Ok(name) => {
                self.file = Some(File {
                    name,
                    fetched_as: id,
                });
                self.study = Study::Waiting;
                match self.engine {
                    Engine::Ready(_) => self.read(),
                    Engine::Loading => {}
                    // Perhaps it can be had now.
                    Engine::Failed { .. } => self.load_again(),
                }
            }
            Err(why) => self.refuse_file(why),
        }
    }

    pub(super) fn refuse_file(&mut self, why: String) {
        self.progress = None;
        self.file = None;
        self.depth = Depths::default();
        if let Some(open) = self.list.open {
            self.list.refuse(open, why.clone());
        }
        match self.given.refuse(why) {
            Some(next) => self.fetch(next),
            None => self.study = Study::Refused(self.given.why_none()),
        }
    }

    pub(super) fn read(&mut self) {
        let Some(file) = self.file.clone() else {
            return;
        };
        self.list.interrupt();
        self.id += 1;
        self.progress = None;
        self.study = Study::Reading;
        self.asked = None;
        let request = Request::Read {
            id: self.id,
            file: file.name,
            depth: self.depth.chosen,
            keep: true,
        };
        self.effects
            .push(Effect::SendWithFile(request, file.fetched_as));
    }

    /// Reads the radiograph again, with samples of so many bits; one of [`Session::depths`].
    pub fn choose_depth(&mut self, bits: u8) {
        let Some(depths) = self.depths() else {
            return;
        };
        if !depths.offered().contains(&bits) || depths.bits() == bits {
            return;
        }
        self.depth.chosen = (depths.offered()[0] != bits).then_some(bits);
        // Scores that are in view are of this picture: whoever chooses how to read it goes on looking at them.
        self.wanted_anyway |= self.shows_scores();
        self.complaint = None;
        self.forget_reading();
        self.validation.again();
        self.read();
    }

    /// Ends what is under way. While loading the engine is dropped; a reading's answer is no longer waited for.
    pub fn cancel(&mut self) {
        match self.status() {
            Status::Loading => {
                self.effects.push(Effect::StopEngine);
                self.fail(
                    "Loading the model was cancelled. Choose a model to load it.".to_owned(),
                    Remedy::LoadAgain,
                );
            }
            Status::Reading => self.send(Request::Cancel),
            Status::Explaining => {
                let asked = self.asked.clone();
                self.send(Request::Cancel);
                self.job_ended(asked);
                return self.catch_up();
            }
            Status::Idle | Status::Ready | Status::Error => return,
        }
        self.progress = None;
        self.id += 1;
        self.file = None;
        self.list.open = None;
        if !matches!(self.study, Study::Refused(_)) {
            self.study = Study::None;
        }
    }

    /// Says that something cannot be done; what is under way goes on.
    pub fn complain(&mut self, why: String) {
        self.complaint = Some(why);
    }

    /// The complaint was read.
    pub fn dismiss(&mut self) {
        self.complaint = None;
    }

    pub(super) fn forget_reading(&mut self) {
        self.asked = None;
        self.spots.clear();
        self.selected = None;
        self.film = Negative::None;
    }
}
