//! The nonlinearities of the networks.

use crate::simd::Vector;

/// The nonlinearity after a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Identity,
    Relu,
    Relu6,
    /// `x / (1 + e^-x)`.
    Silu,
}

impl Activation {
    /// What is cut off below and above; SiLU cuts nothing.
    pub fn limits(self) -> (f32, f32) {
        match self {
            Activation::Identity | Activation::Silu => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
        }
    }
}

#[inline(always)]
pub fn silu<V: Vector>(x: V) -> V {
    x.mul(x.sigmoid())
}
