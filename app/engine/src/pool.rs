//! Other engines, each in a worker of its own, that score pictures beside this one, where threads cannot share memory.
//!
//! They load the same package (from the browser's cache) and are used as soon as they have it. One that does not answer is not asked
//! again (its end is noticed as the page notices this engine's), and its pictures are scored here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use futures::channel::oneshot;
use sightline::asked::{Scored, Wants};
use sightline::package::Manifest;
use sightline::pictures::{Pictures, Regions};
use sightline::reader::{Begun, Reader};
use sightline::reading::ReadError;
use sightline_session::helpers::{Done, Task};
use sightline_session::messages::PackagePlace;

use sightline_wire::{self as wire, Heard, Role, Spawned};

use crate::{device, threads};

/// More bring little, and each holds the model.
const MOST: usize = 7;
/// What the helpers may hold together, in bytes, and what each holds beside the weights.
const MEMORY: u64 = 500 << 20;
const BESIDE_WEIGHTS: u64 = 120 << 20;
/// Batches that a helper has at once, or threads have: those that are scored, and more, for as long as this engine is busy with what was scored.
const AHEAD: usize = 4;

/// How many helpers a package may have on this machine.
pub fn helpers(manifest: &Manifest) -> usize {
    // Weights are stored in half precision, held in single, and both while they are loaded. Packed, they are held once more: what a helper holds beside them
    // has room for that.
    let each = 4 * manifest.weights.bytes + BESIDE_WEIGHTS;
    device::cores()
        .saturating_sub(1)
        .min(MOST)
        .min((MEMORY / each) as usize)
}

pub struct Pool {
    helpers: Vec<Helper>,
}

struct Helper {
    spawned: Spawned<Task, Done>,
    state: Rc<State>,
    /// What it was sent last. Held weakly: so nothing else can be where they are.
    regions: RefCell<Weak<Regions>>,
}

#[derive(Default)]
struct State {
    ready: Cell<bool>,
    tickets: Cell<u32>,
    /// Who waits for which ticket's answer.
    waiting: RefCell<BTreeMap<u32, oneshot::Sender<Vec<Scored>>>>,
}

impl Pool {
    /// Starts helpers, which load the package in their own time.
    pub fn start(count: usize, package: &PackagePlace) -> Self {
        // One that the browser does not start is skipped.
        let helper = |_| Helper::start(package);
        Self {
            helpers: (0..count).filter_map(helper).collect(),
        }
    }

    /// Who scores: this engine, and the helpers that are ready.
    pub fn workers(&self) -> usize {
        1 + self
            .helpers
            .iter()
            .filter(|helper| helper.state.ready.get())
            .count()
    }
}

/// Pictures that are being scored, here and by the helpers: each is given a batch while it still has one to do, so that it need not wait
/// while this engine is busy with what was scored.
pub struct Scoring<'a> {
    /// Once there is work that others can share.
    pool: Option<Rc<Pool>>,
    reader: &'a Reader,
    /// Batches in the order in which they were given.
    under_way: VecDeque<Batch>,
}

enum Batch {
    Scored(Vec<Scored>),
    /// Which threads have begun with.
    Begun(Begun),
    Asked(Asked),
}

/// A batch that a helper was given.
struct Asked {
    wants: Wants,
    pictures: Pictures,
    /// The helper's answer. None comes if the helper ends, or cannot score these pictures.
    answer: oneshot::Receiver<Vec<Scored>>,
}

impl Asked {
    /// Scores the pictures here, in place of the helper.
    async fn score(&self, reader: &Reader) -> Result<Vec<Scored>, ReadError> {
        let values = self.pictures.clone().values();
        reader.score(values, &self.wants).await
    }
}

impl<'a> Scoring<'a> {
    pub fn new(reader: &'a Reader) -> Self {
        Self {
            pool: None,
            reader,
            under_way: VecDeque::new(),
        }
    }

    /// Shares what comes with helpers.
    pub fn shared_with(&mut self, pool: Rc<Pool>) -> &Pool {
        self.pool.insert(pool)
    }

    /// Gives the helpers something to do and scores a batch of at most `most` pictures here. `next` makes normalised pictures, as many as
    /// it is asked for, or fewer at its end.
    pub async fn step(
        &mut self,
        most: usize,
        wants: &Wants,
        next: &mut dyn FnMut(usize) -> Pictures,
    ) -> Result<(), ReadError> {
        if threads::count() > 1 && wants.can_be_shared() {
            return self.step_with_threads(most, wants, next).await;
        }
        let rounds = if wants.can_be_shared() { AHEAD } else { 0 };
        for _ in 0..rounds {
            let helpers = self.pool.iter().flat_map(|pool| &pool.helpers);
            for helper in helpers.filter(|helper| helper.state.can_be_asked()) {
                let pictures = next(most);
                if !pictures.is_empty() {
                    self.under_way.push_back(helper.ask(wants, pictures));
                }
            }
        }
        let own = next(most);
        if !own.is_empty() {
            let scored = self.reader.score(own.values(), wants).await?;
            self.under_way.push_back(Batch::Scored(scored));
        } else if let Some(index) = self.not_begun() {
            // Nothing else is left to do here.
            if let Batch::Asked(asked) = &self.under_way[index] {
                self.under_way[index] = Batch::Scored(asked.score(self.reader).await?);
            }
        } else if let Some(Batch::Asked(asked)) = self.under_way.front_mut() {
            let scored = match (&mut asked.answer).await {
                Ok(scored) => scored,
                Err(oneshot::Canceled) => asked.score(self.reader).await?,
            };
            self.under_way[0] = Batch::Scored(scored);
        }
        Ok(())
    }

    /// Gives the threads something to do, and computes with them until the first batch is scored. What they have then is done while answers are taken
    /// in.
    async fn step_with_threads(
        &mut self,
        most: usize,
        wants: &Wants,
        next: &mut dyn FnMut(usize) -> Pictures,
    ) -> Result<(), ReadError> {
        while self.under_way.len() < AHEAD {
            let pictures = next(most);
            if pictures.is_empty() {
                break;
            }
            let values = pictures.values();
            let input = &self.reader.manifest.input;
            let picture = input.channels * input.size * input.size;
            // Pictures that are fewer than the threads are shared by all of them, one after the other.
            let are_few = values.len() < threads::count() * picture;
            let begun = match self.under_way.is_empty() && are_few {
                true => Err(values),
                false => self.reader.begin(values, wants),
            };
            match begun {
                Ok(begun) => self.under_way.push_back(Batch::Begun(begun)),
                Err(values) => {
                    let scored = self.reader.score(values, wants).await?;
                    self.under_way.push_back(Batch::Scored(scored));
                    break;
                }
            }
        }
        let begun = || {
            let batches = self.under_way.iter();
            batches.filter_map(|batch| match batch {
                Batch::Begun(begun) => Some(begun),
                _ => None,
            })
        };
        let is_over = || begun().next().is_none_or(Begun::is_over);
        while !is_over() && begun().any(Begun::help) {}
        // By now it is over, or others are at the last of its pictures.
        let is_begun = |batch: &mut Batch| matches!(batch, Batch::Begun(_));
        if let Some(Batch::Begun(begun)) = self.under_way.pop_front_if(is_begun) {
            let scored = self.reader.finish(begun).await?;
            self.under_way.push_front(Batch::Scored(scored));
        }
        Ok(())
    }

    /// The last batch that no helper can have begun, since each has others to do before.
    fn not_begun(&mut self) -> Option<usize> {
        let begun = self.pool.as_ref().map_or(0, |pool| pool.helpers.len());
        let mut waited_for = Vec::new();
        for (index, batch) in self.under_way.iter_mut().enumerate() {
            if let Batch::Asked(asked) = batch {
                match asked.answer.try_recv() {
                    Ok(Some(scored)) => *batch = Batch::Scored(scored),
                    Ok(None) | Err(oneshot::Canceled) => waited_for.push(index),
                }
            }
        }
        waited_for.get(begun..)?.last().copied()
    }

    /// The scores of the first batch that was not taken yet, if they are there.
    pub async fn take(&mut self) -> Result<Option<Vec<Scored>>, ReadError> {
        let scored = match self.under_way.front_mut() {
            None => return Ok(None),
            Some(Batch::Scored(scored)) => std::mem::take(scored),
            Some(Batch::Begun(_)) => return Ok(None),
            Some(Batch::Asked(asked)) => match asked.answer.try_recv() {
                Ok(Some(scored)) => scored,
                Ok(None) => return Ok(None),
                Err(oneshot::Canceled) => asked.score(self.reader).await?,
            },
        };
        self.under_way.pop_front();
        Ok(Some(scored))
    }
}

impl Helper {
    fn start(package: &PackagePlace) -> Option<Self> {
        let state = Rc::new(State::default());
        let heard = state.clone();
        let program = wire::program(&wire::home(), Role::Helper, false).ok()?;
        let spawned = Spawned::start(&program, move |said| heard.hear(said)).ok()?;
        spawned.send(&Task::Load {
            package: package.clone(),
            several_cores: false,
        });
        Some(Self {
            spawned,
            state,
            regions: RefCell::default(),
        })
    }

    fn ask(&self, wants: &Wants, pictures: Pictures) -> Batch {
        let (sender, answer) = oneshot::channel();
        let ticket = self.state.tickets.get() + 1;
        self.state.tickets.set(ticket);
        self.state.waiting.borrow_mut().insert(ticket, sender);
        let task = match &pictures {
            Pictures::Whole(values) => Task::Score {
                ticket,
                wants: wants.clone(),
                values: values.clone(),
            },
            Pictures::Hidden { regions, shown } => {
                if !std::ptr::eq(self.regions.borrow().as_ptr(), Arc::as_ptr(regions)) {
                    self.spawned.send(&Task::Regions((**regions).clone()));
                    self.regions.replace(Arc::downgrade(regions));
                }
                Task::ScoreHidden {
                    ticket,
                    wants: wants.clone(),
                    shown: shown.clone(),
                }
            }
        };
        self.spawned.send(&task);
        Batch::Asked(Asked {
            wants: wants.clone(),
            pictures,
            answer,
        })
    }
}

impl State {
    fn can_be_asked(&self) -> bool {
        self.ready.get() && self.waiting.borrow().len() < AHEAD
    }

    fn hear(&self, said: Heard<Done>) {
        match said {
            Heard::Answer(Done::Loaded, _) => self.ready.set(true),
            Heard::Answer(Done::Scored { ticket, scored }, _) => {
                let sender = self.waiting.borrow_mut().remove(&ticket);
                if let (Some(sender), Some(scored)) = (sender, scored) {
                    // Nobody may be there any more.
                    let _ = sender.send(scored);
                }
            }
            Heard::Answer(Done::NotLoaded, _) | Heard::Ended(_) => {
                self.ready.set(false);
                self.waiting.take();
            }
        }
    }
}
