//! DenseNet-121, -169 and -201 (Huang et al., CVPR 2017), as torchvision builds them.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::fresh::Fresh;
#[cfg(not(target_arch = "wasm32"))]
use super::graph::{Graph, Value};
use super::layers::{Activation::Relu, ConvNorm, Norm, convolve};
use super::{Backbone, Naming};
#[cfg(target_arch = "wasm32")]
use super::{browser, device::on_cpu};
#[cfg(not(target_arch = "wasm32"))]
use {super::cpu, super::layers, burn::nn::BatchNorm, burn::tensor::DType, std::ops::Range};

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
            .fresh(device);
        Some(Self {
            stem: ConvNorm::new(conv0, BatchNormConfig::new(STEM_FEATURES).fresh(device)),
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
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(map) = self.at_once(&x) {
            return map;
        }
        #[cfg(target_arch = "wasm32")]
        if let Some(map) = self.on_card(&x) {
            return map;
        }
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }

    /// All layers into one map, where a graphics card has them folded.
    #[cfg(target_arch = "wasm32")]
    fn on_card(&self, x: &Tensor<4>) -> Option<Tensor<4>> {
        if on_cpu(&x.device()) {
            return None;
        }
        let layers = self.layers.iter().map(|layer| {
            let DenseLayer {
                norm1,
                bottleneck,
                conv2,
            } = layer;
            let is_folded = norm1.is_folded() && bottleneck.is_folded() && conv2.bias.is_none();
            Some(browser::DenseLayer {
                slope: norm1.norm.gamma.val(),
                offset: norm1.norm.beta.val(),
                bottleneck: bottleneck.conv.weight.val(),
                bias: bottleneck.conv.bias.as_ref().filter(|_| is_folded)?.val(),
                weight: conv2.weight.val(),
            })
        });
        let layers: Vec<_> = layers.collect::<Option<_>>()?;
        let out = x.dims()[1] + GROWTH_RATE * layers.len();
        Some(browser::dense_block(x.clone(), layers.into_iter(), out))
    }

    /// All layers as one operation, where they are trained on the CPU.
    #[cfg(not(target_arch = "wasm32"))]
    fn at_once(&self, x: &Tensor<4>) -> Option<Tensor<4>> {
        let epsilon = self.layers.first()?.norm1.norm.epsilon;
        let all_train = self.layers.iter().all(|layer| layer.trains(epsilon));
        if cpu::tracks(&x.device()) != Some(true) || x.dtype() != DType::F32 || !all_train {
            return None;
        }
        let [batch, inputs, height, width] = x.dims();
        let [growth, bottleneck, ..] = self.layers[0].conv2.weight.dims();
        let block = cpu::Block {
            batch,
            height,
            width,
            inputs,
            layers: self.layers.len(),
            bottleneck,
            growth,
            epsilon,
        };
        let parameters = self.layers.iter().flat_map(|layer| {
            let (first, second) = (&layer.norm1.norm, &layer.bottleneck.norm);
            [
                first.gamma.val(),
                first.beta.val(),
                layer.bottleneck.conv.weight.val().reshape([-1]),
                second.gamma.val(),
                second.beta.val(),
                layer.conv2.weight.val().reshape([-1]),
            ]
        });
        let parameters = Tensor::cat(parameters.collect(), 0);
        let (map, mean, variance) = cpu::dense_block(x.clone(), parameters, block);
        let keep = |norm: &BatchNorm, channels: Range<usize>| {
            let [mean, variance] =
                [&mean, &variance].map(|all| all.clone().slice(channels.clone()));
            layers::keep(norm, mean, variance);
        };
        for (layer, second) in self
            .layers
            .iter()
            .zip((block.channels()..).step_by(bottleneck))
        {
            keep(&layer.norm1.norm, 0..layer.norm1.norm.gamma.dims()[0]);
            keep(&layer.bottleneck.norm, second..second + bottleneck);
        }
        Some(map)
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
        let conv1 = convolution([in_features, bottleneck], 1).fresh(device);
        Self {
            norm1: Norm::new(in_features, device),
            bottleneck: ConvNorm::new(conv1, BatchNormConfig::new(bottleneck).fresh(device)),
            conv2: convolution([bottleneck, GROWTH_RATE], 3)
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .fresh(device),
        }
    }

    /// Whether both normalisations take a batch's own statistics, and add `epsilon` to the variance.
    #[cfg(not(target_arch = "wasm32"))]
    fn trains(&self, epsilon: f64) -> bool {
        let folded = self.norm1.is_folded() || self.bottleneck.is_folded();
        let norms = [&self.norm1.norm, &self.bottleneck.norm];
        let convs = [&self.bottleneck.conv, &self.conv2];
        !folded
            && norms
                .iter()
                .all(|norm| norm.training.is_enabled() && norm.epsilon == epsilon)
            && convs.iter().all(|conv| conv.bias.is_none())
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
            conv: convolution([in_features, out_features], 1).fresh(device),
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

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
    use burn::tensor::{Gradients, Int};

    use super::*;

    /// Gradients of every parameter, in order.
    struct Collector<'a> {
        gradients: &'a Gradients,
        found: Vec<Vec<f32>>,
    }

    impl ModuleVisitor for Collector<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            // Running statistics have none.
            if let Some(gradient) = param.val().grad(self.gradients) {
                let values = gradient.into_data().try_to_vec();
                self.found.push(values.expect("in 32 bits"));
            }
        }
    }

    fn block(inputs: usize, layers: usize, device: &Device) -> DenseBlock {
        let of = |layer| DenseLayer::new(inputs + layer * GROWTH_RATE, device);
        let layers = (0..layers).map(of).collect();
        DenseBlock { layers }.map(&mut Waves(0.0))
    }

    /// Parameters that are not all alike, and not drawn: other tests draw from the same generator meanwhile.
    struct Waves(f32);

    impl ModuleMapper for Waves {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1.0;
            let value = param.val();
            let wave = wave(value.dims(), 0.7, self.0, &value.device());
            let value = match D {
                // Scales and shifts, some below 0.
                1 => value + wave * 1.2,
                _ => wave * 0.1,
            };
            param.map(|_| value.detach().require_grad())
        }
    }

    fn wave<const D: usize>(
        shape: [usize; D],
        step: f32,
        phase: f32,
        device: &Device,
    ) -> Tensor<D> {
        let count = shape.iter().product::<usize>() as i64;
        let steps = Tensor::<1, Int>::arange(0..count, device).float();
        (steps * step + phase).sin().reshape(shape)
    }

    /// The gradients of parameters and input that are tracked, the map, and running statistics.
    fn run(block: &DenseBlock, x: &Tensor<4>, whole: bool) -> Vec<Vec<f32>> {
        let map = match whole {
            true => block.at_once(x).expect("it is for the kernels of training"),
            false => {
                let layers = block.layers.iter();
                layers.fold(x.clone(), |x, layer| layer.forward(x))
            }
        };
        let weights = wave(map.dims(), 0.7, 0.0, &x.device());
        let gradients = (map.clone() * weights).sum().backward();
        let mut collector = Collector {
            gradients: &gradients,
            found: Vec::new(),
        };
        block.visit(&mut collector);
        let values = |tensor: Tensor<4>| tensor.into_data().try_to_vec().expect("in 32 bits");
        let mut all = collector.found;
        all.push(values(map));
        all.extend(x.grad(&gradients).map(|dx| values(Tensor::from_inner(dx))));
        for layer in &block.layers {
            for norm in [&layer.norm1.norm, &layer.bottleneck.norm] {
                for running in [&norm.running_mean, &norm.running_var] {
                    let running = running.value_sync().into_data();
                    all.push(running.try_to_vec().expect("in 32 bits"));
                }
            }
        }
        all
    }

    #[test]
    fn a_block_as_one_operation_is_its_layers_one_after_the_other() {
        let device = Device::flex().autodiff();
        // Strips of some rows; of several pictures; parts of the batch that are not alike; one row; one column.
        for [batch, inputs, layers, height, width] in [
            [3, 64, 2, 41, 37],
            [5, 24, 3, 7, 7],
            [33, 8, 2, 6, 5],
            [2, 300, 1, 1, 9],
            [3, 16, 2, 9, 1],
            [1, 16, 2, 5, 600],
        ] {
            // Two waves make no pattern of a picture.
            let shape = [batch, inputs, height, width];
            let x = wave(shape, 1.3, 0.5, &device) + wave(shape, 0.0137, 0.0, &device) + 0.3;
            let x = x.require_grad();
            let [one, other] = [(); 2].map(|()| block(inputs, layers, &device));
            agree(
                &run(&one, &x, true),
                &run(&other, &x, false),
                6 * layers + 1,
            );
        }
    }

    /// Within a thousandth of their length: where a value is next to 0, its ReLU may be open in one and not in the other.
    fn agree(one: &[Vec<f32>], other: &[Vec<f32>], gradients: usize) {
        let layers_and_map = one.len() - gradients;
        assert!(one.len() == other.len() && layers_and_map % 4 == 1);
        for (index, (one, other)) in one.iter().zip(other).enumerate() {
            assert_eq!(one.len(), other.len());
            let length = |values: &mut dyn Iterator<Item = f32>| -> f64 {
                let squares = values.map(|value| f64::from(value).powi(2));
                squares.sum::<f64>().sqrt()
            };
            let far = length(&mut one.iter().zip(other).map(|(a, b)| a - b));
            let all = length(&mut other.iter().copied());
            assert!(far <= 1e-3 * all + 1e-5, "{index} is {far} off, of {all}");
        }
    }

    #[test]
    fn a_block_may_be_frozen_or_its_input_untracked_and_does_not_train_in_other_ways() {
        let device = Device::flex().autodiff();
        let x = wave([3, 16, 9, 7], 1.3, 0.5, &device);
        let of = || block(16, 2, &device);
        agree(&run(&of(), &x, true), &run(&of(), &x, false), 12);
        let x = x.require_grad();
        let frozen = || of().no_grad();
        agree(&run(&frozen(), &x, true), &run(&frozen(), &x, false), 1);
        assert!(of().at_once(&x.clone().cast(DType::BF16)).is_none());
        assert!(of().valid().at_once(&x.clone().inner()).is_none());
        let mut mixed = of();
        mixed.layers[1].norm1.norm.epsilon = 1e-3;
        assert!(mixed.at_once(&x).is_none());
    }
}
