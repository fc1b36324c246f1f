//! What is in a pack: a line of JSON for each picture, added after its pixels are on the disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::storage::Stamp;

/// A picture, and the file that it was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// As the CSV writes it.
    pub path: String,
    /// The picture's place among the pack's pictures.
    pub slot: usize,
    /// CRC-32 of its pixels.
    pub crc: u32,
    /// The file's size and time when it was read; `None` where it had changed so shortly before that it may have changed again
    /// without another time.
    pub stamp: Option<Stamp>,
    /// The hash of the file's content.
    pub sha256: String,
}

/// The entries of a pack, of each path the last one.
pub struct Index {
    file: File,
    entries: HashMap<String, Entry>,
}

impl Index {
    /// Reads an index, or begins one. Whoever calls it holds the pack's lock.
    pub fn open(path: &Path) -> Result<Self> {
        let mut options = File::options();
        let options = options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // A line without an end was cut off by a kill.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        // A damaged line costs its picture only: it is decoded again.
        let lines = bytes[..whole].split(|byte| *byte == b'\n');
        let entries = lines.filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
        Ok(Self {
            entries: entries.map(|entry| (entry.path.clone(), entry)).collect(),
            file,
        })
    }

    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Adds pictures whose pixels are on the disk.
    pub fn add(&mut self, entries: Vec<Entry>) -> Result<()> {
        let mut lines = Vec::new();
        for entry in &entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(&lines)?;
        self.file.sync_data()?;
        let entries = entries.into_iter();
        self.entries
            .extend(entries.map(|entry| (entry.path.clone(), entry)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, slot: usize) -> Entry {
        Entry {
            path: path.to_owned(),
            slot,
            crc: 7,
            stamp: None,
            sha256: String::new(),
        }
    }

    #[test]
    fn the_last_entry_of_a_path_counts_and_a_line_cut_off_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("index");
        let mut index = Index::open(&path).expect("an index");
        let first = vec![entry("a.png", 0), entry("b\n\".png", 1)];
        index.add(first).expect("added");
        index.add(vec![entry("a.png", 2)]).expect("added");
        drop(index);
        let whole = std::fs::read(&path).expect("an index");
        std::fs::write(
            &path,
            [whole.as_slice(), br#"{"path":"c.png","sl"#].concat(),
        )
        .expect("written");
        let mut index = Index::open(&path).expect("an index");
        assert_eq!(index.get("a.png"), Some(&entry("a.png", 2)));
        assert_eq!(index.get("b\n\".png"), Some(&entry("b\n\".png", 1)));
        assert_eq!(index.get("c.png"), None);
        index.add(vec![entry("c.png", 3)]).expect("added");
        drop(index);
        let index = Index::open(&path).expect("an index");
        assert_eq!(index.get("c.png"), Some(&entry("c.png", 3)));
    }
}
