//! MNASNet 1.0 (Tan et al., CVPR 2019), as torchvision builds it.

use super::bottleneck::Bottleneck;
use crate::activation::Activation::Relu;
use crate::direct::{Direct, Planes};
use crate::memory::Memory;
use crate::pointwise::Pointwise;
use crate::shape::{Padding, Window};
use crate::weights::{Weights, WeightsError};

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
const EPSILON: f64 = 1e-5;

/// The packed layers.
#[derive(Clone, Debug)]
pub struct MnasNet {
    stem: Direct,
    blocks: Vec<Bottleneck>,
    head: Pointwise,
}

fn window(kernel: usize, stride: usize) -> Window {
    Window {
        kernel,
        stride,
        padding: Padding::Each(kernel / 2),
    }
}

impl MnasNet {
    /// Packs a variant of the family: "1_0" alone; else `None`.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape.
    pub fn new(
        variant: &str,
        in_channels: usize,
        weights: &Weights,
    ) -> Result<Option<Self>, WeightsError> {
        if variant != "1_0" {
            return Ok(None);
        }
        let norm = weights.norm("layers.1", STEM_CHANNELS, EPSILON)?;
        let ends = [STEM_CHANNELS, in_channels];
        let stem = weights.of_planes("layers.0", ends, window(3, 2), false, Some(&norm))?;
        let separable = [STEM_CHANNELS, STEM_CHANNELS, FIRST_CHANNELS];
        let mut blocks = vec![block("layers", 3, separable, window(3, 1), weights)?];
        let mut inputs = FIRST_CHANNELS;
        for (stack, (kernel, stride, expansion, outputs, repeats)) in STACKS.into_iter().enumerate()
        {
            for repeat in 0..repeats {
                let name = format!("layers.{}.{repeat}.layers", stack + 8);
                let window = window(kernel, if repeat == 0 { stride } else { 1 });
                let shape = [inputs, inputs * expansion, outputs];
                blocks.push(block(&name, 0, shape, window, weights)?);
                inputs = outputs;
            }
        }
        let norm = weights.norm("layers.15", HEAD_CHANNELS, EPSILON)?;
        Ok(Some(Self {
            stem,
            blocks,
            head: weights.pointwise("layers.14", [HEAD_CHANNELS, inputs], Some(&norm))?,
        }))
    }

    /// Leaves the feature map of a picture in the memory's first map.
    pub fn forward(&self, x: Planes, memory: &mut Memory) {
        let [height, width] = [x.height, x.width].map(|side| window(3, 2).along(side).0);
        let stem = memory.maps[0].reshape(STEM_CHANNELS, height, width);
        self.stem.forward_planes(x, Relu, stem, &mut memory.crew);
        for block in &self.blocks {
            block.forward(Relu, memory);
        }
        let Memory {
            maps: [from, to],
            crew,
            ..
        } = memory;
        let x = from.view();
        let out = to.reshape(HEAD_CHANNELS, x.height, x.width);
        self.head.forward(x, None, Relu, out, crew);
        memory.turn();
    }
}

/// A block of channels in, expanded, and out, whose first layer has number `first` in its sequence.
fn block(
    name: &str,
    first: usize,
    [inputs, expanded, outputs]: [usize; 3],
    window: Window,
    weights: &Weights,
) -> Result<Bottleneck, WeightsError> {
    let norm =
        |part: usize, channels| weights.norm(&format!("{name}.{}", part + 1), channels, EPSILON);
    let (expand, filter) = if expanded == inputs {
        (None, first)
    } else {
        let norm = norm(first, expanded)?;
        let shape = [expanded, inputs];
        (
            Some(weights.pointwise(&format!("{name}.{first}"), shape, Some(&norm))?),
            first + 3,
        )
    };
    let filter_norm = norm(filter, expanded)?;
    let last = filter + 3;
    let last_norm = norm(last, outputs)?;
    let shape = [outputs, expanded];
    Ok(Bottleneck {
        expand,
        depthwise: weights.depthwise(
            &format!("{name}.{filter}"),
            expanded,
            window,
            &filter_norm,
        )?,
        window,
        expanded,
        squeeze_excitation: None,
        project: weights.pointwise(&format!("{name}.{last}"), shape, Some(&last_norm))?,
        outputs,
        skip: window.stride == 1 && inputs == outputs,
    })
}
