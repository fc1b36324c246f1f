//! Weights by name, with each batch normalisation folded into the convolution before it.

use std::cell::RefCell;

use crate::depthwise::Depthwise;
use crate::direct::Direct;
use crate::linear::Linear;
use crate::norm::Norm;
use crate::pointwise::Pointwise;
use crate::shape::Window;
use crate::winograd::Winograd;

/// A tensor: its shape, and its values in row-major order.
pub type Tensor = (Vec<usize>, Vec<f32>);

/// What is wrong with weights.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WeightsError {
    #[error("there is no network {0:?}")]
    UnknownNetwork(String),
    #[error("there is no parameter {0:?}")]
    Missing(String),
    #[error("parameter {name:?} is {found:?}, not {expected:?}")]
    Shape {
        name: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },
}

/// A parameter that a network has: its name and its shape.
pub type Parameter = (String, Vec<usize>);

/// Parameters by torchvision's names.
pub struct Weights<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    Named(&'a dyn Fn(&str) -> Option<Tensor>),
    /// Every parameter is 0, and is written down.
    Listed(&'a RefCell<Vec<Parameter>>),
}

/// A 3x3 convolution of stride 1, or any other.
#[derive(Clone, Debug)]
pub enum Convolution {
    Winograd(Winograd),
    Direct(Direct),
}

impl<'a> Weights<'a> {
    pub fn new(find: &'a dyn Fn(&str) -> Option<Tensor>) -> Self {
        Self {
            source: Source::Named(find),
        }
    }

    /// Writes down what is asked for, and gives zeros.
    pub fn listed(list: &'a RefCell<Vec<Parameter>>) -> Self {
        Self {
            source: Source::Listed(list),
        }
    }

    /// The values of a parameter of a shape.
    ///
    /// # Errors
    /// When it is not there, or has another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let find = match self.source {
            Source::Named(find) => find,
            Source::Listed(list) => {
                list.borrow_mut().push((name.to_owned(), shape.to_vec()));
                return Ok(vec![0.0; shape.iter().product()]);
            }
        };
        let (found, values) = find(name).ok_or_else(|| WeightsError::Missing(name.to_owned()))?;
        if found != shape || values.len() != shape.iter().product::<usize>() {
            return Err(WeightsError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found,
            });
        }
        Ok(values)
    }

    /// A batch normalisation.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn norm(&self, name: &str, channels: usize, epsilon: f64) -> Result<Norm, WeightsError> {
        let get = |part: &str| self.get(&format!("{name}.{part}"), &[channels]);
        let (gamma, beta) = (get("weight")?, get("bias")?);
        Ok(Norm::new(
            &gamma,
            &beta,
            &get("running_mean")?,
            &get("running_var")?,
            epsilon,
        ))
    }

    /// Weights and biases of a convolution, whose own bias is taken if `biased`, and of the normalisation after it, if there is one.
    ///
    /// # Errors
    /// As [`Weights::get`].
    fn folded(
        &self,
        name: &str,
        shape: [usize; 4],
        biased: bool,
        norm: Option<&Norm>,
    ) -> Result<(Vec<f32>, Vec<f32>), WeightsError> {
        let mut weights = self.get(&format!("{name}.weight"), &shape)?;
        let mut bias = match biased {
            true => self.get(&format!("{name}.bias"), &shape[..1])?,
            false => vec![0.0; shape[0]],
        };
        if let Some(norm) = norm {
            let filters = weights.chunks_exact_mut(shape[1] * shape[2] * shape[3]);
            let lines = norm.slope.iter().zip(&norm.offset);
            for ((filter, bias), (slope, offset)) in filters.zip(&mut bias).zip(lines) {
                filter.iter_mut().for_each(|weight| *weight *= slope);
                *bias = *bias * slope + offset;
            }
        }
        Ok((weights, bias))
    }

    /// A 1x1 convolution without bias.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn pointwise(
        &self,
        name: &str,
        [outputs, inputs]: [usize; 2],
        norm: Option<&Norm>,
    ) -> Result<Pointwise, WeightsError> {
        let (weights, bias) = self.folded(name, [outputs, inputs, 1, 1], false, norm)?;
        Ok(Pointwise::new(&weights, [outputs, inputs], &bias))
    }

    /// A convolution of each channel by itself, without bias.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn depthwise(
        &self,
        name: &str,
        channels: usize,
        window: Window,
        norm: &Norm,
    ) -> Result<Depthwise, WeightsError> {
        let shape = [channels, 1, window.kernel, window.kernel];
        let (weights, bias) = self.folded(name, shape, false, Some(norm))?;
        Ok(Depthwise::new(&weights, channels, window, &bias))
    }

    /// A network's first convolution.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn of_planes(
        &self,
        name: &str,
        [outputs, inputs]: [usize; 2],
        window: Window,
        biased: bool,
        norm: Option<&Norm>,
    ) -> Result<Direct, WeightsError> {
        let shape = [outputs, inputs, window.kernel, window.kernel];
        let (weights, bias) = self.folded(name, shape, biased, norm)?;
        Ok(Direct::of_planes(
            &weights,
            [outputs, inputs],
            window,
            &bias,
        ))
    }

    /// A convolution of maps.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn convolution(
        &self,
        name: &str,
        [outputs, inputs]: [usize; 2],
        window: Window,
        biased: bool,
        norm: Option<&Norm>,
    ) -> Result<Convolution, WeightsError> {
        let shape = [outputs, inputs, window.kernel, window.kernel];
        let (weights, bias) = self.folded(name, shape, biased, norm)?;
        let channels = [outputs, inputs];
        Ok(match (window.kernel, window.stride) {
            (3, 1) => Convolution::Winograd(Winograd::new(&weights, channels, window, &bias)),
            _ => Convolution::Direct(Direct::new(&weights, channels, window, &bias)),
        })
    }

    /// A 1x1 convolution of single pixels, with bias.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn linear(
        &self,
        name: &str,
        [outputs, inputs]: [usize; 2],
    ) -> Result<Linear, WeightsError> {
        let (weights, bias) = self.folded(name, [outputs, inputs, 1, 1], true, None)?;
        Ok(Linear::new(&weights, inputs, &bias))
    }
}
