//! The neural networks.
//!
//! A [`Network`] is one or more backbones, each of which turns a picture into a feature map, and a
//! [`Classifier`] that turns the feature maps into logits. It shows three things:
//! [`Network::feature_maps`], [`Network::classify`] and [`Network::forward`], their composition.
//! Explanations are written once, against the classifier, and hold for every backbone.
//!
//! A new backbone is one file here that implements `Backbone`, and one line in `families!` of the crate `sightline-core`.

mod activation;
#[cfg(target_arch = "wasm32")]
mod browser;
mod classifier;
#[cfg(not(target_arch = "wasm32"))]
mod cpu;
mod densenet;
#[cfg(not(target_arch = "wasm32"))]
mod described;
mod device;
mod efficientnet;
mod fresh;
#[cfg(not(target_arch = "wasm32"))]
pub mod graph;
mod inference;
mod layers;
mod mnasnet;
mod padding;
mod randomise;
mod state_dict;
mod vgg;

pub use crate::architecture::{Architecture, ArchitectureError, Family, Head};
#[cfg(all(target_arch = "wasm32", feature = "webgpu"))]
pub use browser::share_among;
pub use classifier::{Classifier, Gradient, Pooling};
#[cfg(not(target_arch = "wasm32"))]
pub use described::{DescribedGradient, Description};
pub use device::on_cpu;
pub use inference::{Begun, FeatureMaps, Inference, Packed, Unpacked, Unread};
pub(crate) use layers::{product, tensor};
pub use state_dict::{Naming, StateDictError, StateDictTensor, wrong_value};

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::Initializer;
use burn::tensor::{DType, Device, Tensor};

use crate::architecture::{Branch, COMBINED};

/// What one file of this folder provides: a convolutional network without its classifier.
trait Backbone {
    /// The variants of the family, in words.
    fn variants() -> &'static str
    where
        Self: Sized;

    /// The backbone with fresh weights, initialised as torchvision does; `None` if there is no such variant.
    fn init(variant: &str, in_channels: usize, device: &Device) -> Option<Self>
    where
        Self: Sized;

    /// `[batch, channels, height, width]` to `[batch, features, h, w]`, after the last activation.
    fn feature_map(&self, x: Tensor<4>) -> Tensor<4>;

    /// Writes [`Backbone::feature_map`] down. Not for the page, whose program would be larger by it.
    #[cfg(not(target_arch = "wasm32"))]
    fn describe(&self, graph: &mut graph::Graph, x: graph::Value) -> graph::Value;

    /// The number of features.
    fn features(&self) -> usize;

    /// The side, in pixels, of the pictures that the variant was designed for.
    fn picture_side(&self) -> usize {
        224
    }

    /// How the feature map becomes a vector.
    fn pooling(&self) -> Pooling {
        Pooling::Average
    }

    /// Probability of a feature to be dropped in training, before the last linear layer.
    fn dropout(&self) -> f64 {
        0.0
    }

    /// Ends what is drawn at random in training.
    fn never_drop(&mut self) {}

    /// Folds what only reading allows: see [`layers::fold`].
    fn fold(&mut self);

    /// How torchvision draws the weights of this family's linear layers (their biases are 0 there).
    fn linear_weights(&self, inputs: usize, outputs: usize) -> Initializer;

    /// The name that a state dict gives to the parameter at a path of this module.
    fn parameter_name(&self, naming: Naming, path: &str) -> String;

    /// The name that a state dict gives to the family's classifier: without its index in a sequence,
    /// and with the index of its one linear layer.
    fn classifier_name(&self, naming: Naming) -> (&'static str, &'static str);
}

/// Writes the families out: the enum that holds any one of them, and what is asked of each.
macro_rules! backbones {
    ($($family:ident($module:ident)),+ $(,)?) => {
        /// The variants of a family, in words.
        fn variants(family: Family) -> &'static str {
            match family {
                $(Family::$family => <$module::$family as Backbone>::variants(),)+
                Family::Combined => COMBINED,
            }
        }

        #[derive(Module, Debug)]
        // A network has few of them, in a list: the variants' sizes do not matter.
        #[allow(clippy::large_enum_variant)]
        enum AnyBackbone {
            $($family($module::$family)),+
        }

        impl AnyBackbone {
            fn init(family: Family, variant: &str, in_channels: usize, device: &Device) -> Option<Self> {
                match family {
                    $(Family::$family => {
                        Backbone::init(variant, in_channels, device).map(AnyBackbone::$family)
                    })+
                    Family::Combined => None,
                }
            }
        }

        impl std::ops::DerefMut for AnyBackbone {
            fn deref_mut(&mut self) -> &mut Self::Target {
                match self {
                    $(AnyBackbone::$family(backbone) => backbone),+
                }
            }
        }

        impl std::ops::Deref for AnyBackbone {
            type Target = dyn Backbone;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(AnyBackbone::$family(backbone) => backbone),+
                }
            }
        }
    };
}

crate::families!(backbones);

/// `kaiming_normal_(mode="fan_out", nonlinearity="relu")` for a square convolution. PyTorch counts all output
/// channels of a grouped convolution, Burn those of one group.
fn kaiming_fan_out(out_channels: usize, kernel: usize) -> Initializer {
    Initializer::Normal {
        mean: 0.0,
        std: (2.0 / (out_channels * kernel * kernel) as f64).sqrt(),
    }
}

/// Any of the networks.
#[derive(Module, Debug)]
pub struct Network {
    backbones: Vec<AnyBackbone>,
    classifier: Classifier,
}

impl Network {
    /// A network with freshly initialised weights (as torchvision initialises them) and `outputs` logits.
    ///
    /// # Errors
    /// When the architecture names an unknown variant or number of channels.
    pub fn new(
        architecture: &Architecture,
        outputs: usize,
        device: &Device,
    ) -> Result<Self, ArchitectureError> {
        if ![1, 3].contains(&architecture.in_channels) {
            return Err(ArchitectureError::Channels(architecture.in_channels));
        }
        let backbones = architecture
            .branches()?
            .into_iter()
            .map(|branch| {
                let backbone = AnyBackbone::init(
                    branch.family,
                    &branch.variant,
                    architecture.in_channels,
                    device,
                );
                backbone.ok_or_else(|| branch.unknown_variant(variants(branch.family)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let branches: Vec<_> = backbones
            .iter()
            .map(|backbone| (backbone.pooling(), backbone.features()))
            .collect();
        let classifier = Classifier::new(architecture.head, &branches, outputs, device);
        let classifier = match &backbones[..] {
            [only] => classifier.of_family(architecture.head, &**only, device),
            _ => classifier,
        };
        Ok(Self {
            backbones,
            classifier,
        })
    }

    /// With the backbones of trained networks, in this network's order, and a classifier that says the mean of what theirs
    /// say. `None` if one of their classifiers is not a single linear layer, or does not fit.
    #[must_use]
    pub fn with_parts(self, parts: Vec<Network>) -> Option<Self> {
        let classifiers: Vec<_> = parts.iter().map(|part| &part.classifier).collect();
        let classifier = self.classifier.mean_of(&classifiers)?;
        let backbones: Vec<_> = parts.into_iter().flat_map(|part| part.backbones).collect();
        (backbones.len() == self.backbones.len()).then_some(Self {
            backbones,
            classifier,
        })
    }

    /// The network without dropout and stochastic depth: devices that draw other numbers then train it alike.
    pub fn never_drop(mut self) -> Self {
        for backbone in &mut self.backbones {
            backbone.never_drop();
        }
        self.classifier.never_drop();
        self
    }

    /// The network with its normalisations folded into the convolutions before them, or into a scale and a shift, for reading alone.
    pub fn folded(mut self) -> Self {
        for backbone in &mut self.backbones {
            backbone.fold();
        }
        self
    }

    /// The network with the weights of its backbones in float16, in which they then compute, given a picture in it.
    pub fn halved(mut self) -> Self {
        /// Leaves the statistics of normalisations as they are: copies of a network share them, and a folded one does not look at them.
        struct Halve {
            statistics: bool,
        }

        impl ModuleMapper for Halve {
            fn enter_module(&mut self, name: &str, _container: &str) {
                self.statistics = name.starts_with("running_");
            }

            fn exit_module(&mut self, _name: &str, _container: &str) {
                self.statistics = false;
            }

            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                match self.statistics {
                    true => param,
                    false => param.map(|values| values.cast(DType::F16)),
                }
            }
        }

        self.backbones = self.backbones.map(&mut Halve { statistics: false });
        self
    }

    /// The last feature maps, one per branch, after their last activation.
    ///
    /// `x`: `[batch, channels, height, width]`; each result: `[batch, features, h, w]`.
    pub fn feature_maps(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let maps = self.backbones.iter();
        maps.map(|backbone| backbone.feature_map(x.clone()))
            .collect()
    }

    /// The logits of feature maps: `[batch, features, h, w]` per branch to `[batch, outputs]`.
    pub fn classify(&self, feature_maps: Vec<Tensor<4>>) -> Tensor<2> {
        self.classifier.forward(feature_maps)
    }

    /// The logits: `[batch, channels, height, width]` to `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.classify(self.feature_maps(x))
    }

    /// The network with another classifier, which may be on another device.
    pub fn with_classifier(mut self, classifier: Classifier) -> Self {
        self.classifier = classifier;
        self
    }

    /// What turns the feature maps into logits.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The side, in pixels, of the pictures that the network was designed for; of several, the largest.
    pub fn picture_side(&self) -> usize {
        let sides = self.backbones.iter();
        sides
            .map(|backbone| backbone.picture_side())
            .max()
            .unwrap_or(224)
    }
}
