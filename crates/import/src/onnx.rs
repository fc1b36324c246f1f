//! The networks in ONNX files. Exporters fold batch normalisation into convolutions and rename what they fold, so that
//! the layers are known by their order in the graph and their shapes, and not by name.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::Device;
use sightline::finding::Finding;
use sightline::network::{Architecture, Family, Head, Naming, Network, StateDictTensor};

use crate::fit::KNOWN;
use crate::tensors::{MANIFEST, Number, Storage, Stored, Tensors};

/// Why it cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    #[error(
        "the ONNX file is damaged, or cut off, as after a download that broke off. Get it again"
    )]
    Damaged,
    #[error(
        "the file is no ONNX model, though it begins as one: a TensorFlow SavedModel (.pb), perhaps. Only PyTorch's weights and \
         ONNX can be imported"
    )]
    NoGraph,
    #[error(
        "the ONNX file has its weights in another file, {0:?}. Save it as one file (torch.onnx.export with \
         external_data=False)"
    )]
    External(String),
    #[error(
        "the ONNX file is of none of the networks that are known here: it has {convolutions} convolutions and {linear} linear \
         layers"
    )]
    Unknown { convolutions: usize, linear: usize },
}

/// A model's version, and after it who made it, or the graph.
pub fn is_onnx(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0x08, 1..=30, 0x12 | 0x1a | 0x22 | 0x28 | 0x3a | 0x42, ..]
    )
}

enum Value<'a> {
    Int(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, OnnxError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(OnnxError::Damaged)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(OnnxError::Damaged)
}

/// The fields of a message, by number.
fn fields(bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>, OnnxError> {
    let mut fields = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let tag = varint(bytes, &mut at)?;
        let length = match tag & 7 {
            0 => {
                let value = varint(bytes, &mut at)?;
                fields.push((tag >> 3, Value::Int(value)));
                continue;
            }
            1 => 8,
            2 => varint(bytes, &mut at)?,
            5 => 4,
            _ => return Err(OnnxError::Damaged),
        };
        let length = usize::try_from(length).map_err(|_| OnnxError::Damaged)?;
        let end = at.checked_add(length).ok_or(OnnxError::Damaged)?;
        let part = bytes.get(at..end).ok_or(OnnxError::Damaged)?;
        at = end;
        fields.push((tag >> 3, Value::Bytes(part)));
    }
    Ok(fields)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An initialiser's name and, where its numbers are floating-point ones, the tensor.
fn tensor(bytes: &[u8]) -> Result<(String, Option<Stored<'_>>), OnnxError> {
    let (mut name, mut shape, mut kind, mut numbers) = (String::new(), Vec::new(), 0, &[][..]);
    for (field, value) in fields(bytes)? {
        match (field, value) {
            (1, Value::Int(size)) => shape.push(size),
            (1, Value::Bytes(packed)) => {
                let mut at = 0;
                while at < packed.len() {
                    shape.push(varint(packed, &mut at)?);
                }
            }
            (2, Value::Int(value)) => kind = value,
            (8, Value::Bytes(bytes)) => name = text(bytes),
            // Numbers as they are, or as a packed list of floats or doubles, which is the same.
            (4 | 9 | 10, Value::Bytes(bytes)) if !bytes.is_empty() => numbers = bytes,
            (13, Value::Bytes(entry)) => {
                let mut entry = fields(entry)?.into_iter().map(|(_, value)| value);
                if let (Some(Value::Bytes(b"location")), Some(Value::Bytes(file))) =
                    (entry.next(), entry.next())
                {
                    return Err(OnnxError::External(text(file)));
                }
            }
            _ => {}
        }
    }
    let number = match kind {
        1 => Number::F32,
        10 => Number::F16,
        11 => Number::F64,
        16 => Number::Bf16,
        _ => return Ok((name, None)),
    };
    let shape: Result<Vec<usize>, _> = shape.into_iter().map(usize::try_from).collect();
    let storage = Storage {
        bytes: numbers,
        number,
        big_endian: false,
    };
    let tensor = shape
        .ok()
        .and_then(|shape| Stored::contiguous(storage, shape));
    Ok((name, Some(tensor.ok_or(OnnxError::Damaged)?)))
}

/// What of a node is of interest.
struct Node {
    kind: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attributes: HashMap<String, Vec<i64>>,
}

fn node<'a>(
    bytes: &'a [u8],
    constants: &mut HashMap<String, Stored<'a>>,
) -> Result<Node, OnnxError> {
    let mut node = Node {
        kind: String::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        attributes: HashMap::new(),
    };
    let mut constant = None;
    for (field, value) in fields(bytes)? {
        match (field, value) {
            (1, Value::Bytes(name)) => node.inputs.push(text(name)),
            (2, Value::Bytes(name)) => node.outputs.push(text(name)),
            (4, Value::Bytes(name)) => node.kind = text(name),
            (5, Value::Bytes(attribute)) => {
                let (mut name, mut numbers) = (String::new(), Vec::new());
                for (field, value) in fields(attribute)? {
                    match (field, value) {
                        (1, Value::Bytes(bytes)) => name = text(bytes),
                        (3 | 8, Value::Int(number)) => numbers.push(number as i64),
                        (5, Value::Bytes(bytes)) => constant = tensor(bytes)?.1,
                        (8, Value::Bytes(packed)) => {
                            let mut at = 0;
                            while at < packed.len() {
                                numbers.push(varint(packed, &mut at)? as i64);
                            }
                        }
                        _ => {}
                    }
                }
                node.attributes.insert(name, numbers);
            }
            _ => {}
        }
    }
    if let (Some(constant), Some(name)) = (constant, node.outputs.first()) {
        constants.insert(name.clone(), constant);
    }
    Ok(node)
}

/// A layer with numbers, in the order in which it is computed.
enum Layer<'a> {
    Convolution(Stored<'a>, Option<Stored<'a>>),
    Normalisation([Stored<'a>; 4]),
    Linear(Stored<'a>, Option<Stored<'a>>),
}

/// The layers of a graph.
struct Graph<'a> {
    layers: Vec<Layer<'a>>,
    /// Whether something is padded more on one side than on the other, as TensorFlow does.
    is_padded_unevenly: bool,
}

fn graph(bytes: &[u8]) -> Result<Graph<'_>, OnnxError> {
    let (mut nodes, mut constants) = (Vec::new(), HashMap::new());
    for (field, value) in fields(bytes)? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => nodes.push(node(bytes, &mut constants)?),
            (5, Value::Bytes(bytes)) => {
                if let (name, Some(tensor)) = tensor(bytes)? {
                    constants.insert(name, tensor);
                }
            }
            _ => {}
        }
    }
    let mut graph = Graph {
        layers: Vec::new(),
        is_padded_unevenly: false,
    };
    // The sum after a product is its bias.
    let mut product: Option<String> = None;
    for node in nodes {
        let input = |index: usize| constants.get(node.inputs.get(index)?).cloned();
        let number = |name: &str| {
            node.attributes
                .get(name)
                .and_then(|numbers| numbers.first())
        };
        let made = node.outputs.first().cloned();
        match (node.kind.as_str(), input(1)) {
            ("Identity", _) => {
                if let Some((name, tensor)) = made.zip(input(0)) {
                    constants.insert(name, tensor);
                }
            }
            ("Conv", Some(weight)) => {
                let pads = node.attributes.get("pads").map_or(&[][..], Vec::as_slice);
                let (start, end) = pads.split_at(pads.len() / 2);
                graph.is_padded_unevenly |= start != end;
                graph.layers.push(Layer::Convolution(weight, input(2)));
            }
            ("Pad", _) => graph.is_padded_unevenly = true,
            ("BatchNormalization", _) => {
                if let (Some(a), Some(b), Some(c), Some(d)) =
                    (input(1), input(2), input(3), input(4))
                {
                    graph.layers.push(Layer::Normalisation([a, b, c, d]));
                }
            }
            ("Gemm", Some(weight)) => {
                let turned = number("transB").copied() != Some(1);
                let weight = if turned { weight.transposed() } else { weight };
                graph.layers.push(Layer::Linear(weight, input(2)));
            }
            ("MatMul", Some(weight)) => {
                graph.layers.push(Layer::Linear(weight.transposed(), None));
                product = made;
            }
            ("Add", _)
                if product.is_some()
                    && node
                        .inputs
                        .iter()
                        .any(|name| Some(name) == product.as_ref()) =>
            {
                if let Some(Layer::Linear(_, bias)) = graph.layers.last_mut() {
                    *bias = input(1).or_else(|| input(0));
                }
            }
            _ => {}
        }
    }
    Ok(graph)
}

/// The network's tensors, under the names that PyTorch gives them.
///
/// # Errors
/// When the file is damaged, or of another network.
pub fn read(bytes: &[u8]) -> Result<Tensors<'_>, OnnxError> {
    let model = fields(bytes)?;
    let body = model
        .iter()
        .find_map(|(field, value)| match (field, value) {
            (7, Value::Bytes(bytes)) => Some(*bytes),
            _ => None,
        });
    let body = body.ok_or(OnnxError::NoGraph)?;
    let texts = metadata(&model)?;
    if texts.contains_key(MANIFEST) {
        let mut tensors = named(body)?;
        tensors.texts = texts;
        return Ok(tensors);
    }
    let graph = graph(body)?;
    let count = |is: fn(&Layer<'_>) -> bool| graph.layers.iter().filter(|layer| is(layer)).count();
    let linear = count(|layer| matches!(layer, Layer::Linear(..)));
    for name in KNOWN {
        let Ok(mut architecture) = Architecture::named(name, 3) else {
            continue;
        };
        architecture.head = match linear {
            1 => Head::Linear,
            2 => Head::Bottleneck,
            _ => Head::Mlp,
        };
        let is_lite = architecture.variant.starts_with("lite");
        let mut naming = Naming::Torchvision;
        if architecture.family == Family::EfficientNet && (graph.is_padded_unevenly || is_lite) {
            naming = Naming::EfficientNetPytorch;
        }
        let Ok(network) = Network::new(&architecture, Finding::COUNT, &Device::flex()) else {
            continue;
        };
        let has_wide_epsilon = naming == Naming::EfficientNetPytorch || name == "efficientnet_b5";
        let one = if has_wide_epsilon {
            &VARIANCE_LESS_1E3
        } else {
            &VARIANCE_LESS_1E5
        };
        if let Some(tensors) = assigned(&graph.layers, &network.state_dict(naming), one) {
            return Ok(tensors);
        }
    }
    Err(OnnxError::Unknown {
        convolutions: count(|layer| matches!(layer, Layer::Convolution(..))),
        linear,
    })
}

/// The texts that a file has beside its graph, by name.
fn metadata(model: &[(u64, Value<'_>)]) -> Result<BTreeMap<String, Vec<String>>, OnnxError> {
    let mut texts = BTreeMap::new();
    for (field, value) in model {
        let (14, Value::Bytes(entry)) = (field, value) else {
            continue;
        };
        let (mut key, mut said) = (String::new(), String::new());
        for (field, value) in fields(entry)? {
            match (field, value) {
                (1, Value::Bytes(bytes)) => key = text(bytes),
                (2, Value::Bytes(bytes)) => said = text(bytes),
                _ => {}
            }
        }
        texts.insert(key, vec![said]);
    }
    Ok(texts)
}

/// The initialisers of a graph under their names, which are a state dict's in files that Sightline wrote.
fn named(graph: &[u8]) -> Result<Tensors<'_>, OnnxError> {
    let mut tensors = Tensors::default();
    for (field, value) in fields(graph)? {
        if let (5, Value::Bytes(bytes)) = (field, value)
            && let (name, Some(stored)) = tensor(bytes)?
        {
            tensors.insert(name, stored);
        }
    }
    Ok(tensors)
}

static ZERO: [u8; 4] = 0.0_f32.to_le_bytes();
static ONE: [u8; 4] = 1.0_f32.to_le_bytes();
/// Variances by which a normalisation with an epsilon of 1e-5 or 1e-3 divides by one.
static VARIANCE_LESS_1E5: [u8; 4] = (1.0_f32 - 1e-5).to_le_bytes();
static VARIANCE_LESS_1E3: [u8; 4] = (1.0_f32 - 1e-3).to_le_bytes();

/// As many equal values as there are channels.
fn equal(value: &'static [u8; 4], channels: usize) -> Option<Stored<'static>> {
    let storage = Storage {
        bytes: value,
        number: Number::F32,
        big_endian: false,
    };
    Stored::new(storage, 0, vec![channels], vec![0])
}

/// The layers under the names of a network, whose layers have the same order and shapes; `None` if they do not.
fn assigned<'a>(
    layers: &[Layer<'a>],
    wanted: &[StateDictTensor],
    one: &'static [u8; 4],
) -> Option<Tensors<'a>> {
    let mut groups: Vec<(&str, BTreeMap<&str, &StateDictTensor>)> = Vec::new();
    for tensor in wanted {
        let (layer, kind) = tensor.name.rsplit_once('.')?;
        if groups.last().is_none_or(|(last, _)| *last != layer) {
            groups.push((layer, BTreeMap::new()));
        }
        groups.last_mut()?.1.insert(kind, tensor);
    }
    let mut tensors = Tensors::default();
    let mut layers = layers.iter().peekable();
    // What is left of a convolution's bias, which a normalisation behind it was folded into.
    let mut folded: Option<(usize, Option<Stored<'a>>)> = None;
    for (layer, kinds) in groups {
        let mut insert =
            |kind: &str, tensor: Stored<'a>| tensors.insert(format!("{layer}.{kind}"), tensor);
        let weight = kinds.get("weight")?;
        match (kinds.contains_key("running_mean"), weight.shape.len()) {
            (true, _) => {
                let channels = weight.shape[0];
                match layers.peek() {
                    Some(Layer::Normalisation([scale, shift, mean, variance]))
                        if scale.shape() == [channels] =>
                    {
                        insert("weight", scale.clone());
                        insert("bias", shift.clone());
                        insert("running_mean", mean.clone());
                        insert("running_var", variance.clone());
                        layers.next();
                    }
                    _ => {
                        let (of, bias) = folded.take()?;
                        if of != channels {
                            return None;
                        }
                        insert("weight", equal(&ONE, channels)?);
                        insert("bias", bias.or_else(|| equal(&ZERO, channels))?);
                        insert("running_mean", equal(&ZERO, channels)?);
                        insert("running_var", equal(one, channels)?);
                    }
                }
                folded = None;
            }
            (false, 4) => {
                let Some(Layer::Convolution(found, bias)) = layers.next() else {
                    return None;
                };
                let first = tensors.is_empty() && weight.shape[1] == 3;
                let (out, size) = (weight.shape[0], &weight.shape[2..]);
                let fits = match first {
                    true => {
                        found.shape().first() == Some(&out) && found.shape().get(2..) == Some(size)
                    }
                    false => found.shape() == weight.shape,
                };
                if !fits {
                    return None;
                }
                tensors.insert(format!("{layer}.weight"), found.clone());
                match kinds.get("bias") {
                    Some(_) => tensors.insert(format!("{layer}.bias"), bias.clone()?),
                    None => folded = Some((out, bias.clone())),
                }
            }
            _ => {
                let Some(Layer::Linear(found, bias)) = layers.next() else {
                    return None;
                };
                let [outputs, inputs] = *found.shape() else {
                    return None;
                };
                let is_last = layers.peek().is_none();
                if inputs != weight.shape[1] || !is_last && outputs != weight.shape[0] {
                    return None;
                }
                insert("weight", found.clone());
                insert("bias", bias.clone().or_else(|| equal(&ZERO, outputs))?);
            }
        }
    }
    layers.next().is_none().then_some(tensors)
}
