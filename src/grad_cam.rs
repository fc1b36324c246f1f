//! Grad-CAM (Selvaraju et al., ICCV 2017), all findings from one forward pass.
//!
//! Grad-CAM weights each channel of the last feature map with the spatial mean of d logit / d channel and adds
//! the channels up. Where a global average and linear layers follow, that mean is the classifier's weight
//! divided by the number of cells: no backward pass is needed, and the cells and the bias add up to the logit
//! exactly. Where the map is flattened instead, as VGG does, every cell has weights of its own; gradient times
//! feature, cell by cell (HiResCAM, Draelos and Carin 2020), is then what adds up to the logit.

use burn::tensor::{DType, Device, Tensor};

use crate::network::{Classifier, Gradient, Pooling, product, tensor};

/// How much each cell of the feature maps adds to each logit.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// `[batch, outputs, h, w]`, in logits; Grad-CAM before its ReLU. Of several branches the sum, on the
    /// finest of their grids.
    pub cells: Tensor<4>,
    /// The evidence of each branch on its own grid, in the order of the feature maps.
    pub branches: Vec<Tensor<4>>,
    /// `[batch, outputs]`, in logits: what no cell adds. The same for every picture, but for a classifier with
    /// activations of its own.
    pub bias: Tensor<2>,
}

/// The evidence for every logit. `feature_maps` come from [`Network::feature_maps`], and are where the classifier is.
///
/// [`Network::feature_maps`]: crate::network::Network::feature_maps
pub fn evidence(classifier: &Classifier, feature_maps: Vec<Tensor<4>>) -> Evidence {
    let Gradient { weights, bias } = classifier.gradient(feature_maps.clone());
    let [pictures, outputs, _] = weights.dims();
    let batch = feature_maps[0].dims()[0];

    let mut start = 0;
    let mut branches = Vec::with_capacity(feature_maps.len());
    for (map, pooling) in feature_maps.into_iter().zip(classifier.pooling()) {
        // Float32, whatever the backbones computed in.
        let map = pooling.grid(map.cast(DType::F32));
        let [_, features, height, width] = map.dims();
        let cells = height * width;
        let map = map.reshape([batch, features, cells]);
        let part = match pooling {
            Pooling::Average => {
                let weights = weights.clone().narrow(2, start, features);
                start += features;
                // Not left to broadcasting, which not every backend's matrix product has.
                let weights = weights.expand([batch, outputs, features]);
                product(weights, map).div_scalar(cells as f64)
            }
            Pooling::Flatten(_) => {
                let weights = weights.clone().narrow(2, start, features * cells);
                start += features * cells;
                let weights = weights.reshape([pictures, outputs, features, cells]);
                (weights * map.unsqueeze_dim(1)).sum_dim(2).squeeze_dim(2)
            }
        };
        branches.push(part.reshape([batch, outputs, height, width]));
    }
    Evidence {
        cells: sum(&branches),
        branches,
        bias: bias.expand([batch, outputs]),
    }
}

/// The sum of maps on the finest of their grids.
fn sum(maps: &[Tensor<4>]) -> Tensor<4> {
    let side = |dimension: usize| {
        let sides = maps.iter().map(|map| map.dims()[dimension]);
        sides.max().expect("a network has a branch")
    };
    let (height, width) = (side(2), side(3));
    let regridded = maps.iter().map(|map| regrid(map, height, width));
    regridded
        .reduce(|sum, map| sum + map)
        .expect("a network has a branch")
}

/// Spreads each cell's value evenly over its area and gathers it on another grid; the total stays.
pub fn regrid(map: &Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    let [batch, outputs, h, w] = map.dims();
    if [h, w] == [height, width] {
        return map.clone();
    }
    let device = map.device();
    let maps = batch * outputs;
    let down = shares(h, height, &device).expand([maps, height, h]);
    let across = shares(w, width, &device).swap_dims(1, 2);
    let across = across.expand([maps, w, width]);
    let regridded = product(product(down, map.clone().reshape([maps, h, w])), across);
    regridded.reshape([batch, outputs, height, width])
}

/// `[1, to, from]`: which share of each of `from` equal parts of a line falls on each of `to` parts.
fn shares(from: usize, to: usize, device: &Device) -> Tensor<3> {
    let values = share_values(from, to);
    tensor(values, [1, to, from], device)
}

/// Row by row: which share of each of `from` equal parts of a line falls on each of `to` parts.
pub(crate) fn share_values(from: usize, to: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(from * to);
    for target in 0..to {
        for source in 0..from {
            // In units of 1 / (from * to).
            let start = (source * to).max(target * from);
            let end = ((source + 1) * to).min((target + 1) * from);
            values.push(end.saturating_sub(start) as f32 / to as f32);
        }
    }
    values
}
