//! Pictures as tensors.

use crate::network::tensor;
use burn::tensor::{Device, Tensor};

use crate::radiograph::{GreyImage, Input};

/// A network's input as a tensor.
pub trait Tensors {
    /// The network's input for pictures of any size: `[pictures, channels, size, size]`.
    fn tensor(&self, images: &[&GreyImage], device: &Device) -> Tensor<4>;

    /// Normalised values of whole pictures as a tensor `[pictures, channels, size, size]`.
    fn tensor_of(&self, values: Vec<f32>, device: &Device) -> Tensor<4>;
}

impl Tensors for Input {
    fn tensor(&self, images: &[&GreyImage], device: &Device) -> Tensor<4> {
        let values = images
            .iter()
            .flat_map(|image| self.normalise(&self.square(image)))
            .collect();
        self.tensor_of(values, device)
    }

    fn tensor_of(&self, values: Vec<f32>, device: &Device) -> Tensor<4> {
        let pictures = values.len() / (self.channels * self.size * self.size);
        let shape = [pictures, self.channels, self.size, self.size];
        tensor(values, shape, device)
    }
}
