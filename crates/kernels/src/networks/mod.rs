//! The networks whose feature maps are computed here, a file for each family.

mod bottleneck;
mod densenet;
mod efficientnet;
mod mnasnet;
mod vgg;

use std::cell::RefCell;

use crate::direct::Planes;
use crate::map::View;
use crate::memory::Memory;
use crate::weights::{Parameter, Tensor, Weights, WeightsError};
use densenet::DenseNet;
use efficientnet::EfficientNet;
use mnasnet::MnasNet;
use vgg::Vgg;

/// A network without its classifier, its weights packed.
#[derive(Clone, Debug)]
pub struct Network {
    family: Family,
    in_channels: usize,
}

#[derive(Clone, Debug)]
// There are few of them: their sizes do not matter.
#[allow(clippy::large_enum_variant)]
enum Family {
    DenseNet(DenseNet),
    EfficientNet(EfficientNet),
    MnasNet(MnasNet),
    Vgg(Vgg),
}

/// Feature maps of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureMaps {
    /// Batch, channels, height, width.
    pub shape: [usize; 4],
    /// In row-major order.
    pub values: Vec<f32>,
}

impl Network {
    /// The network of a family (`densenet`, `efficientnet`, `mnasnet`, `vgg`) and a variant of it (`121`, `lite0`, `1_0`, `19_bn`), with
    /// 1 or 3 channels. `find` gives parameters by torchvision's names; of a file that names EfficientNet's as `efficientnet_pytorch` does, the caller
    /// translates. Each is asked for when it is packed, so that they need not all be there at once.
    ///
    /// # Errors
    /// When there is no such network, or a parameter is missing or has another shape.
    pub fn new(
        family: &str,
        variant: &str,
        in_channels: usize,
        find: &dyn Fn(&str) -> Option<Tensor>,
    ) -> Result<Self, WeightsError> {
        Self::build(family, variant, in_channels, &Weights::new(find))
    }

    /// What [`Network::new`] asks for.
    ///
    /// # Errors
    /// When there is no such network.
    pub fn parameters(
        family: &str,
        variant: &str,
        in_channels: usize,
    ) -> Result<Vec<Parameter>, WeightsError> {
        let list = RefCell::default();
        Self::build(family, variant, in_channels, &Weights::listed(&list))?;
        Ok(list.into_inner())
    }

    fn build(
        family: &str,
        variant: &str,
        in_channels: usize,
        weights: &Weights,
    ) -> Result<Self, WeightsError> {
        let built = match family {
            "densenet" => DenseNet::new(variant, in_channels, weights)?.map(Family::DenseNet),
            "efficientnet" => {
                EfficientNet::new(variant, in_channels, weights)?.map(Family::EfficientNet)
            }
            "mnasnet" => MnasNet::new(variant, in_channels, weights)?.map(Family::MnasNet),
            "vgg" => Vgg::new(variant, in_channels, weights)?.map(Family::Vgg),
            _ => None,
        };
        let unknown = || WeightsError::UnknownNetwork(format!("{family}{variant}"));
        Ok(Self {
            family: built.ok_or_else(unknown)?,
            in_channels,
        })
    }

    /// Channels of a picture.
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// The feature maps after the last activation, of pictures `[batch, channels, height, width]`, one picture after the other.
    ///
    /// # Panics
    /// When there is another number of values than `batch * in_channels * height * width`, or pictures are too small for the network (32 pixels are
    /// not).
    pub fn feature_maps(
        &self,
        pictures: &[f32],
        sides: [usize; 2],
        memory: &mut Memory,
    ) -> FeatureMaps {
        let mut maps = FeatureMaps::default();
        for picture in self.pictures(pictures, sides) {
            self.forward(picture, memory);
            maps.push(memory.map());
        }
        maps
    }

    /// Pictures of a batch.
    pub(crate) fn pictures<'a>(
        &self,
        pictures: &'a [f32],
        [height, width]: [usize; 2],
    ) -> impl Iterator<Item = Planes<'a>> {
        let channels = self.in_channels;
        let length = channels * height * width;
        assert!(
            length > 0 && pictures.len().is_multiple_of(length),
            "whole pictures"
        );
        pictures.chunks_exact(length).map(move |values| Planes {
            channels,
            height,
            width,
            values,
        })
    }

    /// Leaves the feature map of a picture in the memory's first map.
    pub(crate) fn forward(&self, x: Planes, memory: &mut Memory) {
        match &self.family {
            Family::DenseNet(network) => network.forward(x, memory),
            Family::EfficientNet(network) => network.forward(x, memory),
            Family::MnasNet(network) => network.forward(x, memory),
            Family::Vgg(network) => network.forward(x, memory),
        }
    }
}

impl FeatureMaps {
    /// Adds those of a picture.
    pub(crate) fn push(&mut self, map: View) {
        let before = self.values.len();
        let length = map.channels * map.height * map.width;
        self.values.resize(before + length, 0.0);
        map.to_planes(&mut self.values[before..]);
        self.shape = [self.shape[0] + 1, map.channels, map.height, map.width];
    }
}
