//! Feature maps on the CPU by the kernels of `sightline-kernels`, which hold the weights as they want them and no tensors.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor, TensorData};
use sightline_kernels::{FeatureMaps, Memory, Network as Kernels};

use super::{Architecture, Branch, Family, Naming, Network};

/// A network's backbones, packed. Those that are not are left to Burn.
pub struct Inference {
    branches: Vec<Option<Kernels>>,
    /// What a pass works in; as many as pictures were computed at once.
    memories: Mutex<Vec<Memory>>,
}

impl fmt::Debug for Inference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Inference").finish_non_exhaustive()
    }
}

impl Inference {
    /// Packs the weights of a network of this architecture; `None` on other devices than the CPU, and where a network is trained.
    pub fn new(network: &Network, architecture: &Architecture, device: &Device) -> Option<Self> {
        if !matches!(device.as_dispatch(), DispatchDevice::Flex(_)) {
            return None;
        }
        let mut tensors = HashMap::new();
        network.for_each_value(Naming::Torchvision, |tensor, data| {
            if !tensor.head
                && let Ok(values) = data.try_to_vec::<f32>()
            {
                tensors.insert(tensor.name, (tensor.shape, values));
            }
        });
        let branches = architecture.branches().ok()?;
        let several = branches.len() > 1;
        let pack = |(index, branch): (usize, Branch)| {
            // Winograd's weights take four times the memory of what they are made of: 320 MB of a VGG, more than a page has to spare.
            if cfg!(target_arch = "wasm32") && branch.family == Family::Vgg {
                return None;
            }
            let prefix = match several {
                true => format!("net_{}.", index + 1),
                false => String::new(),
            };
            let find = |name: &str| {
                let (shape, values) = tensors.get(&format!("{prefix}{name}"))?;
                Some((&shape[..], &values[..]))
            };
            let family = branch.family.to_string();
            Kernels::new(&family, &branch.variant, architecture.in_channels, &find).ok()
        };
        let branches = branches.into_iter().enumerate().map(pack).collect();
        Some(Self {
            branches,
            memories: Mutex::default(),
        })
    }

    /// How many backbones are left to Burn.
    pub fn left_out(&self) -> usize {
        self.branches
            .iter()
            .filter(|branch| branch.is_none())
            .count()
    }

    /// The last feature maps, one per branch: see [`Network::feature_maps`].
    pub fn feature_maps(&self, network: &Network, x: Tensor<4>) -> Vec<Tensor<4>> {
        let device = x.device();
        let shape = x.dims();
        let values = match self.branches.iter().any(Option::is_some) {
            true => x.clone().into_data().try_to_vec::<f32>().ok(),
            false => None,
        };
        let branches = self.branches.iter().zip(&network.backbones);
        let maps = branches.map(|(kernels, backbone)| match (kernels, &values) {
            (Some(kernels), Some(values)) => {
                let FeatureMaps { shape, values } = self.compute(kernels, values, shape);
                Tensor::from_data(TensorData::new(values, shape), &device)
            }
            _ => backbone.feature_map(x.clone()),
        });
        maps.collect()
    }

    #[cfg(target_arch = "wasm32")]
    fn compute(&self, kernels: &Kernels, values: &[f32], shape: [usize; 4]) -> FeatureMaps {
        self.compute_here(kernels, values, shape)
    }

    /// Each core has pictures of its own.
    #[cfg(not(target_arch = "wasm32"))]
    fn compute(
        &self,
        kernels: &Kernels,
        values: &[f32],
        [_, channels, height, width]: [usize; 4],
    ) -> FeatureMaps {
        use rayon::prelude::*;

        let pictures = values.par_chunks_exact(channels * height * width);
        let maps: Vec<FeatureMaps> = pictures
            .map(|picture| self.compute_here(kernels, picture, [1, channels, height, width]))
            .collect();
        let [_, features, h, w] = maps.first().map_or([0; 4], |map| map.shape);
        FeatureMaps {
            shape: [maps.len(), features, h, w],
            values: maps.into_iter().flat_map(|map| map.values).collect(),
        }
    }

    fn compute_here(
        &self,
        kernels: &Kernels,
        values: &[f32],
        [_, _, height, width]: [usize; 4],
    ) -> FeatureMaps {
        let memories = || self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = memories().pop().unwrap_or_default();
        let maps = kernels.feature_maps(values, [height, width], &mut memory);
        memories().push(memory);
        maps
    }
}
