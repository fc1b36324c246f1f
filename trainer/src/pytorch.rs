//! PyTorch checkpoints as a start for training.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use burn::tensor::DType;
use burn_store::{ModuleStore, PytorchStore, bridge};
use sightline::network::{Naming, Network};

/// The network with a state dict's weights, but for its last linear layer, which keeps its fresh ones.
///
/// Reading a checkpoint never executes anything in it.
///
/// # Errors
/// When the file is no state dict, or lacks one of the body's tensors, or one has another shape.
pub fn load_body(network: Network, naming: Naming, file: &Path) -> Result<Network> {
    let mut tensors = state_dict(file)
        .with_context(|| format!("cannot read the PyTorch weights {}", file.display()))?;
    Ok(network.load_state_dict(naming, true, |wanted| tensors.remove(&wanted.name))?)
}

/// Shape and values of tensors, by name.
type StateDict = HashMap<String, (Vec<usize>, Vec<f32>)>;

/// The float tensors of a `.pth` file, of torch's zip format or its older one.
fn state_dict(file: &Path) -> Result<StateDict> {
    // Names stay as they are: "classifier.1" must not become "classifier.0".
    let mut store = PytorchStore::from_file(file).map_indices_contiguous(false);
    let mut result = HashMap::new();
    for (name, tensor) in store.get_all_tensors()? {
        if !tensor.dtype.is_float() {
            continue; // counters such as `num_batches_tracked`
        }
        let data = bridge::to_data(tensor)?.convert_dtype(DType::F32);
        let shape = data.shape().iter().copied().collect();
        let values = data
            .try_to_vec::<f32>()
            .map_err(|error| anyhow!("{name}: {error:?}"))?;
        result.insert(name.clone(), (shape, values));
    }
    Ok(result)
}
