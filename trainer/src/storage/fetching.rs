//! Files that are fetched while something else is done.

use anyhow::{Context, Error, Result};
use tokio::task::JoinHandle;

use super::{Location, RUNTIME, bytes};

/// A file that is being fetched. Dropped, it is not fetched any further.
#[derive(Debug)]
pub struct Fetching {
    file: Location,
    /// Where it comes from an object store.
    fetched: Option<JoinHandle<object_store::Result<Vec<u8>>>>,
}

impl Fetching {
    /// Asks an object store for a file, without waiting for it. One on this machine is read when it is waited for.
    pub(super) fn begin(file: Location) -> Self {
        let fetched = match &file {
            Location::Local(_) => None,
            Location::Remote { store, key, .. } => {
                let (store, key) = (store.clone(), key.clone());
                Some(RUNTIME.spawn(async move { bytes(store.as_ref(), &key).await }))
            }
        };
        Self { file, fetched }
    }

    pub fn file(&self) -> &Location {
        &self.file
    }

    /// Waits for the file's bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        let Some(fetched) = &mut self.fetched else {
            return self.file.read();
        };
        let bytes = RUNTIME.block_on(fetched).map_err(Error::from);
        let bytes = bytes.and_then(|bytes| bytes.map_err(Error::from));
        bytes.with_context(|| format!("cannot open {}", self.file))
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        if let Some(fetched) = &self.fetched {
            fetched.abort();
        }
    }
}
