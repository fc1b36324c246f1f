//! Folders that one process at a time may write to.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Held for as long as this value lives, or its process: a killed one leaves no lock behind.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// When another process has it, or the file cannot be written.
    pub fn try_take(path: &Path) -> Result<Self> {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) => Self::signed(file),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Where a locked file cannot be read, it is not known.
                let _ = file.read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "another process",
                    holder => holder,
                };
                bail!("{holder} is at work there")
            }
            Err(TryLockError::Error(error)) => {
                no_locks(path, &error);
                Self::signed(file)
            }
        }
    }

    /// Takes the lock, after whoever has it. `waiting` is called if somebody has.
    ///
    /// # Errors
    /// When the file cannot be written or locked.
    pub fn take(path: &Path, waiting: impl FnOnce()) -> Result<Self> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                if let Err(error) = file.lock() {
                    no_locks(path, &error);
                }
            }
            Err(TryLockError::Error(error)) => no_locks(path, &error),
        }
        Self::signed(file)
    }

    /// Says in the file who has it, for whoever comes next.
    fn signed(mut file: File) -> Result<Self> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = match host.trim() {
            "" => String::new(),
            host => format!(" on {host}"),
        };
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "process {}{host}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = File::options();
    let options = options.create(true).truncate(false).read(true).write(true);
    let file = options.open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

/// Some network file systems have no locks; work goes on there as it did before there were any.
fn no_locks(path: &Path, error: &std::io::Error) {
    eprintln!(
        "{} cannot be locked ({error}): see to it that no other process writes to that folder",
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_holds_a_lock_and_the_other_is_told_who() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let first = Lock::try_take(&path).expect("free");
        let error = Lock::try_take(&path).err().expect("taken").to_string();
        let process = format!("process {}", std::process::id());
        assert!(
            error.contains(&process) && error.contains("is at work there"),
            "{error}"
        );
        std::thread::scope(|scope| {
            let (send, waits) = std::sync::mpsc::channel();
            let path = &path;
            let second = scope.spawn(move || Lock::take(path, || send.send(()).expect("heard")));
            waits.recv().expect("it waits");
            drop(first);
            second.join().expect("no panic").expect("free now");
        });
        // A file that a dead process left is no lock.
        assert!(path.exists());
        Lock::try_take(&path).expect("free");
    }
}
