//! Feature maps on the CPU by the kernels of `sightline-kernels`, which hold the weights as they want them and no tensors.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor, TensorData};
use sightline_kernels::{FeatureMaps, Memory, Network as Kernels};

use super::{Architecture, Branch, Family, Naming, Network};

/// A network that only reads. On the CPU its backbones are packed; those that are not are left to Burn. On a graphics card its normalisations are folded.
pub struct Inference {
    network: Network,
    /// On a graphics card, what computes feature maps. The network itself is kept for what looks at its weights.
    folded: Option<Network>,
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
    /// Packs the weights of a network of this architecture, if they are on the CPU.
    pub fn new(network: Network, architecture: &Architecture, device: &Device) -> Self {
        let (branches, folded) = if matches!(device.as_dispatch(), DispatchDevice::Flex(_)) {
            (Self::packed(&network, architecture), None)
        } else {
            (None, Some(network.clone().folded()))
        };
        let none = || network.backbones.iter().map(|_| None).collect();
        Self {
            branches: branches.unwrap_or_else(none),
            memories: Mutex::default(),
            folded,
            network,
        }
    }

    fn packed(network: &Network, architecture: &Architecture) -> Option<Vec<Option<Kernels>>> {
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
        Some(branches.into_iter().enumerate().map(pack).collect())
    }

    /// The network itself.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How many backbones are left to Burn.
    pub fn left_out(&self) -> usize {
        self.branches
            .iter()
            .filter(|branch| branch.is_none())
            .count()
    }

    /// The last feature maps, one per branch: see [`Network::feature_maps`].
    pub fn feature_maps(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let device = x.device();
        let shape = x.dims();
        let packed = self.branches.iter().filter(|branch| branch.is_some());
        // A clone is a copy where the values are taken out.
        let (x, data) = match packed.count() {
            0 => (Some(x), None),
            all if all == self.branches.len() => (None, Some(x.into_data())),
            _ => (Some(x.clone()), Some(x.into_data())),
        };
        let values = data.as_ref().and_then(|data| data.as_slice::<f32>().ok());
        let network = self.folded.as_ref().unwrap_or(&self.network);
        let branches = self.branches.iter().zip(&network.backbones);
        let maps = branches.map(|(kernels, backbone)| match (kernels, values, &x) {
            (Some(kernels), Some(values), _) => {
                let FeatureMaps { shape, values } = self.compute(kernels, values, shape);
                Tensor::from_data(TensorData::new(values, shape), &device)
            }
            (_, _, Some(x)) => backbone.feature_map(x.clone()),
            _ => unreachable!("the input is kept where Burn is to compute"),
        });
        maps.collect()
    }

    /// The logits: `[batch, channels, height, width]` to `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.network.classify(self.feature_maps(x))
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
        let shape = [maps.len(), features, h, w];
        let values: Vec<_> = maps.into_iter().map(|map| map.values).collect();
        FeatureMaps {
            shape,
            values: values.concat(),
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
