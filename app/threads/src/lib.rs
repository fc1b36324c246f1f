//! The kernels alone, as a program whose threads share one memory: browsers allow that to pages that are cross-origin isolated.
//!
//! The engine makes the memory and an instance of the program, and starts workers with an instance each ([`help`]). It asks for a network, whose weights
//! the program then asks for, puts pictures into the memory, asks for passes, and takes the feature maps out. Addresses and lengths are numbers. Every function but [`help`] and [`fail`] is for the
//! engine alone, which calls one at a time.
//!
//! Rust's standard library for WebAssembly is built for one thread. It is of use here because nothing of it that is not of one thread is used by
//! two: the allocator has a lock of its own, and helpers do nothing but kernels. `cargo xtask` builds the program, with the linker's flags.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sightline_kernels::ahead::{Ahead, Begun};
use sightline_kernels::team::{Sleep, Team};
use sightline_kernels::{FeatureMaps, Memory, Network};

/// What the engine reads and writes begins at a multiple of this many bytes.
const ALIGNMENT: usize = 16;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    safe fn wait(word: *const AtomicU32, value: u32);
    safe fn wake(word: *const AtomicU32);
    /// Writes the values of a tensor, whose name is of so many bytes, and tells whether it could: 0 if not. The engine has them while it asks for a
    /// [`network`].
    fn values(name: *const u8, length: usize, to: *mut f32) -> u32;
}

const SLEEP: Sleep = Sleep {
    wait: |word, value| wait(word, value),
    wake: |word| wake(word),
};

/// The standard library's allocator, one thread at a time.
struct OneAtATime {
    taken: AtomicBool,
}

impl OneAtATime {
    fn with<T>(&self, work: impl FnOnce() -> T) -> T {
        while self.taken.swap(true, Ordering::Acquire) {
            std::hint::spin_loop();
        }
        let done = work();
        self.taken.store(false, Ordering::Release);
        done
    }
}

// SAFETY: the system's allocator, with one thread in it at a time.
unsafe impl GlobalAlloc for OneAtATime {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.with(|| unsafe { System.alloc(layout) })
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.with(|| unsafe { System.alloc_zeroed(layout) })
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        self.with(|| unsafe { System.realloc(at, layout, size) })
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        self.with(|| unsafe { System.dealloc(at, layout) });
    }
}

#[global_allocator]
static ALLOCATOR: OneAtATime = OneAtATime {
    taken: AtomicBool::new(false),
};

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()
}

/// Room for so many bytes; 0 where there is none.
#[unsafe(no_mangle)]
pub extern "C" fn take(bytes: usize) -> *mut u8 {
    // SAFETY: it has a size.
    layout(bytes).map_or(null_mut(), |layout| unsafe { ALLOCATOR.alloc(layout) })
}

/// Gives room back.
///
/// # Safety
/// It was taken with as many bytes, and nothing uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn give_back(at: *mut u8, bytes: usize) {
    if let Some(layout) = layout(bytes) {
        // SAFETY: the caller's promise.
        unsafe { ALLOCATOR.dealloc(at, layout) };
    }
}

/// A team of so many threads, with the engine's. It stays.
#[unsafe(no_mangle)]
pub extern "C" fn team(threads: usize) -> *const Team {
    Arc::into_raw(Arc::new(Team::new(threads, SLEEP)))
}

/// Helps as the thread of a number from 1 on. It does not return.
///
/// # Safety
/// The team is one that was made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn help(team: *const Team, thread: usize) {
    // SAFETY: the caller's promise; teams stay.
    unsafe { &*team }.help(thread);
}

/// Says that the thread of a number trapped, which [`help`] was called for.
///
/// # Safety
/// The team is one that was made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fail(team: *const Team, thread: usize) {
    // SAFETY: the caller's promise; teams stay.
    unsafe { &*team }.fail(thread);
}

/// What passes are computed in, by a team together.
///
/// # Safety
/// The team is one that was made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn passes(team: *const Team) -> *mut Passes {
    // SAFETY: the caller's promise. The count is for the copies that are kept here.
    let team = unsafe {
        Arc::increment_strong_count(team);
        Arc::from_raw(team)
    };
    Box::into_raw(Box::new(Passes {
        memory: Memory::of(team.clone()),
        ahead: Ahead::of(team),
        maps: Vec::new(),
        about: About::default(),
    }))
}

/// What passes are computed in, and what came out of the last one.
pub struct Passes {
    /// For pictures that the threads share.
    memory: Memory,
    /// For pictures that are each a thread's.
    ahead: Ahead,
    maps: Vec<f32>,
    about: About,
}

/// Feature maps, as the engine finds them.
#[derive(Default)]
#[repr(C)]
pub struct About {
    /// Batch, channels, height, width.
    shape: [u32; 4],
    values: usize,
}

impl Passes {
    /// Keeps feature maps until the next ones.
    fn keep(&mut self, maps: FeatureMaps) -> *const About {
        self.maps = maps.values;
        self.about = About {
            shape: maps.shape.map(|side| side as u32),
            values: self.maps.as_ptr() as usize,
        };
        &raw const self.about
    }
}

/// The network of a text: family, variant and channels of pictures in the first line, and in each line that follows the name of a tensor and its
/// shape. 0 where there is no such network, or a tensor is missing or cannot be read.
///
/// # Safety
/// The text is of so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn network(text: *const u8, length: usize) -> *const Network {
    // SAFETY: the caller's promise.
    let text = unsafe { std::slice::from_raw_parts(text, length) };
    let text = std::str::from_utf8(text).ok();
    let built = text.and_then(built);
    built.map_or(null(), |network| Arc::into_raw(Arc::new(network)))
}

fn built(text: &str) -> Option<Network> {
    let mut lines = text.lines().map(|line| line.split(' '));
    let mut what = lines.next()?;
    let (family, variant) = (what.next()?, what.next()?);
    let channels = what.next()?.parse().ok()?;
    let mut shapes = HashMap::new();
    for mut line in lines {
        let name = line.next()?;
        let shape: Result<Vec<usize>, _> = line.map(str::parse).collect();
        shapes.insert(name, shape.ok()?);
    }
    let find = |name: &str| {
        let shape = shapes.get(name)?.clone();
        let mut all = vec![0.0; shape.iter().product()];
        // SAFETY: there is room for as many as the shape has.
        let there = unsafe { values(name.as_ptr(), name.len(), all.as_mut_ptr()) };
        (there != 0).then_some((shape, all))
    };
    Network::new(family, variant, channels, &find).ok()
}

/// Frees a network, once nothing computes with it.
///
/// # Safety
/// It is one that was made, and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn forget(network: *const Network) {
    // SAFETY: the caller's promise.
    drop(unsafe { Arc::from_raw(network) });
}

/// The feature maps of pictures `[batch, channels, height, width]` of so many values in all, one picture after the other. They stay until the next.
///
/// # Safety
/// The network, the passes and the pictures are there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pass(
    network: *const Network,
    passes: *mut Passes,
    pictures: *const f32,
    count: usize,
    height: usize,
    width: usize,
) -> *const About {
    // SAFETY: the caller's promise.
    let (network, passes, pictures) = unsafe {
        (
            &*network,
            &mut *passes,
            std::slice::from_raw_parts(pictures, count),
        )
    };
    let maps = network.feature_maps(pictures, [height, width], &mut passes.memory);
    passes.keep(maps)
}

/// Begins with pictures, as [`pass`] takes them, while the engine does something else; they are copied. 0 where there is too much to do already.
///
/// # Safety
/// The network, the passes and the pictures are there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn begin(
    network: *const Network,
    passes: *const Passes,
    pictures: *const f32,
    count: usize,
    height: usize,
    width: usize,
) -> *mut Begun {
    // SAFETY: the caller's promise. The count is for the copy that the batch has.
    let (network, passes, pictures) = unsafe {
        Arc::increment_strong_count(network);
        (
            Arc::from_raw(network),
            &*passes,
            std::slice::from_raw_parts(pictures, count),
        )
    };
    let begun = passes
        .ahead
        .begin(network, pictures.to_vec(), [height, width]);
    begun.map_or(null_mut(), |begun| Box::into_raw(Box::new(begun)))
}

/// Whether every picture that was begun with is computed.
///
/// # Safety
/// They were begun with, and neither finished nor left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn is_over(begun: *const Begun) -> bool {
    // SAFETY: the caller's promise.
    unsafe { &*begun }.is_over()
}

/// Computes one of these pictures, if nobody has begun with it; tells whether there was one.
///
/// # Safety
/// They were begun with, and neither finished nor left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn one_more(begun: *const Begun) -> bool {
    // SAFETY: the caller's promise.
    unsafe { &*begun }.help()
}

/// Computes what is left of these pictures, and gives the feature maps of all, which stay until the next.
///
/// # Safety
/// They were begun with, and neither finished nor left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn finish(passes: *mut Passes, begun: *mut Begun) -> *const About {
    // SAFETY: the caller's promise.
    let (passes, begun) = unsafe { (&mut *passes, Box::from_raw(begun)) };
    passes.keep(begun.finish())
}

/// Leaves these pictures as they are.
///
/// # Safety
/// They were begun with, and neither finished nor left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn leave(begun: *mut Begun) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(begun) });
}
