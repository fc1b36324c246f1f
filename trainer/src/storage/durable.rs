//! The steps by which something is on the disk for good, also after a power cut.
//!
//! A file's bytes are on the disk once the file is synced; its name is there once its *folder* is synced. A name that is to
//! appear in one step is made by a rename, after the bytes were synced and before the folder is. Everything that writes for
//! good goes through these functions; tests look at the order in which they are called (`steps`).

use std::fs::OpenOptions;
use std::io::{ErrorKind, Result};
use std::path::Path;

use anyhow::{Context, bail};

/// Brings a file's bytes to the disk.
pub fn sync_file(file: &Path) -> Result<()> {
    OpenOptions::new().write(true).open(file)?.sync_all()?;
    #[cfg(test)]
    steps::note(steps::Step::Synced(file.to_owned()));
    Ok(())
}

/// Brings a folder's entries to the disk: which names there are, and what each of them is.
pub fn sync_folder(folder: &Path) -> Result<()> {
    // Elsewhere a folder cannot be opened as a file, and its entries are the file system's own care.
    #[cfg(unix)]
    match std::fs::File::open(named(folder))?.sync_all() {
        // Some network file systems have nothing to sync a folder with.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) => {}
        other => other?,
    }
    #[cfg(test)]
    steps::note(steps::Step::Synced(folder.to_owned()));
    Ok(())
}

/// Gives a file or folder another name, in one step. The name is on the disk after [`sync_folder`].
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to)?;
    #[cfg(test)]
    steps::note(steps::Step::Renamed(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    #[cfg(test)]
    steps::note(steps::Step::Removed(folder.to_owned()));
    Ok(())
}

/// Makes a folder and those above it; their names are on the disk.
pub fn create_folder(folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot make the folder {}", folder.display());
    if folder.is_file() {
        bail!("{}: there is a file of that name", cannot());
    }
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
        .collect();
    std::fs::create_dir_all(folder).with_context(cannot)?;
    for made in missing {
        sync_folder(above(made)).with_context(cannot)?;
    }
    Ok(())
}

/// The folder that a file or folder is in.
pub fn above(path: &Path) -> &Path {
    named(path.parent().unwrap_or(path))
}

/// The empty path is the working folder.
fn named(folder: &Path) -> &Path {
    match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    }
}

/// What was asked of the disk, in its order.
#[cfg(test)]
pub mod steps {
    use std::cell::RefCell;
    use std::path::PathBuf;

    #[derive(Clone, Debug, PartialEq)]
    pub enum Step {
        Synced(PathBuf),
        Renamed(PathBuf, PathBuf),
        Removed(PathBuf),
    }

    thread_local! {
        static STEPS: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note(step: Step) {
        STEPS.with_borrow_mut(|steps| steps.push(step));
    }

    /// The steps that `work` takes on this thread.
    pub fn of(work: impl FnOnce()) -> Vec<Step> {
        STEPS.take();
        work();
        STEPS.take()
    }
}
