//! Fetching what lies beside the page. Errors are words that end without a full stop.

use js_sys::{Array, JSON, Object, Reflect};
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
/// When it is not there, not whole, or no JSON.
pub async fn json(url: &str) -> Result<Json, String> {
    let parsed = JSON::parse(&text(url).await?);
    let parsed = parsed.map_err(|_| "it is no JSON".to_owned());
    parsed.map(Json)
}

/// A value that the browser has read: serde's reader takes ten times the program for two small files.
pub struct Json(JsValue);

impl Json {
    pub fn of(value: JsValue) -> Self {
        Self(value)
    }

    pub fn into_value(self) -> JsValue {
        self.0
    }

    /// # Errors
    /// When it has no such value.
    pub fn get(&self, name: &str) -> Result<Json, String> {
        let found = Reflect::get(&self.0, &name.into()).ok();
        let found = found.filter(|value| !value.is_undefined() && !value.is_null());
        found.map(Json).ok_or_else(|| format!("it lacks {name}"))
    }

    /// # Errors
    /// When it has no such text.
    pub fn text(&self, name: &str) -> Result<String, String> {
        let text = self.get(name)?.0.as_string();
        text.ok_or_else(|| format!("{name} is no text"))
    }

    /// # Errors
    /// When it is no number.
    pub fn number(&self) -> Result<f64, String> {
        self.0
            .as_f64()
            .ok_or_else(|| "it lacks a number".to_owned())
    }

    /// # Errors
    /// When it has no such list, or one of the list's values cannot be read.
    pub fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&Json) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let list = self.get(name)?.0.dyn_into::<Array>();
        let list = list.map_err(|_| format!("{name} is no list"))?;
        list.iter().map(|value| read(&Json(value))).collect()
    }

    /// The names within an object, and their values.
    ///
    /// # Errors
    /// When it has no such object.
    pub fn entries(&self, name: &str) -> Result<Vec<(String, Json)>, String> {
        let object = self.get(name)?.0.dyn_into::<Object>();
        let object = object.map_err(|_| format!("{name} is no object"))?;
        let names = Object::keys(&object);
        let named = names.iter().filter_map(|name| {
            let value = Reflect::get(&object, &name).ok()?;
            Some((name.as_string()?, Json(value)))
        });
        Ok(named.collect())
    }
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
