//! Threads that do pieces of work together.
//!
//! One of them has the work. It opens a job to the others and does it with them ([`Team::run`]), or does something else meanwhile ([`Team::open`]). Those
//! spend their lives in [`Team::help`]. Who does not come in time is not waited for: a job is over as soon as nobody is at it, so that a thread which
//! the machine has no core for costs nothing.
//!
//! There is nothing of the standard library's in it that sleeps or locks: in WebAssembly that is built without atomics, whoever uses it.

use std::cell::UnsafeCell;
use std::fmt;
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

/// Jobs that can be open at once.
const JOBS: usize = 16;
/// How many helpers are at the job.
const AT_WORK: u32 = 0xff;
/// Whether helpers may begin.
const OPEN: u32 = 0x100;
/// Counts the jobs of a place, above both.
const TURN: u32 = 0x200;
/// No place.
const NOWHERE: usize = usize::MAX;
/// How often a helper looks for the next job before it sleeps: longer than a layer is prepared for, some tenths of a millisecond.
const LOOKS: u32 = 20_000;

/// What is to be done, by the thread of a number.
type Job<'a> = dyn Fn(usize) + Sync + 'a;

/// How threads sleep.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    /// Returns when the word is woken, perhaps before, and at once if it has not this value.
    pub wait: fn(word: &AtomicU32, value: u32),
    /// Wakes everybody who waits for the word.
    pub wake: fn(word: &AtomicU32),
}

/// A number of threads.
pub struct Team {
    threads: usize,
    sleep: Sleep,
    places: [Place; JOBS],
    /// How many jobs were opened.
    opened: AtomicU32,
    asleep: AtomicU32,
    /// Whether the thread that has the work is at a job.
    busy: AtomicBool,
    /// Thread by thread, at which place's job it is.
    at: Vec<AtomicUsize>,
    failed: AtomicBool,
    over: AtomicBool,
}

/// Where a job is.
#[derive(Default)]
struct Place {
    /// Turn, whether it is open, and who is at work.
    state: AtomicU32,
    /// Which of all jobs it is, in the order in which they were opened.
    order: AtomicU32,
    job: UnsafeCell<Option<*const Job<'static>>>,
}

// SAFETY: the job is written while nobody is at work and the place is closed, and read by those at work.
unsafe impl Sync for Place {}
// SAFETY: the job is of no thread, as `Job` says.
unsafe impl Send for Place {}

impl fmt::Debug for Team {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Team")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Team {
    /// A team of so many threads, with the one that has the work.
    ///
    /// # Panics
    /// When there is none, or more than 255.
    pub fn new(threads: usize, sleep: Sleep) -> Self {
        assert!((1..=AT_WORK as usize).contains(&threads), "{threads}");
        Self {
            threads,
            sleep,
            places: Default::default(),
            opened: AtomicU32::new(0),
            asleep: AtomicU32::new(0),
            busy: AtomicBool::new(false),
            at: (0..threads).map(|_| AtomicUsize::new(NOWHERE)).collect(),
            failed: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Does a job here, as thread 0, and with every helper that comes while it is done here. The job is over when this returns.
    ///
    /// # Panics
    /// When a helper failed, another thread does a job of this team as thread 0, or as the job does.
    pub fn run(&self, job: &Job) {
        // SAFETY: `Closing` outlasts the job's use, also if it panics here.
        let closing = unsafe { self.publish(job) }.map(|place| Closing(self, place));
        self.as_the_first(|| job(0));
        drop(closing);
        self.check();
    }

    /// Opens a job to the helpers, while this thread does something else. `None` if too many are open.
    pub fn open(self: &Arc<Self>, job: Box<dyn Fn(usize) + Send + Sync>) -> Option<Opened> {
        // SAFETY: the job is dropped after it was closed.
        let place = unsafe { self.publish(&*job) }?;
        Some(Opened {
            team: self.clone(),
            place,
            job,
        })
    }

    /// Gives a job to the helpers; `None` if there is no place for it.
    ///
    /// # Safety
    /// The job is there until the place is closed.
    unsafe fn publish(&self, job: &Job) -> Option<usize> {
        let is_free = |place: &Place| place.state.load(SeqCst) & (OPEN | AT_WORK) == 0;
        let index = self.places.iter().position(is_free)?;
        let place = &self.places[index];
        // SAFETY: lifetimes are all that differs; the caller's promise.
        let job: *const Job<'static> = unsafe { std::mem::transmute::<&Job, _>(job) };
        // SAFETY: nobody is at work, and nobody begins before the place is open.
        unsafe { *place.job.get() = Some(job) };
        let order = self.opened.load(SeqCst).wrapping_add(1);
        place.order.store(order, SeqCst);
        let state = place.state.load(SeqCst).wrapping_add(TURN) | OPEN;
        place.state.store(state, SeqCst);
        self.opened.store(order, SeqCst);
        self.wake();
        Some(index)
    }

    /// Does something as thread 0.
    pub(crate) fn as_the_first<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Free<'a>(&'a AtomicBool);
        impl Drop for Free<'_> {
            fn drop(&mut self) {
                self.0.store(false, SeqCst);
            }
        }
        assert!(!self.busy.swap(true, SeqCst), "one thread has the work");
        let _free = Free(&self.busy);
        work()
    }

    pub(crate) fn check(&self) {
        assert!(!self.failed.load(SeqCst), "a helper failed");
    }

    /// Helps as the thread of a number from 1 on, until the team is over.
    pub fn help(&self, thread: usize) {
        assert!((1..self.threads).contains(&thread), "{thread}");
        let (mut done, mut looks) = ([0; JOBS], 0);
        while !self.over.load(SeqCst) {
            let opened = self.opened.load(SeqCst);
            if let Some((index, state)) = self.next(opened, &done) {
                let place = &self.places[index];
                let mine = place
                    .state
                    .compare_exchange(state, state + 1, SeqCst, SeqCst);
                if mine.is_ok() {
                    self.at[thread].store(index, SeqCst);
                    let at_work = AtWork(self, thread);
                    // SAFETY: it is not taken away while somebody is at work, and was written before the place was opened.
                    if let Some(job) = unsafe { *place.job.get() } {
                        // SAFETY: as above.
                        unsafe { (*job)(thread) };
                    }
                    drop(at_work);
                    done[index] = state / TURN;
                    looks = 0;
                }
            } else if looks < LOOKS {
                looks += 1;
                hint::spin_loop();
            } else {
                looks = 0;
                self.asleep.fetch_add(1, SeqCst);
                // Whoever opens a job after the count was read changes it, or sees that somebody sleeps.
                (self.sleep.wait)(&self.opened, opened);
                self.asleep.fetch_sub(1, SeqCst);
            }
        }
    }

    /// The job that was opened first, of those that are open and were not `done`, and the state of its place.
    fn next(&self, opened: u32, done: &[u32; JOBS]) -> Option<(usize, u32)> {
        let states = self.places.iter().map(|place| place.state.load(SeqCst));
        let open = states.enumerate().filter(|(index, state)| {
            state & OPEN != 0 && state & AT_WORK < AT_WORK && state / TURN != done[*index]
        });
        let age = |index: usize| opened.wrapping_sub(self.places[index].order.load(SeqCst)) as i32;
        open.max_by_key(|(index, _)| age(*index))
    }

    /// Ends the work of the helper of a number, which will not go on with it: in WebAssembly, one that trapped. Who waits for it is told.
    pub fn fail(&self, thread: usize) {
        self.failed.store(true, SeqCst);
        self.leave(thread);
    }

    fn leave(&self, thread: usize) {
        let place = self.at[thread].swap(NOWHERE, SeqCst);
        if let Some(place) = self.places.get(place) {
            place.state.fetch_sub(1, SeqCst);
        }
    }

    /// Lets all helpers go.
    pub fn end(&self) {
        self.over.store(true, SeqCst);
        self.opened.fetch_add(1, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if self.asleep.load(SeqCst) > 0 {
            (self.sleep.wake)(&self.opened);
        }
    }
}

/// A job that helpers do while the thread that has the work does something else. It is closed when this is dropped: then nobody is at it.
pub struct Opened {
    team: Arc<Team>,
    place: usize,
    // Dropped after it was closed.
    job: Box<dyn Fn(usize) + Send + Sync>,
}

impl Opened {
    /// Does the job here, too, and closes it.
    ///
    /// # Panics
    /// As [`Team::run`].
    pub fn finish(self) {
        self.team.as_the_first(|| (self.job)(0));
        let team = self.team.clone();
        drop(self);
        team.check();
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        drop(Closing(&self.team, self.place));
    }
}

/// Closes a job and waits until nobody is at it.
struct Closing<'a>(&'a Team, usize);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let Self(team, place) = self;
        let state = &team.places[*place].state;
        state.fetch_and(!OPEN, SeqCst);
        while state.load(SeqCst) & AT_WORK != 0 {
            hint::spin_loop();
        }
    }
}

/// A helper at work. One that panics has failed.
struct AtWork<'a>(&'a Team, usize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let Self(team, thread) = self;
        if std::thread::panicking() {
            team.failed.store(true, SeqCst);
        }
        team.leave(*thread);
    }
}
