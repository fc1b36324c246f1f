//! Damage done to whole files: what each target of `fuzz/tests` reads.
//!
//! `cargo test -p sightline-fuzz` tries each target for some seconds; `BOLERO_RANDOM_ITERATIONS` and
//! `BOLERO_RANDOM_TEST_TIME_MS` set how much. With `cargo bolero` the same targets run under a fuzzer that watches coverage.

use std::path::Path;
use std::time::{Duration, Instant};

use bolero::TypeGenerator;
use cap::Cap;
use sightline::radiograph::{MAX_PIXELS, Options, Radiograph};

/// No case may take more memory than this: an allocation beyond it ends the process.
const MOST_MEMORY: usize = 1 << 30;
/// No case may take longer than this.
const LONGEST: Duration = Duration::from_secs(2);

#[global_allocator]
static ALLOCATOR: Cap<std::alloc::System> = Cap::new(std::alloc::System, MOST_MEMORY);

/// What is done to one of the seeds: a few edits, so that most of the file stays what it was.
#[derive(Clone, Debug, TypeGenerator)]
pub struct Damage {
    seed: u16,
    /// The first edits are done, as many as `count` says, up to [`MOST_EDITS`].
    edits: [Edit; MOST_EDITS],
    count: u8,
}

const MOST_EDITS: usize = 6;

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Edit {
    Set(u32, u8),
    /// Both bytes of a length or a size.
    SetPair(u32, u8, u8),
    Flip(u32),
    LeaveOut(u32, u8),
    Repeat(u32, u8),
    Insert(u32, u8),
    Zeros(u32, u8),
    Cut(u32),
}

impl Damage {
    /// A damaged copy of a seed.
    pub fn of(&self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[usize::from(self.seed) % seeds.len()].clone();
        for edit in &self.edits[..usize::from(self.count) % (MOST_EDITS + 1)] {
            if bytes.is_empty() {
                break;
            }
            edit.apply(&mut bytes);
        }
        bytes
    }
}

impl Edit {
    fn apply(self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: u32| at as usize % length;
        let range = |at: u32, more: u8| place(at)..(place(at) + usize::from(more)).min(length);
        match self {
            Edit::Set(at, value) => bytes[place(at)] = value,
            Edit::SetPair(at, first, second) => {
                bytes[place(at)] = first;
                bytes[(place(at) + 1) % length] = second;
            }
            Edit::Flip(bit) => bytes[place(bit / 8)] ^= 1 << (bit % 8),
            Edit::LeaveOut(at, more) => drop(bytes.drain(range(at, more))),
            Edit::Repeat(at, more) => {
                let part = bytes[range(at, more)].to_vec();
                bytes.splice(place(at)..place(at), part);
            }
            Edit::Insert(at, value) => bytes.insert(place(at), value),
            Edit::Zeros(at, more) => bytes[range(at, more)].fill(0),
            Edit::Cut(at) => bytes.truncate(place(at)),
        }
    }
}

/// The files of a folder in the workspace whose names end so, in the order of their names.
pub fn seeds(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(folder);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
    files.sort();
    files
        .iter()
        .map(|path| std::fs::read(path).expect("a seed"))
        .collect()
}

/// Does it, and fails if it takes too long. Panics and too much memory end the test by themselves.
pub fn within_limits<T>(what: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = what();
    let took = start.elapsed();
    assert!(took < LONGEST, "it took {took:?}");
    result
}

/// Reads a picture within the limits; whether it could be. What is read has a grey value and a sample for each pixel, and something in it.
pub fn is_read_as_a_picture(bytes: &[u8], options: Options) -> bool {
    let Ok(radiograph) = within_limits(|| Radiograph::decode_with(bytes, options)) else {
        return false;
    };
    let image = &radiograph.image;
    assert_eq!(image.pixels.len(), image.width * image.height);
    assert!(image.pixels.len() as u64 <= MAX_PIXELS);
    assert!(image.pixels.iter().any(|v| *v != image.pixels[0]));
    let counted = radiograph.stored().counts();
    let counted: usize = counted.iter().map(|(_, count)| count).sum();
    assert_eq!(counted, image.pixels.len());
    true
}
