//! Files that are whole or not there.
//!
//! A draft is written beside its place, under a name of its own, and takes the place in one step when it is whole. A process
//! that is killed, or a full disk, leaves what was there before.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use object_store::buffered::BufWriter as Upload;
use tempfile::{NamedTempFile, TempPath};

use super::{Location, RUNTIME, durable};

/// A draft is called after its file, with so many random letters and this after it.
const NEW: &str = ".new";
const RANDOM: usize = 6;

/// A file that is being written.
pub struct Draft {
    place: Location,
    to: To,
}

enum To {
    File {
        new: BufWriter<NamedTempFile>,
        place: PathBuf,
    },
    /// A terminal, a pipe, `/dev/null`: there is nothing to replace.
    Stream(File),
    Object(Box<Upload>),
}

impl Draft {
    /// # Errors
    /// When there can be no file in that place: known before the work that fills it is done.
    pub fn begin(place: &Location) -> Result<Self> {
        let to = match place {
            Location::Local(path) => open(path),
            Location::Remote { store, key, .. } => Ok(To::Object(Box::new(Upload::new(
                store.clone(),
                key.clone(),
            )))),
        };
        Ok(Self {
            to: to.with_context(|| cannot_write(place))?,
            place: place.clone(),
        })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When it cannot be written whole; what was there is left.
    pub fn finish(self) -> Result<()> {
        let place = self.place.clone();
        let finish = || -> Result<()> {
            match self.synced()? {
                Synced::File(new, place) => {
                    put(new, &place)?;
                    durable::sync_folder(durable::above(&place))?;
                }
                Synced::Elsewhere => {}
            }
            Ok(())
        };
        finish().with_context(|| cannot_write(&place))
    }

    /// Brings what was written to the disk.
    fn synced(self) -> Result<Synced> {
        match self.to {
            To::File { new, place } => {
                let new = new.into_inner().map_err(|error| error.into_error())?;
                let new = new.into_temp_path();
                durable::sync_file(&new)?;
                Ok(Synced::File(new, place))
            }
            To::Stream(mut file) => {
                file.flush()?;
                Ok(Synced::Elsewhere)
            }
            To::Object(mut upload) => {
                use tokio::io::AsyncWriteExt;
                RUNTIME.block_on(upload.shutdown())?;
                Ok(Synced::Elsewhere)
            }
        }
    }
}

enum Synced {
    File(TempPath, PathBuf),
    Elsewhere,
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.to {
            To::File { new, .. } => new.write(bytes),
            To::Stream(file) => file.write(bytes),
            To::Object(upload) => {
                let put = upload.put(bytes.to_vec().into());
                RUNTIME.block_on(put)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.to {
            To::File { new, .. } => new.flush(),
            To::Stream(file) => file.flush(),
            To::Object(_) => Ok(()),
        }
    }
}

/// Writes files of one folder that belong together. All are on the disk before the first takes its place, the last one last:
/// a full disk leaves all of them as they were.
///
/// # Errors
/// When one of them cannot be written.
pub fn write_together(folder: &Location, files: &[(&str, Vec<u8>)]) -> Result<()> {
    let mut drafts = Vec::new();
    for (name, bytes) in files {
        let place = folder.join(name);
        let mut draft = Draft::begin(&place)?;
        let written = draft.write_all(bytes).map_err(Error::from);
        written.with_context(|| cannot_write(&place))?;
        drafts.push(draft);
    }
    let mut synced = Vec::new();
    for draft in drafts {
        let place = draft.place.clone();
        synced.push(draft.synced().with_context(|| cannot_write(&place))?);
    }
    for file in synced {
        if let Synced::File(new, place) = file {
            put(new, &place).with_context(|| format!("cannot write {}", place.display()))?;
        }
    }
    if let Location::Local(folder) = folder {
        let synced = durable::sync_folder(folder);
        synced.with_context(|| format!("cannot write to {}", folder.display()))?;
    }
    Ok(())
}

fn open(place: &Path) -> Result<To> {
    // What a link names is written, and the link stays.
    let place = match place.is_symlink() {
        true => std::fs::canonicalize(place).unwrap_or(place.to_owned()),
        false => place.to_owned(),
    };
    if place.is_dir() {
        bail!("it is a folder, and a file is to be written");
    }
    if place.exists() && !place.is_file() {
        return Ok(To::Stream(File::options().write(true).open(place)?));
    }
    let name = place.file_name().context("it is no file")?;
    let folder = durable::above(&place);
    if !folder.exists() {
        bail!(
            "the folder {} is not there; make it first",
            folder.display()
        );
    }
    let mut builder = tempfile::Builder::new();
    // Whom the file is for, the user's own mask says, as for any file.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut prefix = name.to_owned();
    prefix.push(".");
    let new = builder.prefix(&prefix).rand_bytes(RANDOM).suffix(NEW);
    let new = new.tempfile_in(folder)?;
    Ok(To::File {
        new: BufWriter::new(new),
        place,
    })
}

/// Gives a whole file its name.
fn put(new: TempPath, place: &Path) -> std::io::Result<()> {
    durable::rename(&new, place)?;
    // There is nothing of the old name to remove any more.
    let _ = new.keep();
    Ok(())
}

/// Whether a draft has that name: one that a killed process left.
pub fn is_draft(name: &str) -> bool {
    let Some((name, random)) = name
        .strip_suffix(NEW)
        .and_then(|name| name.rsplit_once('.'))
    else {
        return false;
    };
    name.contains('.') && random.len() == RANDOM && random.chars().all(char::is_alphanumeric)
}

fn cannot_write(place: &Location) -> String {
    format!("cannot write {place}")
}

#[cfg(test)]
mod tests {
    use super::durable::steps::{self, Step};
    use super::*;

    fn entries(folder: &Path) -> usize {
        std::fs::read_dir(folder).expect("the folder").count()
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Location::from(folder.path().join("state.json").as_path());
        place.write(b"old").expect("written");
        place.write(b"new").expect("written");
        assert_eq!(place.read().expect("the file"), b"new");

        // Given up half-way.
        let mut draft = Draft::begin(&place).expect("a draft");
        draft.write_all(b"half").expect("written");
        draft.flush().expect("written");
        drop(draft);
        assert_eq!(place.read().expect("the file"), b"new");
        assert_eq!(entries(folder.path()), 1);

        let missing = Location::from(folder.path()).join("missing/state.json");
        let error = missing.write(b"new").expect_err("no folder");
        assert!(format!("{error:#}").contains("is not there"), "{error:#}");
        let error = Location::from(folder.path())
            .write(b"new")
            .expect_err("a folder");
        assert!(format!("{error:#}").contains("it is a folder"), "{error:#}");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn two_drafts_of_one_file_do_not_mix() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Location::from(folder.path()).join("scores.csv");
        let mut drafts = [b"one", b"two"].map(|text| {
            let mut draft = Draft::begin(&place).expect("a draft");
            draft.write_all(text).expect("written");
            Some(draft)
        });
        for (draft, text) in drafts.iter_mut().zip([b"one", b"two"]) {
            draft
                .take()
                .expect("a draft")
                .finish()
                .expect("in its place");
            assert_eq!(place.read().expect("the file"), text);
        }
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_name_is_given_after_the_bytes_are_on_the_disk_and_is_itself_brought_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("state.json");
        let steps = steps::of(|| {
            Location::from(place.as_path())
                .write(b"new")
                .expect("written")
        });
        let [
            Step::Synced(new),
            Step::Renamed(from, to),
            Step::Synced(last),
        ] = steps.as_slice()
        else {
            panic!("{steps:?}");
        };
        assert_eq!(
            (new, to.as_path(), last.as_path()),
            (from, place.as_path(), folder.path())
        );
    }

    #[test]
    fn files_that_belong_together_are_all_whole_before_the_first_takes_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Location::from(folder.path());
        let files = |text: &str| {
            ["weights.bpk", "manifest.json"].map(|name| (name, text.as_bytes().to_vec()))
        };
        let steps = steps::of(|| write_together(&place, &files("old")).expect("written"));
        let names = steps.iter().map(|step| match step {
            Step::Synced(path) if path == folder.path() => "the folder".to_owned(),
            Step::Synced(_) => "bytes".to_owned(),
            Step::Renamed(_, to) => to.file_name().expect("a name").to_string_lossy().into(),
            Step::Removed(_) => "removed".to_owned(),
        });
        let names: Vec<String> = names.collect();
        let expected = [
            "bytes",
            "bytes",
            "weights.bpk",
            "manifest.json",
            "the folder",
        ];
        assert_eq!(names, expected);

        // The second has no place: the first stays as it was.
        std::fs::remove_file(folder.path().join("manifest.json")).expect("removed");
        std::fs::create_dir(folder.path().join("manifest.json")).expect("a folder");
        assert!(write_together(&place, &files("new")).is_err());
        assert_eq!(place.join("weights.bpk").read().expect("weights"), b"old");
        assert_eq!(entries(folder.path()), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_and_a_device_stay_what_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        Location::from(link.as_path())
            .write(b"new")
            .expect("written");
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).expect("the file"), b"new");

        let null = Path::new("/dev/null");
        Location::from(null).write(b"nothing").expect("written");
        assert!(!null.is_file());
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_is_written_if_the_mask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        Location::from(ours.as_path())
            .write(b"text")
            .expect("written");
        std::fs::write(&plain, "text").expect("written");
        let mode = |file| {
            std::fs::metadata(file)
                .expect("a file")
                .permissions()
                .mode()
        };
        assert_eq!(mode(&ours), mode(&plain));
    }
}
