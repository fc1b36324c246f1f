//! Where answers go, and whether anyone still waits for them.

use std::cell::Cell;
use std::rc::Rc;

use sightline::asked::{Progress, Step};
use sightline::reading::ReadError;
use sightline_session::messages::{Answer, Reason};
use sightline_wire as wire;

use crate::clock::{let_messages_in, now};

/// Between two reports of one step's progress, in milliseconds: the page draws each.
const REPORTED_EVERY: f64 = 200.0;

/// The way back to the page for one request.
#[derive(Clone)]
pub struct Line {
    /// The number of the newest request.
    current: Rc<Cell<u64>>,
    request: u64,
    /// Which step's progress was reported last, and when.
    reported: Rc<Cell<Option<(Step, f64)>>>,
}

impl Line {
    /// For the request that arrived just now; `current` counts requests.
    pub fn open(current: &Rc<Cell<u64>>) -> Self {
        current.set(current.get() + 1);
        Self {
            current: current.clone(),
            request: current.get(),
            reported: Rc::default(),
        }
    }

    /// Whether the page still waits for the answer: it has asked for nothing else.
    pub fn is_open(&self) -> bool {
        self.current.get() == self.request
    }

    /// Answers, if anyone still waits.
    pub fn answer(&self, answer: &Answer) {
        if self.is_open() {
            wire::answer(answer);
        }
    }

    /// Says how far it is and lets waiting messages in.
    ///
    /// # Errors
    /// [`Stop::Cancelled`] when something else is asked for.
    pub async fn progress(&self, progress: Progress) -> Result<(), Stop> {
        self.report(progress);
        self.pause().await
    }

    /// Lets waiting messages in.
    ///
    /// # Errors
    /// [`Stop::Cancelled`] when something else is asked for.
    pub async fn pause(&self) -> Result<(), Stop> {
        let_messages_in().await;
        match self.is_open() {
            true => Ok(()),
            false => Err(Stop::Cancelled),
        }
    }

    /// Reports the start of a step of which nobody knows how long it takes, see [`Line::progress`].
    pub async fn begin(&self, step: Step) -> Result<(), Stop> {
        let (done, total) = (0, 0);
        self.progress(Progress { step, done, total }).await
    }

    pub fn report(&self, progress: Progress) {
        if let Some((step, at)) = self.reported.get()
            && step == progress.step
            && now() - at < REPORTED_EVERY
        {
            return;
        }
        self.reported.set(Some((progress.step, now())));
        self.answer(&Answer::Progress(progress));
    }
}

/// Why work ended without its result.
pub enum Stop {
    Cancelled,
    Refused(Reason),
    /// The device failed: nothing more can be computed on it.
    Device(String),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Device(why) => Stop::Device(why),
            ReadError::NotANumber => Stop::Refused(Reason::NotANumber),
        }
    }
}

impl From<Reason> for Stop {
    fn from(why: Reason) -> Self {
        Stop::Refused(why)
    }
}
