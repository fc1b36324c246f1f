//! The network that is trained, and a trained one that it may imitate (distillation): both look at the same changed pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::module::{adaptive_avg_pool2d, interpolate};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sightline::finding::Finding;
use sightline::network::Network;
use sightline::package::Manifest;
use sightline::radiograph::Input;

use super::Loss;
use crate::measure::score::Package;
use crate::storage::Location;

/// In a recipe: whose feature maps and logits are imitated, beside what the labels say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distillation {
    /// The teacher's package; relative to the working directory. It sees the pictures at its own size.
    pub package: PathBuf,
    /// Weight of what the student's feature map does not explain of the teacher's: the mean squared difference of a
    /// linear map of the one to the other (Romero et al., "FitNets", ICLR 2015), as a share of the teacher's variance.
    pub features: f32,
    /// Weight of the cross-entropy with the teacher's probabilities (Hinton et al., 2015).
    pub logits: f32,
}

impl Distillation {
    /// Which weights teach.
    pub fn teacher_sha256(&self) -> Result<String> {
        Ok(manifest_of(&self.package)?.weights.sha256)
    }
}

/// What a package says of itself.
pub fn manifest_of(package: &Path) -> Result<Manifest> {
    let place = Location::Local(package.join("manifest.json"));
    Manifest::parse(&place.read()?).with_context(|| place.to_string())
}

/// What the optimiser changes.
#[derive(Module, Debug)]
pub struct Student {
    pub network: Network,
    /// From the student's features to the teacher's, in every cell of the feature map. Not shipped.
    adapter: Option<Linear>,
}

impl Student {
    /// # Errors
    /// When the teacher is none for this student.
    pub fn new(
        network: Network,
        input: &Input,
        teacher: Option<&Teacher>,
        device: &Device,
    ) -> Result<Self> {
        let features = |network: &Network, channels: usize, device: &Device| {
            let x = Tensor::zeros([1, channels, 64, 64], device);
            let maps = network.feature_maps(x);
            maps.iter().map(|map| map.dims()[1]).sum::<usize>()
        };
        let adapter = match teacher {
            Some(teacher) if teacher.weights.features > 0.0 => {
                let own = features(&network.valid(), input.channels, &device.clone().inner());
                let package = &teacher.package;
                let channels = package.manifest.input.channels;
                let wanted = features(&package.network, channels, &package.device);
                Some(LinearConfig::new(own, wanted).init(device))
            }
            _ => None,
        };
        Ok(Self { network, adapter })
    }
}

/// A trained network that is imitated.
pub struct Teacher {
    package: Package,
    weights: Distillation,
    /// `[1, findings]`: 1 where the teacher was trained.
    knows: Vec<f32>,
}

impl Teacher {
    /// # Errors
    /// When the package cannot be read, or has other outputs than a recipe's networks.
    pub fn open(weights: &Distillation, device: &Device) -> Result<Self> {
        let folder = Location::Local(weights.package.clone());
        let package = Package::open(&folder, device.clone().inner())?;
        let findings = &package.manifest.findings;
        if !findings.iter().map(|card| card.name).eq(Finding::ALL) {
            bail!("{folder} has other outputs than the networks that are trained here");
        }
        let knows = findings.iter().map(|card| f32::from(card.trained));
        Ok(Self {
            knows: knows.collect(),
            weights: weights.clone(),
            package,
        })
    }

    /// How far the student is from the teacher. `x`: `[batch, channels, size, size]`, normalised for the student; `maps` and
    /// `logits`: the student's.
    pub fn loss(
        &self,
        student: &Student,
        input: &Input,
        x: Tensor<4>,
        maps: Vec<Tensor<4>>,
        logits: Tensor<2>,
    ) -> Result<Tensor<1>> {
        let device = logits.device();
        let network = self.package.inference();
        let wanted_maps = network.feature_maps(self.seen(x.inner(), input));
        let wanted = sigmoid(network.network().classify(wanted_maps.clone()));
        let [batch, findings] = logits.dims();
        let knows = TensorData::new(self.knows.clone(), [1, findings]);
        let knows: Tensor<2> = Tensor::from_data(knows, &device);
        let mask = knows.expand([batch, findings]);
        let one = Tensor::ones([1, findings], &device);
        let loss = Loss::Bce.of(logits, Tensor::from_inner(wanted), mask, one);
        let mut loss = loss * self.weights.logits;
        if let Some(adapter) = &student.adapter {
            let first = maps.first().context("a network has a backbone")?.dims();
            let cells = |maps: Vec<Tensor<4>>| {
                let maps = maps.into_iter().map(|map| match map.dims() {
                    [_, _, height, width] if [height, width] == [first[2], first[3]] => map,
                    _ => adaptive_avg_pool2d(map, [first[2], first[3]]),
                });
                // Float32, whatever the backbones computed in.
                let maps = maps.map(|map| map.cast(DType::F32));
                let map = Tensor::cat(maps.collect(), 1);
                let [batch, features, height, width] = map.dims();
                let cells = map.permute([0, 2, 3, 1]);
                cells.reshape([batch * height * width, features])
            };
            let wanted = cells(wanted_maps);
            let mean = wanted.clone().mean_dim(0);
            let variance = (wanted.clone() - mean).powi_scalar(2).mean();
            let found = adapter.forward(cells(maps));
            let missed = (found - Tensor::from_inner(wanted)).powi_scalar(2).mean();
            let share = missed / Tensor::from_inner(variance.clamp_min(1e-9));
            loss = loss + share * self.weights.features;
        }
        Ok(loss)
    }

    /// The student's pictures as the teacher's package wants them.
    fn seen(&self, x: Tensor<4>, input: &Input) -> Tensor<4> {
        let own = &self.package.manifest.input;
        let device = x.device();
        let grey = x.narrow(1, 0, 1) * input.std[0] + input.mean[0];
        let row = |values: &[f32]| {
            Tensor::<1>::from_floats(values, &device).reshape([1, own.channels, 1, 1])
        };
        let x = (grey - row(&own.mean)) / row(&own.std);
        if own.size == input.size {
            return x;
        }
        let bilinear = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
        interpolate(x, bilinear.with_output_size([own.size, own.size]))
    }
}
