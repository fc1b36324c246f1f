//! Weights in several files, and the index that says which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::ImportError;

/// An index of weights in several files, as transformers and accelerate write it (`model.safetensors.index.json`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The files beside the index that have the weights.
    pub files: Vec<String>,
}

impl Index {
    /// The index in a JSON text; `None` where it is none.
    ///
    /// # Errors
    /// When a file that it names is not beside it.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ImportError> {
        let start = bytes.trim_ascii_start();
        if !start.starts_with(b"{") {
            return Ok(None);
        }
        let json: BTreeMap<String, Value> = match serde_json::from_slice(bytes) {
            Ok(json) => json,
            Err(_) => return Ok(None),
        };
        let Some(Value::Object(map)) = json.get("weight_map") else {
            return Ok(None);
        };
        let files: BTreeSet<&str> = map.values().filter_map(Value::as_str).collect();
        let is_outside = |file: &&&str| {
            file.contains(['/', '\\', ':']) || file.is_empty() || file.starts_with('.')
        };
        if let Some(file) = files.iter().find(is_outside) {
            return Err(ImportError::Container(format!(
                "the index names {file:?}, which is no file beside it"
            )));
        }
        let files = files.into_iter().map(str::to_owned).collect();
        Ok(Some(Self { files }))
    }

    /// The files of a series of which one is `name`, as `model-00001-of-00003.safetensors`; `None` for any other name.
    pub fn of_series(name: &str) -> Option<Self> {
        let (start, rest) = name.rsplit_once("-of-")?;
        let (start, number) = start.rsplit_once('-')?;
        let (count, ending) = rest.split_once('.')?;
        let _: u32 = number.parse().ok()?;
        let width = count.len();
        let count: u32 = count
            .parse()
            .ok()
            .filter(|count| (2..10_000).contains(count))?;
        let file = |index| format!("{start}-{index:0width$}-of-{count:0width$}.{ending}");
        Some(Self {
            files: (1..=count).map(file).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_its_files_once_and_only_those_beside_it() {
        let json = br#"{"metadata": {"total_size": 8}, "weight_map": {"b": "m-2.safetensors", "a": "m-1.safetensors",
            "c": "m-2.safetensors"}}"#;
        let index = Index::parse(json).expect("sound").expect("an index");
        assert_eq!(index.files, ["m-1.safetensors", "m-2.safetensors"]);
        assert_eq!(Index::parse(b"{\"lr\": 1}"), Ok(None));
        assert_eq!(Index::parse(b"PK"), Ok(None));
        for outside in [
            "../m.safetensors",
            "/m.safetensors",
            "C:m.safetensors",
            "a\\\\m",
        ] {
            let json = format!("{{\"weight_map\": {{\"a\": \"{outside}\"}}}}");
            assert!(Index::parse(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn a_part_of_a_series_names_the_others() {
        let index = Index::of_series("model-00002-of-00003.safetensors").expect("a series");
        assert_eq!(index.files[0], "model-00001-of-00003.safetensors");
        assert_eq!(index.files.len(), 3);
        assert_eq!(Index::of_series("model.safetensors"), None);
        assert_eq!(Index::of_series("one-of-us.pt"), None);
    }
}
