//! `weights.bpk`: burnpack; float16, but float32 for batch normalisation.

use burn::tensor::{Bytes, DType, Device};
use burn_store::burn_pack::Writer;
use burn_store::{
    BurnpackStore, FloatCastAdapter, HalfPrecisionAdapter, ModuleSnapshot, ModuleStore,
};
use sha2::{Digest, Sha256};

use super::{Manifest, PackageError};
use crate::network::Network;

/// The network of a package, ready to read.
///
/// # Errors
/// When the weights are not those of the manifest's `sha256`, are damaged, or do not fit the network: a tensor
/// missing, one too many, or one of another shape.
pub fn load(
    manifest: &Manifest,
    weights: Vec<u8>,
    device: &Device,
) -> Result<Network, PackageError> {
    let found = sha256(&weights);
    if found != manifest.weights.sha256 {
        return Err(PackageError::Checksum {
            expected: manifest.weights.sha256.clone(),
            found,
        });
    }
    let mut network = manifest.network(device)?;
    let refused = |why: String| PackageError::Weights(why);
    let mut store = BurnpackStore::from_bytes(Some(Bytes::from_bytes_vec(weights)))
        .allow_partial(true) // so that what is missing can be named below
        .validate(false)
        .with_from_adapter(FloatCastAdapter::to(DType::F32));
    let result = store
        .apply_to(&mut network)
        .map_err(|error| refused(error.to_string()))?;
    if let Some(error) = result.errors.first() {
        return Err(refused(error.to_string()));
    }
    if let Some((name, _)) = result.missing.first() {
        return Err(refused(format!(
            "{} tensors are missing, among them {name}",
            result.missing.len()
        )));
    }
    if let Some(name) = result.unused.first() {
        return Err(refused(format!(
            "{} tensors belong to no layer, among them {name}",
            result.unused.len()
        )));
    }
    Ok(network)
}

/// The bytes of a network's `weights.bpk`; the same network gives the same bytes.
///
/// # Errors
/// When a tensor cannot be read back from its device.
pub fn save(network: &Network) -> Result<Vec<u8>, PackageError> {
    let mut tensors = network.collect(None, Some(Box::new(HalfPrecisionAdapter::new())), false);
    for tensor in &mut tensors {
        // Drawn anew in every process, and of use only to an optimiser.
        tensor.param_id = None;
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let bytes = Writer::new(tensors).into_bytes();
    Ok(bytes
        .map_err(|error| PackageError::Weights(error.to_string()))?
        .to_vec())
}

/// The SHA-256 of some bytes, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
