//! A radiograph as one model sees it. Everything that a model says of a picture starts from here.

use crate::radiograph::{GreyImage, Input, Region};

/// A picture as one model sees it, made once for each.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What the network is given, before it is normalised.
    pub square: GreyImage,
    /// The part of the whole picture that it shows.
    pub region: Region,
    /// The whole picture's width over its height.
    pub aspect: f32,
}

impl View {
    pub fn new(image: &GreyImage, input: &Input) -> Self {
        Self {
            square: input.square(image),
            region: input.region(image.width, image.height),
            aspect: image.width as f32 / image.height as f32,
        }
    }
}
