//! A network and its evidence written down, for programs that are not this one.

use std::ops::Range;

use crate::grad_cam::share_values;
use crate::network::graph::{Attribute, Graph, Input, Value};
use crate::network::{DescribedGradient, Description, Network, Pooling};

/// Writes a network down with its evidence, for pictures of so many channels and of this height and width. The results are `logits`; `evidence`,
/// the cells; of several branches `evidence_1` and so on, each on its own grid; and `bias`.
pub fn describe(network: &Network, picture: [usize; 3]) -> Graph {
    let Description {
        mut graph,
        maps,
        logits,
        gradient,
    } = network.describe(picture);
    let mut start = 0;
    let mut branches = Vec::with_capacity(maps.len());
    for (map, pooling) in maps.iter().zip(network.classifier().pooling()) {
        let [features, height, width] = map.shape[..] else {
            unreachable!("a map has channels, a height and a width");
        };
        let length = match pooling {
            Pooling::Average => features,
            Pooling::Flatten(_) => features * height * width,
        };
        let weights = part(&mut graph, &gradient, start..start + length, maps.len());
        start += length;
        branches.push(branch(
            &mut graph, *pooling, map, weights, &gradient, &logits,
        ));
    }
    const EVIDENCE: [&str; 3] = ["finding", "row", "column"];
    graph.result("logits", &logits, &EVIDENCE[..1]);
    let cells = total(&mut graph, &branches);
    graph.result("evidence", &cells, &EVIDENCE);
    if branches.len() > 1 {
        for (index, branch) in branches.iter().enumerate() {
            graph.result(&format!("evidence_{}", index + 1), branch, &EVIDENCE);
        }
    }
    // One for each picture, also where it is the same for all.
    let sizes = graph.operate("Shape", vec![logits.input()], Vec::new(), vec![2]);
    let inputs = vec![gradient.bias, sizes.input()];
    let bias = graph.operate("Expand", inputs, Vec::new(), logits.shape);
    graph.result("bias", &bias, &EVIDENCE[..1]);
    graph
}

/// The weights of one branch.
fn part(
    graph: &mut Graph,
    gradient: &DescribedGradient,
    range: Range<usize>,
    branches: usize,
) -> Input {
    if branches == 1 {
        return gradient.weights.clone();
    }
    let [start, end, last] =
        [range.start as i64, range.end as i64, -1].map(|n| graph.integers(&[n]));
    let inputs = vec![gradient.weights.clone(), start, end, last];
    let slice = graph.operate("Slice", inputs, Vec::new(), Vec::new());
    slice.input()
}

/// How much each cell of a branch's map adds to each logit.
fn branch(
    graph: &mut Graph,
    pooling: Pooling,
    map: &Value,
    weights: Input,
    gradient: &DescribedGradient,
    logits: &Value,
) -> Value {
    let outputs = logits.shape[0];
    let [features, height, width] = map.shape[..] else {
        unreachable!("a map has channels, a height and a width");
    };
    let cells = height * width;
    let evidence = match pooling {
        Pooling::Average => {
            let map = graph.reshape(map, &[features, cells]);
            let inputs = vec![weights, map.input()];
            let sum = graph.operate("MatMul", inputs, Vec::new(), vec![outputs, cells]);
            let all = graph.floats(&[], vec![cells as f32]);
            let inputs = vec![sum.input(), all];
            graph.operate("Div", inputs, Vec::new(), vec![outputs, cells])
        }
        Pooling::Flatten(_) => {
            let map = graph.reshape(map, &[1, features, cells]);
            let batch = match gradient.of_picture {
                true => 0,
                false => 1,
            };
            let sizes = [batch, outputs as i64, features as i64, cells as i64];
            let sizes = graph.integers(&sizes);
            let inputs = vec![weights, sizes];
            let weights = graph.operate("Reshape", inputs, Vec::new(), Vec::new());
            let inputs = vec![weights.input(), map.input()];
            let shape = vec![outputs, features, cells];
            let each = graph.operate("Mul", inputs, Vec::new(), shape);
            let channels = graph.integers(&[2]);
            let once = vec![("keepdims", Attribute::Integer(0))];
            let inputs = vec![each.input(), channels];
            graph.operate("ReduceSum", inputs, once, vec![outputs, cells])
        }
    };
    graph.reshape(&evidence, &[outputs, height, width])
}

/// The sum of maps on the finest of their grids.
fn total(graph: &mut Graph, branches: &[Value]) -> Value {
    let side = |dimension: usize| {
        let sides = branches.iter().map(|map| map.shape[dimension]);
        sides.max().expect("a network has a branch")
    };
    let (height, width) = (side(1), side(2));
    let mut sum: Option<Value> = None;
    for map in branches {
        let [_, h, w] = map.shape[..] else {
            unreachable!("evidence has outputs, a height and a width");
        };
        let map = match [h, w] == [height, width] {
            true => map.clone(),
            false => {
                let across = share_values(w, width);
                let column = |column: usize| across.iter().skip(column).step_by(w);
                let across = (0..w).flat_map(column).copied().collect();
                graph.regrid(map, share_values(h, height), across)
            }
        };
        sum = Some(match sum {
            Some(sum) => graph.add(&sum, &map),
            None => map,
        });
    }
    sum.expect("a network has a branch")
}
