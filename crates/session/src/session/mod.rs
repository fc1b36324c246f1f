//! The page as a state machine: what happened goes in by a method, and what is to be done comes out as [`Effect`]s.
//!
//! Three things go on apart from each other: the engine, which loads a model or has one; the radiograph that was given last; and one
//! job at most that is asked of it. While nothing of it is under way, the rows of the list are read one after another. A refusal ends the one that it is about, and leaves the others as they are.

mod address;
mod answers;
mod dropped;
mod jobs;
mod look;
mod models;
mod radiograph;
mod teaching;
mod validation;
mod worklist;

pub use dropped::{Review, is_weights};

use std::sync::Arc;

use sightline_core::explain::fill::Fill;
use sightline_core::explain::method::{Asking, Method, Settings};
use sightline_core::finding::Finding;
use sightline_core::gate::{Judgement, Verdict};
use sightline_core::package::{Manifest, ModelEntry, PackageError};
use sightline_core::radiograph::film::Film;
use sightline_core::report::drawn::Drawn;
use sightline_core::trust::erase::Spot;
use sightline_core::vocabulary::Vocabulary;

use crate::given::Given;
use crate::messages::{Adapter, DeviceChoice, KeptModel, Progress, Request};
use crate::picture::ReadPicture;
use crate::teaching::Teaching;
use crate::validation::Validation;
use crate::worklist::Worklist;

pub use address::Wanted;

/// LIME's samples: fewer explain nothing, more take minutes and change little.
pub const SAMPLES: std::ops::RangeInclusive<usize> = 50..=10_000;

/// What is said beside each reading of a model that was dropped here.
const UNMEASURED: &str = "Nothing is known of this model: it was dropped into this page, and was not measured. A score may mean nothing.";

/// What the page is doing; `data-state` of the status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Loading,
    Idle,
    Reading,
    Explaining,
    Ready,
    Error,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Loading => "loading",
            Status::Idle => "idle",
            Status::Reading => "reading",
            Status::Explaining => "explaining",
            Status::Ready => "ready",
            Status::Error => "error",
        }
    }
}

/// A file that was given and is at hand. Its bytes stay where the browser has them until the engine reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As it was called; empty for a pasted picture.
    pub name: String,
    /// The number under which it was fetched.
    pub fetched_as: u32,
}

/// What the browser is to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Fetch the list of models, for [`Session::list`].
    FetchList,
    /// Start a fresh engine in place of the one there is.
    StartEngine,
    StopEngine,
    Send(Request),
    /// Send a request with the file that was fetched under this number, or with the tables' ([`TABLES`](crate::validation::TABLES)).
    SendWithFile(Request, u32),
    /// Send a request with the weights that were dropped last.
    SendWithWeights(Request),
    /// Have a file at hand that was given, for [`Session::fetched`].
    Fetch {
        id: u32,
        index: usize,
    },
    /// Have the file of a row at hand beside the one that is shown, for [`Session::row_fetched`].
    FetchRow {
        id: u32,
        index: usize,
    },
}

/// What a reader can do about an engine that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    LoadAgain,
    ReloadPage,
}

/// Why an engine is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The engine's program could not be fetched or started.
    NotLoaded(String),
    /// The engine's program is of another version of Sightline than the page.
    OtherVersion,
    /// The engine answers nothing any more.
    Silent,
    /// The engine ended: a bug, no memory, or a lost device.
    Died(String),
}

#[derive(Clone, Debug)]
enum Engine {
    Loading,
    Ready(Arc<Manifest>),
    Failed { why: String, remedy: Remedy },
}

/// The radiograph that was given last.
#[derive(Clone, Debug)]
enum Study {
    None,
    /// The radiograph's bytes are on their way.
    Fetching,
    /// The radiograph is read as soon as a model is there.
    Waiting,
    Reading,
    Read(Arc<ReadPicture>),
    Refused(String),
}

/// The samples of the picture that is shown, for a closer look.
#[derive(Clone, Debug)]
enum Negative {
    None,
    Asked,
    Here(Arc<Film>),
}

/// How the samples of a radiograph can be taken whose file does not say how many of their bits are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depths {
    /// As far as the pixels tell, and the other that they could have.
    told: Option<[u8; 2]>,
    chosen: Option<u8>,
}

impl Depths {
    /// The two readings, the one that is taken without a choice first.
    pub fn offered(self) -> [u8; 2] {
        self.told.unwrap_or([16, 16])
    }

    /// How it is read.
    pub fn bits(self) -> u8 {
        self.chosen.unwrap_or(self.offered()[0])
    }
}

/// What the engine is asked of the radiograph beside reading it: one thing at most, since it works for the newest request only.
#[derive(Clone, Debug, PartialEq)]
enum Job {
    Explain(Asking),
    Measure(Finding, Method),
    Probe,
}

/// Everything the page knows and does, but how it looks.
#[derive(Clone, Debug)]
pub struct Session {
    /// The server's models, and after them those that this browser keeps.
    models: Vec<ModelEntry>,
    kept: Vec<KeptModel>,
    /// The model that was dropped, and the number of the last look at one.
    review: Option<Review>,
    reviews: u32,
    model: String,
    engine: Engine,
    adapter: Option<Adapter>,
    device: DeviceChoice,
    wanted: Wanted,
    /// Pictures that may be scored at once: fewer after an engine failed with more.
    at_once: usize,
    /// Pictures that the engine is scoring at once now.
    scoring: usize,
    progress: Option<Progress>,
    /// The number of the radiograph given last, and of each time that it is read: answers to any other come too late.
    id: u32,
    given: Given,
    /// The files that were given until now.
    list: Worklist,
    /// The file that is shown: read again when the model changes.
    file: Option<File>,
    depth: Depths,
    study: Study,
    asked: Option<Job>,
    method: Method,
    settings: Settings,
    selected: Option<usize>,
    /// Scores are wanted of a picture that the gate stopped.
    wanted_anyway: bool,
    teaching: Teaching,
    spots: Vec<Spot>,
    fill: Fill,
    /// What was drawn on the file that is shown.
    drawn: Drawn,
    film: Negative,
    /// The model card as HTML, once it was asked for, and how often one was shown.
    card: (u32, String),
    validation: Validation,
    /// What did not work, while everything else goes on.
    complaint: Option<String>,
    /// What the engine fell back to.
    fallback: Option<String>,
    effects: Vec<Effect>,
}

impl Session {
    /// The page as it begins: it asks for the list of models.
    pub fn new(device: DeviceChoice) -> Self {
        Self {
            models: Vec::new(),
            kept: Vec::new(),
            review: None,
            reviews: 0,
            model: String::new(),
            engine: Engine::Loading,
            adapter: None,
            device,
            wanted: Wanted::default(),
            at_once: usize::MAX,
            scoring: 0,
            progress: None,
            id: 0,
            given: Given::default(),
            list: Worklist::default(),
            file: None,
            depth: Depths::default(),
            study: Study::None,
            asked: None,
            method: Method::default(),
            settings: Settings::default(),
            selected: None,
            wanted_anyway: false,
            teaching: Teaching::default(),
            spots: Vec::new(),
            fill: Fill::PictureMean,
            drawn: Drawn::default(),
            film: Negative::None,
            card: (0, String::new()),
            validation: Validation::default(),
            complaint: None,
            fallback: None,
            effects: vec![Effect::FetchList],
        }
    }

    /// What is to be done now, in this order.
    pub fn effects(&mut self) -> Vec<Effect> {
        self.read_on();
        self.measure_on();
        std::mem::take(&mut self.effects)
    }
}

/// What there is to see.
impl Session {
    pub fn status(&self) -> Status {
        match (&self.engine, &self.study) {
            (Engine::Failed { .. }, _) => Status::Error,
            (Engine::Loading, _) => Status::Loading,
            (Engine::Ready(_), Study::Fetching | Study::Waiting | Study::Reading) => {
                Status::Reading
            }
            (Engine::Ready(_), Study::Read(_)) => match self.asked {
                Some(Job::Explain(_) | Job::Measure(..)) => Status::Explaining,
                Some(Job::Probe) | None => Status::Ready,
            },
            (Engine::Ready(_), Study::Refused(_)) => Status::Error,
            (Engine::Ready(_), Study::None) => Status::Idle,
        }
    }

    pub fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// Whether the engine may compute on a graphics card.
    pub fn may_use_webgpu(&self) -> bool {
        self.device != DeviceChoice::Cpu
    }

    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }

    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    pub fn model(&self) -> &str {
        &self.model
    }

    /// The model that was dropped and is yet to be opened.
    pub fn review(&self) -> Option<&Review> {
        self.review.as_ref()
    }

    /// The chosen package's folder: an address relative to the page.
    ///
    /// # Errors
    /// When it would lead to another server, or this browser keeps the package.
    pub fn folder(&self) -> Result<String, PackageError> {
        if let Some(kept) = self.kept_model() {
            return Err(PackageError::Elsewhere(kept.name.clone()));
        }
        let entry = self.models.iter().find(|entry| entry.name == self.model);
        let beside_the_page = ModelEntry {
            name: self.model.clone(),
            path: None,
        };
        entry.unwrap_or(&beside_the_page).folder()
    }

    pub fn manifest(&self) -> Option<&Arc<Manifest>> {
        match &self.engine {
            Engine::Ready(manifest) => Some(manifest),
            _ => None,
        }
    }

    /// The findings of the model, or of the one before while another is loaded; CheXpert's before the first.
    pub fn vocabulary(&self) -> &Vocabulary {
        self.list.vocabulary()
    }

    pub fn picture(&self) -> Option<&Arc<ReadPicture>> {
        match &self.study {
            Study::Read(picture) => Some(picture),
            _ => None,
        }
    }

    /// What the gate says of the picture.
    pub fn gate(&self) -> Option<&Judgement> {
        self.picture()?.report.gate.as_ref()
    }

    /// Whether scores, maps and exports are shown: not of a picture that the gate stopped, unless someone asks for them, and not before
    /// a reader who reads first has committed the reading.
    pub fn shows_scores(&self) -> bool {
        let stopped = self
            .gate()
            .is_some_and(|gate| gate.verdict == Verdict::Stop);
        let held_back = self.waits_for_reader() || (stopped && !self.wanted_anyway);
        self.picture().is_some() && !held_back
    }

    /// The finding whose map is shown: a position in the report, of a finding that was trained.
    pub fn selected(&self) -> Option<usize> {
        self.selected
    }

    pub fn method(&self) -> Method {
        self.method
    }

    /// The method whose map is being made, whichever is in view.
    pub fn making(&self) -> Option<Method> {
        match &self.asked {
            Some(Job::Explain(asking)) => Some(asking.method()),
            _ => None,
        }
    }

    /// How maps are to be made.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is painted over.
    pub fn spots(&self) -> &[Spot] {
        &self.spots
    }

    pub fn fill(&self) -> Fill {
        self.fill
    }

    /// What was drawn on the radiograph.
    pub fn drawn(&self) -> &Drawn {
        &self.drawn
    }

    /// The samples of the picture that is shown, once they were asked for.
    pub fn film(&self) -> Option<&Arc<Film>> {
        match &self.film {
            Negative::Here(film) => Some(film),
            _ => None,
        }
    }

    /// What went wrong: of the engine, of the file, and of what was asked last.
    pub fn problems(&self) -> Vec<String> {
        let engine = match &self.engine {
            Engine::Failed { why, .. } => Some(why),
            _ => None,
        };
        let study = match &self.study {
            Study::Refused(why) => Some(why),
            _ => None,
        };
        let all = [engine, study, self.complaint.as_ref()].into_iter();
        all.flatten().cloned().collect()
    }

    /// The model card as HTML, and how often one was shown: each time is another. Empty until it is there.
    pub fn card(&self) -> &(u32, String) {
        &self.card
    }

    /// Whether there is a complaint to dismiss: it stays until something else is done.
    pub fn complains(&self) -> bool {
        self.complaint.is_some()
    }

    /// What can be done about an engine that failed.
    pub fn remedy(&self) -> Option<Remedy> {
        match self.engine {
            Engine::Failed { remedy, .. } => Some(remedy),
            _ => None,
        }
    }

    /// Something that the reader should know and can go on with: what the engine fell back to.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The two ways in which the radiograph can be read, where its file does not tell.
    pub fn depths(&self) -> Option<Depths> {
        let shown = matches!(self.study, Study::Read(_)) && self.depth.told.is_some();
        shown.then_some(self.depth)
    }

    /// What is to be said beside the radiograph, a sentence or two each.
    pub fn notices(&self) -> Vec<String> {
        match &self.study {
            Study::Read(picture) => {
                let of_the_picture = picture.report.image.notices.iter().cloned();
                let of_the_rest = self.given.said_of_the_rest();
                let of_the_model = self.is_unmeasured().then(|| UNMEASURED.to_owned());
                let of_both = of_the_picture.chain(of_the_model);
                of_both.chain(of_the_rest).collect()
            }
            _ => Vec::new(),
        }
    }
}
