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

/// Threads that take the parts of a layer, one after the other, whoever has time.
#[derive(Debug)]
pub struct Threads {
    team: Option<Arc<Team>>,
    /// One for each.
    scratches: Vec<Scratch>,
}

impl Default for Threads {
    /// This thread alone.
    fn default() -> Self {
        Self {
            team: None,
            scratches: vec![Scratch::default()],
        }
    }
}

impl Threads {
    /// The threads of a team, which has no other work meanwhile.
    pub fn of(team: Arc<Team>) -> Self {
        let mut scratches = Vec::new();
        scratches.resize_with(team.threads(), Scratch::default);
        Self {
            team: Some(team),
            scratches,
        }
    }

    /// Does every part, each once.
    pub(crate) fn each(&mut self, parts: usize, work: impl Fn(usize, &mut Scratch) + Sync) {
        self.each_after(|_| {}, parts, work);
    }

    /// Does every part, each once. A thread that does any prepares its scratch before.
    fn each_after(
        &mut self,
        prepare: impl Fn(&mut Scratch) + Sync,
        parts: usize,
        work: impl Fn(usize, &mut Scratch) + Sync,
    ) {
        let next = AtomicUsize::new(0);
        let all = |scratch: &mut Scratch| {
            let mut part = next.fetch_add(1, Relaxed);
            if part < parts {
                prepare(scratch);
            }
            while part < parts {
                work(part, scratch);
                part = next.fetch_add(1, Relaxed);
            }
        };
        match &self.team {
            Some(team) if parts > 1 => {
                let scratches = Shared(self.scratches.as_mut_ptr());
                team.run(&|thread| {
                    // SAFETY: there is one for every thread of the team, and a thread has its own.
                    all(unsafe { &mut *scratches.at(thread) });
                });
            }
            _ => all(&mut self.scratches[0]),
        }
    }

    /// Does the work of every chunk of so many values, the last of which may be shorter.
    pub(crate) fn each_chunk(
        &mut self,
        values: &mut [f32],
        length: usize,
        work: impl Fn(usize, &mut [f32], &mut Scratch) + Sync,
    ) {
        self.each_chunk_after(|_| {}, values, length, work);
    }

    /// Does the work of every chunk. A thread that does any prepares its scratch before.
    pub(crate) fn each_chunk_after(
        &mut self,
        prepare: impl Fn(&mut Scratch) + Sync,
        values: &mut [f32],
        length: usize,
        work: impl Fn(usize, &mut [f32], &mut Scratch) + Sync,
    ) {
        let (all, start) = (values.len(), Shared(values.as_mut_ptr()));
        self.each_after(prepare, all.div_ceil(length), |part, scratch| {
            let first = part * length;
            // SAFETY: a part is done once, and no two have values in common; the values are borrowed until all are done.
            let chunk =
                unsafe { std::slice::from_raw_parts_mut(start.at(first), length.min(all - first)) };
            work(part, chunk, scratch);
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
