//! A network written down: which operation is done on what, as programs other than this one want to know it.
//!
//! Operations and attributes are those of ONNX (operator set 17); parameters are named by their place in the network's modules until
//! [`Graph::rename`] gives them a state dict's names. Shapes are of one picture: the batch in front of them is not known here.

use std::collections::BTreeMap;

use burn::nn::conv::Conv2d;
use burn::nn::pool::{AvgPool2d, MaxPool2d};
use burn::nn::{BatchNorm, PaddingConfig2d};

use super::layers::{Activation, ConvNorm, Norm};
use super::padding::padding;

/// The operations from a batch of pictures to named values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    pub input: Value,
    /// In an order in which they can be done.
    pub nodes: Vec<Node>,
    /// Tensors that are not learned: shapes, scales, grids.
    pub constants: BTreeMap<String, Constant>,
    /// What the graph is for.
    pub outputs: Vec<Output>,
    /// The path of the module that is being written down.
    scope: String,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// ONNX's name of it.
    pub operation: &'static str,
    pub inputs: Vec<Input>,
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The name of its one result.
    pub output: String,
}

/// What an operation is done on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The network's input, a node's result, or a constant.
    Value(String),
    /// A tensor of the state dict.
    Parameter(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    Float(f32),
    Integer(i64),
    Integers(Vec<i64>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    Floats {
        shape: Vec<usize>,
        values: Vec<f32>,
    },
    /// A list.
    Integers(Vec<i64>),
}

/// A result of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub value: Value,
    /// What each dimension of one picture's part of it stands for.
    pub dimensions: Vec<&'static str>,
}

/// A tensor while a network is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    pub name: String,
    /// Without the batch.
    pub shape: Vec<usize>,
}

impl Value {
    pub fn input(&self) -> Input {
        Input::Value(self.name.clone())
    }

    fn sides(&self) -> [usize; 2] {
        let [.., height, width] = self.shape[..] else {
            unreachable!("a map has a height and a width: {self:?}");
        };
        [height, width]
    }
}

impl Graph {
    /// Nothing but the input: so many pictures of these channels, height and width.
    pub fn new(shape: [usize; 3]) -> Self {
        Self {
            input: Value {
                name: "input".to_owned(),
                shape: shape.to_vec(),
            },
            ..Self::default()
        }
    }

    /// Writes down what belongs to the module at a path.
    pub fn within<T>(&mut self, path: &str, write: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.scope.clone();
        self.scope += path;
        self.scope.push('.');
        let written = write(self);
        self.scope = outer;
        written
    }

    /// Calls parameters otherwise.
    pub fn rename(&mut self, name: impl Fn(&str) -> String) {
        let inputs = self.nodes.iter_mut().flat_map(|node| &mut node.inputs);
        for input in inputs {
            if let Input::Parameter(path) = input {
                *path = name(path);
            }
        }
    }

    /// Makes a value a result of the graph, under a name. `dimensions`: what each of its dimensions stands for, without the batch.
    pub fn result(&mut self, name: &str, value: &Value, dimensions: &[&'static str]) {
        let node = Node {
            operation: "Identity",
            inputs: vec![value.input()],
            attributes: Vec::new(),
            output: name.to_owned(),
        };
        self.nodes.push(node);
        self.outputs.push(Output {
            value: Value {
                name: name.to_owned(),
                shape: value.shape.clone(),
            },
            dimensions: dimensions.to_vec(),
        });
    }

    /// A tensor of the module that is being written down.
    pub fn parameter(&self, name: &str) -> Input {
        Input::Parameter(format!("{}{name}", self.scope))
    }

    pub fn floats(&mut self, shape: &[usize], values: Vec<f32>) -> Input {
        let shape = shape.to_vec();
        self.constant(Constant::Floats { shape, values })
    }

    pub fn integers(&mut self, values: &[i64]) -> Input {
        self.constant(Constant::Integers(values.to_vec()))
    }

    fn constant(&mut self, constant: Constant) -> Input {
        let known = self.constants.iter().find(|(_, known)| **known == constant);
        let name = match known {
            Some((name, _)) => name.clone(),
            None => format!("constant_{}", self.constants.len()),
        };
        self.constants.insert(name.clone(), constant);
        Input::Value(name)
    }

    /// Any operation with a result of this shape.
    pub fn operate(
        &mut self,
        operation: &'static str,
        inputs: Vec<Input>,
        attributes: Vec<(&'static str, Attribute)>,
        shape: Vec<usize>,
    ) -> Value {
        let output = format!("{}_{}", operation.to_lowercase(), self.nodes.len());
        self.nodes.push(Node {
            operation,
            inputs,
            attributes,
            output: output.clone(),
        });
        Value {
            name: output,
            shape,
        }
    }

    /// An operation that keeps the shape.
    fn same(&mut self, operation: &'static str, x: &Value) -> Value {
        self.operate(operation, vec![x.input()], Vec::new(), x.shape.clone())
    }

    pub fn convolve(&mut self, path: &str, conv: &Conv2d, x: &Value) -> Value {
        let padding = padding(conv, x.sides());
        let window = Window {
            kernel: conv.kernel_size,
            stride: conv.stride,
            padding,
            dilation: conv.dilation,
        };
        let [channels, ..] = conv.weight.lazy_shape().dims::<4>();
        let mut inputs = vec![x.input(), self.parameter(&format!("{path}.weight"))];
        if conv.bias.is_some() {
            inputs.push(self.parameter(&format!("{path}.bias")));
        }
        let mut attributes = window.attributes();
        attributes.push(("group", Attribute::Integer(conv.groups as i64)));
        let [height, width] = window.sides(x.sides());
        self.operate("Conv", inputs, attributes, vec![channels, height, width])
    }

    pub fn normalise(
        &mut self,
        path: &str,
        norm: &BatchNorm,
        x: &Value,
        activation: Activation,
    ) -> Value {
        let names = ["gamma", "beta", "running_mean", "running_var"];
        let parameters = names.map(|name| self.parameter(&format!("{path}.{name}")));
        let mut inputs = vec![x.input()];
        inputs.extend(parameters);
        let epsilon = Attribute::Float(norm.epsilon as f32);
        let x = self.operate(
            "BatchNormalization",
            inputs,
            vec![("epsilon", epsilon)],
            x.shape.clone(),
        );
        self.activate(activation, &x)
    }

    pub fn conv_norm(
        &mut self,
        path: &str,
        layer: &ConvNorm,
        x: &Value,
        activation: Activation,
    ) -> Value {
        let x = self.convolve(&format!("{path}.conv"), &layer.conv, x);
        self.normalise(&format!("{path}.norm"), &layer.norm, &x, activation)
    }

    pub fn norm(&mut self, path: &str, layer: &Norm, x: &Value, activation: Activation) -> Value {
        self.normalise(&format!("{path}.norm"), &layer.norm, x, activation)
    }

    pub fn activate(&mut self, activation: Activation, x: &Value) -> Value {
        match activation {
            Activation::Identity => x.clone(),
            Activation::Relu => self.same("Relu", x),
            Activation::Relu6 => {
                let [low, high] = [0.0, 6.0].map(|end| self.floats(&[], vec![end]));
                let inputs = vec![x.input(), low, high];
                self.operate("Clip", inputs, Vec::new(), x.shape.clone())
            }
            Activation::Silu => {
                let gate = self.sigmoid(x);
                self.multiply(x, &gate)
            }
        }
    }

    pub fn sigmoid(&mut self, x: &Value) -> Value {
        self.same("Sigmoid", x)
    }

    /// The second may have a height and width of 1.
    pub fn multiply(&mut self, x: &Value, by: &Value) -> Value {
        let inputs = vec![x.input(), by.input()];
        self.operate("Mul", inputs, Vec::new(), x.shape.clone())
    }

    pub fn add(&mut self, x: &Value, y: &Value) -> Value {
        let inputs = vec![x.input(), y.input()];
        self.operate("Add", inputs, Vec::new(), x.shape.clone())
    }

    /// Along the first dimension after the batch.
    pub fn concatenate(&mut self, values: &[Value]) -> Value {
        let [only] = values else {
            let mut shape = values[0].shape.clone();
            shape[0] = values.iter().map(|value| value.shape[0]).sum();
            let inputs = values.iter().map(Value::input).collect();
            let axis = vec![("axis", Attribute::Integer(1))];
            return self.operate("Concat", inputs, axis, shape);
        };
        only.clone()
    }

    pub fn max_pool(&mut self, pool: &MaxPool2d, x: &Value) -> Value {
        let window = Window {
            kernel: pool.kernel_size,
            stride: pool.stride,
            padding: explicit(&pool.padding),
            dilation: pool.dilation,
        };
        self.pool("MaxPool", &window, x)
    }

    pub fn average_pool(&mut self, pool: &AvgPool2d, x: &Value) -> Value {
        let window = Window {
            kernel: pool.kernel_size,
            stride: pool.stride,
            padding: explicit(&pool.padding),
            dilation: [1, 1],
        };
        self.pool("AveragePool", &window, x)
    }

    fn pool(&mut self, operation: &'static str, window: &Window, x: &Value) -> Value {
        let [height, width] = window.sides(x.sides());
        let shape = vec![x.shape[0], height, width];
        let mut attributes = window.attributes();
        // Pooling by means has them from a later operator set on.
        attributes.retain(|(name, _)| operation == "MaxPool" || *name != "dilations");
        self.operate(operation, vec![x.input()], attributes, shape)
    }

    /// The mean over height and width, which become 1.
    pub fn global_average(&mut self, x: &Value) -> Value {
        let shape = vec![x.shape[0], 1, 1];
        self.operate("GlobalAveragePool", vec![x.input()], Vec::new(), shape)
    }

    /// Everything of a picture in one row.
    pub fn flatten(&mut self, x: &Value) -> Value {
        let axis = vec![("axis", Attribute::Integer(1))];
        let length = x.shape.iter().product();
        self.operate("Flatten", vec![x.input()], axis, vec![length])
    }

    /// Values in another shape. The batch stays.
    pub fn reshape(&mut self, x: &Value, shape: &[usize]) -> Value {
        let sizes: Vec<i64> = [0]
            .into_iter()
            .chain(shape.iter().map(|n| *n as i64))
            .collect();
        let sizes = self.integers(&sizes);
        self.operate(
            "Reshape",
            vec![x.input(), sizes],
            Vec::new(),
            shape.to_vec(),
        )
    }

    /// A map whose rows and columns are weighted sums of this one's. `down`: `[height, h]`, `across`: `[w, width]`.
    pub fn regrid(&mut self, x: &Value, down: Vec<f32>, across: Vec<f32>) -> Value {
        let [h, w] = x.sides();
        let (height, width) = (down.len() / h, across.len() / w);
        let down = self.floats(&[height, h], down);
        let across = self.floats(&[w, width], across);
        let inputs = vec![down, x.input()];
        let x = self.operate("MatMul", inputs, Vec::new(), vec![x.shape[0], height, w]);
        let inputs = vec![x.input(), across];
        let shape = vec![x.shape[0], height, width];
        self.operate("MatMul", inputs, Vec::new(), shape)
    }

    /// A layer of the classifier: `[inputs]` to `[outputs]`.
    pub fn linear(&mut self, path: &str, x: &Value, outputs: usize) -> Value {
        let names = ["weight", "bias"];
        let parameters = names.map(|name| self.parameter(&format!("{path}.{name}")));
        let mut inputs = vec![x.input()];
        inputs.extend(parameters);
        // A state dict has `[outputs, inputs]`.
        let turned = vec![("transB", Attribute::Integer(1))];
        self.operate("Gemm", inputs, turned, vec![outputs])
    }
}

/// Where a convolution or a pooling looks.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [(usize, usize); 2],
    dilation: [usize; 2],
}

impl Window {
    fn sides(&self, input: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| {
            let (before, after) = self.padding[axis];
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            (input[axis] + before + after - reach) / self.stride[axis] + 1
        })
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let integers = |sizes: &[usize]| {
            let sizes = sizes.iter().map(|size| *size as i64);
            Attribute::Integers(sizes.collect())
        };
        let [(top, bottom), (left, right)] = self.padding;
        vec![
            ("kernel_shape", integers(&self.kernel)),
            ("strides", integers(&self.stride)),
            ("pads", integers(&[top, left, bottom, right])),
            ("dilations", integers(&self.dilation)),
        ]
    }
}

/// What a pooling has around its input.
fn explicit(padding: &PaddingConfig2d) -> [(usize, usize); 2] {
    match *padding {
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        PaddingConfig2d::Same => unreachable!("no network pools with SAME padding"),
    }
}
