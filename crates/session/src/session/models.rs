//! Which model is loaded, and what happens when its engine ends.

use sightline_core::package::ModelEntry;

use super::{Effect, End, Engine, Remedy, Session, Study};
use crate::messages::{Adapter, DeviceChoice, PackagePlace, Request};

impl Session {
    /// The list of models is there, or why it is not.
    pub fn list(&mut self, models: Result<Vec<ModelEntry>, String>) {
        let is_there = self.models.len() > self.kept.len();
        if is_there || !matches!(self.engine, Engine::Loading) {
            return;
        }
        match models {
            Ok(models) => {
                // What this browser keeps comes after them, once an engine is there to say it.
                self.models = models;
                self.kept.clear();
                let first = self.first_model();
                self.load_model(&first);
            }
            Err(why) => self.fail(why, Remedy::LoadAgain),
        }
    }

    /// Loads a package in a fresh engine; a radiograph that is open is then read with it.
    pub fn load(&mut self, model: &str) {
        self.complaint = None;
        self.wanted.model = None;
        self.load_model(model);
    }

    fn load_model(&mut self, model: &str) {
        self.list.interrupt();
        self.validation.again();
        if self.model != model {
            self.list.forget_readings();
        }
        model.clone_into(&mut self.model);
        self.adapter = None;
        self.card.1.clear();
        self.progress = None;
        self.scoring = 0;
        self.engine = Engine::Loading;
        self.forget_reading();
        if matches!(self.study, Study::Reading | Study::Read(_)) {
            self.study = Study::Waiting;
        }
        if model.is_empty() {
            return self.effects.push(Effect::FetchList);
        }
        let beside = |folder| PackagePlace::Beside {
            name: self.model.clone(),
            folder,
        };
        let place = match self.kept_place() {
            Some(kept) => Ok(kept),
            None => self.folder().map(beside),
        };
        match place {
            Ok(package) => self.effects.extend([
                Effect::StartEngine,
                Effect::Send(Request::Load {
                    package,
                    device: self.device,
                    at_once: self.at_once,
                }),
            ]),
            Err(why) => {
                self.effects.push(Effect::StopEngine);
                let why = format!("The model {model} is refused: {why}.");
                self.fail(why, Remedy::LoadAgain);
            }
        }
    }

    /// Shows a package's card: its text, or why it cannot be had.
    pub fn show_card(&mut self, markdown: Result<String, String>, folder: String) {
        // Of a model that is not chosen any more: it came late.
        if self.folder().ok().as_ref() != Some(&folder) {
            return;
        }
        match markdown {
            // It is no work on a picture: what is under way goes on.
            Ok(markdown) => {
                let request = Request::Card { markdown, folder };
                self.effects.push(Effect::Send(request));
            }
            Err(why) => self.open_card(format!("<p>The card cannot be shown: {why}.</p>")),
        }
    }

    pub(super) fn open_card(&mut self, html: String) {
        self.card = (self.card.0 + 1, html);
    }

    pub fn load_again(&mut self) {
        let model = self.model.clone();
        self.load(&model);
    }

    pub(super) fn fail(&mut self, why: String, remedy: Remedy) {
        self.progress = None;
        self.asked = None;
        self.list.interrupt();
        self.validation.interrupt();
        self.engine = Engine::Failed { why, remedy };
        if matches!(self.study, Study::Reading | Study::Read(_)) {
            self.study = Study::Waiting;
        }
    }

    /// Which file is being read, to be said of an engine that did not survive it: another file may be what helps.
    fn said_of_reading(&self) -> String {
        match (&self.study, &self.file) {
            (Study::Reading, Some(file)) if file.name.is_empty() => {
                " while it read the picture".to_owned()
            }
            (Study::Reading, Some(file)) => format!(" while it read {}", file.name),
            _ => String::new(),
        }
    }

    /// The engine is not there any more. Most likely it had too little memory: half as many pictures at once need half as much. A GPU
    /// that fails with one picture is not tried again: the CPU goes on. A CPU that does is the end. Where it read in the background, it is
    /// started again for the rows that are left.
    pub fn ended(&mut self, end: End) {
        self.effects.push(Effect::StopEngine);
        if matches!(end, End::Died(_) | End::Silent)
            && let Some(file) = self.list.engine_ended()
        {
            self.load_again();
            self.fallback = Some(format!(
                "The engine ended while it read {file} in the background. It starts again."
            ));
            return;
        }
        if matches!(end, End::Died(_) | End::Silent)
            && let Some(file) = self.model_was_too_large()
        {
            self.load_again();
            self.complain(format!(
                "The engine ended while it read {file}, most likely out of memory. Close other tabs, or import it with the command line: import."
            ));
            return;
        }
        let on_cpu =
            matches!(self.adapter, Some(Adapter::Cpu { .. })) || self.device == DeviceChoice::Cpu;
        let scoring = self.scoring;
        let loading = matches!(self.engine, Engine::Loading);
        match end {
            End::OtherVersion => self.fail(
                "Sightline was updated on its server while this page was open. Reload the page to use the new version."
                    .to_owned(),
                Remedy::ReloadPage,
            ),
            End::NotLoaded(why) => self.fail(
                format!("The engine could not be loaded ({why}). Check the connection and try again."),
                Remedy::LoadAgain,
            ),
            End::Silent if loading || on_cpu => self.fail(
                "The engine no longer answers. Load the model again, or choose a smaller one.".to_owned(),
                Remedy::LoadAgain,
            ),
            _ if scoring > 1 => {
                self.at_once = scoring / 2;
                self.load_again();
                self.fallback = Some(format!(
                    "The {} could not score {scoring} pictures at once. It starts again with {} at a time.",
                    if on_cpu { "engine" } else { "GPU" },
                    scoring / 2
                ));
            }
            _ if on_cpu => {
                let why = format!(
                    "The engine stopped{}, most likely out of memory. Close other tabs, then load the model again, or choose a smaller one.",
                    self.said_of_reading()
                );
                self.fail(why, Remedy::LoadAgain);
            }
            _ => {
                self.device = DeviceChoice::Cpu;
                self.load_again();
                self.fallback = Some("The graphics card (GPU) failed, so this page continues on the CPU.".to_owned());
            }
        }
    }
}
