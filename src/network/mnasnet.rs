//! MNASNet 1.0 (Tan et al., CVPR 2019), as torchvision builds it.

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::fresh::Fresh;
#[cfg(not(target_arch = "wasm32"))]
use super::graph::{Graph, Value};
use super::layers::{
    Activation::{Identity, Relu},
    ConvNorm,
};
use super::{Backbone, Naming, kaiming_fan_out};

const STEM_CHANNELS: usize = 32;
/// After the separable convolution that follows the stem.
const FIRST_CHANNELS: usize = 16;
const HEAD_CHANNELS: usize = 1280;
/// The six stacks of inverted residuals: kernel, stride, expansion, channels, repeats.
const STACKS: [(usize, usize, usize, usize, usize); 6] = [
    (3, 2, 3, 24, 3),
    (5, 2, 3, 40, 3),
    (5, 2, 6, 80, 3),
    (3, 1, 6, 96, 2),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
];
/// TensorFlow's 0.9997, as PyTorch counts it.
const BATCH_NORM_MOMENTUM: f64 = 0.0003;

#[derive(Module, Debug)]
pub struct MnasNet {
    stem: ConvNorm,
    depthwise: ConvNorm,
    pointwise: ConvNorm,
    stacks: Vec<Stack>,
    head: ConvNorm,
}

impl Backbone for MnasNet {
    fn variants() -> &'static str {
        "1_0"
    }

    fn init(variant: &str, in_channels: usize, device: &Device) -> Option<Self> {
        if variant != "1_0" {
            return None;
        }
        let mut channels = FIRST_CHANNELS;
        let mut stacks = Vec::new();
        for (kernel, stride, expansion, out, repeats) in STACKS {
            let mut blocks = Vec::new();
            for repeat in 0..repeats {
                let expanded = channels * expansion;
                let stride = if repeat == 0 { stride } else { 1 };
                blocks.push(InvertedResidual {
                    expand: conv_norm([channels, expanded], 1, 1, 1, device),
                    depthwise: conv_norm([expanded; 2], kernel, stride, expanded, device),
                    project: conv_norm([expanded, out], 1, 1, 1, device),
                    skip: stride == 1 && channels == out,
                });
                channels = out;
            }
            stacks.push(Stack { blocks });
        }
        Some(Self {
            stem: conv_norm([in_channels, STEM_CHANNELS], 3, 2, 1, device),
            depthwise: conv_norm([STEM_CHANNELS; 2], 3, 1, STEM_CHANNELS, device),
            pointwise: conv_norm([STEM_CHANNELS, FIRST_CHANNELS], 1, 1, 1, device),
            stacks,
            head: conv_norm([channels, HEAD_CHANNELS], 1, 1, 1, device),
        })
    }

    fn feature_map(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.stem.forward(x, Relu);
        let x = self.depthwise.forward(x, Relu);
        let x = self.pointwise.forward(x, Identity);
        let blocks = self.stacks.iter().flat_map(|stack| &stack.blocks);
        let x = blocks.fold(x, |x, block| block.forward(x));
        self.head.forward(x, Relu)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, x: Value) -> Value {
        let x = graph.conv_norm("stem", &self.stem, &x, Relu);
        let x = graph.conv_norm("depthwise", &self.depthwise, &x, Relu);
        let mut x = graph.conv_norm("pointwise", &self.pointwise, &x, Identity);
        for (stack, blocks) in self.stacks.iter().enumerate() {
            for (index, block) in blocks.blocks.iter().enumerate() {
                let path = format!("stacks.{stack}.blocks.{index}");
                x = graph.within(&path, |graph| block.describe(graph, &x));
            }
        }
        graph.conv_norm("head", &self.head, &x, Relu)
    }

    fn fold(&mut self) {
        let ends = [
            &mut self.stem,
            &mut self.depthwise,
            &mut self.pointwise,
            &mut self.head,
        ];
        let blocks = self.stacks.iter_mut().flat_map(|stack| &mut stack.blocks);
        let inner = blocks.flat_map(|b| [&mut b.expand, &mut b.depthwise, &mut b.project]);
        ends.into_iter().chain(inner).for_each(ConvNorm::fold);
    }

    fn features(&self) -> usize {
        HEAD_CHANNELS
    }

    fn dropout(&self) -> f64 {
        0.2
    }

    fn linear_weights(&self, _inputs: usize, outputs: usize) -> Initializer {
        let bound = (3.0 / outputs as f64).sqrt();
        Initializer::Uniform {
            min: -bound,
            max: bound,
        }
    }

    fn parameter_name(&self, _naming: Naming, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        // A sequence of convolution, normalisation, activation: the convolution's place in it.
        let (prefix, first, part, rest) = match parts.as_slice() {
            ["stem", part, rest] => ("layers".to_owned(), 0, part, rest),
            ["depthwise", part, rest] => ("layers".to_owned(), 3, part, rest),
            ["pointwise", part, rest] => ("layers".to_owned(), 6, part, rest),
            ["head", part, rest] => ("layers".to_owned(), 14, part, rest),
            ["stacks", stack, "blocks", block, layer, part, rest] => {
                let stack: usize = stack.parse().expect("a list's index");
                let first = match *layer {
                    "expand" => 0,
                    "depthwise" => 3,
                    _ => 6,
                };
                (
                    format!("layers.{}.{block}.layers", stack + 8),
                    first,
                    part,
                    rest,
                )
            }
            _ => unreachable!("an MNASNet's parameter {path}"),
        };
        format!("{prefix}.{}.{rest}", first + usize::from(*part == "norm"))
    }

    fn classifier_name(&self, _naming: Naming) -> (&'static str, &'static str) {
        ("classifier", "classifier.1")
    }
}

#[derive(Module, Debug)]
struct Stack {
    blocks: Vec<InvertedResidual>,
}

/// Expand 1x1, depthwise, project 1x1; a ReLU after the first two.
#[derive(Module, Debug)]
struct InvertedResidual {
    expand: ConvNorm,
    depthwise: ConvNorm,
    project: ConvNorm,
    skip: bool,
}

impl InvertedResidual {
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self.expand.forward(input.clone(), Relu);
        let x = self.depthwise.forward(x, Relu);
        let x = self.project.forward(x, Identity);
        if self.skip { input + x } else { x }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, input: &Value) -> Value {
        let x = graph.conv_norm("expand", &self.expand, input, Relu);
        let x = graph.conv_norm("depthwise", &self.depthwise, &x, Relu);
        let x = graph.conv_norm("project", &self.project, &x, Identity);
        match self.skip {
            true => graph.add(input, &x),
            false => x,
        }
    }
}

fn conv_norm(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    groups: usize,
    device: &Device,
) -> ConvNorm {
    let side = kernel / 2;
    let conv = Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_groups(groups)
        .with_padding(PaddingConfig2d::Explicit(side, side, side, side))
        .with_bias(false)
        .with_initializer(kaiming_fan_out(channels[1], kernel))
        .fresh(device);
    let norm = BatchNormConfig::new(channels[1])
        .with_momentum(BATCH_NORM_MOMENTUM)
        .fresh(device);
    ConvNorm::new(conv, norm)
}
