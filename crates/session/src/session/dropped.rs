//! Models that are dropped into the page: looked at, corrected, kept in this browser, and deleted from it.

use super::{Effect, Engine, Session};
use crate::messages::{KeptModel, PackagePlace, Request};

/// How the names of weight files end. Of the last two kinds no weights are read, which is said with what to do.
const WEIGHTS: [&str; 16] = [
    ".pth",
    ".pt",
    ".pth.tar",
    ".pt.tar",
    ".ckpt",
    ".safetensors",
    ".safetensors.index.json",
    ".bin",
    ".bin.index.json",
    ".onnx",
    ".pkl",
    ".pickle",
    ".model",
    ".h5",
    ".keras",
    ".tflite",
];
/// The most bytes that are taken into a browser's memory at once: the file, the network and the package are there together.
const MOST_BYTES: u64 = 1 << 30;

/// A model that was dropped and is yet to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Each drop, and each look at it, has a number of its own.
    pub id: u32,
    /// As its first file is called.
    pub file: String,
    /// The fields of its form as HTML; empty until it was looked at.
    pub form: String,
    /// Whether the engine is at it.
    pub busy: bool,
    /// The files' names and lengths in bytes, in their order.
    files: Vec<(String, u64)>,
}

/// Whether a file is called as weights are.
pub fn is_weights(name: &str) -> bool {
    // Letters of other scripts end no such name, and their table is 10 kB of the page's program.
    let name = name.to_ascii_lowercase();
    WEIGHTS.iter().any(|ending| name.ends_with(ending))
}

impl Session {
    /// Looks at the files of a model, whose bytes come one after another.
    pub fn drop_model(&mut self, files: Vec<(String, u64)>) {
        self.complaint = None;
        let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let Some((file, _)) = files.first().cloned() else {
            return;
        };
        if bytes > MOST_BYTES {
            return self.complain(format!(
                "{file} has {} MiB, and a browser has too little memory for more than {}. Import it with the command line: import.",
                bytes >> 20,
                MOST_BYTES >> 20
            ));
        }
        let title = file.split('.').next().unwrap_or(&file);
        let title = title.rsplit('/').next().unwrap_or(title).to_owned();
        self.review = Some(Review {
            id: self.reviews,
            file,
            form: String::new(),
            busy: false,
            files,
        });
        self.look_at_model(vec![("title".to_owned(), title)]);
    }

    /// Looks again, for one of these fields decides what the others are to be.
    pub fn look_at_model(&mut self, fields: Vec<(String, String)>) {
        self.ask_about_model(|id, files| Request::Look { id, files, fields });
    }

    /// Makes a package of it, keeps it and loads it.
    pub fn accept_model(&mut self, fields: Vec<(String, String)>) {
        self.ask_about_model(|id, files| Request::Keep { id, files, fields });
    }

    fn ask_about_model(&mut self, request: impl FnOnce(u32, Vec<(String, u64)>) -> Request) {
        let Some(review) = &mut self.review else {
            return;
        };
        self.complaint = None;
        review.id += 1;
        review.busy = true;
        self.reviews = review.id;
        let request = request(review.id, review.files.clone());
        if matches!(self.engine, Engine::Failed { .. }) {
            self.effects.push(Effect::StartEngine);
        }
        self.effects.push(Effect::SendWithWeights(request));
    }

    /// Leaves the model that was dropped.
    pub fn leave_model(&mut self) {
        self.review = None;
    }

    pub(super) fn proposed(&mut self, id: u32, form: String) {
        if let Some(review) = self.review.as_mut().filter(|review| review.id == id) {
            review.form = form;
            review.busy = false;
        }
    }

    /// The file is no model that can be read, or the form has something that cannot be.
    pub(super) fn weights_refused(&mut self, id: u32, why: String) {
        let Some(review) = self.review.as_mut().filter(|review| review.id == id) else {
            return;
        };
        review.busy = false;
        let said = format!("{}: {why}.", review.file);
        if review.form.is_empty() {
            self.review = None;
        }
        self.complain(said);
    }

    /// The engine ended while it was at a model: most likely for want of memory. Says which file it was.
    pub(super) fn model_was_too_large(&mut self) -> Option<String> {
        let review = self.review.take_if(|review| review.busy)?;
        Some(review.file)
    }

    /// The models that this browser keeps. `added`: the hash of one that is new, which is loaded.
    pub(super) fn keeps(&mut self, models: Vec<KeptModel>, added: Option<String>) {
        let was_kept = self.kept_model().is_some();
        let (kept, servers) = (std::mem::take(&mut self.kept), &mut self.models);
        servers.retain(|entry| !kept.iter().any(|kept| kept.name == entry.name));
        for mut model in models {
            if self.models.iter().any(|entry| entry.name == model.name) {
                model.name = format!("{}-{}", model.name, model.hash.get(..6).unwrap_or_default());
            }
            self.models.push(model.entry());
            self.kept.push(model);
        }
        if let Some(hash) = added {
            self.review = None;
            let new = self.kept.iter().find(|kept| kept.hash == hash);
            if let Some(name) = new.map(|kept| kept.name.clone()) {
                self.load(&name);
            }
        } else if let Some(wanted) = self.wanted_of_kept() {
            self.load(&wanted);
        } else if was_kept && self.kept_model().is_none() {
            let first = self.models.first().map(|entry| entry.name.clone());
            self.load(&first.unwrap_or_default());
        }
    }

    /// The model that the page's address asks for, if this browser keeps it.
    fn wanted_of_kept(&mut self) -> Option<String> {
        let is_kept = |name: &mut String| self.kept.iter().any(|kept| kept.name == *name);
        self.wanted.model.take_if(is_kept)
    }

    /// The chosen model, if this browser keeps it.
    pub fn kept_model(&self) -> Option<&KeptModel> {
        self.kept.iter().find(|kept| kept.name == self.model)
    }

    /// Deletes the chosen model from this browser.
    pub fn delete_model(&mut self) {
        self.ask_of_kept(|hash| Request::Delete { hash });
    }

    /// Makes a file of the chosen model's package.
    pub fn pack_model(&mut self) {
        self.ask_of_kept(|hash| Request::Pack { hash });
    }

    /// Shows the card of the chosen model, which this browser keeps.
    pub fn show_kept_card(&mut self) {
        self.ask_of_kept(|hash| Request::KeptCard { hash });
    }

    fn ask_of_kept(&mut self, request: impl FnOnce(String) -> Request) {
        if let Some(hash) = self.kept_model().map(|kept| kept.hash.clone()) {
            self.complaint = None;
            self.effects.push(Effect::Send(request(hash)));
        }
    }

    /// Where the chosen model's package is, if it is kept here.
    pub(super) fn kept_place(&self) -> Option<PackagePlace> {
        let KeptModel { name, hash } = self.kept_model()?.clone();
        Some(PackagePlace::Kept { name, hash })
    }

    /// Whether nothing is known of how well the loaded model reads, for it was dropped here and never measured.
    pub(super) fn is_unmeasured(&self) -> bool {
        let manifest = self.manifest();
        self.kept_model().is_some() && manifest.is_some_and(|all| all.evaluation.is_none())
    }
}
