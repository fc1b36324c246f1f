//! Decoded pictures on disk: made once, mapped into memory, so that a training larger than memory decodes no file twice.
//!
//! Three files in the cache folder for each data folder, size and way of reading: `NAME.pack` has the pictures, `side * side` bytes each; `NAME.index`
//! says what each of them was made of ([`index`]); `NAME.lock` is held by whoever adds to them. Both grow and are never
//! overwritten or cut, so that what one process has mapped stays as it is while another adds. A file that changed since (its
//! size or time, and then its content) is decoded again, to the end of the pack; so is a picture that is damaged. A file that cannot
//! be read has no entry, and is tried again each time.

mod index;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use memmap2::Mmap;
use rayon::prelude::*;
use sightline::package::sha256;
use sightline::radiograph::{GreyImage, Notice};

use super::square::square;
use super::{Dataset, Notes, Row};
use crate::storage::{Lock, durable};
use index::{Entry, Index};

/// Pictures that are decoded between two writes.
const CHUNK: usize = 512;
/// How pictures are made; another number where that changes, so that none made in another way is used.
const MADE: &str = concat!("3 ", env!("CARGO_PKG_VERSION"));

/// Square pictures of one size.
pub struct Pack {
    map: Mmap,
    side: usize,
    /// Where in the file the picture of each remaining row is.
    slots: Vec<usize>,
}

impl Pack {
    /// The pictures of a dataset, `side x side` each, from the cache folder; those that are not there, or not any more as
    /// they should be, are decoded first. Also the rows whose picture could be read.
    ///
    /// # Errors
    /// When the folder cannot be written, no picture can be read, or one is damaged and its file is gone.
    pub fn open(folder: &Path, dataset: Dataset, side: usize) -> Result<(Dataset, Self)> {
        let opened = open(folder, dataset, side);
        opened.with_context(|| format!("with --cache {}", folder.display()))
    }

    pub fn picture(&self, index: usize) -> GreyImage {
        let size = self.side * self.side;
        GreyImage {
            width: self.side,
            height: self.side,
            pixels: self.map[self.slots[index] * size..][..size].to_vec(),
        }
    }
}

fn open(folder: &Path, dataset: Dataset, side: usize) -> Result<(Dataset, Pack)> {
    durable::create_folder(folder)?;
    let name = sha256(format!("{MADE} {side} {:?} {}", dataset.decoding, dataset.root).as_bytes());
    let file = |ending: &str| folder.join(format!("{}.{ending}", &name[..16]));
    let _lock = Lock::take(&file("lock"), || {
        eprintln!(
            "waiting for another process, which decodes pictures into {}",
            folder.display()
        );
    })?;
    let mut store = Store::open(&file("pack"), &file("index"), side * side)?;
    durable::sync_folder(folder)?;
    let failed = store.update(&dataset, side)?;

    let (mut rows, mut slots) = (Vec::new(), Vec::new());
    let mut notes = Notes::default();
    for row in &dataset.rows {
        match (failed.get(row.path.as_str()), store.index.get(&row.path)) {
            (None, Some(entry)) => {
                rows.push(row.clone());
                slots.push(entry.slot);
            }
            (Some(error), _) => notes.leave_out(error),
            (None, None) => bail!("{} was neither kept nor refused", row.path),
        }
    }
    notes.say(&dataset)?;
    let map = store.map()?;
    Ok((Dataset { rows, ..dataset }, Pack { map, side, slots }))
}

/// The files of a pack, under its lock.
struct Store {
    place: PathBuf,
    pictures: File,
    index: Index,
    /// The bytes of a picture.
    size: usize,
}

/// What is known of a row's picture.
enum Kept {
    AsItWas,
    /// The file has another time, and the content that it had.
    Touched(Entry),
    Missing,
    Changed,
    Damaged,
}

impl Store {
    fn open(pack: &Path, index: &Path, size: usize) -> Result<Self> {
        let mut options = File::options();
        let options = options.create(true).truncate(false).read(true).write(true);
        let pictures = options.open(pack);
        Ok(Self {
            place: pack.to_owned(),
            pictures: pictures.with_context(|| format!("cannot write {}", pack.display()))?,
            index: Index::open(index)
                .with_context(|| format!("cannot write {}", index.display()))?,
            size,
        })
    }

    fn map(&self) -> Result<Mmap> {
        // SAFETY: a pack is only written behind what any index, and so any process, knows of, and it is never cut.
        let map = unsafe { Mmap::map(&self.pictures) };
        map.with_context(|| format!("cannot map {}", self.place.display()))
    }

    /// Decodes what is not there as it should be. Gives the paths that could not be read, with the reason.
    fn update<'a>(&mut self, dataset: &'a Dataset, side: usize) -> Result<HashMap<&'a str, Error>> {
        let mut seen = HashSet::new();
        let rows = dataset.rows.iter();
        let rows: Vec<&Row> = rows.filter(|row| seen.insert(row.path.as_str())).collect();
        let kept = {
            let map = self.map()?;
            let kept = rows.par_iter().map(|row| self.kept(dataset, row, &map));
            kept.collect::<Result<Vec<Kept>>>()?
        };
        let count = |state: fn(&Kept) -> bool| kept.iter().filter(|kept| state(kept)).count();
        let changed = count(|kept| matches!(kept, Kept::Changed));
        let damaged = count(|kept| matches!(kept, Kept::Damaged));
        for (count, what) in [
            (changed, "changed since they were decoded"),
            (damaged, "are damaged in the cache"),
        ] {
            if count > 0 {
                eprintln!("{count} images {what} and are decoded again");
            }
        }
        let (mut touched, mut missing) = (Vec::new(), Vec::new());
        for (row, kept) in rows.into_iter().zip(kept) {
            match kept {
                Kept::AsItWas => {}
                Kept::Touched(entry) => touched.push(entry),
                Kept::Missing | Kept::Changed | Kept::Damaged => missing.push(row),
            }
        }
        self.index.add(touched)?;
        self.decode(dataset, &missing, side)
    }

    fn kept(&self, dataset: &Dataset, row: &Row, map: &[u8]) -> Result<Kept> {
        let Some(entry) = self.index.get(&row.path) else {
            return Ok(Kept::Missing);
        };
        let pixels = map.get(entry.slot * self.size..(entry.slot + 1) * self.size);
        let whole = pixels.is_some_and(|pixels| crc32fast::hash(pixels) == entry.crc);
        let file = dataset.file(row);
        let stamp = file.stamp()?;
        let Some(stamp) = stamp else {
            // Once decoded, a file is not needed any more.
            if whole {
                return Ok(Kept::AsItWas);
            }
            bail!(
                "{} is damaged at the picture of {}, and that file is gone; bring it back, or take it out of the CSV",
                self.place.display(),
                row.path
            );
        };
        if !whole {
            return Ok(Kept::Damaged);
        }
        if entry.stamp == Some(stamp) {
            return Ok(Kept::AsItWas);
        }
        let now = std::time::SystemTime::now();
        let settled = stamp.settled(now);
        match file.read() {
            Ok(bytes) if sha256(&bytes) == entry.sha256 => match settled == entry.stamp {
                true => Ok(Kept::AsItWas),
                false => Ok(Kept::Touched(Entry {
                    stamp: settled,
                    ..entry.clone()
                })),
            },
            // Decoding it again says what is wrong.
            _ => Ok(Kept::Changed),
        }
    }

    /// Decodes rows' pictures to the end of the pack.
    fn decode<'a>(
        &mut self,
        dataset: &Dataset,
        rows: &[&'a Row],
        side: usize,
    ) -> Result<HashMap<&'a str, Error>> {
        let (mut failed, mut notes) = (HashMap::new(), Notes::default());
        let bar = ProgressBar::new(rows.len() as u64).with_style(ProgressStyle::with_template(
            "decoding {bar:40} {pos}/{len} ({eta} left)",
        )?);
        let cannot_write = || format!("cannot write {}", self.place.display());
        // Behind all that is there, also behind what a kill left without an entry.
        let length = self.pictures.metadata()?.len() as usize;
        let mut slot = length.div_ceil(self.size);
        self.pictures
            .seek(SeekFrom::Start((slot * self.size) as u64))?;
        for rows in rows.chunks(CHUNK) {
            let decoded: Vec<Result<_>> = rows
                .par_iter()
                .map(|row| decode(dataset, row, side))
                .collect();
            let mut new = Vec::with_capacity(rows.len());
            for (row, picture) in rows.iter().zip(decoded) {
                match picture {
                    Ok((entry, pixels, notices)) => {
                        notes.notice(&row.path, &notices);
                        let written = self.pictures.write_all(&pixels);
                        written.with_context(cannot_write)?;
                        new.push(Entry { slot, ..entry });
                        slot += 1;
                    }
                    Err(error) => drop(failed.insert(row.path.as_str(), error)),
                }
            }
            self.pictures.sync_data().with_context(cannot_write)?;
            self.index.add(new).with_context(cannot_write)?;
            bar.inc(rows.len() as u64);
        }
        bar.finish_and_clear();
        for line in notes.noticed() {
            eprintln!("{line}");
        }
        Ok(failed)
    }
}

/// A row's picture, its entry, but for the slot, and what is to be known of its file.
fn decode(dataset: &Dataset, row: &Row, side: usize) -> Result<(Entry, Vec<u8>, Vec<Notice>)> {
    let file = dataset.file(row);
    // Before it is read: a change after that gives it another time.
    let stamp = file.stamp()?;
    let now = std::time::SystemTime::now();
    let bytes = file.read()?;
    let radiograph = square(dataset, &file, &bytes, side)?;
    let pixels = radiograph.image.pixels;
    let entry = Entry {
        path: row.path.clone(),
        slot: 0,
        crc: crc32fast::hash(&pixels),
        stamp: stamp.and_then(|stamp| stamp.settled(now)),
        sha256: sha256(&bytes),
    };
    Ok((entry, pixels, radiograph.notices))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::data::read_square;
    use crate::storage::Location;

    const SIDE: usize = 32;

    fn dataset(root: &Path, paths: &[&str]) -> Dataset {
        let row = |path: &&str| Row {
            path: (*path).to_owned(),
            ..Row::default()
        };
        Dataset::new(Location::from(root), paths.iter().map(row).collect())
    }

    /// Writes a picture, as if an hour ago.
    fn picture(file: &Path, level: u8) {
        let picture =
            image::GrayImage::from_fn(90, 70, |x, _| image::Luma([level + (x % 8) as u8]));
        picture.save(file).expect("written");
        age(file, 3600);
    }

    fn age(file: &Path, seconds: u64) {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        let file = File::options().write(true).open(file).expect("a file");
        file.set_modified(time).expect("a time");
    }

    fn expected(root: &Path, name: &str) -> GreyImage {
        let data = dataset(root, &[name]);
        let read = read_square(&data, &data.rows[0], SIDE);
        read.expect("a picture").image
    }

    fn only(cache: &Path, ending: &str) -> PathBuf {
        let files = std::fs::read_dir(cache).expect("the cache");
        let mut paths = files.map(|file| file.expect("a file").path());
        let path = paths.find(|path| path.extension().is_some_and(|e| e == ending));
        path.expect("a file")
    }

    #[test]
    fn a_pack_is_built_once_and_goes_on_after_a_stop() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        picture(&root.join("a.png"), 40);
        picture(&root.join("b.png"), 200);
        std::fs::write(root.join("broken.png"), "no picture").expect("written");
        let cache = root.join("cache");
        let all = || dataset(root, &["a.png", "broken.png", "b.png", "a.png"]);
        let (rows, pack) = Pack::open(&cache, all(), SIDE).expect("a pack");
        let paths: Vec<&str> = rows.rows.iter().map(|row| row.path.as_str()).collect();
        assert_eq!(paths, ["a.png", "b.png", "a.png"]);
        let images = [0, 1, 2].map(|index| pack.picture(index));
        assert_eq!(
            images,
            ["a.png", "b.png", "a.png"].map(|name| expected(root, name))
        );
        let length = || {
            std::fs::metadata(only(&cache, "pack"))
                .expect("a pack")
                .len()
        };
        assert_eq!(
            length(),
            2 * (SIDE * SIDE) as u64,
            "one picture is kept once"
        );
        drop(pack);

        // Stopped within the second picture, before its entry.
        let index = std::fs::read(only(&cache, "index")).expect("an index");
        let first = index
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line");
        std::fs::write(only(&cache, "index"), &index[..first + 20]).expect("cut");
        let pack = File::options().write(true).open(only(&cache, "pack"));
        let pack = pack.expect("a pack");
        pack.set_len((SIDE * SIDE + 100) as u64).expect("cut");
        let (_, pack) = Pack::open(&cache, all(), SIDE).expect("a pack");
        assert_eq!(pack.picture(1), expected(root, "b.png"));
        let built = length();
        drop(pack);

        // Built: the images are not needed any more, nor decoded.
        let before = expected(root, "a.png");
        std::fs::remove_file(root.join("a.png")).expect("removed");
        let (rows, pack) = Pack::open(&cache, all(), SIDE).expect("a pack");
        assert_eq!((rows.rows.len(), pack.picture(0)), (3, before));
        drop(pack);
        assert_eq!(length(), built);
        // Further rows of the folder come to those that are there.
        picture(&root.join("c.png"), 90);
        let (_, pack) = Pack::open(&cache, dataset(root, &["c.png", "b.png"]), SIDE).expect("both");
        assert_eq!(pack.picture(0), expected(root, "c.png"));
        assert_eq!(length(), built + (SIDE * SIDE) as u64);
    }

    #[test]
    fn a_replaced_file_is_decoded_again_whatever_its_time_and_who_has_the_old_one_keeps_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let (a, cache) = (root.join("a.png"), root.join("cache"));
        let open = || {
            Pack::open(&cache, dataset(root, &["a.png"]), SIDE)
                .expect("a pack")
                .1
        };
        picture(&a, 40);
        let old = expected(root, "a.png");
        let before = open();
        // Later; earlier (a copy that keeps its time, or a clock that went back); of the same size and just now.
        for (level, seconds) in [(90, 60), (140, 7200), (190, 0)] {
            picture(&a, level);
            age(&a, seconds);
            let new = expected(root, "a.png");
            assert!(new != old);
            assert_eq!(open().picture(0), new);
            assert_eq!(before.picture(0), old, "what is mapped does not change");
        }
        // Twice within one tick of the file system's clock: the time is no other, nor is the size.
        let time = std::fs::metadata(&a).expect("a file").modified();
        picture(&a, 200);
        let file = File::options().write(true).open(&a).expect("a file");
        file.set_modified(time.expect("a time")).expect("a time");
        assert_eq!(open().picture(0), expected(root, "a.png"));
    }

    #[test]
    fn a_file_with_another_time_and_the_same_content_is_not_decoded_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let (a, cache) = (root.join("a.png"), root.join("cache"));
        picture(&a, 40);
        let open = || {
            Pack::open(&cache, dataset(root, &["a.png"]), SIDE)
                .expect("a pack")
                .1
        };
        drop(open());
        let length = std::fs::metadata(only(&cache, "pack"))
            .expect("a pack")
            .len();
        age(&a, 60);
        assert_eq!(open().picture(0), expected(root, "a.png"));
        let now = std::fs::metadata(only(&cache, "pack"))
            .expect("a pack")
            .len();
        assert_eq!(now, length);
    }

    #[test]
    fn a_file_that_could_not_be_read_is_tried_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let cache = root.join("cache");
        picture(&root.join("a.png"), 40);
        let b = root.join("b.png");
        let open = || Pack::open(&cache, dataset(root, &["a.png", "b.png"]), SIDE);
        // Not there, then half of it, then all, then spoilt.
        assert_eq!(open().expect("one picture").0.rows.len(), 1);
        picture(&b, 200);
        let whole = std::fs::read(&b).expect("a picture");
        std::fs::write(&b, &whole[..whole.len() / 2]).expect("written");
        age(&b, 60);
        assert_eq!(open().expect("one picture").0.rows.len(), 1);
        std::fs::write(&b, whole).expect("written");
        let (rows, pack) = open().expect("both");
        assert_eq!(
            (rows.rows.len(), pack.picture(1)),
            (2, expected(root, "b.png"))
        );
        std::fs::write(&b, "no picture").expect("written");
        assert_eq!(open().expect("one picture").0.rows.len(), 1);
    }

    #[test]
    fn damage_is_mended_from_the_file_or_named_where_that_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let (a, cache) = (root.join("a.png"), root.join("cache"));
        picture(&a, 40);
        let open = || Pack::open(&cache, dataset(root, &["a.png"]), SIDE);
        drop(open().expect("a pack"));
        let damage = |at: usize| {
            let mut bytes = std::fs::read(only(&cache, "pack")).expect("a pack");
            bytes[at] ^= 1;
            std::fs::write(only(&cache, "pack"), bytes).expect("written");
        };
        damage(5);
        let (_, pack) = open().expect("mended");
        assert_eq!(pack.picture(0), expected(root, "a.png"));
        drop(pack);
        damage(SIDE * SIDE + 5);
        std::fs::remove_file(&a).expect("removed");
        let error = format!("{:#}", open().err().expect("damage"));
        assert!(error.contains("damaged at the picture of a.png"), "{error}");
    }
}
