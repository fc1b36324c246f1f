//! Models that this browser keeps: a folder for each in the private files of the page's origin, under the hash of its weights.
//!
//! The manifest is written last, so that what was kept half-way is no model.

use std::io::{Cursor, Write};

use js_sys::{AsyncIterator, Reflect, Uint8Array};
use sightline::package::{Manifest, PackageError, about, sha256};
use sightline_session::messages::KeptModel;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DedicatedWorkerGlobalScope, File, FileSystemDirectoryHandle, FileSystemFileHandle,
    FileSystemGetDirectoryOptions, FileSystemGetFileOptions, FileSystemHandle,
    FileSystemRemoveOptions, FileSystemSyncAccessHandle, Response,
};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const FOLDER: &str = "models";
const MANIFEST: &str = "manifest.json";
const CARD: &str = "card.md";
const EVALUATION: &str = "evaluation.json";

/// # Errors
/// In words, when this browser keeps no files.
async fn folder() -> Result<FileSystemDirectoryHandle, String> {
    let none = |_: JsValue| {
        "This browser keeps no files for this page, as in some private windows: a model cannot be opened here. Try another window."
            .to_owned()
    };
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let storage = scope.navigator().storage();
    let root = match Reflect::has(&storage, &"getDirectory".into()) {
        Ok(true) => JsFuture::from(storage.get_directory()).await,
        _ => Err(JsValue::UNDEFINED),
    };
    let root: FileSystemDirectoryHandle = root.map_err(none)?.unchecked_into();
    let create = FileSystemGetDirectoryOptions::new();
    create.set_create(true);
    let folder = JsFuture::from(root.get_directory_handle_with_options(FOLDER, &create)).await;
    Ok(folder.map_err(none)?.unchecked_into())
}

/// The models that are there. Where this browser keeps no files there are none.
pub async fn all() -> Vec<KeptModel> {
    let Ok(folder) = folder().await else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let entries: AsyncIterator = folder.values();
    while let Ok(next) = entries.next() {
        let Ok(next) = JsFuture::from(next).await else {
            break;
        };
        let done = Reflect::get(&next, &"done".into());
        if done.is_ok_and(|done| done.is_truthy()) {
            break;
        }
        let Ok(entry) = Reflect::get(&next, &"value".into()) else {
            break;
        };
        let hash = entry.unchecked_into::<FileSystemHandle>().name();
        if let Ok(manifest) = manifest(&hash).await {
            let name = manifest.name;
            found.push(KeptModel { name, hash });
        }
    }
    found.sort_by(|a, b| (&a.name, &a.hash).cmp(&(&b.name, &b.hash)));
    // Those that were given one name are told apart.
    for at in 1..found.len() {
        if found[..at].iter().any(|other| other.name == found[at].name) {
            let hash = found[at].hash.get(..6).unwrap_or_default().to_owned();
            found[at].name = format!("{}-{hash}", found[at].name);
        }
    }
    found
}

/// # Errors
/// In words, when the model is not there, or its manifest is refused.
pub async fn manifest(hash: &str) -> Result<Manifest, String> {
    let bytes = bytes(hash, MANIFEST).await?;
    Manifest::parse(&bytes).map_err(|error| error.to_string())
}

/// A model's card, as text.
///
/// # Errors
/// In words, when it is not there.
pub async fn card(hash: &str) -> Result<String, String> {
    let bytes = bytes(hash, CARD).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn bytes(hash: &str, name: &str) -> Result<Vec<u8>, String> {
    let response = open(hash, name).await?;
    let buffer = async { JsFuture::from(response.array_buffer()?).await };
    let buffer = buffer.await.map_err(|_| format!("{name} cannot be read"))?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// One of its files, as an answer whose bytes come one after another.
///
/// # Errors
/// In words, when it is not there.
pub async fn open(hash: &str, name: &str) -> Result<Response, String> {
    let folder = folder().await?;
    let file = async {
        let folder = JsFuture::from(folder.get_directory_handle(hash)).await?;
        let folder: FileSystemDirectoryHandle = folder.unchecked_into();
        let handle = JsFuture::from(folder.get_file_handle(name)).await?;
        let handle: FileSystemFileHandle = handle.unchecked_into();
        let file: File = JsFuture::from(handle.get_file()).await?.unchecked_into();
        Response::new_with_opt_blob(Some(&file))
    };
    file.await
        .map_err(|_: JsValue| format!("{name} is not there any more"))
}

/// Keeps a package: what its browser kept under the same hash is replaced.
///
/// # Errors
/// In words, when there is no room.
pub async fn keep(manifest: &Manifest, weights: &[u8]) -> Result<String, String> {
    let hash = manifest.weights.sha256.clone();
    let text = text_of(manifest)?;
    let all = folder().await?;
    let written = async {
        let create = FileSystemGetDirectoryOptions::new();
        create.set_create(true);
        let folder = JsFuture::from(all.get_directory_handle_with_options(&hash, &create)).await?;
        let folder: FileSystemDirectoryHandle = folder.unchecked_into();
        write(&folder, &manifest.weights.file, weights).await?;
        write(&folder, CARD, about(manifest).as_bytes()).await?;
        write(&folder, MANIFEST, &text).await
    };
    let written: Result<(), JsValue> = written.await;
    if written.is_err() {
        // Half of it is of no use.
        let _ = delete(&hash).await;
        return Err(format!(
            "The model cannot be kept: this browser has no room for {} MiB more. Free some storage, then drop the file again.",
            weights.len() >> 20
        ));
    }
    Ok(hash)
}

fn text_of(manifest: &Manifest) -> Result<Vec<u8>, String> {
    serde_json::to_vec_pretty(manifest).map_err(|error| error.to_string())
}

/// Writes what was measured of a model beside its weights, and into its manifest and card.
///
/// # Errors
/// In words, when there is no room, or the model is not there any more.
pub async fn record(hash: &str, manifest: &Manifest, evaluation: &str) -> Result<(), String> {
    let text = text_of(manifest)?;
    let all = folder().await?;
    let card = format!(
        "{}\n## Measured\n\nIn the page, on pictures of its reader's own. The figures are in `{EVALUATION}`.\n",
        about(manifest)
    );
    let written = async {
        let folder = JsFuture::from(all.get_directory_handle(hash)).await?;
        let folder: FileSystemDirectoryHandle = folder.unchecked_into();
        write(&folder, EVALUATION, evaluation.as_bytes()).await?;
        write(&folder, CARD, card.as_bytes()).await?;
        write(&folder, MANIFEST, &text).await
    };
    let written: Result<(), JsValue> = written.await;
    written.map_err(|_| "The figures cannot be kept: this browser has no room for them.".to_owned())
}

async fn write(
    folder: &FileSystemDirectoryHandle,
    name: &str,
    bytes: &[u8],
) -> Result<(), JsValue> {
    let create = FileSystemGetFileOptions::new();
    create.set_create(true);
    let handle = JsFuture::from(folder.get_file_handle_with_options(name, &create)).await?;
    let handle: FileSystemFileHandle = handle.unchecked_into();
    let access = JsFuture::from(handle.create_sync_access_handle()).await?;
    let access: FileSystemSyncAccessHandle = access.unchecked_into();
    let written = async {
        access.truncate_with_u32(0)?;
        let count = access.write_with_u8_array(bytes)?;
        access.flush()?;
        match count as usize == bytes.len() {
            true => Ok(()),
            false => Err(JsValue::from_str("not all was written")),
        }
    };
    let written = written.await;
    access.close();
    written
}

/// Deletes a model.
///
/// # Errors
/// In words, when the browser does not.
pub async fn delete(hash: &str) -> Result<(), String> {
    let options = FileSystemRemoveOptions::new();
    options.set_recursive(true);
    let folder = folder().await?;
    let deleted = JsFuture::from(folder.remove_entry_with_options(hash, &options)).await;
    let failed = |_| {
        "The model cannot be deleted while another tab reads with it. Close that tab, then try again."
            .to_owned()
    };
    deleted.map(|_| ()).map_err(failed)
}

/// A model's package as one file, a ZIP archive, and what the package is called.
///
/// # Errors
/// In words, when it is not all there.
pub async fn packed(hash: &str) -> Result<(String, Vec<u8>), String> {
    let manifest = manifest(hash).await?;
    let weights = bytes(hash, &manifest.weights.file).await?;
    let found = sha256(&weights);
    if found != manifest.weights.sha256 {
        let expected = manifest.weights.sha256;
        return Err(PackageError::Checksum { expected, found }.to_string());
    }
    let mut files = vec![
        (MANIFEST, bytes(hash, MANIFEST).await?),
        (CARD, bytes(hash, CARD).await?),
        (&*manifest.weights.file, weights),
    ];
    // It is there once the model was measured.
    if let Ok(figures) = bytes(hash, EVALUATION).await {
        files.push((EVALUATION, figures));
    }
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // Weights do not become smaller.
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let written = || -> zip::result::ZipResult<Vec<u8>> {
        for (name, bytes) in &files {
            archive.start_file(format!("{}/{name}", manifest.name), stored)?;
            archive.write_all(bytes)?;
        }
        Ok(archive.finish()?.into_inner())
    };
    let written = written().map_err(|error| error.to_string())?;
    Ok((manifest.name, written))
}
