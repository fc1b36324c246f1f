//! Images that cannot be read: named with the reason, and never left out silently.

use anyhow::{Error, Result, bail};

use super::Dataset;

/// What could not be read so far.
#[derive(Default)]
pub struct LeftOut {
    /// The file and the reason.
    pub why: Vec<String>,
}

impl LeftOut {
    pub fn add(&mut self, error: &Error) {
        self.why.push(format!("{error:#}"));
    }

    /// Names each image that could not be read, and says how many there are.
    ///
    /// # Errors
    /// When it is every image of the dataset.
    pub fn say(&self, of: &Dataset) -> Result<()> {
        let (unreadable, all) = (self.why.len(), of.rows.len());
        for why in &self.why {
            eprintln!("left out: {why}");
        }
        if unreadable == all {
            bail!("none of the {all} images under {} could be read", of.root);
        }
        if unreadable > 0 {
            eprintln!("{unreadable} of {all} images could not be read and are left out");
        }
        Ok(())
    }
}
