//! Weights that were dropped into the page: what they are taken for, and packages of them.

use burn::tensor::Device;
use js_sys::{Array, Date, Uint8Array};
use sightline::package::Manifest;
use sightline_import::{Imported, import_parts, proposal, propose};
use sightline_session::messages::{Answer, Reason, Refusal};
use sightline_wire as wire;
use wasm_bindgen::JsValue;
use web_sys::{Blob, File, FilePropertyBag};

use crate::card::rendered;
use crate::kept;
use crate::weights::blob_bytes;

/// The names and lengths of the files that lie one after another in a blob.
type Files = Vec<(String, u64)>;
/// What a form says, by the names of its fields.
type Fields = Vec<(String, String)>;

/// Says which models this browser keeps.
pub async fn tell() {
    let models = kept::all().await;
    // Most keep none, and the page begins without any.
    if !models.is_empty() {
        let added = None;
        wire::answer(&Answer::Keeps { models, added });
    }
}

/// What the weights are taken for.
pub async fn look(id: u32, files: Files, blob: Option<Blob>, fields: Fields) {
    let proposed = async {
        let settings = proposal::settings(&fields).map_err(|error| error.to_string())?;
        let bytes = bytes(blob).await?;
        let proposed = propose(&parts(&files, &bytes), &settings);
        let title = fields.iter().find(|(name, _)| name == "title");
        let title = title.map_or("", |(_, title)| title.as_str());
        proposed
            .map(|proposed| proposed.form(title))
            .map_err(|error| error.to_string())
    };
    let proposed: Result<String, String> = proposed.await;
    wire::answer(&match proposed {
        Ok(form) => Answer::Proposed { id, form },
        Err(why) => refused(id, why),
    });
}

/// Makes a package of the weights, and keeps it.
pub async fn keep(id: u32, files: Files, blob: Option<Blob>, fields: Fields) {
    let imported = async {
        let mut settings = proposal::settings(&fields).map_err(|error| error.to_string())?;
        let now = String::from(Date::new_0().to_iso_string());
        settings.date = now.get(..10).unwrap_or_default().to_owned();
        let bytes = bytes(blob).await?;
        let parts = parts(&files, &bytes);
        let imported = import_parts(&parts, &settings, &Device::flex(), |_| ());
        imported.map_err(|error| error.to_string())
    };
    let imported: Result<Imported, String> = imported.await;
    let answer = match imported {
        Err(why) => refused(id, why),
        Ok(Imported { manifest, weights }) => match kept::keep(&manifest, &weights).await {
            Ok(hash) => Answer::Keeps {
                models: kept::all().await,
                added: Some(hash),
            },
            Err(why) => Answer::Refused(Refusal::Keeping(Reason::Storage(why))),
        },
    };
    wire::answer(&answer);
}

fn refused(id: u32, why: String) -> Answer {
    let why = Reason::Weights(why.trim_end_matches('.').to_owned());
    Answer::Refused(Refusal::Weights { id, why })
}

async fn bytes(blob: Option<Blob>) -> Result<Vec<u8>, String> {
    let blob = blob.ok_or("the file is not there any more")?;
    blob_bytes(&blob).await
}

fn parts<'a>(files: &'a Files, bytes: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
    let mut rest = bytes;
    let mut parts = Vec::new();
    for (name, length) in files {
        let (part, after) = rest.split_at((*length as usize).min(rest.len()));
        rest = after;
        // An index says only in which of the other files each tensor is.
        if files.len() == 1 || !name.to_lowercase().ends_with(".index.json") {
            parts.push((name.as_str(), part));
        }
    }
    parts
}

pub async fn delete(hash: String) {
    wire::answer(&match kept::delete(&hash).await {
        Ok(()) => Answer::Keeps {
            models: kept::all().await,
            added: None,
        },
        Err(why) => Answer::Refused(Refusal::Keeping(Reason::Storage(why))),
    });
}

/// Writes what was measured into a package.
pub async fn record(hash: &str, manifest: &Manifest, evaluation: &str) {
    if let Err(why) = kept::record(hash, manifest, evaluation).await {
        wire::answer(&Answer::Refused(Refusal::Keeping(Reason::Storage(why))));
    }
}

/// Hands a package over as a file.
pub async fn pack(hash: String) {
    let packed = kept::packed(&hash).await.and_then(|(name, bytes)| {
        let parts = Array::of1(&Uint8Array::from(bytes.as_slice()));
        let options = FilePropertyBag::new();
        options.set_type("application/zip");
        let name = format!("{name}.zip");
        File::new_with_u8_array_sequence_and_options(&parts, &name, &options)
            .map_err(|_: JsValue| "the browser makes no file of it".to_owned())
    });
    match packed {
        Ok(file) => wire::answer_with(&Answer::Packed, file.into()),
        Err(why) => {
            let why = format!("The model cannot be saved: {why}.");
            wire::answer(&Answer::Refused(Refusal::Keeping(Reason::Storage(why))));
        }
    }
}

pub async fn card(hash: String) {
    let card = kept::card(&hash).await;
    let card = card.unwrap_or_else(|why| format!("The card cannot be shown: {why}."));
    wire::answer(&Answer::Card(rendered(&card, "")));
}
