//! Fetching what lies beside the page. Errors are words that end without a full stop.

use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Response};

/// # Errors
/// When it is not there, or not whole.
pub async fn text(url: &str) -> Result<String, String> {
    let response = fetch(url).await?;
    let text = async { JsFuture::from(response.text()?).await };
    let text = text.await.ok().and_then(|text| text.as_string());
    text.ok_or_else(broke_off)
}

/// # Errors
/// When it is not there, or not whole.
pub async fn blob(url: &str) -> Result<Blob, String> {
    let response = fetch(url).await?;
    let blob = async { JsFuture::from(response.blob()?).await };
    let blob = blob.await.and_then(JsCast::dyn_into::<Blob>);
    blob.map_err(|_: JsValue| broke_off())
}

async fn fetch(url: &str) -> Result<Response, String> {
    let response = JsFuture::from(window().fetch_with_str(url)).await;
    let response = response.and_then(JsCast::dyn_into::<Response>);
    let response = response.map_err(|_| "the server does not answer".to_owned())?;
    match response.ok() {
        true => Ok(response),
        false => Err(format!("the server answered {}", response.status())),
    }
}

fn broke_off() -> String {
    "the connection broke off".to_owned()
}
