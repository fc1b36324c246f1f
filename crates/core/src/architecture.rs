//! The name of a network: what a manifest, a recipe and a command line say.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Calls a macro with every family of backbones: its name, and the engine's module that has it. To add a family is to add a line.
#[macro_export]
macro_rules! families {
    ($then:ident) => {
        $then! {
            DenseNet(densenet),
            EfficientNet(efficientnet),
            MnasNet(mnasnet),
            Vgg(vgg),
        }
    };
}

macro_rules! family {
    ($($family:ident($module:ident)),+ $(,)?) => {
        /// Which family of networks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "lowercase")]
        pub enum Family {
            $($family,)+
            /// Several backbones whose features are concatenated into one classifier.
            Combined,
        }

        impl Family {
            /// All but [`Family::Combined`].
            pub const BACKBONES: &[Family] = &[$(Family::$family),+];
        }
    };
}

families!(family);

/// The variants of a combined network, in words.
pub const COMBINED: &str = "\"origin\", or names joined by +, as densenet121+mnasnet1_0";

/// What sits between the pooled features and the logits.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// One linear layer.
    Linear,
    /// A linear layer to 500 units, dropout of 0.9, another to the outputs, and no activation between
    /// them: a factorised linear layer, which at inference folds to one.
    Bottleneck,
    /// VGG's own: two layers of 4096 units with ReLU and dropout of 0.5, then one to the outputs.
    Mlp,
}

/// Everything needed to build a network, as the package's manifest writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Architecture {
    pub family: Family,
    /// As in torchvision's names: `"121"` of `densenet121`, `"b0"` of `efficientnet_b0`, `"19_bn"` of
    /// `vgg19_bn`, `"1_0"` of `mnasnet1_0`. EfficientNet's `"b5_same"` pads as TensorFlow and
    /// `efficientnet_pytorch` do. Of a combined network `"origin"`, or its backbones' names joined by `+`.
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
    #[error(
        "there is no network called {0:?}; known are densenet121, densenet169, densenet201, efficientnet_lite0 to \
         efficientnet_lite2, efficientnet_b0 to efficientnet_b5 (and with _same), mnasnet1_0, vgg19, vgg19_bn, combined, and names \
         joined by +"
    )]
    UnknownName(String),
    #[error("a network reads 1 or 3 channels, not {0}")]
    Channels(usize),
}

/// The six backbones that the project's origin combined, in its order.
const ORIGIN: [(Family, &str); 6] = [
    (Family::DenseNet, "121"),
    (Family::DenseNet, "169"),
    (Family::DenseNet, "201"),
    (Family::MnasNet, "1_0"),
    (Family::Vgg, "19_bn"),
    (Family::Vgg, "19"),
];

/// One backbone of an architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub family: Family,
    pub variant: String,
}

impl Branch {
    /// `known`: the family's variants, in words.
    pub fn unknown_variant(&self, known: &'static str) -> ArchitectureError {
        ArchitectureError::UnknownVariant {
            family: self.family,
            variant: self.variant.clone(),
            known,
        }
    }

    /// torchvision's name, hyphens and full stops allowed for underscores.
    fn parse(name: &str) -> Option<Self> {
        let plain = name.trim().to_lowercase().replace(['-', '.'], "_");
        Family::BACKBONES.iter().find_map(|family| {
            let variant = plain.strip_prefix(&family.to_string())?;
            Some(Self {
                family: *family,
                variant: variant.trim_start_matches('_').to_owned(),
            })
        })
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.family {
            Family::EfficientNet => "_",
            _ => "",
        };
        write!(f, "{}{separator}{}", self.family, self.variant)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

impl Architecture {
    /// The architecture of a name as torchvision writes it (`densenet121`, `efficientnet_b0`, `vgg19_bn`), of
    /// `combined` (the origin's six backbones), or of several names joined by `+`; with the head that the
    /// family has in torchvision.
    ///
    /// # Errors
    /// When no family is called so; variants are checked when the network is made.
    pub fn named(name: &str, in_channels: usize) -> Result<Self, ArchitectureError> {
        let unknown = || ArchitectureError::UnknownName(name.to_owned());
        let combined = |variant: String| Self {
            family: Family::Combined,
            variant,
            in_channels,
            head: Head::Linear,
        };
        let architecture = if name == "combined" {
            combined("origin".to_owned())
        } else if name.contains('+') {
            let branches: Option<Vec<_>> = name.split('+').map(Branch::parse).collect();
            let names: Vec<_> = branches
                .ok_or_else(unknown)?
                .iter()
                .map(Branch::to_string)
                .collect();
            combined(names.join("+"))
        } else {
            let Branch { family, variant } = Branch::parse(name).ok_or_else(unknown)?;
            let head = match family {
                Family::Vgg => Head::Mlp,
                _ => Head::Linear,
            };
            Self {
                family,
                variant,
                in_channels,
                head,
            }
        };
        Ok(architecture)
    }

    /// The names of the backbones, in the order of the network's feature maps.
    ///
    /// # Errors
    /// When a combined network names a backbone that there is not.
    pub fn branch_names(&self) -> Result<Vec<String>, ArchitectureError> {
        Ok(self.branches()?.iter().map(Branch::to_string).collect())
    }

    /// The backbones, in order.
    ///
    /// # Errors
    /// As [`Architecture::branch_names`].
    pub fn branches(&self) -> Result<Vec<Branch>, ArchitectureError> {
        let branch = |family, variant: &str| Branch {
            family,
            variant: variant.to_owned(),
        };
        match (self.family, self.variant.as_str()) {
            (Family::Combined, "origin") => Ok(ORIGIN
                .iter()
                .map(|(family, variant)| branch(*family, variant))
                .collect()),
            (Family::Combined, names) => names
                .split('+')
                .map(|name| {
                    Branch::parse(name)
                        .ok_or_else(|| branch(self.family, names).unknown_variant(COMBINED))
                })
                .collect(),
            (family, variant) => Ok(vec![branch(family, variant)]),
        }
    }
}
