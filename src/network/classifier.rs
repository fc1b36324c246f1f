//! From feature maps to logits, and the way back: which cell adds how much to which logit.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{DType, Device, Tensor};

use super::fresh::{Fresh, parameter, zeros};
use super::layers::{linear, linear_back};
use super::{Backbone, Head};

const BOTTLENECK_UNITS: usize = 500;
const BOTTLENECK_DROPOUT: f64 = 0.9;
const MLP_UNITS: usize = 4096;
const MLP_DROPOUT: f64 = 0.5;

/// How a feature map becomes a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over height and width: one value per feature.
    Average,
    /// Every cell by itself, feature by feature, row by row, on a grid of this height and width; a map of another
    /// size is averaged onto it.
    Flatten([usize; 2]),
}

impl Pooling {
    /// The map whose cells the classifier sees: `[batch, features, h, w]`.
    pub fn grid(self, map: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = map.dims();
        match self {
            Pooling::Flatten(grid) if grid != [height, width] => adaptive_avg_pool2d(map, grid),
            _ => map,
        }
    }

    /// The length of the vector that `features` features give.
    fn length(self, features: usize) -> usize {
        match self {
            Pooling::Average => features,
            Pooling::Flatten([height, width]) => features * height * width,
        }
    }
}

/// Pools each branch, concatenates the vectors in the order of the branches, and applies its layers.
#[derive(Module, Debug)]
pub struct Classifier {
    hidden: Vec<Linear>,
    output: Linear,
    dropout: Dropout,
    /// Whether a ReLU follows each hidden layer.
    relu: bool,
    #[module(skip)]
    pooling: Vec<Pooling>,
}

/// The derivative of every logit by every feature that enters the classifier, and what is left.
///
/// For the picture at hand `logit = sum(weights * features) + bias`, exactly.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// `[1 or batch, outputs, features]`; 1 where it is the same for every picture.
    pub weights: Tensor<3>,
    /// `[1 or batch, outputs]`.
    pub bias: Tensor<2>,
}

impl Classifier {
    /// Fresh layers, drawn as PyTorch draws a linear layer. `branches`: pooling and features of each.
    pub(super) fn new(
        head: Head,
        branches: &[(Pooling, usize)],
        outputs: usize,
        device: &Device,
    ) -> Self {
        let mut inputs = branches
            .iter()
            .map(|(pooling, features)| pooling.length(*features))
            .sum();
        let (units, dropout): (&[usize], f64) = match head {
            Head::Linear => (&[], 0.0),
            Head::Bottleneck => (&[BOTTLENECK_UNITS], BOTTLENECK_DROPOUT),
            Head::Mlp => (&[MLP_UNITS, MLP_UNITS], MLP_DROPOUT),
        };
        let mut hidden = Vec::new();
        for &units in units {
            hidden.push(LinearConfig::new(inputs, units).fresh(device));
            inputs = units;
        }
        Self {
            hidden,
            output: LinearConfig::new(inputs, outputs).fresh(device),
            dropout: DropoutConfig::new(dropout).init(),
            relu: head == Head::Mlp,
            pooling: branches.iter().map(|(pooling, _)| *pooling).collect(),
        }
    }

    pub(super) fn never_drop(&mut self) {
        self.dropout.prob = 0.0;
    }

    /// With the dropout and the initial weights that a family's own classifier has in torchvision.
    pub(super) fn of_family(
        mut self,
        head: Head,
        backbone: &dyn Backbone,
        device: &Device,
    ) -> Self {
        if head == Head::Linear {
            self.dropout = DropoutConfig::new(backbone.dropout()).init();
        }
        if head != Head::Bottleneck {
            for layer in self.hidden.iter_mut().chain([&mut self.output]) {
                let [inputs, outputs] = layer.weight.lazy_shape().dims();
                let initializer = backbone.linear_weights(inputs, outputs);
                layer.weight =
                    parameter(&initializer, [inputs, outputs], [inputs, outputs], device);
                layer.bias = Some(zeros([outputs], device));
            }
        }
        self
    }

    /// With the weights that make it say the mean of what `parts` say, each of its own branches in turn. `None` if one of
    /// them is not a single linear layer, or they do not fit.
    pub(super) fn mean_of(mut self, parts: &[&Classifier]) -> Option<Self> {
        let linear = |part: &Classifier| part.hidden.is_empty();
        let pooling = parts.iter().flat_map(|part| part.pooling.clone());
        let weights: Vec<_> = parts.iter().map(|part| part.output.weight.val()).collect();
        let inputs: usize = weights.iter().map(|weight| weight.dims()[0]).sum();
        let outputs = self.output.weight.lazy_shape().dims::<2>();
        let fits = weights.iter().all(|weight| weight.dims()[1] == outputs[1]);
        let all_linear = linear(&self) && parts.iter().all(|part| linear(part));
        let same_pooling = pooling.eq(self.pooling.iter().copied());
        if !all_linear || !same_pooling || !fits || outputs[0] != inputs {
            return None;
        }
        let share = 1.0 / parts.len() as f64;
        let weight = (Tensor::cat(weights, 0) * share).detach();
        self.output.weight = Param::from_tensor(weight);
        let biases = parts.iter().map(|part| part.output.bias.as_ref());
        let biases: Option<Vec<_>> = biases.map(|bias| Some(bias?.val())).collect();
        let bias = Tensor::stack::<2>(biases?, 0)
            .mean_dim(0)
            .squeeze_dim(0)
            .detach();
        self.output.bias = Some(Param::from_tensor(bias));
        Some(self)
    }

    /// The logits: `[batch, features, h, w]` per branch to `[batch, outputs]`.
    ///
    /// # Panics
    /// If there are not as many feature maps as branches.
    pub fn forward(&self, feature_maps: Vec<Tensor<4>>) -> Tensor<2> {
        let mut x = self.pool(feature_maps);
        if self.hidden.is_empty() {
            x = self.dropout.forward(x);
        }
        for layer in &self.hidden {
            x = self.dropout.forward(self.activate(linear(layer, x)));
        }
        linear(&self.output, x)
    }

    /// The gradient of the logits by the pooled features, and the bias that goes with it.
    ///
    /// No backward pass: the layers are linear, or linear on the side of each ReLU where the picture falls.
    pub fn gradient(&self, feature_maps: Vec<Tensor<4>>) -> Gradient {
        let mut before = Vec::new(); // each hidden layer's values before its ReLU
        if self.relu {
            let mut x = self.pool(feature_maps);
            for layer in &self.hidden {
                let value = linear(layer, x);
                x = self.activate(value.clone());
                before.push(value);
            }
        }
        let bias_of = |layer: &Linear| layer.bias.as_ref().expect("made with a bias").val();
        let mut weights: Tensor<3> = self.output.weight.val().transpose().unsqueeze();
        let mut bias: Tensor<2> = bias_of(&self.output).unsqueeze();
        for layer in self.hidden.iter().rev() {
            if let Some(value) = before.pop() {
                let open = value.greater_elem(0.0).float().unsqueeze_dim::<3>(1);
                weights = weights * open;
            }
            // One product for all pictures.
            let [pictures, outputs, units] = weights.dims();
            let all = weights.reshape([pictures * outputs, units]);
            let from_bias = (all.clone() * bias_of(layer).unsqueeze()).sum_dim(1);
            bias = bias + from_bias.reshape([pictures, outputs]);
            let before = linear_back(layer, all);
            weights = before.reshape([pictures as isize, outputs as isize, -1]);
        }
        Gradient { weights, bias }
    }

    pub(super) fn layers(&self) -> usize {
        self.hidden.len() + 1
    }

    /// How many features enter.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn inputs(&self) -> usize {
        let first = self.hidden.first().unwrap_or(&self.output);
        first.weight.lazy_shape().dims::<2>()[0]
    }

    /// How many values leave each layer.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn sizes(&self) -> Vec<usize> {
        let layers = self.hidden.iter().chain([&self.output]);
        layers
            .map(|layer| layer.weight.lazy_shape().dims::<2>()[1])
            .collect()
    }

    /// Whether a ReLU follows each hidden layer.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn has_relu(&self) -> bool {
        self.relu
    }

    /// How far apart linear layers are in torchvision's sequence, which counts ReLU and dropout too.
    pub(super) fn modules_per_layer(&self) -> usize {
        2 + usize::from(self.relu)
    }

    /// How each branch's feature map becomes a vector.
    pub fn pooling(&self) -> &[Pooling] {
        &self.pooling
    }

    fn activate(&self, x: Tensor<2>) -> Tensor<2> {
        if self.relu { relu(x) } else { x }
    }

    fn pool(&self, feature_maps: Vec<Tensor<4>>) -> Tensor<2> {
        assert_eq!(feature_maps.len(), self.pooling.len(), "one map per branch");
        let maps = feature_maps.into_iter().zip(&self.pooling);
        let vectors = maps.map(|(map, pooling)| {
            // Float32, whatever the backbones computed in.
            let map = pooling.grid(map.cast(DType::F32));
            let [batch, features, height, width] = map.dims();
            match pooling {
                Pooling::Average => map
                    .reshape([batch, features, height * width])
                    .mean_dim(2)
                    .reshape([batch, features]),
                Pooling::Flatten(_) => map.reshape([batch, features * height * width]),
            }
        });
        let mut vectors: Vec<_> = vectors.collect();
        if vectors.len() == 1 {
            return vectors.remove(0);
        }
        Tensor::cat(vectors, 1)
    }
}
