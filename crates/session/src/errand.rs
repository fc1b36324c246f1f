//! What a program that has a session of its own asks of it: one thing at a time, of which it is told what came of it.
//!
//! A session goes on by itself where an engine fails: with fewer pictures at once, or on the CPU. An errand asks again for what was lost then.

use crate::session::{Session, Status};
use sightline_core::explain::method::Method;

/// How often the same is asked for, at most: an engine that fails each time would be asked for ever.
const TRIES: u8 = 4;

/// Said where nothing came of work, and nothing is said why.
const NOTHING: &str = "The computation ended without a result. Try again.";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A model that can read.
    Load,
    /// The reading of the file that was given last.
    Read,
    /// The maps of a method.
    Explain(Method),
    /// What is measured of the map of a finding: a position in the report.
    Measure(usize, Method),
}

/// An errand that is under way.
#[derive(Clone, Debug)]
pub struct UnderWay {
    errand: Errand,
    tries: u8,
    /// What came of it: nothing more to say, or why not.
    outcome: Option<Result<(), String>>,
}

impl UnderWay {
    /// An errand that begins: [`UnderWay::go_on`] is to be called each time that something happened to the session.
    pub fn begin(session: &mut Session, errand: Errand) -> Self {
        // What was said of the errand before is not of this one.
        session.dismiss();
        Self {
            errand,
            tries: 0,
            outcome: None,
        }
    }

    /// What came of it, once that is known.
    pub fn outcome(&self) -> Option<&Result<(), String>> {
        self.outcome.as_ref()
    }

    /// Asks the session for what is missing, and notes what came of it.
    pub fn go_on(&mut self, session: &mut Session) {
        if self.outcome.is_some() {
            return;
        }
        let problems = || session.problems().join(" ");
        self.outcome = match session.status() {
            Status::Error => Some(Err(problems())),
            Status::Loading | Status::Reading => None,
            _ if session.complains() => Some(Err(problems())),
            Status::Idle => Some(match self.errand {
                Errand::Load => Ok(()),
                _ => Err("There is no radiograph: read one first.".to_owned()),
            }),
            Status::Ready | Status::Explaining => self.with_picture(session),
        };
    }

    fn with_picture(&mut self, session: &mut Session) -> Option<Result<(), String>> {
        let (method, finding) = match self.errand {
            Errand::Load | Errand::Read => return Some(Ok(())),
            Errand::Explain(method) => (method, None),
            Errand::Measure(finding, method) => (method, Some(finding)),
        };
        let asking = session.settings().asking(method);
        let picture = session.picture()?;
        let made = picture.explanation(method, session.settings());
        let explained = asking.is_none_or(|asking| {
            let complete = made.is_some_and(|made| made.is_complete(&asking));
            complete && session.making() != Some(method)
        });
        let done = match finding {
            None => explained,
            Some(finding) => picture.trust(finding, method).is_some(),
        };
        if done {
            return Some(Ok(()));
        }
        if session.status() == Status::Explaining {
            return None;
        }
        // Nothing is under way: it was not asked for yet, or ended with its engine.
        if self.tries == TRIES {
            return Some(Err(NOTHING.to_owned()));
        }
        self.tries += 1;
        if !session.shows_scores() {
            // Whoever asks for a map of a picture that the gate stopped wants it anyway.
            session.show_scores();
        }
        session.explain_by(method);
        if let Some(finding) = finding.filter(|_| explained) {
            session.select(finding);
            if session.selected() != Some(finding) {
                return Some(Err("The finding was not trained: it has no map.".to_owned()));
            }
            session.measure();
        }
        if session.status() == Status::Explaining {
            return None;
        }
        Some(Err(NOTHING.to_owned()))
    }
}
