//! Kernels and networks against 64-bit loops.

mod layers;
mod networks;
mod reference;
