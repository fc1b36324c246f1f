//! Who computes a pass: one thread or several, each with memory of its own, and what they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::buffer::Buffer;
use crate::team::Team;

/// What a thread needs beside inputs and outputs, kept from one layer to the next. It grows to what the largest needs.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) inputs: Buffer,
    pub(crate) outputs: Buffer,
}

/// The threads, and what all of them read in a layer.
#[derive(Debug, Default)]
pub struct Crew {
    pub threads: Threads,
    pub(crate) inputs: Buffer,
    pub(crate) outputs: Buffer,
    pub(crate) offsets: Vec<usize>,
}

impl Crew {
    /// The threads of a team, which has no other work meanwhile.
    pub fn of(team: Arc<Team>) -> Self {
        Self {
            threads: Threads::of(team),
            ..Self::default()
        }
    }
}

/// Threads that take the parts of some work, one after the other, whoever has time. Each has something of its own to work in.
#[derive(Debug)]
pub struct Threads<T = Scratch> {
    team: Option<Arc<Team>>,
    /// One for each.
    own: Vec<T>,
}

impl<T: Default> Default for Threads<T> {
    /// This thread alone.
    fn default() -> Self {
        Self {
            team: None,
            own: vec![T::default()],
        }
    }
}

impl<T: Default + Send> Threads<T> {
    /// The threads of a team, which has no other work meanwhile.
    pub fn of(team: Arc<Team>) -> Self {
        let mut own = Vec::new();
        own.resize_with(team.threads(), T::default);
        Self {
            team: Some(team),
            own,
        }
    }

    /// Does every part, each once.
    pub(crate) fn each(&mut self, parts: usize, work: impl Fn(usize, &mut T) + Sync) {
        self.each_after(|_| {}, parts, work);
    }

    /// Does every part, each once. A thread that does any prepares before.
    fn each_after(
        &mut self,
        prepare: impl Fn(&mut T) + Sync,
        parts: usize,
        work: impl Fn(usize, &mut T) + Sync,
    ) {
        let next = AtomicUsize::new(0);
        let all = |own: &mut T| {
            let mut part = next.fetch_add(1, Relaxed);
            if part < parts {
                prepare(own);
            }
            while part < parts {
                work(part, own);
                part = next.fetch_add(1, Relaxed);
            }
        };
        match &self.team {
            Some(team) if parts > 1 => {
                let all_own = Shared(self.own.as_mut_ptr());
                team.run(&|thread| {
                    // SAFETY: there is one for every thread of the team, and a thread has its own.
                    all(unsafe { &mut *all_own.at(thread) });
                });
            }
            _ => all(&mut self.own[0]),
        }
    }

    /// Does the work of every chunk of so many values, the last of which may be shorter.
    pub(crate) fn each_chunk<V: Send>(
        &mut self,
        values: &mut [V],
        length: usize,
        work: impl Fn(usize, &mut [V], &mut T) + Sync,
    ) {
        self.each_chunk_after(|_| {}, values, length, work);
    }

    /// Does the work of every chunk. A thread that does any prepares before.
    pub(crate) fn each_chunk_after<V: Send>(
        &mut self,
        prepare: impl Fn(&mut T) + Sync,
        values: &mut [V],
        length: usize,
        work: impl Fn(usize, &mut [V], &mut T) + Sync,
    ) {
        let (all, start) = (values.len(), Shared(values.as_mut_ptr()));
        self.each_after(prepare, all.div_ceil(length), |part, own| {
            let first = part * length;
            // SAFETY: a part is done once, and no two have values in common; the values are borrowed until all are done.
            let chunk =
                unsafe { std::slice::from_raw_parts_mut(start.at(first), length.min(all - first)) };
            work(part, chunk, own);
        });
    }
}

/// Where threads have things of their own.
struct Shared<T>(*mut T);

// SAFETY: what is done with a place is for whoever takes it to answer for.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    fn at(&self, index: usize) -> *mut T {
        self.0.wrapping_add(index)
    }
}
