//! Grad-CAM (Selvaraju et al., ICCV 2017), all findings from one forward pass.
//!
//! Grad-CAM weights each channel of the last feature map with the spatial mean of d logit / d channel and adds
//! the channels up. Where a global average and a linear layer follow, that mean is the classifier's weight
//! divided by the number of cells, so the map is the classifier applied to each cell by itself: one pass gives
//! the maps of all findings, no gradient is needed, and the cells and the bias add up to the logit exactly.

use burn::tensor::Tensor;

use crate::network::Network;

/// How much each cell of the feature map adds to each logit.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// `[batch, outputs, h, w]`, in logits; Grad-CAM before its ReLU.
    pub cells: Tensor<4>,
    /// `[outputs]`, in logits: what is there before any picture.
    pub bias: Tensor<1>,
}

/// The evidence for every logit. `feature_maps` come from [`Network::feature_maps`].
pub fn evidence(network: &Network, feature_maps: Vec<Tensor<4>>) -> Evidence {
    let [feature_map] = <[Tensor<4>; 1]>::try_from(feature_maps)
        .expect("a single-branch network has one feature map");
    let [batch, features, height, width] = feature_map.dims();
    let cells = height * width;
    let device = feature_map.device();

    let bias = network.classify(vec![Tensor::zeros([1, features, 1, 1], &device)]);
    let outputs = bias.dims()[1];
    // A 1x1 map is its own average, so classifying each cell alone gives weight . cell + bias.
    let alone = feature_map
        .reshape([batch, features, cells])
        .swap_dims(1, 2)
        .reshape([batch * cells, features, 1, 1]);
    let logits = network.classify(vec![alone]);
    let cells = (logits - bias.clone())
        .div_scalar(cells as f64)
        .reshape([batch, cells, outputs])
        .swap_dims(1, 2)
        .reshape([batch, outputs, height, width]);
    Evidence {
        cells,
        bias: bias.reshape([outputs]),
    }
}
