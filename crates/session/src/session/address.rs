//! What the page's address asks for: a model, a finding and a method at first.

use sightline_core::explain::method::Method;
use sightline_core::package::ModelEntry;

use super::Session;
use crate::picture::ReadPicture;

/// Said of a model and of a method.
const NOT_THERE: &str = "The page's address asks for a model or a method that is not there. The page begins without it.";

/// What is wanted at first. Whatever the reader chooses then goes before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub model: Option<String>,
    pub method: Option<String>,
    /// The finding whose map is shown of each radiograph that is opened; the one with the highest score where the model has none of that name.
    pub finding: Option<String>,
}

impl Session {
    /// Begins with what is wanted. What is not there is said.
    pub fn begin_with(&mut self, wanted: Wanted) {
        match wanted.method.as_deref().map(Method::named) {
            Some(Some(method)) => self.method = method,
            Some(None) => self.complain(NOT_THERE.to_owned()),
            None => {}
        }
        self.wanted = wanted;
    }

    /// The model that is loaded at first.
    pub(super) fn first_model(&mut self) -> String {
        let wanted = self.wanted.model.take();
        let is_wanted = |entry: &&ModelEntry| Some(&entry.name) == wanted.as_ref();
        let found = self.models.iter().find(is_wanted);
        let first = found.or(self.models.first());
        let name = first.map(|entry| entry.name.clone());
        if wanted.is_some() && wanted != name {
            self.complain(NOT_THERE.to_owned());
            // Perhaps this browser keeps it: the engine says so when it is there.
            self.wanted.model = wanted;
        }
        name.unwrap_or_default()
    }

    /// The finding whose map of a picture is shown at first.
    pub(super) fn first_finding(&self, picture: &ReadPicture) -> Option<usize> {
        let trained = picture.trained();
        let is_wanted = |place: &&usize| {
            let name = picture.report.findings[**place].name.name();
            Some(name) == self.wanted.finding.as_deref()
        };
        trained.iter().find(is_wanted).or(trained.first()).copied()
    }
}
