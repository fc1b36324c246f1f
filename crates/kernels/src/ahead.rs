//! Feature maps that a team computes while the thread that has the work does something else.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::memory::Memory;
use crate::networks::{FeatureMaps, Network};
use crate::team::{Opened, Team};

/// A team, and what each of its threads works in.
pub struct Ahead {
    team: Arc<Team>,
    memories: Arc<EachOwn<Memory>>,
}

/// Things of which every thread has one of its own, or every part of some work.
struct EachOwn<T>(Vec<UnsafeCell<T>>);

// SAFETY: whoever takes one says that nobody else does.
unsafe impl<T: Send> Sync for EachOwn<T> {}

impl<T: Default> EachOwn<T> {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| UnsafeCell::default()).collect())
    }

    /// # Safety
    /// Nobody else has that of this index meanwhile.
    #[allow(clippy::mut_from_ref)]
    unsafe fn get(&self, index: usize) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0[index].get() }
    }
}

/// The pictures of a batch, which threads take one after the other.
struct Batch {
    network: Arc<Network>,
    pictures: Vec<f32>,
    sides: [usize; 2],
    memories: Arc<EachOwn<Memory>>,
    found: EachOwn<FeatureMaps>,
    next: AtomicUsize,
    done: AtomicUsize,
}

impl Batch {
    fn count(&self) -> usize {
        self.found.0.len()
    }

    /// Computes the next picture, as the thread of a number; tells whether there was one.
    fn one(&self, thread: usize) -> bool {
        let index = self.next.fetch_add(1, SeqCst);
        let picture = self.network.pictures(&self.pictures, self.sides).nth(index);
        let Some(picture) = picture.filter(|_| index < self.count()) else {
            return false;
        };
        // SAFETY: a thread is at one picture at a time, and no other has its number.
        let memory = unsafe { self.memories.get(thread) };
        // SAFETY: a picture is taken once.
        let found = unsafe { self.found.get(index) };
        self.network.forward(picture, memory);
        found.push(memory.map());
        self.done.fetch_add(1, SeqCst);
        true
    }
}

impl Ahead {
    pub fn of(team: Arc<Team>) -> Self {
        let memories = EachOwn::new(team.threads());
        Self {
            team,
            memories: Arc::new(memories),
        }
    }

    /// Has the helpers begin with pictures, as [`Network::feature_maps`] takes them; `None` if they have too much to do already.
    ///
    /// # Panics
    /// As [`Network::feature_maps`].
    pub fn begin(
        &self,
        network: Arc<Network>,
        pictures: Vec<f32>,
        sides: [usize; 2],
    ) -> Option<Begun> {
        let count = network.pictures(&pictures, sides).count();
        let batch = Arc::new(Batch {
            network,
            pictures,
            sides,
            memories: self.memories.clone(),
            found: EachOwn::new(count),
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        });
        let shared = batch.clone();
        let opened = self
            .team
            .open(Box::new(move |thread| while shared.one(thread) {}))?;
        Some(Begun {
            team: self.team.clone(),
            opened: Some(opened),
            batch,
        })
    }
}

/// A batch that helpers have begun with. They leave it when this is dropped.
pub struct Begun {
    team: Arc<Team>,
    opened: Option<Opened>,
    batch: Arc<Batch>,
}

impl Begun {
    /// Whether every picture is computed.
    pub fn is_over(&self) -> bool {
        self.batch.done.load(SeqCst) == self.batch.count()
    }

    /// Computes a picture here, if nobody has begun with it; tells whether there was one.
    ///
    /// # Panics
    /// As [`Team::run`].
    pub fn help(&self) -> bool {
        self.team.as_the_first(|| self.batch.one(0))
    }

    /// Computes what is left to compute, and gives all.
    ///
    /// # Panics
    /// As [`Team::run`].
    pub fn finish(mut self) -> FeatureMaps {
        if let Some(opened) = self.opened.take() {
            opened.finish();
        }
        let mut maps = FeatureMaps::default();
        for index in 0..self.batch.count() {
            // SAFETY: nobody is at the batch any more.
            let found = unsafe { self.batch.found.get(index) };
            let [_, channels, height, width] = found.shape;
            maps.shape = [index + 1, channels, height, width];
            maps.values.append(&mut found.values);
        }
        maps
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Nobody begins with another picture; who is at one is waited for.
        self.batch.next.store(self.batch.count(), SeqCst);
        self.opened = None;
    }
}
