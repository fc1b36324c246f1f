//! Fetching a package: the manifest always, the weights once.
//!
//! Weights are kept in Cache storage under their hash, so a package is downloaded once per version and an old
//! version is never mistaken for a new one. Where there is no Cache storage, or it is full, they are fetched anew.

use js_sys::{Reflect, Uint8Array};
use sightline::package::{Manifest, sha256};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Cache, CacheStorage, DedicatedWorkerGlobalScope, ReadableStreamDefaultReader, Response,
};

const CACHE: &str = "sightline-weights";

fn global() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Where a package's files are: relative to the worker, as the page is.
fn url(package: &str, file: &str) -> String {
    format!("models/{package}/{file}")
}

/// # Errors
/// When it cannot be fetched, or is refused.
pub async fn manifest(package: &str) -> Result<(Manifest, String), String> {
    let url = url(package, "manifest.json");
    let bytes = read_body(&fetch(&url).await?, None, |_| {}).await?;
    let manifest = Manifest::parse(&bytes)
        .map_err(|error| format!("The model {package} is refused: {error}."))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{url} is no text."))?;
    Ok((manifest, text))
}

/// The bytes of a package's weights; `progress` hears how many are there.
///
/// # Errors
/// When they cannot be fetched, or are longer than the manifest says. Their hash is checked where they are loaded.
pub async fn weights(
    package: &str,
    manifest: &Manifest,
    progress: impl Fn(u64),
) -> Result<Vec<u8>, String> {
    let key = format!(
        "models/{package}/weights?sha256={}",
        manifest.weights.sha256
    );
    let cache = cache().await;
    let length = manifest.weights.bytes;
    if let Some(cache) = &cache
        && let Some(response) = cached(cache, &key).await
        && let Ok(bytes) = read_body(&response, Some(length), &progress).await
    {
        if sha256(&bytes) == manifest.weights.sha256 {
            return Ok(bytes);
        }
        // Damaged on this machine's disk: as if it had never been kept.
        let _ = JsFuture::from(cache.delete_with_str(&key)).await;
    }
    let response = fetch(&url(package, &manifest.weights.file)).await?;
    let bytes = read_body(&response, Some(length), &progress).await?;
    if let Some(cache) = &cache
        && sha256(&bytes) == manifest.weights.sha256
        && let Ok(copy) =
            Response::new_with_opt_js_u8_array(Some(&Uint8Array::from(bytes.as_slice())))
    {
        // A full disk or a private window: the next visit fetches again.
        let _ = JsFuture::from(cache.put_with_str(&key, &copy)).await;
    }
    Ok(bytes)
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

async fn fetch(url: &str) -> Result<Response, String> {
    let response = JsFuture::from(global().fetch_with_str(url)).await;
    let response: Response = response
        .ok()
        .and_then(|response| response.dyn_into().ok())
        .ok_or_else(|| {
            format!("{url} could not be fetched: no answer. Check the connection and try again.")
        })?;
    if !response.ok() {
        return Err(format!(
            "{url} could not be fetched: the server said {}.",
            response.status()
        ));
    }
    Ok(response)
}

/// The bytes of a response as they arrive; at most `length` where it is known.
async fn read_body(
    response: &Response,
    length: Option<u64>,
    progress: impl Fn(u64),
) -> Result<Vec<u8>, String> {
    let broken = |_: JsValue| format!("The transfer of {} broke off. Try again.", response.url());
    let body = response
        .body()
        .ok_or_else(|| format!("{} is empty.", response.url()))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = Vec::with_capacity(length.unwrap_or(0) as usize);
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(broken)?;
        if Reflect::get(&chunk, &"done".into())
            .map_err(broken)?
            .is_truthy()
        {
            return Ok(bytes);
        }
        let value: Uint8Array = Reflect::get(&chunk, &"value".into())
            .map_err(broken)?
            .unchecked_into();
        let start = bytes.len();
        bytes.resize(start + value.length() as usize, 0);
        value.copy_to(&mut bytes[start..]);
        if length.is_some_and(|length| bytes.len() as u64 > length) {
            return Err(format!(
                "{} is longer than its manifest says.",
                response.url()
            ));
        }
        progress(bytes.len() as u64);
    }
}
