//! DenseNet-121, -169 and -201 (Huang et al., CVPR 2017), as torchvision builds them.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

#[cfg(not(target_arch = "wasm32"))]
use super::graph::{Graph, Value};
use super::layers::{Activation::Relu, ConvNorm, Norm, convolve};
use super::{Backbone, Naming};

const STEM_FEATURES: usize = 64;
const GROWTH_RATE: usize = 32;
/// Channels of a layer's 1x1 bottleneck, in units of the growth rate.
const BOTTLENECK: usize = 4;

/// The layers, named as torchvision names them.
#[derive(Module, Debug)]
pub struct DenseNet {
    stem: ConvNorm,
    pool0: MaxPool2d,
    blocks: Vec<DenseBlock>,
    transitions: Vec<Transition>,
    norm5: Norm,
    features: usize,
}

impl Backbone for DenseNet {
    fn variants() -> &'static str {
        "121, 169 and 201"
    }

    fn init(variant: &str, in_channels: usize, device: &Device) -> Option<Self> {
        let block_layers = match variant {
            "121" => [6, 12, 24, 16],
            "169" => [6, 12, 32, 32],
            "201" => [6, 12, 48, 32],
            _ => return None,
        };
        let mut features = STEM_FEATURES;
        let mut blocks = Vec::new();
        let mut transitions = Vec::new();
        for (index, layers) in block_layers.into_iter().enumerate() {
            blocks.push(DenseBlock {
                layers: (0..layers)
                    .map(|layer| DenseLayer::new(features + layer * GROWTH_RATE, device))
                    .collect(),
            });
            features += layers * GROWTH_RATE;
            if index + 1 < block_layers.len() {
                transitions.push(Transition::new(features, features / 2, device));
                features /= 2;
            }
        }
        let conv0 = convolution([in_channels, STEM_FEATURES], 7)
            .with_stride([2, 2])
            .with_padding(PaddingConfig2d::Explicit(3, 3, 3, 3))
            .init(device);
        Some(Self {
            stem: ConvNorm::new(conv0, BatchNormConfig::new(STEM_FEATURES).init(device)),
            pool0: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            blocks,
            transitions,
            norm5: Norm::new(features, device),
            features,
        })
    }

    fn feature_map(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.stem.forward(x, Relu);
        let mut x = self.pool0.forward(x);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x);
            if let Some(transition) = self.transitions.get(index) {
                x = transition.forward(x);
            }
        }
        self.norm5.forward(x, Relu)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, x: Value) -> Value {
        let x = graph.conv_norm("stem", &self.stem, &x, Relu);
        let mut x = graph.max_pool(&self.pool0, &x);
        for (index, block) in self.blocks.iter().enumerate() {
            for (layer, dense) in block.layers.iter().enumerate() {
                let path = format!("blocks.{index}.layers.{layer}");
                x = graph.within(&path, |graph| dense.describe(graph, x));
            }
            if let Some(transition) = self.transitions.get(index) {
                let path = format!("transitions.{index}");
                x = graph.within(&path, |graph| transition.describe(graph, &x));
            }
        }
        graph.norm("norm5", &self.norm5, &x, Relu)
    }

    fn fold(&mut self) {
        self.stem.fold();
        for layer in self.blocks.iter_mut().flat_map(|block| &mut block.layers) {
            layer.norm1.fold();
            layer.bottleneck.fold();
        }
        for transition in &mut self.transitions {
            transition.norm.fold();
        }
        self.norm5.fold();
    }

    fn features(&self) -> usize {
        self.features
    }

    fn linear_weights(&self, inputs: usize, _outputs: usize) -> Initializer {
        let bound = (1.0 / inputs as f64).sqrt();
        Initializer::Uniform {
            min: -bound,
            max: bound,
        }
    }

    fn parameter_name(&self, _naming: Naming, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let number = |text: &str| text.parse::<usize>().expect("a list's index") + 1;
        let name = match parts.as_slice() {
            ["stem", part, rest] => format!("{part}0.{rest}"),
            ["blocks", b, "layers", l, layer @ .., rest] => {
                let layer = match layer {
                    ["norm1", ..] => "norm1",
                    ["bottleneck", "conv"] => "conv1",
                    ["bottleneck", ..] => "norm2",
                    _ => "conv2",
                };
                let (block, index) = (number(b), number(l));
                format!("denseblock{block}.denselayer{index}.{layer}.{rest}")
            }
            ["transitions", t, layer, .., rest] => {
                format!("transition{}.{layer}.{rest}", number(t))
            }
            ["norm5", .., rest] => format!("norm5.{rest}"),
            _ => path.to_owned(),
        };
        format!("features.{name}")
    }

    fn classifier_name(&self, _naming: Naming) -> (&'static str, &'static str) {
        ("classifier", "classifier")
    }
}

#[derive(Module, Debug)]
struct DenseBlock {
    layers: Vec<DenseLayer>,
}

impl DenseBlock {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }
}

/// BN, ReLU, 1x1 convolution, BN, ReLU, 3x3 convolution; its 32 new channels join its input.
#[derive(Module, Debug)]
struct DenseLayer {
    norm1: Norm,
    bottleneck: ConvNorm,
    conv2: Conv2d,
}

impl DenseLayer {
    fn new(in_features: usize, device: &Device) -> Self {
        let bottleneck = BOTTLENECK * GROWTH_RATE;
        let conv1 = convolution([in_features, bottleneck], 1).init(device);
        Self {
            norm1: Norm::new(in_features, device),
            bottleneck: ConvNorm::new(conv1, BatchNormConfig::new(bottleneck).init(device)),
            conv2: convolution([bottleneck, GROWTH_RATE], 3)
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let new = self.norm1.forward(x.clone(), Relu);
        let new = convolve(&self.conv2, self.bottleneck.forward(new, Relu));
        Tensor::cat(vec![x, new], 1)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, x: Value) -> Value {
        let new = graph.norm("norm1", &self.norm1, &x, Relu);
        let new = graph.conv_norm("bottleneck", &self.bottleneck, &new, Relu);
        let new = graph.convolve("conv2", &self.conv2, &new);
        graph.concatenate(&[x, new])
    }
}

#[derive(Module, Debug)]
struct Transition {
    norm: Norm,
    conv: Conv2d,
    pool: AvgPool2d,
}

impl Transition {
    fn new(in_features: usize, out_features: usize, device: &Device) -> Self {
        Self {
            norm: Norm::new(in_features, device),
            conv: convolution([in_features, out_features], 1).init(device),
            pool: AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        // A mean of the convolution's outputs is the convolution of the inputs' mean, for a quarter of the work.
        convolve(&self.conv, self.pool.forward(self.norm.forward(x, Relu)))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, x: &Value) -> Value {
        let x = graph.norm("norm", &self.norm, x, Relu);
        let x = graph.average_pool(&self.pool, &x);
        graph.convolve("conv", &self.conv, &x)
    }
}

/// A convolution without bias, initialised as torchvision's DenseNet (Kaiming normal, fan in).
fn convolution(channels: [usize; 2], kernel: usize) -> Conv2dConfig {
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_bias(false)
        .with_initializer(Initializer::KaimingNormal {
            gain: std::f64::consts::SQRT_2,
            fan_out_only: false,
        })
}
