//! Scores of many images.

use std::borrow::Borrow;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use sightline::features;
use sightline::input::Tensors;
use sightline::network::{Inference, Network};
use sightline::package::{self, Manifest, Output};
use sightline::radiograph::{GreyImage, Input};
use sightline::reading::ReadError;

use crate::data::{Dataset, Label};
use crate::measure::metrics::{Case, Scored};
use crate::storage::Location;

/// How many views of each picture are averaged (test-time augmentation), from 1 to 5: the whole picture, and crops from its corners. 1 is
/// the whole picture alone, as on the page and in the card.
#[derive(Clone, Copy, Debug)]
pub struct Augmented {
    pub crops: u8,
}

impl Augmented {
    /// The picture alone.
    pub const NONE: Self = Self { crops: 1 };

    /// The share of width and height that a crop keeps.
    const KEPT: f64 = 0.9;

    /// The network's views of a picture.
    pub fn views(self, image: &GreyImage, input: &Input) -> Vec<GreyImage> {
        let mut views = vec![input.square(image)];
        let [width, height] =
            [image.width, image.height].map(|side| (side as f64 * Self::KEPT).round() as usize);
        for corner in 0..usize::from(self.crops) - 1 {
            let left = (image.width - width) * (corner % 2);
            let top = (image.height - height) * (corner / 2);
            let rows = (top..top + height).map(|row| row * image.width + left);
            let pixels = rows.flat_map(|start| &image.pixels[start..start + width]);
            views.push(input.square(&GreyImage {
                width,
                height,
                pixels: pixels.copied().collect(),
            }));
        }
        views
    }
}

/// Pictures in one forward pass.
pub const BATCH: usize = 16;

/// The logits of pictures that [`Input::square`] made, a row of all outputs each.
///
/// # Errors
/// When one of them is no number: no figure may be made of it.
pub fn network_logits(
    network: &Inference,
    input: &Input,
    squares: &[impl Borrow<GreyImage>],
    device: &Device,
) -> Result<Vec<Vec<f32>>> {
    let mut all = Vec::with_capacity(squares.len());
    for batch in squares.chunks(BATCH) {
        let logits = network.forward(tensor(batch, input, device));
        all.extend(rows(logits, batch.len())?);
    }
    Ok(all)
}

/// Pictures as a network is given them: `[batch, channels, size, size]`.
fn tensor(batch: &[impl Borrow<GreyImage>], input: &Input, device: &Device) -> Tensor<4> {
    let squares: Vec<&GreyImage> = batch.iter().map(Borrow::borrow).collect();
    let normalised: Vec<_> = squares.par_iter().map(|s| input.normalise(s)).collect();
    input.tensor_of(normalised.concat(), device)
}

/// The rows of a tensor, one for each picture.
///
/// # Errors
/// When one of its values is no number.
fn rows(tensor: Tensor<2>, pictures: usize) -> Result<Vec<Vec<f32>>> {
    let values = tensor.into_data().try_to_vec::<f32>();
    let values = values.map_err(|e| anyhow::anyhow!("{e:?}"))?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(ReadError::NotANumber.into());
    }
    let width = values.len() / pictures;
    Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect())
}

/// Probabilities in the order of the package's findings; `None` where there is none.
pub type Scores = Vec<Option<f64>>;

/// Probabilities, and what the gate's detector makes of the picture.
pub type Judged = (Scores, Option<Vec<f64>>);

/// Logits beside labels; uncertain and blank labels are left out.
pub fn label_cases(data: &Dataset, logits: &[Vec<f32>]) -> Vec<Scored> {
    let scores: Vec<Vec<Option<f64>>> = logits
        .iter()
        .map(|row| row.iter().map(|logit| Some(f64::from(*logit))).collect())
        .collect();
    label_scores(data, &scores)
}

/// Scores (in the order of the rows' labels) beside labels; uncertain and blank labels are left out.
pub fn label_scores(data: &Dataset, scores: &[Vec<Option<f64>>]) -> Vec<Scored> {
    let case = |score: Option<f64>, label: Label| Some(Case::new(score?, label.certain()?));
    let rows = data.rows.iter().zip(scores);
    rows.map(|(row, scores)| Scored {
        patient: row.patient.to_string(),
        cases: scores
            .iter()
            .zip(row.labels.iter())
            .map(|(score, label)| case(*score, *label))
            .collect(),
    })
    .collect()
}

/// The mean of rows, column by column.
fn mean(rows: &[Vec<f32>]) -> Vec<f32> {
    let columns = 0..rows[0].len();
    let sum = |column: usize| rows.iter().map(|row| row[column]).sum::<f32>();
    columns
        .map(|column| sum(column) / rows.len() as f32)
        .collect()
}

/// A package read from its folder.
pub struct Package {
    pub manifest: Manifest,
    pub network: Network,
    pub device: Device,
    /// Made when pictures are read.
    inference: OnceLock<Inference>,
}

impl Package {
    pub fn new(manifest: Manifest, network: Network, device: Device) -> Self {
        Self {
            manifest,
            network,
            device,
            inference: OnceLock::new(),
        }
    }

    /// The network as it reads pictures.
    pub fn inference(&self) -> &Inference {
        let architecture = &self.manifest.architecture;
        let new = || Inference::new(self.network.clone(), architecture, &self.device);
        self.inference.get_or_init(new)
    }

    pub fn open(folder: &Location, device: Device) -> Result<Self> {
        let read = |name: &str| folder.join(name).read();
        let manifest = Manifest::parse(&read("manifest.json")?)
            .with_context(|| format!("the package {folder} is refused"))?;
        let network = package::load(&manifest, &read(&manifest.weights.file)?, &device)
            .with_context(|| format!("the package {folder} is refused"))?;
        Ok(Self::new(manifest, network, device))
    }

    /// Probabilities of pictures, each in as many views as all others ([`Augmented::views`]), in the order of the
    /// package's findings; `None` where one was not trained.
    pub fn probabilities(&self, pictures: &[Vec<GreyImage>]) -> Result<Vec<Scores>> {
        let squares: Vec<&GreyImage> = pictures.iter().flatten().collect();
        let logits = network_logits(
            self.inference(),
            &self.manifest.input,
            &squares,
            &self.device,
        )?;
        Ok(self.of_views(&logits, pictures))
    }

    /// [`Package::probabilities`], and what the gate's detector makes of each picture as a whole, if the package has one.
    pub fn judged(&self, pictures: &[Vec<GreyImage>]) -> Result<Vec<Judged>> {
        let Some(detector) = &self.manifest.gate else {
            let scores = self.probabilities(pictures)?.into_iter();
            return Ok(scores.map(|scores| (scores, None)).collect());
        };
        let head = detector.head().map_err(anyhow::Error::msg)?;
        let (mut logits, mut shares) = (Vec::new(), Vec::new());
        let squares: Vec<&GreyImage> = pictures.iter().flatten().collect();
        for batch in squares.chunks(BATCH) {
            let (maps, features) = self.features(batch)?;
            logits.extend(rows(self.network.classify(maps), batch.len())?);
            shares.extend(features.iter().map(|features| head.shares(features)));
        }
        let views = pictures.first().map_or(1, Vec::len);
        let shares = shares.into_iter().step_by(views);
        Ok(self
            .of_views(&logits, pictures)
            .into_iter()
            .zip(shares)
            .collect())
    }

    /// The feature maps of a batch of pictures, and what the gate's detector is given of each.
    pub fn features(
        &self,
        batch: &[impl Borrow<GreyImage>],
    ) -> Result<(Vec<Tensor<4>>, Vec<Vec<f32>>)> {
        let x = tensor(batch, &self.manifest.input, &self.device);
        let maps = self.inference().feature_maps(x);
        let of_maps = rows(features::of_maps(&maps), batch.len())?;
        let pictures = of_maps.iter().zip(batch.iter().map(Borrow::borrow));
        let features = pictures.map(|(of_maps, square)| features::with_thumbnail(of_maps, square));
        let features = features.collect();
        Ok((maps, features))
    }

    fn of_views(&self, logits: &[Vec<f32>], pictures: &[Vec<GreyImage>]) -> Vec<Scores> {
        let views = pictures.first().map_or(1, Vec::len);
        let logits: Vec<Vec<f32>> = logits.chunks(views).map(mean).collect();
        let row = |logits: &Vec<f32>| {
            let logits = logits.iter().enumerate();
            let score =
                |(output, logit): (usize, &f32)| self.manifest.probability(Output(output), *logit);
            logits.map(score).collect()
        };
        logits.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline::radiograph::Resize;

    #[test]
    fn crops_come_from_the_four_corners_and_the_whole_picture_first() {
        let input = Input {
            levels: Default::default(),
            size: 20,
            resize: Resize::Stretch,
            channels: 1,
            mean: vec![0.0],
            std: vec![1.0],
        };
        // Brighter to the right and, twice as much, downwards.
        let image = GreyImage {
            width: 40,
            height: 40,
            pixels: (0..1600).map(|i| (i % 40 + 2 * (i / 40)) as u8).collect(),
        };
        let views = Augmented { crops: 5 }.views(&image, &input);
        assert_eq!(views.len(), 5);
        assert_eq!(views[0], input.square(&image));
        assert_eq!(Augmented::NONE.views(&image, &input), views[..1]);
        let mean = |view: &GreyImage| {
            view.pixels.iter().map(|p| u32::from(*p)).sum::<u32>() / view.pixels.len() as u32
        };
        let [left_top, right_top, left_bottom, right_bottom] =
            [1, 2, 3, 4].map(|i| mean(&views[i]));
        assert!(left_top < right_top && right_top < left_bottom && left_bottom < right_bottom);
    }
}
