//! Fetching a package: the manifest always, the weights once. A package that this browser keeps is read from there.
//!
//! Weights are kept in Cache storage under their hash, so a package is downloaded once per version and an old
//! version is never mistaken for a new one; it is removed when the package names another. Where there is no Cache storage, or it is full, they are fetched anew.

use burn::tensor::Device;
use js_sys::{Array, Reflect, Uint8Array};
use sightline::network::Network;
use sightline::package::{Loader, Manifest, PackageError};
use sightline_session::messages::PackagePlace;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, Cache, CacheStorage, DedicatedWorkerGlobalScope, ReadableStreamDefaultReader, Request,
    Response,
};

use sightline_wire::{address, note};

use crate::kept;

const CACHE: &str = "sightline-weights";

fn global() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// # Errors
/// When it cannot be fetched, or is refused.
pub async fn manifest(package: &PackagePlace) -> Result<Manifest, String> {
    let refused = |name: &str, why: String| format!("The model {name} is refused: {why}.");
    let (name, folder) = match package {
        PackagePlace::Beside { name, folder } => (name, folder),
        PackagePlace::Kept { name, hash } => {
            return kept::manifest(hash).await.map_err(|why| refused(name, why));
        }
    };
    let url = format!("{folder}/manifest.json");
    let mut bytes = Vec::new();
    each_part(&fetch(&url).await?, |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })
    .await?;
    Manifest::parse(&bytes).map_err(|error| refused(name, error.to_string()))
}

/// The network of a package, on the CPU, decoded while its weights arrive; `progress` hears how many bytes are there.
///
/// # Errors
/// When the weights cannot be fetched, or are refused.
pub async fn network(
    package: &PackagePlace,
    manifest: &Manifest,
    progress: impl Fn(u64),
) -> Result<Network, String> {
    let device = &Device::flex();
    let (name, folder) = match package {
        PackagePlace::Beside { name, folder } => (name, folder),
        PackagePlace::Kept { name, hash } => {
            let refused = |why: String| {
                format!(
                    "The model {name}, which was kept in this browser, is refused: {why}. Delete it, and drop its file again."
                )
            };
            let opened = kept::open(hash, &manifest.weights.file).await;
            let loader = match opened {
                Ok(response) => receive(&response, manifest, &progress).await,
                Err(why) => Err(why),
            };
            let network = loader.map_err(refused)?.finish(manifest, device);
            return network.map_err(|error| refused(error.to_string()));
        }
    };
    let refused = |error| format!("The model {name} is refused: {error}.");
    let [versions, key] = place(folder, manifest)?;
    let cache = cache().await;
    if let Some(cache) = &cache {
        forget_others(cache, &versions, &key).await;
    }
    if let Some(cache) = &cache
        && let Some(response) = cached(cache, &key).await
        && let Ok(loader) = receive(&response, manifest, &progress).await
    {
        match loader.finish(manifest, device) {
            // Damaged on this machine's disk: as if it had never been kept.
            Err(PackageError::Checksum { .. }) => {
                note(&format!(
                    "The copy of the model {name} that was kept here was damaged. It is fetched again."
                ));
                forget(cache, &key).await;
            }
            result => return result.map_err(refused),
        }
    }
    let response = fetch(&format!("{folder}/{}", manifest.weights.file)).await?;
    // The browser writes its copy to the disk while ours is decoded. A full disk or a private window: the next visit
    // fetches again.
    let copy = cache.as_ref().and_then(|cache| {
        let copy = response.clone().ok()?;
        Some((cache, JsFuture::from(cache.put_with_str(&key, &copy))))
    });
    let network = match receive(&response, manifest, &progress).await {
        Ok(loader) => loader.finish(manifest, device).map_err(refused),
        Err(why) => Err(why),
    };
    if let Some((cache, copy)) = copy {
        let kept = copy.await.is_ok();
        if kept && network.is_err() {
            forget(cache, &key).await;
        }
    }
    network
}

/// Whether the weights of a package are on this machine.
pub async fn are_kept(package: &PackagePlace, manifest: &Manifest) -> bool {
    let PackagePlace::Beside { folder, .. } = package else {
        return true;
    };
    let (Some(cache), Ok([_, key])) = (cache().await, place(folder, manifest)) else {
        return false;
    };
    cached(&cache, &key).await.is_some()
}

/// How the addresses of a package's weights begin, and that of this version's.
fn place(folder: &str, manifest: &Manifest) -> Result<[String; 2], String> {
    let versions = address(&format!("{folder}/weights?sha256="))?;
    let key = format!("{versions}{}", manifest.weights.sha256);
    Ok([versions, key])
}

/// Hands a response's bytes over as they arrive.
async fn receive(
    response: &Response,
    manifest: &Manifest,
    progress: impl Fn(u64),
) -> Result<Loader, String> {
    let length = manifest.weights.bytes;
    let mut loader = Loader::new(manifest);
    let mut received = 0;
    each_part(response, |part| {
        received += part.len() as u64;
        loader.push(part);
        progress(received.min(length));
        if received > length {
            Err(format!(
                "{} is longer than its manifest says.",
                response.url()
            ))
        } else {
            Ok(())
        }
    })
    .await?;
    Ok(loader)
}

/// Removes what is kept of the package's other versions, whose addresses begin with `versions`.
async fn forget_others(cache: &Cache, versions: &str, key: &str) {
    let Ok(kept) = JsFuture::from(cache.keys()).await else {
        return;
    };
    for request in Array::from(&kept) {
        let url = request.unchecked_into::<Request>().url();
        if url.starts_with(versions) && url != key {
            forget(cache, &url).await;
        }
    }
}

async fn forget(cache: &Cache, key: &str) {
    // What is not there need not be removed.
    let _ = JsFuture::from(cache.delete_with_str(key)).await;
}

async fn cache() -> Option<Cache> {
    let storage = Reflect::get(&global(), &"caches".into()).ok()?;
    let storage: CacheStorage = storage.dyn_into().ok()?;
    JsFuture::from(storage.open(CACHE))
        .await
        .ok()?
        .dyn_into()
        .ok()
}

async fn cached(cache: &Cache, key: &str) -> Option<Response> {
    JsFuture::from(cache.match_with_str(key))
        .await
        .ok()?
        .dyn_into()
        .ok()
}

/// A short text that is kept here under an address.
pub async fn kept_text(key: &str) -> Option<String> {
    let response = cached(&cache().await?, key).await?;
    JsFuture::from(response.text().ok()?)
        .await
        .ok()?
        .as_string()
}

/// Keeps a short text under an address, in place of all whose addresses begin with `versions`.
pub async fn keep_text(versions: &str, key: &str, text: &str) {
    if let Some(cache) = cache().await
        && let Ok(response) = Response::new_with_opt_str(Some(text))
    {
        forget_others(&cache, versions, key).await;
        // A full disk: it is found out again at the next visit.
        let _ = JsFuture::from(cache.put_with_str(key, &response)).await;
    }
}

/// What the page's own server answers.
///
/// # Errors
/// In words, when there is no answer, or a refusal.
pub async fn fetch(url: &str) -> Result<Response, String> {
    let response = JsFuture::from(global().fetch_with_str(&address(url)?)).await;
    let response: Response = response
        .ok()
        .and_then(|response| response.dyn_into().ok())
        .ok_or_else(|| {
            format!("{url} could not be fetched: no answer. Check the connection and try again.")
        })?;
    if !response.ok() {
        return Err(format!(
            "{url} could not be fetched: the server answered {}.",
            response.status()
        ));
    }
    Ok(response)
}

/// Gives each part of a response's body as it arrives, until one is refused.
async fn each_part(
    response: &Response,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let broken = |_: JsValue| format!("The transfer of {} broke off. Try again.", response.url());
    let body = response
        .body()
        .ok_or_else(|| format!("{} is empty.", response.url()))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    loop {
        let part = JsFuture::from(reader.read()).await.map_err(broken)?;
        if Reflect::get(&part, &"done".into())
            .map_err(broken)?
            .is_truthy()
        {
            return Ok(());
        }
        let part: Uint8Array = Reflect::get(&part, &"value".into())
            .map_err(broken)?
            .unchecked_into();
        if let Err(why) = take(&part.to_vec()) {
            // Nobody wants the rest.
            let _ = JsFuture::from(reader.cancel()).await;
            return Err(why);
        }
    }
}

/// The bytes of a file, which come one after another into one place.
///
/// # Errors
/// In words, when the browser does not hand them over.
pub async fn blob_bytes(blob: &Blob) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let length = blob.size() as usize;
    if bytes.try_reserve_exact(length).is_err() {
        let mib = length >> 20;
        return Err(format!(
            "this browser's memory has no room for its {mib} MiB"
        ));
    }
    let gone = |_: JsValue| "it cannot be read any more. Choose it again".to_owned();
    let response = Response::new_with_opt_blob(Some(blob)).map_err(gone)?;
    each_part(&response, |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })
    .await?;
    Ok(bytes)
}
