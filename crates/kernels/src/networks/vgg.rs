//! VGG-19, plain and with batch normalisation (Simonyan and Zisserman, ICLR 2015), as torchvision builds them.

use crate::activation::Activation::Relu;
use crate::direct::{Direct, Planes};
use crate::memory::Memory;
use crate::pool;
use crate::shape::{Padding, Window};
use crate::weights::{Convolution, Weights, WeightsError};

/// Channels and number of the 3x3 convolutions before each pooling.
const STAGES: [(usize, usize); 5] = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)];
const EPSILON: f64 = 1e-5;
const WINDOW: Window = Window {
    kernel: 3,
    stride: 1,
    padding: Padding::Each(1),
};
const POOL: Window = Window {
    kernel: 2,
    stride: 2,
    padding: Padding::Each(0),
};

/// The packed layers.
#[derive(Clone, Debug)]
pub struct Vgg {
    stem: Direct,
    stages: Vec<(usize, Vec<Convolution>)>,
}

impl Vgg {
    /// Packs a variant of the family, "19" or "19_bn"; else `None`.
    ///
    /// # Errors
    /// When a parameter is missing or has another shape.
    pub fn new(
        variant: &str,
        in_channels: usize,
        weights: &Weights,
    ) -> Result<Option<Self>, WeightsError> {
        let normalised = match variant {
            "19" => false,
            "19_bn" => true,
            _ => return Ok(None),
        };
        let norm = |index: usize, channels: usize| match normalised {
            true => {
                let name = format!("features.{}", index + 1);
                weights.norm(&name, channels, EPSILON).map(Some)
            }
            false => Ok(None),
        };
        // torchvision counts convolutions, normalisations, activations and poolings in one sequence.
        let layer = 2 + usize::from(normalised);
        let first = STAGES[0].0;
        let ends = [first, in_channels];
        let stem_norm = norm(0, first)?;
        let stem = weights.of_planes("features.0", ends, WINDOW, true, stem_norm.as_ref())?;
        let mut index = layer;
        let mut inputs = first;
        let mut stages = Vec::new();
        for (stage, (outputs, layers)) in STAGES.into_iter().enumerate() {
            let mut convolutions = Vec::new();
            for _ in usize::from(stage == 0)..layers {
                let norm = norm(index, outputs)?;
                let name = format!("features.{index}");
                let ends = [outputs, inputs];
                convolutions.push(weights.convolution(&name, ends, WINDOW, true, norm.as_ref())?);
                inputs = outputs;
                index += layer;
            }
            stages.push((outputs, convolutions));
            index += 1;
        }
        Ok(Some(Self { stem, stages }))
    }

    /// Leaves the feature map of a picture in the memory's first map.
    pub fn forward(&self, x: Planes, memory: &mut Memory) {
        let stem = memory.maps[0].reshape(STAGES[0].0, x.height, x.width);
        self.stem.forward_planes(x, Relu, stem, &mut memory.crew);
        for (channels, convolutions) in &self.stages {
            for convolution in convolutions {
                let Memory {
                    maps: [from, to],
                    crew,
                    ..
                } = memory;
                let x = from.view();
                let out = to.reshape(*channels, x.height, x.width);
                match convolution {
                    Convolution::Winograd(conv) => conv.forward(x, Relu, out, crew),
                    Convolution::Direct(conv) => conv.forward(x, Relu, out, crew),
                }
                memory.turn();
            }
            let [from, to] = &mut memory.maps;
            let x = from.view();
            let sides = [x.height, x.width].map(|side| POOL.along(side).0);
            let out = to.reshape(*channels, sides[0], sides[1]);
            pool::max(x, POOL, out, &mut memory.crew.threads);
            memory.turn();
        }
    }
}
