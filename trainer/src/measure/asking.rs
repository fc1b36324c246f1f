//! What is asked of a network picture by picture, driven to its end.

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use sightline::asked::{Asked, drive};
use sightline::reader::{InBatches, Reader};

/// Pictures that are scored at once.
const BATCH: usize = 8;

/// Asks until all is known; the bar shows how far it is.
///
/// # Errors
/// When the device fails, or nothing comes of it.
pub fn ask<A: Asked>(reader: &Reader, mut asked: A, bar: &ProgressBar) -> Result<A::Outcome> {
    let mut scorer = InBatches {
        reader,
        batch: BATCH,
    };
    let each = async |asked: &A| {
        let progress = asked.progress();
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        Ok(())
    };
    pollster::block_on(drive(&mut asked, &mut scorer, each))?;
    asked.outcome().context("nothing came of it")
}
