//! The command line of Sightline: trains, evaluates, predicts and explains models, imports and exports them.
//!
//! Floor by floor, each knows those below it alone:
//!
//! | floor | what is on it |
//! |---|---|
//! | `commands` | the command line: a file for each command, which reads options, calls what is below and prints |
//! | `publish` | packages and their cards |
//! | `train` | the loop, checkpoints, recipes |
//! | `measure` | scores, figures, maps against marks |
//! | `data` | tables, labels, pictures |
//! | `storage`, `device`, `history` | the ground: files and object stores, what to compute on, what epochs gave |

mod commands;
mod data;
mod device;
#[cfg(test)]
#[path = "../../crates/measure/src/golden.rs"]
mod golden;
mod history;
mod measure;
mod publish;
mod storage;
mod train;

pub use data::read_as_tables;

/// A training step takes and gives back gigabytes in blocks of many megabytes. glibc asks the kernel for each of them
/// anew, page by page: a quarter of a step's time. Let it keep them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    // SAFETY: called before any other thread is started; it only sets numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_memory() {}

/// Does what the command line says.
///
/// # Errors
/// When it cannot be done: with everything that a person needs to know.
pub fn main() -> anyhow::Result<()> {
    keep_memory();
    commands::run()
}
