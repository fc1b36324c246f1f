//! Weight files of other tools: PyTorch's `.pth` of every age, and safetensors.
//!
//! Reading a file never executes anything in it: a `.pth` is a pickle, and only tensors and the containers
//! around them are understood.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use burn::tensor::{Bytes, DType, TensorData};
use pytorch_reader::PytorchReader;
use safetensors::SafeTensors;

/// The floating-point tensors of a file, by the name under which it has them.
pub type StateDict = BTreeMap<String, Values>;

/// A tensor's shape and its values in row-major order.
pub type Values = (Vec<usize>, Vec<f32>);

/// # Errors
/// When the file cannot be opened, is of no known format, or holds a whole pickled module.
pub fn read(file: &Path) -> Result<StateDict> {
    let start = first_bytes(file).with_context(|| format!("cannot open {}", file.display()))?;
    let result = if is_safetensors(&start) {
        safetensors(file)
    } else {
        pytorch(file)
    };
    let tensors = result.with_context(|| format!("cannot read the weights {}", file.display()))?;
    if tensors.is_empty() {
        bail!("{} holds no floating-point tensor", file.display());
    }
    Ok(tensors)
}

fn first_bytes(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut start = Vec::new();
    std::fs::File::open(file)?
        .take(16)
        .read_to_end(&mut start)?;
    Ok(start)
}

/// A header's length in eight bytes, then JSON.
fn is_safetensors(start: &[u8]) -> bool {
    start.len() > 8 && start[8] == b'{'
}

fn safetensors(file: &Path) -> Result<StateDict> {
    let bytes = std::fs::read(file)?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let mut result = StateDict::new();
    for (name, tensor) in tensors.iter() {
        let dtype = match tensor.dtype() {
            safetensors::Dtype::F64 => DType::F64,
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            _ => continue, // counters such as `num_batches_tracked`
        };
        let values = floats(tensor.data().to_vec(), tensor.shape(), dtype)
            .with_context(|| name.to_owned())?;
        result.insert(name.to_owned(), (tensor.shape().to_vec(), values));
    }
    Ok(result)
}

fn pytorch(file: &Path) -> Result<StateDict> {
    if is_pickled_module(file)? {
        bail!(
            "the file holds a whole pickled module, which only the program that saved it should load. Load it \
             there, save its weights alone with torch.save(model.state_dict(), \"weights.pth\"), and import that"
        );
    }
    let reader = PytorchReader::new(file)?;
    let mut result = StateDict::new();
    for (name, tensor) in reader.into_tensors() {
        let dtype = match tensor.dtype() {
            pytorch_reader::DType::F64 => DType::F64,
            pytorch_reader::DType::F32 => DType::F32,
            pytorch_reader::DType::F16 => DType::F16,
            pytorch_reader::DType::BF16 => DType::BF16,
            _ => continue,
        };
        let values = floats(tensor.read()?, tensor.shape(), dtype).with_context(|| name.clone())?;
        result.insert(name, (tensor.shape().to_vec(), values));
    }
    Ok(result)
}

/// A pickled module names the classes of its layers; a state dict names none.
fn is_pickled_module(file: &Path) -> Result<bool> {
    const LAYERS: &[u8] = b"torch.nn.modules.";
    let bytes = std::fs::read(file)?;
    Ok(memchr::memmem::find(&bytes, LAYERS).is_some())
}

fn floats(bytes: Vec<u8>, shape: &[usize], dtype: DType) -> Result<Vec<f32>> {
    let data = TensorData::from_bytes(Bytes::from_bytes_vec(bytes), shape.to_vec(), dtype);
    let data = data.convert_dtype(DType::F32);
    data.try_to_vec::<f32>()
        .map_err(|error| anyhow!("{error:?}"))
}
