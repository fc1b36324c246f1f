//! What is to be said of files once they were read: those that cannot be read and why, and what to know of the others.

use std::collections::BTreeMap;

use anyhow::{Error, Result, bail};
use sightline::radiograph::{Depth, Notice};

use super::Dataset;

/// What there is to say of the files so far.
#[derive(Default)]
pub struct Notes {
    /// Files that cannot be read, with the reason.
    pub left_out: Vec<String>,
    notices: BTreeMap<String, Noticed>,
}

/// Files of which the same is to be said.
struct Noticed {
    count: usize,
    first: String,
}

impl Notes {
    pub fn leave_out(&mut self, error: &Error) {
        self.left_out.push(format!("{error:#}"));
    }

    /// Takes in what is to be known of a file that was read.
    pub fn notice(&mut self, file: &str, notices: &[Notice]) {
        for notice in notices {
            let first = || Noticed {
                count: 0,
                first: file.to_owned(),
            };
            let noticed = self.notices.entry(said(notice)).or_insert_with(first);
            noticed.count += 1;
        }
    }

    /// Names each image that could not be read and says how many there are; then what is to be known of the others.
    ///
    /// # Errors
    /// When no image of the dataset could be read.
    pub fn say(&self, of: &Dataset) -> Result<()> {
        let (unreadable, all) = (self.left_out.len(), of.rows.len());
        for why in &self.left_out {
            eprintln!("left out: {why}");
        }
        if unreadable == all {
            bail!("none of the {all} images under {} could be read", of.root);
        }
        if unreadable > 0 {
            eprintln!("{unreadable} of {all} images could not be read and are left out");
        }
        for line in self.noticed() {
            eprintln!("{line}");
        }
        Ok(())
    }

    /// What is to be known of the files that were read, a line each.
    pub fn noticed(&self) -> impl Iterator<Item = String> {
        let notices = self.notices.iter();
        notices.map(|(said, Noticed { count, first })| match count {
            1 => format!("{first}: {said}"),
            _ => format!("{count} images, the first of them {first}: {said}"),
        })
    }
}

/// A notice on the command line; with it, what can be done where the depth is a guess.
pub fn said(notice: &Notice) -> String {
    match notice {
        Notice::Depth(Depth {
            other: Some(other), ..
        }) => format!(
            "{notice} It may be {other}: with --depth {other}, predict, evaluate, explain and localize read it so."
        ),
        _ => notice.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_known_of_several_files_is_said_once_with_their_count() {
        let mut notes = Notes::default();
        let depth = Notice::Depth(Depth {
            bits: 12,
            told_by: sightline::radiograph::DepthSource::Pixels,
            other: Some(16),
        });
        notes.notice("a.png", std::slice::from_ref(&depth));
        notes.notice("b.png", &[depth, Notice::Transparency]);
        let said: Vec<String> = notes.noticed().collect();
        assert_eq!(said.len(), 2);
        assert!(
            said[0].starts_with(
                "2 images, the first of them a.png: 12 bits of each pixel are used, judging by the pixels."
            ),
            "{said:?}"
        );
        assert!(said[0].contains("--depth 16"), "{said:?}");
        assert!(said[1].starts_with("b.png: Transparency"), "{said:?}");
    }
}
