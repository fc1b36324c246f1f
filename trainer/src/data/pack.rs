//! Decoded pictures on disk: made once, mapped into memory, so that a training larger than memory decodes no file twice.
//!
//! Two files in the cache folder: `NAME.pack` has the pictures, `side * side` bytes each, in the order of the rows; `NAME.sums` has
//! eight bytes for each, written after it: whether it could be read (1 or 2) and its CRC-32. The name is a hash of the paths and of how they
//! were made. A building that was stopped goes on where `NAME.sums` ends; all sums are checked when a pack is opened.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use memmap2::Mmap;
use rayon::prelude::*;
use sightline::package::sha256;
use sightline::radiograph::GreyImage;

use super::Dataset;
use super::pictures::{left_out, read_square};

/// Pictures that are decoded between two writes.
const CHUNK: usize = 512;
const READABLE: u32 = 1;
const UNREADABLE: u32 = 2;

/// Square pictures of one size.
pub struct Pack {
    map: Mmap,
    side: usize,
    /// Where in the file the picture of each remaining row is.
    slots: Vec<usize>,
}

impl Pack {
    /// The pictures of a dataset, `side x side` each, from the cache folder; built there first where they are not. Also the rows
    /// whose picture could be read.
    ///
    /// # Errors
    /// When the folder cannot be written, no picture can be read, or a pack is damaged.
    pub fn open(folder: &Path, dataset: Dataset, side: usize) -> Result<(Dataset, Self)> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let mut what = format!("2 {side} {}", dataset.root);
        for row in &dataset.rows {
            what += "\n";
            what += &row.path;
        }
        let name = &sha256(what.as_bytes())[..16];
        let (pack, sums) = (
            folder.join(format!("{name}.pack")),
            folder.join(format!("{name}.sums")),
        );
        build(&dataset, side, &pack, &sums)?;

        let file = File::open(&pack).with_context(|| format!("cannot open {}", pack.display()))?;
        // SAFETY: nobody changes a pack while it is in use but another `build`, which writes beyond what this one reads.
        let map = unsafe { Mmap::map(&file) }
            .with_context(|| format!("cannot map {}", pack.display()))?;
        let size = side * side;
        let sums = std::fs::read(&sums)?;
        let whole = (0..dataset.rows.len()).into_par_iter().find_any(|slot| {
            let (state, sum) = entry(&sums, *slot);
            let bytes = map.get(slot * size..(slot + 1) * size);
            state == READABLE && bytes.is_none_or(|bytes| crc32fast::hash(bytes) != sum)
        });
        if let Some(slot) = whole {
            bail!(
                "{} is damaged at picture {slot} ({}); delete it, and it will be made again",
                pack.display(),
                dataset.rows[slot].path
            );
        }
        let readable = |slot: &usize| entry(&sums, *slot).0 == READABLE;
        let slots: Vec<usize> = (0..dataset.rows.len()).filter(readable).collect();
        left_out(
            dataset.rows.len() - slots.len(),
            dataset.rows.len(),
            &dataset.root,
        )?;
        let rows = slots
            .iter()
            .map(|slot| dataset.rows[*slot].clone())
            .collect();
        let dataset = Dataset {
            root: dataset.root,
            rows,
        };
        Ok((dataset, Self { map, side, slots }))
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

fn entry(sums: &[u8], slot: usize) -> (u32, u32) {
    let number = |at: usize| u32::from_le_bytes(sums[at..at + 4].try_into().expect("four bytes"));
    (number(8 * slot), number(8 * slot + 4))
}

/// Decodes what the files do not have yet.
fn build(dataset: &Dataset, side: usize, pack: &Path, sums: &Path) -> Result<()> {
    let size = side * side;
    let open = |path: &Path| {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(path);
        file.with_context(|| format!("cannot write {}", path.display()))
    };
    let (mut pictures, mut entries) = (open(pack)?, open(sums)?);
    let done = (entries.metadata()?.len() / 8) as usize;
    if done >= dataset.rows.len() {
        return Ok(());
    }
    // What was written of a picture without its sum is written again.
    use std::io::{Seek, SeekFrom};
    entries.set_len(8 * done as u64)?;
    entries.seek(SeekFrom::End(0))?;
    pictures.set_len((done * size) as u64)?;
    pictures.seek(SeekFrom::End(0))?;
    let bar = ProgressBar::new(dataset.rows.len() as u64).with_style(ProgressStyle::with_template(
        "decoding {bar:40} {pos}/{len} ({eta} left)",
    )?);
    bar.set_position(done as u64);
    for rows in dataset.rows[done..].chunks(CHUNK) {
        let decoded: Vec<Result<GreyImage>> = rows
            .par_iter()
            .map(|row| read_square(&dataset.file(row), side))
            .collect();
        let mut new = Vec::with_capacity(8 * rows.len());
        for picture in decoded {
            let (state, pixels) = match picture {
                Ok(picture) => (READABLE, picture.pixels),
                Err(error) => {
                    eprintln!("left out: {error:#}");
                    (UNREADABLE, vec![0; size])
                }
            };
            pictures.write_all(&pixels)?;
            new.extend(state.to_le_bytes());
            new.extend(crc32fast::hash(&pixels).to_le_bytes());
        }
        pictures.sync_data()?;
        entries.write_all(&new)?;
        entries.sync_data()?;
        bar.inc(rows.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Row;
    use crate::storage::Location;

    fn dataset(root: &Path) -> Dataset {
        let row = |path: &str| Row {
            path: path.to_owned(),
            ..Row::default()
        };
        Dataset {
            root: Location::from(root),
            rows: ["a.png", "broken.png", "b.png"].map(row).to_vec(),
        }
    }

    #[test]
    fn a_pack_is_built_once_goes_on_after_a_stop_and_notices_damage() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for (name, level) in [("a.png", 40), ("b.png", 200)] {
            let picture =
                image::GrayImage::from_fn(90, 70, |x, _| image::Luma([level + (x % 8) as u8]));
            picture.save(root.join(name)).expect("written");
        }
        std::fs::write(root.join("broken.png"), "no picture").expect("written");
        let cache = root.join("cache");
        let (rows, pack) = Pack::open(&cache, dataset(root), 32).expect("a pack");
        assert_eq!(rows.rows.len(), 2);
        let expected =
            |name: &str| read_square(&Location::from(root).join(name), 32).expect("a picture");
        assert_eq!(pack.picture(0), expected("a.png"));
        assert_eq!(pack.picture(1), expected("b.png"));
        drop(pack);

        // Stopped after the first picture, within the second.
        let file = |ending: &str| {
            let files = std::fs::read_dir(&cache).expect("the cache");
            let mut paths = files.map(|file| file.expect("a file").path());
            paths
                .find(|path| path.extension().is_some_and(|e| e == ending))
                .expect("a file")
        };
        let cut = |ending: &str, length: u64| {
            let file = OpenOptions::new()
                .write(true)
                .open(file(ending))
                .expect("a file");
            file.set_len(length).expect("cut");
        };
        cut("sums", 8 + 3);
        cut("pack", 32 * 32 + 100);
        let (_, pack) = Pack::open(&cache, dataset(root), 32).expect("a pack");
        assert_eq!(pack.picture(1), expected("b.png"));
        drop(pack);

        // Built: the images are not needed any more.
        std::fs::remove_file(root.join("a.png")).expect("removed");
        assert!(Pack::open(&cache, dataset(root), 32).is_ok());
        let mut bytes = std::fs::read(file("pack")).expect("a pack");
        bytes[5] ^= 1;
        std::fs::write(file("pack"), bytes).expect("written");
        let error = Pack::open(&cache, dataset(root), 32).err().expect("damage");
        assert!(
            error.to_string().contains("damaged at picture 0 (a.png)"),
            "{error:#}"
        );
    }
}
