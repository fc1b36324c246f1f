//! `weights.bpk`: burnpack. Tensors are named and laid out as in torchvision's state dict; float16, but float32
//! for batch normalisation.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::{Bytes, DType, Device};
use burn_pack::{HEADER_SIZE, Writer, aligned_data_section_start};
use half::f16;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::gate::detector::Detector;
use crate::network::{Naming, Network, wrong_value};
use crate::package::{Manifest, PackageError, hexadecimal};

const NAMING: Naming = Naming::Torchvision;

/// The network of a package, ready to read. `weights` may be given in parts: see [`Loader`].
///
/// # Errors
/// As [`Loader::finish`].
pub fn load(manifest: &Manifest, weights: &[u8], device: &Device) -> Result<Network, PackageError> {
    let mut loader = Loader::new(manifest);
    loader.push(weights);
    loader.finish(manifest, device)
}

/// Takes a package's weights as they arrive.
///
/// Each tensor is decoded when its bytes are there, and they are let go: at no time is the whole file in memory
/// beside the network. Nothing is used before all of it is there and its hash is right.
pub struct Loader {
    expected: String,
    length: u64,
    received: u64,
    hasher: Sha256,
    /// Bytes not decoded yet, and where in the file they begin.
    buffer: Vec<u8>,
    start: usize,
    /// The tensors still to come, last first; `None` until the header is there.
    index: Option<Vec<Entry>>,
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
    /// The first thing that was wrong. Kept until the hash is known, for a damaged file is best called damaged.
    wrong: Option<String>,
}

/// One tensor's place in the file.
struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: DType,
    start: usize,
    end: usize,
}

/// The file's table of contents, in CBOR; see the format of the crate `burn-pack`.
#[derive(Deserialize)]
struct Contents {
    tensors: BTreeMap<String, Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    dtype: DType,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

impl Loader {
    pub fn new(manifest: &Manifest) -> Self {
        Self {
            expected: manifest.weights.sha256.clone(),
            length: manifest.weights.bytes,
            received: 0,
            hasher: Sha256::new(),
            buffer: Vec::new(),
            start: 0,
            index: None,
            tensors: HashMap::new(),
            wrong: None,
        }
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.received += bytes.len() as u64;
        if self.received > self.length {
            self.wrong.get_or_insert_with(|| {
                format!(
                    "they are longer than the {} bytes of the manifest",
                    self.length
                )
            });
        }
        self.hasher.update(bytes);
        if self.wrong.is_none() {
            self.buffer.extend_from_slice(bytes);
            self.wrong = self.decode().err();
        }
        if self.wrong.is_some() {
            self.buffer = Vec::new();
            self.tensors.clear();
        }
    }

    /// The network, if all is as it should be.
    ///
    /// # Errors
    /// When the bytes are not those of the manifest's `sha256`, or do not fit the network: a tensor missing, one
    /// too many, or one of another shape.
    pub fn finish(self, manifest: &Manifest, device: &Device) -> Result<Network, PackageError> {
        if let Some(Err(why)) = manifest.gate.as_ref().map(Detector::head) {
            return Err(PackageError::Inconsistent(why));
        }
        let found = hexadecimal(&self.hasher.finalize());
        if found != self.expected {
            return Err(PackageError::Checksum {
                expected: self.expected,
                found,
            });
        }
        let refused = |why: String| Err(PackageError::Weights(why));
        if let Some(why) = self.wrong {
            return refused(why);
        }
        if !self.index.is_some_and(|index| index.is_empty()) {
            return refused("the file ends too early".to_owned());
        }
        let mut tensors = self.tensors;
        let network = Network::new(&manifest.architecture, manifest.findings.len(), device)
            .map_err(|error| PackageError::Inconsistent(error.to_string()))?
            .load_state_dict(NAMING, false, |wanted| tensors.remove(&wanted.name));
        let network = network.map_err(|error| PackageError::Weights(error.to_string()))?;
        if let Some(name) = tensors.keys().min() {
            return refused(format!(
                "{} tensors belong to no layer, among them {name}",
                tensors.len()
            ));
        }
        Ok(network)
    }

    /// Decodes what is complete.
    fn decode(&mut self) -> Result<(), String> {
        if self.index.is_none() {
            self.index = contents(&self.buffer, self.length)?;
        }
        let Some(index) = &mut self.index else {
            return Ok(());
        };
        let there = self.start + self.buffer.len();
        let mut done = self.start;
        while let Some(entry) = index.pop_if(|entry| entry.end <= there) {
            let bytes = &self.buffer[entry.start - self.start..entry.end - self.start];
            let values = match entry.dtype {
                DType::F16 => bytes
                    .chunks_exact(2)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect::<Vec<_>>(),
                DType::F32 => bytes
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
                other => return Err(format!("{} is of the type {other:?}", entry.name)),
            };
            if values.len() != entry.shape.iter().product::<usize>() {
                return Err(format!("{} has not the length of its shape", entry.name));
            }
            self.tensors.insert(entry.name, (entry.shape, values));
            done = entry.end;
        }
        self.buffer.drain(..done - self.start);
        self.start = done;
        Ok(())
    }
}

/// The tensors of a file that begins with these bytes, last first; `None` if more of it is needed.
fn contents(bytes: &[u8], length: u64) -> Result<Option<Vec<Entry>>, String> {
    let Some(header) = bytes.first_chunk::<HEADER_SIZE>() else {
        return Ok(None);
    };
    let header = burn_pack::Header::from_bytes(header)
        .map_err(|error| format!("the file is no burnpack: {error}"))?;
    if header.version > burn_pack::FORMAT_VERSION {
        return Err(format!("burnpack of version {}", header.version));
    }
    let end = HEADER_SIZE + header.metadata_size as usize;
    if end as u64 > length {
        return Err("the table of contents is longer than the file".to_owned());
    }
    let Some(table) = bytes.get(HEADER_SIZE..end) else {
        return Ok(None);
    };
    let table: Contents = ciborium::from_reader(table)
        .map_err(|error| format!("the table of contents cannot be read: {error}"))?;
    let data = aligned_data_section_start(header.metadata_size as usize);
    let mut entries = Vec::with_capacity(table.tensors.len());
    for (name, tensor) in table.tensors {
        let place = |offset: usize| offset.checked_add(data).filter(|p| *p as u64 <= length);
        match (place(tensor.data_offsets.0), place(tensor.data_offsets.1)) {
            (Some(start), Some(end)) if start <= end => entries.push(Entry {
                name,
                shape: tensor.shape,
                dtype: tensor.dtype,
                start,
                end,
            }),
            _ => return Err(format!("{name} is outside the file")),
        }
    }
    entries.sort_by_key(|entry| entry.start);
    if entries.windows(2).any(|pair| pair[1].start < pair[0].end) {
        return Err("tensors overlap".to_owned());
    }
    entries.reverse();
    Ok(Some(entries))
}

/// The bytes of a network's `weights.bpk`; the same network gives the same bytes.
///
/// # Errors
/// When a value is too large for float16, or one that no weight can have.
pub fn save(network: &Network) -> Result<Vec<u8>, PackageError> {
    save_as(network, Precision::Half)
}

/// The bytes of a network's `weights.bpk` with every value as it is: a tensor is in float16 only where that loses nothing.
///
/// # Errors
/// When a value is one that no weight can have.
pub fn save_exactly(network: &Network) -> Result<Vec<u8>, PackageError> {
    save_as(network, Precision::Exact)
}

/// What is written in float16, but for batch normalisation, which never is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Precision {
    /// Everything.
    Half,
    /// Tensors of which every value is exact in it.
    Exact,
}

fn save_as(network: &Network, precision: Precision) -> Result<Vec<u8>, PackageError> {
    let mut tensors = Vec::new();
    let mut wrong = None;
    network.for_each_value(NAMING, |tensor, data| {
        let values: Vec<f32> = data.iter::<f32>().collect();
        if let Some(found) = wrong_value(&tensor.name, &values) {
            wrong.get_or_insert_with(|| format!("{} {found}", tensor.name));
        }
        let is_exact = |value: &f32| f16::from_f32(*value).to_f32() == *value;
        let in_full =
            tensor.batch_norm || precision == Precision::Exact && !values.iter().all(is_exact);
        let values = values.into_iter();
        let (dtype, bytes): (_, Vec<u8>) = if in_full {
            (DType::F32, values.flat_map(f32::to_le_bytes).collect())
        } else {
            let half = values.map(|value| {
                let half = f16::from_f32(value);
                if half.is_infinite() {
                    wrong.get_or_insert_with(|| {
                        let name = &tensor.name;
                        format!("{name} has a value that is too large for float16")
                    });
                }
                half.to_le_bytes()
            });
            (DType::F16, half.flatten().collect())
        };
        let bytes = Bytes::from_bytes_vec(bytes);
        tensors.push(burn_pack::Tensor::new(
            tensor.name.clone(),
            dtype,
            tensor.shape,
            None,
            bytes,
        ));
    });
    if let Some(why) = wrong {
        return Err(PackageError::Weights(why));
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let bytes = Writer::new(tensors).into_bytes();
    Ok(bytes
        .map_err(|error| PackageError::Weights(error.to_string()))?
        .to_vec())
}
