//! DenseNet-121, -169 and -201 (Huang et al., CVPR 2017), as torchvision builds them.

use crate::activation::Activation::{Identity, Relu};
use crate::direct::{Direct, Planes};
use crate::memory::Memory;
use crate::norm::Norm;
use crate::pointwise::{Pointwise, PreNorm};
use crate::pool;
use crate::shape::{Padding, Window};
use crate::weights::{Weights, WeightsError};
use crate::winograd::Winograd;

const STEM_FEATURES: usize = 64;
const GROWTH_RATE: usize = 32;
/// Channels of a layer's 1x1 bottleneck.
const BOTTLENECK: usize = 4 * GROWTH_RATE;
const EPSILON: f64 = 1e-5;

const STEM: Window = Window {
    kernel: 7,
    stride: 2,
    padding: Padding::Each(3),
};
const STEM_POOL: Window = Window {
    kernel: 3,
    stride: 2,
    padding: Padding::Each(1),
};
const GROWTH: Window = Window {
    kernel: 3,
    stride: 1,
    padding: Padding::Each(1),
};

/// The packed layers. A block's layers write into one map, each behind what was there before it.
#[derive(Clone, Debug)]
pub struct DenseNet {
    stem: Direct,
    blocks: Vec<Block>,
    norm: Norm,
}

#[derive(Clone, Debug)]
struct Block {
    features: usize,
    layers: Vec<Layer>,
    transition: Option<(PreNorm, Pointwise)>,
}

/// Normalisation, ReLU and 1x1 convolution, the next normalisation folded into it; ReLU, 3x3 convolution.
#[derive(Clone, Debug)]
struct Layer {
    norm: PreNorm,
    bottleneck: Pointwise,
    growth: Winograd,
}

impl DenseNet {
    /// Packs a variant of the family, "121" for one; `None` if there is none such.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape.
    pub fn new(
        variant: &str,
        in_channels: usize,
        weights: &Weights,
    ) -> Result<Option<Self>, WeightsError> {
        let block_layers = match variant {
            "121" => [6, 12, 24, 16],
            "169" => [6, 12, 32, 32],
            "201" => [6, 12, 48, 32],
            _ => return Ok(None),
        };
        let norm = weights.norm("features.norm0", STEM_FEATURES, EPSILON)?;
        let channels = [STEM_FEATURES, in_channels];
        let stem = weights.of_planes("features.conv0", channels, STEM, false, Some(&norm))?;
        let mut features = STEM_FEATURES;
        let mut blocks = Vec::new();
        for (index, layers) in block_layers.into_iter().enumerate() {
            let number = index + 1;
            let of = |layer| {
                let name = format!("features.denseblock{number}.denselayer{}", layer + 1);
                Layer::new(&name, features + layer * GROWTH_RATE, weights)
            };
            let layers = (0..layers).map(of).collect::<Result<Vec<_>, _>>()?;
            let all = features + layers.len() * GROWTH_RATE;
            let name = format!("features.transition{number}");
            let transition = if number < block_layers.len() {
                let norm = weights.norm(&format!("{name}.norm"), all, EPSILON)?;
                let conv = weights.pointwise(&format!("{name}.conv"), [all / 2, all], None)?;
                Some((PreNorm::new(&norm), conv))
            } else {
                None
            };
            blocks.push(Block {
                features,
                layers,
                transition,
            });
            features = if number < block_layers.len() {
                all / 2
            } else {
                all
            };
        }
        Ok(Some(Self {
            stem,
            blocks,
            norm: weights.norm("features.norm5", features, EPSILON)?,
        }))
    }

    /// Leaves the feature map of a picture in the memory's first map.
    pub fn forward(&self, x: Planes, memory: &mut Memory) {
        let sides = [x.height, x.width].map(|side| STEM.along(side).0);
        let stem = memory.maps[1].reshape(STEM_FEATURES, sides[0], sides[1]);
        self.stem.forward_planes(x, Relu, stem, &mut memory.crew);
        memory.turn();
        let mut sides = sides.map(|side| STEM_POOL.along(side).0);
        for (index, block) in self.blocks.iter().enumerate() {
            let all = block.features + block.layers.len() * GROWTH_RATE;
            // The block's input: the pooled stem, or the transition of the block before.
            let [from, to] = &mut memory.maps;
            to.reshape(all, sides[0], sides[1]);
            let input = to.part_mut(0..block.features);
            match index
                .checked_sub(1)
                .and_then(|before| self.blocks[before].transition.as_ref())
            {
                Some((norm, conv)) => {
                    let crew = &mut memory.crew;
                    conv.forward_normalised(from.view(), norm, true, Identity, input, crew);
                }
                None => pool::max(from.view(), STEM_POOL, input, &mut memory.crew.threads),
            }
            memory.turn();
            for (index, layer) in block.layers.iter().enumerate() {
                layer.forward(block.features + index * GROWTH_RATE, sides, memory);
            }
            sides = sides.map(|side| side / 2);
        }
        let Memory { maps, crew, .. } = memory;
        pool::normalise_relu(&mut maps[0], &self.norm, &mut crew.threads);
    }
}

impl Layer {
    fn new(name: &str, features: usize, weights: &Weights) -> Result<Self, WeightsError> {
        let norm = weights.norm(&format!("{name}.norm1"), features, EPSILON)?;
        let second = weights.norm(&format!("{name}.norm2"), BOTTLENECK, EPSILON)?;
        let channels = [BOTTLENECK, features];
        let filter = format!("{name}.conv2.weight");
        let filter = weights.get(&filter, &[GROWTH_RATE, BOTTLENECK, 3, 3])?;
        let channels_of_growth = [GROWTH_RATE, BOTTLENECK];
        Ok(Self {
            norm: PreNorm::new(&norm),
            bottleneck: weights.pointwise(&format!("{name}.conv1"), channels, Some(&second))?,
            growth: Winograd::new(&filter, channels_of_growth, GROWTH, &[0.0; GROWTH_RATE]),
        })
    }

    /// Adds its features to the first `features` of the memory's first map.
    fn forward(&self, features: usize, [height, width]: [usize; 2], memory: &mut Memory) {
        let Memory {
            maps: [map, _],
            inner,
            crew,
        } = memory;
        let bottleneck = inner.reshape(BOTTLENECK, height, width);
        let x = map.first(features);
        self.bottleneck
            .forward_normalised(x, &self.norm, false, Relu, bottleneck, crew);
        let new = map.part_mut(features..features + GROWTH_RATE);
        self.growth.forward(inner.view(), Identity, new, crew);
    }
}
