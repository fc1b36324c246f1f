//! VGG-19, plain and with batch normalisation (Simonyan and Zisserman, ICLR 2015), as torchvision builds them.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::fresh::{Fresh, zeros};
#[cfg(not(target_arch = "wasm32"))]
use super::graph::{Graph, Value};
use super::layers::{Activation, convolve, convolve_and, fold, normalise};
use super::{Backbone, Naming, Pooling, kaiming_fan_out};

/// Channels and number of the 3x3 convolutions before each pooling.
const STAGES: [(usize, usize); 5] = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)];
const FEATURES: usize = 512;
/// The grid that the classifier flattens, whatever the picture's size.
const MAP: [usize; 2] = [7, 7];

#[derive(Module, Debug)]
pub struct Vgg {
    stages: Vec<Stage>,
    max_pool: MaxPool2d,
}

impl Backbone for Vgg {
    fn variants() -> &'static str {
        "19 and 19_bn"
    }

    fn init(variant: &str, in_channels: usize, device: &Device) -> Option<Self> {
        let batch_norm = match variant {
            "19" => false,
            "19_bn" => true,
            _ => return None,
        };
        let mut channels = in_channels;
        let mut stages = Vec::new();
        for (out, layers) in STAGES {
            let mut convolutions = Vec::new();
            for _ in 0..layers {
                convolutions.push(Layer::new([channels, out], batch_norm, device));
                channels = out;
            }
            stages.push(Stage {
                layers: convolutions,
            });
        }
        Some(Self {
            stages,
            max_pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        })
    }

    fn feature_map(&self, x: Tensor<4>) -> Tensor<4> {
        self.stages.iter().fold(x, |x, stage| {
            let x = stage.layers.iter().fold(x, |x, layer| layer.forward(x));
            self.max_pool.forward(x)
        })
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, mut x: Value) -> Value {
        for (index, stage) in self.stages.iter().enumerate() {
            for (layer, convolution) in stage.layers.iter().enumerate() {
                let path = format!("stages.{index}.layers.{layer}");
                x = graph.within(&path, |graph| convolution.describe(graph, &x));
            }
            x = graph.max_pool(&self.max_pool, &x);
        }
        x
    }

    fn fold(&mut self) {
        for layer in self.stages.iter_mut().flat_map(|stage| &mut stage.layers) {
            if let Some(norm) = layer.norm.take() {
                fold(&mut layer.conv, &norm);
            }
        }
    }

    fn features(&self) -> usize {
        FEATURES
    }

    fn pooling(&self) -> Pooling {
        Pooling::Flatten(MAP)
    }

    fn linear_weights(&self, _inputs: usize, _outputs: usize) -> Initializer {
        Initializer::Normal {
            mean: 0.0,
            std: 0.01,
        }
    }

    fn parameter_name(&self, _naming: Naming, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let ["stages", stage, "layers", layer, part, rest] = parts.as_slice() else {
            unreachable!("a VGG's parameter {path}");
        };
        let number = |text: &str| text.parse::<usize>().expect("a list's index");
        let (stage, layer) = (number(stage), number(layer));
        // torchvision counts convolutions, normalisations, activations and poolings in one sequence.
        let batch_norm = self.stages[0].layers[0].norm.is_some();
        let per_layer = 2 + usize::from(batch_norm);
        let before: usize = STAGES[..stage]
            .iter()
            .map(|(_, layers)| layers * per_layer + 1)
            .sum();
        let index = before + layer * per_layer + usize::from(*part == "norm");
        format!("features.{index}.{rest}")
    }

    fn classifier_name(&self, _naming: Naming) -> (&'static str, &'static str) {
        ("classifier", "classifier.0")
    }
}

#[derive(Module, Debug)]
struct Stage {
    layers: Vec<Layer>,
}

/// A 3x3 convolution, perhaps normalised, and a ReLU.
#[derive(Module, Debug)]
struct Layer {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl Layer {
    fn new(channels: [usize; 2], batch_norm: bool, device: &Device) -> Self {
        let mut conv = Conv2dConfig::new(channels, [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_initializer(kaiming_fan_out(channels[1], 3))
            .fresh(device);
        conv.bias = Some(zeros([channels[1]], device));
        Self {
            conv,
            norm: batch_norm.then(|| BatchNormConfig::new(channels[1]).fresh(device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            Some(norm) => normalise(norm, convolve(&self.conv, x), Activation::Relu),
            None => convolve_and(&self.conv, x, Activation::Relu),
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, x: &Value) -> Value {
        let x = graph.convolve("conv", &self.conv, x);
        match &self.norm {
            Some(norm) => graph.normalise("norm", norm, &x, Activation::Relu),
            None => graph.activate(Activation::Relu, &x),
        }
    }
}
