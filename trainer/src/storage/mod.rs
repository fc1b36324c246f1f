//! Files by path or by the URL of an object store: `s3://`, `gs://`, `az://`, `https://` of one of these, `file://`.
//!
//! Credentials and endpoints come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`, `GOOGLE_SERVICE_ACCOUNT`,
//! `AZURE_STORAGE_ACCOUNT_NAME`, ...), as the crate `object_store` reads them. `draft` writes files whole or not at all, by the steps
//! of `durable`; `fetching` has files come ahead; `lock` keeps two processes out of one folder; `stamp` tells whether a file
//! changed.

mod draft;
pub mod durable;
mod fetching;
mod lock;
mod stamp;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Error, Result, bail};
use object_store::{ObjectStore, ObjectStoreExt, path::Path as Key};
use tokio::runtime::Runtime;
use url::Url;

pub use draft::{Draft, is_draft, write_together};
pub use fetching::Fetching;
pub use lock::Lock;
pub use stamp::Stamp;

/// A file or folder.
#[derive(Clone, Debug)]
pub enum Location {
    Local(PathBuf),
    Remote {
        store: Arc<dyn ObjectStore>,
        key: Key,
        /// For people.
        url: String,
    },
}

/// What waits for the network, so that nothing else has to.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let builder = &mut tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("the system gives threads")
});

async fn bytes(store: &dyn ObjectStore, key: &Key) -> object_store::Result<Vec<u8>> {
    Ok(store.get(key).await?.bytes().await?.to_vec())
}

impl std::str::FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if !text.contains("://") {
            return Ok(Location::Local(text.into()));
        }
        let url = Url::parse(text).with_context(|| format!("{text} is no URL"))?;
        let environment = std::env::vars().map(|(name, value)| (name.to_lowercase(), value));
        let (store, key) = object_store::parse_url_opts(&url, environment)
            .with_context(|| format!("{text} is of no object store that is known here"))?;
        Ok(Location::Remote {
            store: store.into(),
            key,
            url: text.trim_end_matches('/').to_owned(),
        })
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Location::Local(path.to_owned())
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Location::Local(path) => path.display().fmt(f),
            Location::Remote { url, .. } => f.write_str(url),
        }
    }
}

impl Location {
    /// A file below this folder.
    pub fn join(&self, below: &str) -> Self {
        match self {
            Location::Local(path) => Location::Local(path.join(below)),
            Location::Remote { store, key, url } => Location::Remote {
                store: store.clone(),
                key: below
                    .split('/')
                    .fold(key.clone(), |key, part| key.join(part)),
                url: format!("{url}/{below}"),
            },
        }
    }

    /// The folder that this is in.
    pub fn parent(&self) -> Option<Self> {
        match self {
            Location::Local(path) => {
                let parent = path.parent()?;
                let empty = parent.as_os_str().is_empty();
                Some(Location::Local(if empty {
                    ".".into()
                } else {
                    parent.to_owned()
                }))
            }
            Location::Remote { store, key, url } => {
                let mut parts: Vec<_> = key.parts().collect();
                parts.pop()?;
                Some(Location::Remote {
                    store: store.clone(),
                    key: parts.into_iter().collect(),
                    url: url.rsplit_once('/')?.0.to_owned(),
                })
            }
        }
    }

    /// The last part of the path.
    pub fn name(&self) -> String {
        let text = self.to_string();
        text.rsplit('/').next().unwrap_or_default().to_owned()
    }

    pub fn exists(&self) -> bool {
        match self {
            Location::Local(path) => path.exists(),
            Location::Remote { store, key, .. } => RUNTIME.block_on(store.head(key)).is_ok(),
        }
    }

    /// # Errors
    /// When a file is given where `option` is a folder: `what` it is.
    pub fn refuse_file(&self, option: &str, what: &str) -> Result<()> {
        match self {
            Location::Local(path) if path.is_file() => {
                bail!("{option} is {what}; {self} is a file")
            }
            _ => Ok(()),
        }
    }

    /// The file's size and time; `None` if it is not there.
    pub fn stamp(&self) -> Result<Option<Stamp>> {
        match self {
            Location::Local(path) => Stamp::of_file(path),
            Location::Remote { store, key, .. } => Stamp::of_object(store.as_ref(), key),
        }
        .with_context(|| format!("cannot look at {self}"))
    }

    /// How many bytes a file has; `None` where it cannot be read.
    pub fn size(&self) -> Option<u64> {
        match self {
            Location::Local(path) => Some(path.metadata().ok()?.len()),
            Location::Remote { store, key, .. } => {
                Some(RUNTIME.block_on(store.head(key)).ok()?.size)
            }
        }
    }

    pub fn read(&self) -> Result<Vec<u8>> {
        let bytes = match self {
            Location::Local(path) => std::fs::read(path).map_err(Error::from),
            Location::Remote { store, key, .. } => {
                let bytes = RUNTIME.block_on(bytes(store.as_ref(), key));
                bytes.map_err(Error::from)
            }
        };
        bytes.with_context(|| format!("cannot open {self}"))
    }

    /// Begins to fetch the file.
    pub fn begin(&self) -> Fetching {
        Fetching::begin(self.clone())
    }

    /// Writes the whole file or, where that fails, leaves what was there.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut draft = Draft::begin(self)?;
        let written = draft.write_all(bytes);
        written.with_context(|| format!("cannot write {self}"))?;
        draft.finish()
    }

    /// The paths of all files below this folder, in their order, each from the folder on. Hidden ones are left out.
    ///
    /// # Errors
    /// When the folder, or one in it, cannot be read.
    pub fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        let listed = match self {
            Location::Local(path) => local_files(path, "", &mut files),
            Location::Remote { store, key, .. } => RUNTIME.block_on(async {
                let mut folders = vec![key.clone()];
                while let Some(folder) = folders.pop() {
                    let list = store.list_with_delimiter(Some(&folder)).await?;
                    folders.extend(list.common_prefixes);
                    let parts = list.objects.iter().filter_map(|object| {
                        let below: Vec<_> = object.location.prefix_match(key)?.collect();
                        let below: Vec<&str> = below.iter().map(AsRef::as_ref).collect();
                        Some(below.join("/"))
                    });
                    files.extend(parts);
                }
                Ok(())
            }),
        };
        listed.with_context(|| format!("cannot list {self}"))?;
        let hidden = |path: &String| path.split('/').any(|part| part.starts_with('.'));
        files.retain(|path| !hidden(path));
        files.sort();
        Ok(files)
    }

    /// Makes this folder, where there are folders.
    pub fn create(&self) -> Result<()> {
        match self {
            Location::Local(path) => durable::create_folder(path),
            Location::Remote { .. } => Ok(()),
        }
    }
}

/// Adds the files of a folder and of those in it. Links are not followed, so that it ends.
fn local_files(folder: &Path, below: &str, files: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .with_context(|| format!("a name that is no text: {name:?}"))?;
        let path = format!("{below}{name}");
        if entry.file_type()?.is_dir() {
            local_files(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_paths_and_urls_are_told_apart_joined_and_taken_apart() {
        let local: Location = "data/nih.csv".parse().expect("a path");
        assert!(matches!(local, Location::Local(_)));
        assert_eq!(local.name(), "nih.csv");
        assert_eq!(
            local
                .parent()
                .expect("a folder")
                .join("images/a.png")
                .to_string(),
            "data/images/a.png"
        );
        let bare: Location = "nih.csv".parse().expect("a path");
        assert_eq!(bare.parent().expect("a folder").to_string(), ".");

        let remote: Location = "memory:///cxr/nih.csv".parse().expect("a store");
        assert!(matches!(remote, Location::Remote { .. }));
        let image = remote.parent().expect("a folder").join("images/a.png");
        assert_eq!(image.to_string(), "memory:///cxr/images/a.png");
        assert!(!image.exists());
        image.write(b"pixels").expect("written");
        assert_eq!(image.read().expect("what was written"), b"pixels");
        let store = remote.parent().expect("a folder");
        store.join("b/.hidden").write(b"-").expect("written");
        store.join("b/c.dcm").write(b"-").expect("written");
        assert_eq!(store.files().expect("a list"), ["b/c.dcm", "images/a.png"]);

        let error = "gopher://cxr/nih.csv"
            .parse::<Location>()
            .expect_err("no store");
        assert!(error.to_string().contains("no object store"), "{error:#}");
    }
}
