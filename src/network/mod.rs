//! The neural networks.
//!
//! Each network is one file and shows the same three things: [`Network::feature_maps`],
//! [`Network::classify`] and [`Network::forward`], their composition. Explanations are written once,
//! against these. A new network is one file here and one line in [`Network`] and [`Family`].

mod densenet;
mod efficientnet;
mod state_dict;

pub use densenet::{DenseNet, DenseNetConfig};
pub use efficientnet::{EfficientNet, EfficientNetConfig};
pub use state_dict::{Naming, StateDictError, StateDictTensor};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Which family of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    DenseNet,
    EfficientNet,
}

/// What sits between the pooled features and the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// One linear layer.
    Linear,
}

/// Everything needed to build a network, as the package's manifest writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    pub family: Family,
    /// `"121"`, `"169"`, `"201"` for DenseNet; `"lite0"`, `"b0"` .. `"b5"` for EfficientNet.
    pub variant: String,
    /// 1 (grey) or 3 (the grey picture three times).
    pub in_channels: usize,
    pub head: Head,
}

/// The architecture is none that this version knows.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArchitectureError {
    #[error("there is no {family:?} called {variant:?}; known are {known}")]
    UnknownVariant {
        family: Family,
        variant: String,
        known: &'static str,
    },
    #[error("a network reads 1 or 3 channels, not {0}")]
    Channels(usize),
}

/// Any of the networks.
#[derive(Module, Debug)]
// One exists at a time, and behind a reference: the variants' sizes do not matter.
#[allow(clippy::large_enum_variant)]
pub enum Network {
    DenseNet(DenseNet),
    EfficientNet(EfficientNet),
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
        let Head::Linear = architecture.head;
        let unknown = |known| ArchitectureError::UnknownVariant {
            family: architecture.family,
            variant: architecture.variant.clone(),
            known,
        };
        Ok(match architecture.family {
            Family::DenseNet => Network::DenseNet(
                DenseNetConfig::variant(&architecture.variant)
                    .ok_or_else(|| unknown(DenseNetConfig::VARIANTS))?
                    .init(architecture.in_channels, outputs, device),
            ),
            Family::EfficientNet => Network::EfficientNet(
                EfficientNetConfig::variant(&architecture.variant)
                    .ok_or_else(|| unknown(EfficientNetConfig::VARIANTS))?
                    .init(architecture.in_channels, outputs, device),
            ),
        })
    }

    /// The last feature maps, one per branch, after their last activation.
    ///
    /// `x`: `[batch, channels, height, width]`; each result: `[batch, features, h, w]`.
    pub fn feature_maps(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        match self {
            Network::DenseNet(network) => vec![network.feature_map(x)],
            Network::EfficientNet(network) => vec![network.feature_map(x)],
        }
    }

    /// The logits of feature maps: `[batch, features, h, w]` per branch to `[batch, outputs]`.
    pub fn classify(&self, feature_maps: Vec<Tensor<4>>) -> Tensor<2> {
        let [feature_map] = <[Tensor<4>; 1]>::try_from(feature_maps)
            .expect("a single-branch network has one feature map");
        match self {
            Network::DenseNet(network) => network.classify(feature_map),
            Network::EfficientNet(network) => network.classify(feature_map),
        }
    }

    /// The logits: `[batch, channels, height, width]` to `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.classify(self.feature_maps(x))
    }
}

/// Mean over height and width: `[batch, features, h, w]` to `[batch, features]`.
fn global_average(feature_map: Tensor<4>) -> Tensor<2> {
    let [batch, features, height, width] = feature_map.dims();
    feature_map
        .reshape([batch, features, height * width])
        .mean_dim(2)
        .reshape([batch, features])
}
