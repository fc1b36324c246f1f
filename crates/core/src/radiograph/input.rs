//! The one way from a grey picture to a network's input, described by the package's manifest.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::levels::Rule;
use super::{GreyImage, resize, resize_part};

/// How a picture of any shape becomes a square.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Both sides to `size`, whatever the proportions: the whole picture is seen.
    Stretch,
    /// The shorter side to this many pixels, then the middle `size` x `size` of it.
    ShorterSide(usize),
}

/// A network's input, as the manifest writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Input {
    /// Which grey levels of a file are shown to the network.
    #[serde(default)]
    pub levels: Rule,
    /// Height and width in pixels.
    pub size: usize,
    pub resize: Resize,
    /// 1, or 3 for the grey picture three times.
    pub channels: usize,
    /// Per channel, of values in 0..1.
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
}

/// A part of a picture, as fractions of its width and height.
#[derive(
    Clone, Copy, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Region {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// An input that no network can have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the input is described wrongly: {0}")]
pub struct InputError(String);

impl Input {
    /// # Errors
    /// When sizes are absurd, or mean and std do not fit the channels.
    pub fn check(&self) -> Result<(), InputError> {
        let wrong = |why: String| Err(InputError(why));
        if !(32..=2048).contains(&self.size) {
            return wrong(format!(
                "{} pixels on a side is outside 32 to 2048",
                self.size
            ));
        }
        if let Resize::ShorterSide(side) = self.resize
            && !(self.size..=4096).contains(&side)
        {
            return wrong(format!("a crop of {} from {side} pixels", self.size));
        }
        if self.mean.len() != self.channels || self.std.len() != self.channels {
            return wrong(format!(
                "{} channels need as many means and stds",
                self.channels
            ));
        }
        let positive = |v: &f32| *v > 0.0 && v.is_finite();
        if !self.mean.iter().all(|v| v.is_finite()) || !self.std.iter().all(positive) {
            return wrong("mean must be finite, and std positive and finite".to_owned());
        }
        Ok(())
    }

    /// The square that the network sees, before normalisation: `size` x `size` grey values.
    pub fn square(&self, image: &GreyImage) -> GreyImage {
        match self.resize {
            Resize::Stretch => resize(image, self.size, self.size),
            Resize::ShorterSide(side) => {
                let (width, height) = shorter_side(image.width, image.height, side);
                let (left, top) = (
                    crop_offset(width, self.size),
                    crop_offset(height, self.size),
                );
                // The crop alone: all of a strip of 16 x 20,000 pixels would be 256 x 320,000.
                resize_part(
                    image,
                    (width, height),
                    left..left + self.size,
                    top..top + self.size,
                )
            }
        }
    }

    /// The part of a `width` x `height` picture that the network sees.
    pub fn region(&self, width: usize, height: usize) -> Region {
        match self.resize {
            Resize::Stretch => Region {
                x: 0.0,
                y: 0.0,
                width: 1.0,
                height: 1.0,
            },
            Resize::ShorterSide(side) => {
                let (width, height) = shorter_side(width, height, side);
                let (size, w, h) = (self.size as f64, width as f64, height as f64);
                Region {
                    x: crop_offset(width, self.size) as f64 / w,
                    y: crop_offset(height, self.size) as f64 / h,
                    width: size / w,
                    height: size / h,
                }
            }
        }
    }

    /// `(v / 255 - mean) / std`, channel by channel: the values of one picture, `channels * size * size`.
    pub fn normalise(&self, square: &GreyImage) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.channels * square.pixels.len());
        for (mean, std) in self.mean.iter().zip(&self.std) {
            let levels: [f32; 256] = std::array::from_fn(|v| (v as f32 / 255.0 - mean) / std);
            values.extend(square.pixels.iter().map(|v| levels[usize::from(*v)]));
        }
        values
    }

    /// The normalised values of levels that are no whole numbers, one for each pixel of the square; see [`Input::normalise`].
    pub fn normalise_levels(&self, levels: &[f64]) -> Vec<f32> {
        let channels = self.mean.iter().zip(&self.std);
        channels
            .flat_map(|(mean, std)| {
                let (mean, std) = (f64::from(*mean), f64::from(*std));
                levels
                    .iter()
                    .map(move |level| ((level / 255.0 - mean) / std) as f32)
            })
            .collect()
    }
}

/// torchvision's `Resize(side)`: the longer side is rounded down.
fn shorter_side(width: usize, height: usize, side: usize) -> (usize, usize) {
    if width <= height {
        (side, side * height / width)
    } else {
        (side * width / height, side)
    }
}

/// torchvision's `CenterCrop`: `round((n - size) / 2)`, half to even.
fn crop_offset(length: usize, size: usize) -> usize {
    ((length - size) as f64 / 2.0).round_ties_even() as usize
}
