//! A network with its evidence as an ONNX file.

use prost::Message;
use sightline::described::describe;
use sightline::network::Network;
use sightline::network::graph::{Attribute, Constant, Graph, Input, Value};
use sightline::package::Manifest;

use super::facts::{Facts, naming};
use super::proto;

/// The version of the file format that belongs to the operator set.
const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 17;
const BATCH: &str = "batch";

/// The file's bytes: from pictures to logits and evidence, for batches of any size. Initialisers have the names of the state dict.
pub fn file(manifest: &Manifest, network: &Network, facts: &Facts) -> Vec<u8> {
    let input = &manifest.input;
    let naming = naming(&manifest.architecture);
    let mut graph = describe(network, [input.channels, input.size, input.size]);
    network.name_parameters(&mut graph, naming);
    let mut initializer = Vec::new();
    network.for_each_value(naming, |tensor, values| {
        initializer.push(floats(tensor.name, &tensor.shape, values.iter::<f32>()));
    });
    let constants = graph
        .constants
        .iter()
        .map(|(name, value)| constant(name, value));
    initializer.extend(constants);
    let entry = |(key, value): (&&str, &String)| proto::Entry {
        key: (*key).to_owned(),
        value: value.clone(),
    };
    let model = proto::Model {
        ir_version: IR_VERSION,
        producer_name: "sightline".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: manifest.intended_use.clone(),
        graph: Some(proto::Graph {
            node: nodes(&graph),
            name: manifest.name.clone(),
            initializer,
            input: vec![value_info(&graph.input)],
            output: graph
                .outputs
                .iter()
                .map(|output| value_info(&output.value))
                .collect(),
        }),
        opset_import: vec![proto::OperatorSet {
            version: OPERATOR_SET,
        }],
        metadata_props: facts.iter().map(entry).collect(),
    };
    model.encode_to_vec()
}

fn nodes(graph: &Graph) -> Vec<proto::Node> {
    let nodes = graph.nodes.iter().map(|node| proto::Node {
        input: node
            .inputs
            .iter()
            .map(|input| match input {
                Input::Value(name) | Input::Parameter(name) => name.clone(),
            })
            .collect(),
        output: vec![node.output.clone()],
        name: node.output.clone(),
        op_type: node.operation.to_owned(),
        attribute: node
            .attributes
            .iter()
            .map(|(name, value)| attribute(name, value))
            .collect(),
    });
    nodes.collect()
}

fn attribute(name: &str, value: &Attribute) -> proto::Attribute {
    let mut attribute = proto::Attribute {
        name: name.to_owned(),
        ..proto::Attribute::default()
    };
    match value {
        Attribute::Float(value) => (attribute.f, attribute.r#type) = (Some(*value), 1),
        Attribute::Integer(value) => (attribute.i, attribute.r#type) = (Some(*value), 2),
        Attribute::Integers(values) => {
            (attribute.ints, attribute.r#type) = (values.clone(), 7);
        }
    }
    attribute
}

fn constant(name: &str, constant: &Constant) -> proto::Tensor {
    match constant {
        Constant::Floats { shape, values } => {
            floats(name.to_owned(), shape, values.iter().copied())
        }
        Constant::Integers(values) => proto::Tensor {
            dims: vec![values.len() as i64],
            data_type: proto::INT64,
            name: name.to_owned(),
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        },
    }
}

fn floats(name: String, shape: &[usize], values: impl Iterator<Item = f32>) -> proto::Tensor {
    proto::Tensor {
        dims: shape.iter().map(|side| *side as i64).collect(),
        data_type: proto::FLOAT,
        name,
        raw_data: values.flat_map(f32::to_le_bytes).collect(),
    }
}

/// A value that comes for each picture of a batch.
fn value_info(value: &Value) -> proto::ValueInfo {
    let batch = proto::Dimension {
        dim_value: None,
        dim_param: Some(BATCH.to_owned()),
    };
    let sides = value.shape.iter().map(|side| proto::Dimension {
        dim_value: Some(*side as i64),
        dim_param: None,
    });
    proto::ValueInfo {
        name: value.name.clone(),
        r#type: Some(proto::Type {
            tensor_type: Some(proto::TensorType {
                elem_type: proto::FLOAT,
                shape: Some(proto::Shape {
                    dim: [batch].into_iter().chain(sides).collect(),
                }),
            }),
        }),
    }
}
