//! The inverted bottleneck (Sandler et al., CVPR 2018) that EfficientNet and MNASNet are made of.

use crate::activation::Activation;
use crate::depthwise::Depthwise;
use crate::linear::SqueezeExcitation;
use crate::memory::Memory;
use crate::pointwise::Pointwise;
use crate::shape::Window;

/// Expansion, depthwise convolution, squeeze-and-excitation, projection; what is `None` is left out.
#[derive(Clone, Debug)]
pub struct Bottleneck {
    pub expand: Option<Pointwise>,
    pub depthwise: Depthwise,
    /// The depthwise convolution's.
    pub window: Window,
    pub expanded: usize,
    pub squeeze_excitation: Option<SqueezeExcitation>,
    pub project: Pointwise,
    pub outputs: usize,
    /// Whether the input is added to the output.
    pub skip: bool,
}

impl Bottleneck {
    /// From the memory's first map to the memory's first map.
    pub fn forward(&self, activation: Activation, memory: &mut Memory) {
        let Memory {
            maps: [from, to],
            inner,
            crew,
        } = memory;
        let x = from.view();
        let [height, width] = [x.height, x.width].map(|side| self.window.along(side).0);
        let between = inner.reshape(self.expanded, height, width);
        match &self.expand {
            Some(expand) => {
                self.depthwise
                    .forward_expanded(x, expand, activation, between, crew);
            }
            None => self.depthwise.forward(x, activation, between, crew),
        }
        if let Some(squeeze_excitation) = &self.squeeze_excitation {
            let between = inner.part_mut(0..self.expanded);
            squeeze_excitation.apply(between, &mut crew.threads);
        }
        let out = to.reshape(self.outputs, height, width);
        let residual = self.skip.then_some(x);
        self.project
            .forward(inner.view(), residual, Activation::Identity, out, crew);
        memory.turn();
    }
}
