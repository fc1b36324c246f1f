//! Whether a file is still the one that was read.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use object_store::{ObjectStore, ObjectStoreExt, path::Path as Key};
use serde::{Deserialize, Serialize};

use super::RUNTIME;

/// A file's size, and when it was last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub bytes: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

impl Stamp {
    /// File systems' clocks tick this often at least: files that changed a shorter while ago can change again without another
    /// time.
    const TICK: Duration = Duration::from_secs(2);

    pub(super) fn of_file(path: &Path) -> Result<Option<Self>> {
        let found = match std::fs::metadata(path) {
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            other => other?,
        };
        Ok(Some(Self {
            bytes: found.len(),
            modified: nanoseconds(found.modified()?),
        }))
    }

    pub(super) fn of_object(store: &dyn ObjectStore, key: &Key) -> Result<Option<Self>> {
        let found = match RUNTIME.block_on(store.head(key)) {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        Ok(Some(Self {
            bytes: found.size,
            modified: nanoseconds(found.last_modified.into()),
        }))
    }

    /// The stamp of a file that is looked at `now`; `None` if a change from now on might not be seen in it.
    pub fn settled(self, now: SystemTime) -> Option<Self> {
        let tick = Self::TICK.as_nanos() as i64;
        (self.modified < nanoseconds(now).saturating_sub(tick)).then_some(self)
    }
}

/// Before 1970 below 0.
fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_just_now_or_by_another_clock_is_not_settled() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let settled = |seconds_ago: i64| {
            let stamp = Stamp {
                bytes: 1,
                modified: nanoseconds(now) - seconds_ago * 1_000_000_000,
            };
            stamp.settled(now).is_some()
        };
        assert!(settled(3600) && settled(3));
        assert!(!settled(0) && !settled(1) && !settled(-3600));
        let before = UNIX_EPOCH - Duration::from_secs(5);
        assert_eq!(nanoseconds(before), -5_000_000_000);
    }
}
