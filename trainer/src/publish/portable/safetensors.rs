//! Weights as safetensors: the length of a header, the header in JSON, and the tensors' bytes.
//!
//! Written here and not by the crate `safetensors`, which has the metadata in another order each time: the same package gives the same file.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use sightline::network::Network;
use sightline::package::Manifest;

use super::facts::{Facts, naming};

/// The header's length is a multiple of this, so that numbers after it lie well in memory.
const ALIGNMENT: usize = 8;

/// The file's bytes: all tensors in float32.
pub fn file(manifest: &Manifest, network: &Network, facts: &Facts) -> Result<Vec<u8>> {
    let mut header = BTreeMap::new();
    let mut data = Vec::new();
    network.for_each_value(naming(&manifest.architecture), |tensor, values| {
        let start = data.len();
        data.extend(values.iter::<f32>().flat_map(f32::to_le_bytes));
        let entry =
            json!({"dtype": "F32", "shape": tensor.shape, "data_offsets": [start, data.len()]});
        header.insert(tensor.name, entry);
    });
    // What PyTorch's programs ask a file for.
    let mut metadata: BTreeMap<&str, Value> = BTreeMap::from([("format", "pt".into())]);
    metadata.extend(
        facts
            .iter()
            .map(|(name, fact)| (*name, fact.as_str().into())),
    );
    header.insert("__metadata__".to_owned(), serde_json::to_value(metadata)?);
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    Ok(file)
}
