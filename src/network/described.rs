//! A whole network written down: its feature maps, its logits, and the derivative of these by the features.

use super::graph::{Attribute, Graph, Input, Value};
use super::{Naming, Network, Pooling};

/// What a network computes, operation by operation.
pub struct Description {
    pub graph: Graph,
    /// One per branch, on the grid that the classifier sees: `[features, h, w]`.
    pub maps: Vec<Value>,
    /// `[outputs]`.
    pub logits: Value,
    pub gradient: DescribedGradient,
}

/// A classifier's derivative written down: see [`Gradient`](super::Gradient).
pub struct DescribedGradient {
    /// `[outputs, features]`.
    pub weights: Input,
    /// `[outputs]`.
    pub bias: Input,
    /// Whether both are of a picture each. If not, there is no batch in front of them.
    pub of_picture: bool,
}

impl Network {
    /// Writes the network down for pictures of so many channels, and of this height and width.
    pub fn describe(&self, picture: [usize; 3]) -> Description {
        let mut graph = Graph::new(picture);
        let input = graph.input.clone();
        let mut maps = Vec::with_capacity(self.backbones.len());
        let mut vectors = Vec::with_capacity(self.backbones.len());
        let branches = self.backbones.iter().zip(self.classifier.pooling());
        for (index, (backbone, pooling)) in branches.enumerate() {
            // The family's place in the path is empty: names do not depend on it.
            let path = format!("backbones.{index}.");
            let map = graph.within(&path, |graph| backbone.describe(graph, input.clone()));
            let map = on_grid(&mut graph, *pooling, map);
            let pooled = match pooling {
                Pooling::Average => graph.global_average(&map),
                Pooling::Flatten(_) => map.clone(),
            };
            vectors.push(graph.flatten(&pooled));
            maps.push(map);
        }
        let pooled = graph.concatenate(&vectors);
        let (logits, gradient) =
            graph.within("classifier", |graph| self.classify_in(graph, pooled));
        Description {
            graph,
            maps,
            logits,
            gradient,
        }
    }

    /// The logits of pooled features, and their derivative.
    fn classify_in(&self, graph: &mut Graph, pooled: Value) -> (Value, DescribedGradient) {
        let sizes = self.classifier.sizes();
        let (outputs, hidden) = sizes.split_last().expect("a classifier has a layer");
        let relu = self.classifier.has_relu();
        let mut x = pooled;
        let mut before = Vec::new(); // each hidden layer's values before its ReLU
        for (index, units) in hidden.iter().enumerate() {
            x = graph.linear(&format!("hidden.{index}"), &x, *units);
            if relu {
                before.push(x.clone());
                x = graph.activate(super::layers::Activation::Relu, &x);
            }
        }
        let logits = graph.linear("output", &x, *outputs);
        let mut weights = graph.parameter("output.weight");
        let mut bias = graph.parameter("output.bias");
        let mut shape = vec![*outputs, hidden.last().copied().unwrap_or(x.shape[0])];
        for index in (0..hidden.len()).rev() {
            if let Some(value) = before.pop() {
                let open = open(graph, &value);
                weights = graph
                    .operate("Mul", vec![weights, open], Vec::new(), shape.clone())
                    .input();
            }
            let [weight, offset] =
                ["weight", "bias"].map(|name| graph.parameter(&format!("hidden.{index}.{name}")));
            let inputs = vec![weights.clone(), offset];
            let from_bias = graph.operate("MatMul", inputs, Vec::new(), vec![*outputs]);
            let inputs = vec![bias, from_bias.input()];
            bias = graph
                .operate("Add", inputs, Vec::new(), vec![*outputs])
                .input();
            shape[1] = match index {
                0 => self.classifier.inputs(),
                index => hidden[index - 1],
            };
            weights = graph
                .operate("MatMul", vec![weights, weight], Vec::new(), shape.clone())
                .input();
        }
        let gradient = DescribedGradient {
            weights,
            bias,
            of_picture: relu && !hidden.is_empty(),
        };
        (logits, gradient)
    }

    /// Calls the parameters of a graph as a state dict calls them.
    pub fn name_parameters(&self, graph: &mut Graph, naming: Naming) {
        graph.rename(|path| {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            self.torch_name(naming, &path).0
        });
    }
}

/// 1 where a ReLU lets a value pass, else 0: `[1, units]`.
fn open(graph: &mut Graph, value: &Value) -> Input {
    const FLOAT: i64 = 1;
    let units = value.shape[0];
    let zero = graph.floats(&[], vec![0.0]);
    let inputs = vec![value.input(), zero];
    let passes = graph.operate("Greater", inputs, Vec::new(), vec![units]);
    let to = vec![("to", Attribute::Integer(FLOAT))];
    let passes = graph.operate("Cast", vec![passes.input()], to, vec![units]);
    graph.reshape(&passes, &[1, units]).input()
}

/// See [`Pooling::grid`].
fn on_grid(graph: &mut Graph, pooling: Pooling, map: Value) -> Value {
    let [.., height, width] = map.shape[..] else {
        unreachable!("a map has a height and a width");
    };
    match pooling {
        Pooling::Flatten(grid) if grid != [height, width] => {
            let down = means(height, grid[0]);
            let across = transposed(&means(width, grid[1]), width);
            graph.regrid(&map, down, across)
        }
        _ => map,
    }
}

/// `[to, from]`: which share each of `from` values in a line has in the means of `to` stretches of it, which may overlap (adaptive pooling).
fn means(from: usize, to: usize) -> Vec<f32> {
    let mut shares = Vec::with_capacity(from * to);
    for target in 0..to {
        let (start, end) = (target * from / to, ((target + 1) * from).div_ceil(to));
        let share = |source| match (start..end).contains(&source) {
            true => 1.0 / (end - start) as f32,
            false => 0.0,
        };
        shares.extend((0..from).map(share));
    }
    shares
}

/// A matrix with so many columns, with its rows as columns.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    let column = |column: usize| values.iter().skip(column).step_by(columns);
    (0..columns).flat_map(column).copied().collect()
}
