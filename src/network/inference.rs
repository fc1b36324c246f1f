//! Feature maps on the CPU by the kernels of `sightline-kernels`, which hold the weights as they want them and no tensors.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
pub use sightline_kernels::FeatureMaps;
use sightline_kernels::{Memory, Network as Kernels};

use super::device::on_cpu;
use super::state_dict::Value;
use super::{Architecture, Branch, Family, Naming, Network, tensor};

/// A backbone whose weights are packed, here or elsewhere.
pub trait Packed: Send + Sync {
    /// The last feature maps of pictures `[batch, channels, height, width]`. `sides`: height and width.
    fn feature_maps(&self, pictures: &[f32], sides: [usize; 2]) -> FeatureMaps;

    /// Begins with pictures while the caller does something else, where that is possible.
    fn begin(&self, _pictures: &[f32], _sides: [usize; 2]) -> Option<Box<dyn Begun>> {
        None
    }
}

/// Feature maps that are computed while the caller does something else. Dropped, they are left as they are.
pub trait Begun {
    /// Whether all are there.
    fn is_over(&self) -> bool;

    /// Computes those of one picture, if nobody has begun with it; tells whether there was one.
    fn help(&self) -> bool;

    /// Computes what is left to compute, and gives all.
    fn finish(self: Box<Self>) -> FeatureMaps;
}

/// A backbone that is to be packed.
pub struct Unpacked<'a> {
    /// As `sightline-kernels` names them.
    pub family: &'a str,
    pub variant: &'a str,
    pub in_channels: usize,
    /// By torchvision's names.
    pub tensors: Rc<HashMap<String, Unread>>,
}

/// A tensor whose values are read when they are asked for: copies of all would take as much memory as the network.
pub struct Unread {
    pub shape: Vec<usize>,
    value: Value,
}

impl Unread {
    /// In row-major order, as many as the shape has; `None` if they cannot be read.
    pub fn values(&self) -> Option<Vec<f32>> {
        let values = (self.value)().try_into_vec::<f32>().ok()?;
        (values.len() == self.shape.iter().product::<usize>()).then_some(values)
    }
}

impl Unpacked<'_> {
    /// Packs it here; `None` if there are no kernels for it.
    pub fn here(&self) -> Option<Box<dyn Packed>> {
        let find = |name: &str| {
            let tensor = self.tensors.get(name)?;
            Some((tensor.shape.clone(), tensor.values()?))
        };
        let kernels = Kernels::new(self.family, self.variant, self.in_channels, &find).ok()?;
        Some(Box::new(Here {
            kernels,
            memories: Mutex::default(),
        }))
    }
}

/// A network that only reads. On the CPU its backbones are packed; those that are not are left to Burn. On a graphics card its normalisations are folded.
pub struct Inference {
    network: Network,
    /// On a graphics card, what computes feature maps. The network itself is kept for what looks at its weights.
    folded: Option<Network>,
    /// That in float16, where it is to be used.
    half: Option<Network>,
    branches: Vec<Option<Box<dyn Packed>>>,
}

impl fmt::Debug for Inference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Inference").finish_non_exhaustive()
    }
}

impl Inference {
    /// A network of this architecture, to compute on a device. On the CPU, where it is then to be already, its weights are packed. For another
    /// device it may be on the CPU; what copies of it share then moves, too.
    pub fn new(network: Network, architecture: &Architecture, device: &Device) -> Self {
        Self::packed_by(|backbone| backbone.here(), network, architecture, device)
    }

    /// Has `pack` pack the weights, where [`Inference::new`] packs them for this program.
    pub fn packed_by(
        pack: impl Fn(&Unpacked) -> Option<Box<dyn Packed>>,
        network: Network,
        architecture: &Architecture,
        device: &Device,
    ) -> Self {
        let (network, branches, folded) = if on_cpu(device) {
            let branches = Self::packed(pack, &network, architecture);
            (network, branches, None)
        } else {
            // Folded where it is: each of these steps would have a shader compiled.
            let folded = network.clone().folded();
            let network = network.fork(device);
            // A VGG's is large: both have one.
            let folded = folded.with_classifier(network.classifier().clone());
            #[cfg(all(target_arch = "wasm32", feature = "webgpu"))]
            let folded = super::browser::moved(folded, device);
            #[cfg(not(all(target_arch = "wasm32", feature = "webgpu")))]
            let folded = folded.fork(device);
            (network, None, Some(folded))
        };
        let none = || network.backbones.iter().map(|_| None).collect();
        Self {
            branches: branches.unwrap_or_else(none),
            folded,
            half: None,
            network,
        }
    }

    /// Whether the network is on a graphics card that computes in float16.
    pub fn can_halve(&self) -> bool {
        let devices = self.folded.as_ref().map(Module::devices);
        devices.is_some_and(|devices| {
            let mut devices = devices.iter();
            devices.all(|device| device.supports_dtype(DType::F16))
        })
    }

    /// Has feature maps computed in float16, where [`Inference::can_halve`]. Maps are float32 all the same.
    pub fn halve(&mut self) {
        let folded = self.folded.as_ref().filter(|_| self.can_halve());
        self.half = folded.map(|network| network.clone().halved());
    }

    /// Has feature maps computed in float32 again.
    pub fn unhalve(&mut self) {
        self.half = None;
    }

    /// Whether feature maps are computed in float16.
    pub fn is_half(&self) -> bool {
        self.half.is_some()
    }

    fn packed(
        pack: impl Fn(&Unpacked) -> Option<Box<dyn Packed>>,
        network: &Network,
        architecture: &Architecture,
    ) -> Option<Vec<Option<Box<dyn Packed>>>> {
        let branches = architecture.branches().ok()?;
        let several = branches.len() > 1;
        let mut tensors: Vec<_> = branches.iter().map(|_| HashMap::new()).collect();
        network.for_each_tensor(Naming::Torchvision, |tensor, value| {
            let of_branch = match several {
                true => tensor
                    .name
                    .strip_prefix("net_")
                    .and_then(|name| name.split_once('.')),
                false => Some(("1", &tensor.name[..])),
            };
            if let Some((number, name)) = of_branch.filter(|_| !tensor.head)
                && let Ok(number) = number.parse::<usize>()
                && let Some(own) = number
                    .checked_sub(1)
                    .and_then(|index| tensors.get_mut(index))
            {
                let unread = Unread {
                    shape: tensor.shape,
                    value,
                };
                own.insert(name.to_owned(), unread);
            }
        });
        let of_branch = |(branch, tensors): (Branch, HashMap<String, Unread>)| {
            // Winograd's weights take four times the memory of what they are made of: 320 MB of a VGG, more than a page has to spare.
            if cfg!(target_arch = "wasm32") && branch.family == Family::Vgg {
                return None;
            }
            pack(&Unpacked {
                family: &branch.family.to_string(),
                variant: &branch.variant,
                in_channels: architecture.in_channels,
                tensors: Rc::new(tensors),
            })
        };
        Some(branches.into_iter().zip(tensors).map(of_branch).collect())
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
        let Some(half) = &self.half else {
            return self.feature_maps_in_full(x);
        };
        let maps = half.feature_maps(x.cast(DType::F16)).into_iter();
        maps.map(|map| map.cast(DType::F32)).collect()
    }

    /// The last feature maps in float32, also where others are computed in float16.
    pub fn feature_maps_in_full(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
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
        let [_, _, height, width] = shape;
        let maps = branches.map(|(packed, backbone)| match (packed, values, &x) {
            (Some(packed), Some(values), _) => {
                let FeatureMaps { shape, values } = packed.feature_maps(values, [height, width]);
                tensor(values, shape, &device)
            }
            (_, _, Some(x)) => backbone.feature_map(x.clone()),
            _ => unreachable!("the input is kept where Burn is to compute"),
        });
        maps.collect()
    }

    /// Has each backbone begin with pictures `[batch, channels, height, width]`; `None` where one cannot.
    pub fn begin(&self, pictures: &[f32], sides: [usize; 2]) -> Option<Vec<Box<dyn Begun>>> {
        let branches = self.branches.iter();
        branches
            .map(|packed| packed.as_ref()?.begin(pictures, sides))
            .collect()
    }

    /// The logits: `[batch, channels, height, width]` to `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        self.network.classify(self.feature_maps(x))
    }
}

/// Packed for this program.
struct Here {
    kernels: Kernels,
    /// What a pass works in; as many as pictures were computed at once.
    memories: Mutex<Vec<Memory>>,
}

impl Packed for Here {
    #[cfg(target_arch = "wasm32")]
    fn feature_maps(&self, pictures: &[f32], sides: [usize; 2]) -> FeatureMaps {
        self.compute(pictures, sides)
    }

    /// Each core has pictures of its own.
    #[cfg(not(target_arch = "wasm32"))]
    fn feature_maps(&self, pictures: &[f32], [height, width]: [usize; 2]) -> FeatureMaps {
        use rayon::prelude::*;

        let pictures = pictures.par_chunks_exact(self.kernels.in_channels() * height * width);
        let maps: Vec<FeatureMaps> = pictures
            .map(|picture| self.compute(picture, [height, width]))
            .collect();
        let [_, features, h, w] = maps.first().map_or([0; 4], |map| map.shape);
        let shape = [maps.len(), features, h, w];
        let values: Vec<_> = maps.into_iter().map(|map| map.values).collect();
        FeatureMaps {
            shape,
            values: values.concat(),
        }
    }
}

impl Here {
    fn compute(&self, pictures: &[f32], sides: [usize; 2]) -> FeatureMaps {
        let memories = || self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = memories().pop().unwrap_or_default();
        let maps = self.kernels.feature_maps(pictures, sides, &mut memory);
        memories().push(memory);
        maps
    }
}
