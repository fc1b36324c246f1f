//! Threads that do a piece of work together.
//!
//! One of them has the work and opens it to the others ([`Team::run`]); those spend their lives in [`Team::help`]. Who does not come in time is not
//! waited for: a job is over as soon as nobody is at it, so that a thread which the machine has no core for costs nothing.
//!
//! There is nothing of the standard library's in it that sleeps or locks: in WebAssembly that is built without atomics, whoever uses it.

use std::cell::UnsafeCell;
use std::fmt;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

/// How many helpers are at the job.
const AT_WORK: u32 = 0xff;
/// Whether helpers may begin.
const OPEN: u32 = 0x100;
/// Counts the jobs, above both.
const TURN: u32 = 0x200;
/// How often a helper looks for the next job before it sleeps: longer than a layer is prepared for, some tenths of a millisecond.
const LOOKS: u32 = 50_000;

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
    /// Turn, whether it is open, and who is at work.
    state: AtomicU32,
    asleep: AtomicU32,
    failed: AtomicBool,
    over: AtomicBool,
    job: UnsafeCell<Option<*const Job<'static>>>,
}

// SAFETY: the job is written while nobody is at work and the team is closed, and read by those at work.
unsafe impl Sync for Team {}
// SAFETY: the job is of no thread, as `Job` says.
unsafe impl Send for Team {}

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
            state: AtomicU32::new(0),
            asleep: AtomicU32::new(0),
            failed: AtomicBool::new(false),
            over: AtomicBool::new(false),
            job: UnsafeCell::new(None),
        }
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Does a job here, as thread 0, and with every helper that comes while it is done here. The job is over when this returns.
    ///
    /// # Panics
    /// When a helper failed, or as the job does.
    pub fn run(&self, job: &Job) {
        let state = self.state.load(SeqCst);
        assert_eq!(state & (OPEN | AT_WORK), 0, "one job at a time");
        // SAFETY: `Closing` below outlasts the job's use, also if it panics here; lifetimes are all that differs.
        let job_for_all: *const Job<'static> = unsafe { std::mem::transmute::<&Job, _>(job) };
        // SAFETY: nobody is at work, and nobody begins before the team is open.
        unsafe { *self.job.get() = Some(job_for_all) };
        self.state.store(
            (state & !(OPEN | AT_WORK)).wrapping_add(TURN) | OPEN,
            SeqCst,
        );
        let closing = Closing(self);
        self.wake();
        job(0);
        drop(closing);
        assert!(!self.failed.load(SeqCst), "a helper failed");
    }

    /// Helps as the thread of a number from 1 on, until the team is over.
    pub fn help(&self, thread: usize) {
        assert!((1..self.threads).contains(&thread), "{thread}");
        let (mut done, mut looks) = (0, 0);
        while !self.over.load(SeqCst) {
            let state = self.state.load(SeqCst);
            let turn = state / TURN;
            if state & OPEN != 0 && turn != done {
                let mine = self
                    .state
                    .compare_exchange(state, state + 1, SeqCst, SeqCst);
                if mine.is_ok() {
                    let at_work = AtWork(self);
                    // SAFETY: it is not taken away while somebody is at work, and was written before the team opened.
                    if let Some(job) = unsafe { *self.job.get() } {
                        // SAFETY: as above.
                        unsafe { (*job)(thread) };
                    }
                    drop(at_work);
                    (done, looks) = (turn, 0);
                }
            } else if looks < LOOKS {
                looks += 1;
                hint::spin_loop();
            } else {
                looks = 0;
                self.asleep.fetch_add(1, SeqCst);
                // Whoever opens the team after the state was read here changes it, or sees that somebody sleeps.
                (self.sleep.wait)(&self.state, state);
                self.asleep.fetch_sub(1, SeqCst);
            }
        }
    }

    /// Ends the work of a helper that will not go on with it: in WebAssembly, one that trapped. Who waits for it is told.
    pub fn fail(&self) {
        self.failed.store(true, SeqCst);
        self.state.fetch_sub(1, SeqCst);
    }

    /// Lets all helpers go.
    pub fn end(&self) {
        self.over.store(true, SeqCst);
        self.state.fetch_add(TURN, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if self.asleep.load(SeqCst) > 0 {
            (self.sleep.wake)(&self.state);
        }
    }
}

/// Closes the team and waits until nobody is at work.
struct Closing<'a>(&'a Team);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let Self(team) = self;
        team.state.fetch_and(!OPEN, SeqCst);
        while team.state.load(SeqCst) & AT_WORK != 0 {
            hint::spin_loop();
        }
    }
}

/// A helper at work. One that panics has failed.
struct AtWork<'a>(&'a Team);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let Self(team) = self;
        if std::thread::panicking() {
            team.fail();
        } else {
            team.state.fetch_sub(1, SeqCst);
        }
    }
}
