//! EfficientNet B0-B5 (Tan and Le, ICML 2019), as torchvision builds them (`b0` .. `b5`) and as TensorFlow does (`b0_same` .. `b5_same`), and
//! EfficientNet-Lite (Google, 2020; `lite0` .. `lite2`).

use super::bottleneck::Bottleneck;
use crate::activation::Activation;
use crate::direct::{Direct, Planes};
use crate::linear::SqueezeExcitation;
use crate::memory::Memory;
use crate::pointwise::Pointwise;
use crate::shape::{Padding, Window};
use crate::weights::{Weights, WeightsError};

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

/// Which EfficientNet.
#[derive(Clone, Copy, Debug)]
struct Config {
    width: f64,
    depth: f64,
    same_padding: bool,
    lite: bool,
    epsilon: f64,
}

impl Config {
    fn variant(name: &str) -> Option<Self> {
        let (name, same_padding) = match name.strip_suffix("_same") {
            Some(name) => (name, true),
            None => (name, name.starts_with("lite")),
        };
        let (width, depth) = match name {
            "b0" | "lite0" => (1.0, 1.0),
            "b1" | "lite1" => (1.0, 1.1),
            "b2" | "lite2" => (1.1, 1.2),
            "b3" => (1.2, 1.4),
            "b4" => (1.4, 1.8),
            "b5" => (1.6, 2.2),
            _ => return None,
        };
        Some(Self {
            width,
            depth,
            same_padding,
            lite: name.starts_with("lite"),
            // TensorFlow's; torchvision took it over for its B5 and larger only.
            epsilon: if same_padding || name == "b5" {
                1e-3
            } else {
                1e-5
            },
        })
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

    /// The Lite networks leave the stem alone, the head, and the depth of the first and the last stage.
    fn repeats(&self, stage: usize) -> usize {
        let base = STAGES[stage].4;
        if self.lite && [0, STAGES.len() - 1].contains(&stage) {
            base
        } else {
            (base as f64 * self.depth).ceil() as usize
        }
    }

    fn window(&self, kernel: usize, stride: usize) -> Window {
        Window {
            kernel,
            stride,
            padding: if self.same_padding {
                Padding::Same
            } else {
                Padding::Each((kernel - 1) / 2)
            },
        }
    }
}

/// The packed layers.
#[derive(Clone, Debug)]
pub struct EfficientNet {
    stem: Direct,
    stem_channels: usize,
    stem_window: Window,
    blocks: Vec<Bottleneck>,
    head: Pointwise,
    head_channels: usize,
    activation: Activation,
}

impl EfficientNet {
    /// Packs a variant of the family, "lite0" for one; `None` if there is none such.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape.
    pub fn new(
        variant: &str,
        in_channels: usize,
        weights: &Weights,
    ) -> Result<Option<Self>, WeightsError> {
        let Some(config) = Config::variant(variant) else {
            return Ok(None);
        };
        let stem_channels = if config.lite {
            STEM_CHANNELS
        } else {
            config.channels(STEM_CHANNELS)
        };
        let stem_window = config.window(3, 2);
        let norm = weights.norm("features.0.1", stem_channels, config.epsilon)?;
        let ends = [stem_channels, in_channels];
        let stem = weights.of_planes("features.0.0", ends, stem_window, false, Some(&norm))?;
        let mut blocks = Vec::new();
        let mut inputs = stem_channels;
        for (stage, (expansion, kernel, stride, outputs, _)) in STAGES.into_iter().enumerate() {
            let outputs = config.channels(outputs);
            for repeat in 0..config.repeats(stage) {
                let name = format!("features.{}.{repeat}.block", stage + 1);
                let stride = if repeat == 0 { stride } else { 1 };
                let window = config.window(kernel, stride);
                let shape = [inputs, inputs * expansion, outputs];
                blocks.push(block(&config, &name, shape, window, weights)?);
                inputs = outputs;
            }
        }
        let head_channels = if config.lite {
            HEAD_CHANNELS
        } else {
            4 * inputs
        };
        let norm = weights.norm("features.8.1", head_channels, config.epsilon)?;
        Ok(Some(Self {
            stem,
            stem_channels,
            stem_window,
            blocks,
            head: weights.pointwise("features.8.0", [head_channels, inputs], Some(&norm))?,
            head_channels,
            activation: if config.lite {
                Activation::Relu6
            } else {
                Activation::Silu
            },
        }))
    }

    /// Leaves the feature map of a picture in the memory's first map.
    pub fn forward(&self, x: Planes, memory: &mut Memory) {
        let [height, width] = [x.height, x.width].map(|side| self.stem_window.along(side).0);
        let stem = memory.maps[0].reshape(self.stem_channels, height, width);
        self.stem
            .forward_planes(x, self.activation, stem, &mut memory.crew);
        for block in &self.blocks {
            block.forward(self.activation, memory);
        }
        let Memory {
            maps: [from, to],
            crew,
            ..
        } = memory;
        let x = from.view();
        let out = to.reshape(self.head_channels, x.height, x.width);
        self.head.forward(x, None, self.activation, out, crew);
        memory.turn();
    }
}

/// A block of channels in, expanded, and out.
fn block(
    config: &Config,
    name: &str,
    [inputs, expanded, outputs]: [usize; 3],
    window: Window,
    weights: &Weights,
) -> Result<Bottleneck, WeightsError> {
    let mut parts = 0..;
    let mut part = || format!("{name}.{}", parts.next().unwrap_or_default());
    let norm = |part: &str, channels| weights.norm(&format!("{part}.1"), channels, config.epsilon);
    let expand = if expanded == inputs {
        None
    } else {
        let part = part();
        let norm = norm(&part, expanded)?;
        Some(weights.pointwise(&format!("{part}.0"), [expanded, inputs], Some(&norm))?)
    };
    let filter = part();
    let filter_norm = norm(&filter, expanded)?;
    let depthwise = weights.depthwise(&format!("{filter}.0"), expanded, window, &filter_norm)?;
    let squeeze_excitation = if config.lite {
        None
    } else {
        let part = part();
        let squeezed = (inputs / 4).max(1);
        Some(SqueezeExcitation {
            squeeze: weights.linear(&format!("{part}.fc1"), [squeezed, expanded])?,
            excite: weights.linear(&format!("{part}.fc2"), [expanded, squeezed])?,
        })
    };
    let last = part();
    let last_norm = norm(&last, outputs)?;
    Ok(Bottleneck {
        expand,
        depthwise,
        window,
        expanded,
        squeeze_excitation,
        project: weights.pointwise(&format!("{last}.0"), [outputs, expanded], Some(&last_norm))?,
        outputs,
        skip: window.stride == 1 && inputs == outputs,
    })
}
