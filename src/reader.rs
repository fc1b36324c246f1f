//! One radiograph read by one model: a score and a map of evidence for each finding.

use burn::tensor::{Device, Tensor};

use crate::explain::heat_map::HeatMap;
use crate::explain::lime::Scored;
use crate::explain::lime::emulator::{CELLS, GRID};
use crate::grad_cam;
use crate::input::Tensors;
use crate::network::Network;
use crate::package::{self, Manifest, PackageError};
use crate::radiograph::GreyImage;
use crate::reading::{ReadError, Reading};
use crate::trust::sanity::Randomised;

/// A package with its weights on a device.
#[derive(Debug)]
pub struct Reader {
    pub manifest: Manifest,
    network: Network,
    device: Device,
}

impl Reader {
    /// Puts a package on a device.
    ///
    /// # Errors
    /// As [`package::load`].
    pub fn load(manifest: Manifest, weights: &[u8], device: &Device) -> Result<Self, PackageError> {
        let network = package::load(&manifest, weights, device)?;
        Ok(Self {
            manifest,
            network,
            device: device.clone(),
        })
    }

    /// A network that is in memory already, as training has it.
    pub fn new(manifest: Manifest, network: Network, device: Device) -> Self {
        Self {
            manifest,
            network,
            device,
        }
    }

    /// Reads one picture: scores and all maps, from one forward pass.
    ///
    /// # Errors
    /// When the device fails, or its answer is no number.
    pub async fn read(&self, image: &GreyImage) -> Result<Reading, ReadError> {
        let input = self.manifest.input.tensor(&[image], &self.device);
        let feature_maps = self.network.feature_maps(input);
        let logits = self.network.classify(feature_maps.clone());
        let evidence = grad_cam::evidence(&self.network, feature_maps);
        let logits = numbers(logits).await?;
        let bias = numbers(evidence.bias).await?;
        let mut branches = vec![Vec::new(); logits.len()];
        if evidence.branches.len() > 1 {
            for branch in evidence.branches {
                let maps = heat_maps(branch).await?;
                for (branches, map) in branches.iter_mut().zip(maps) {
                    branches.push(map);
                }
            }
        }
        Ok(Reading {
            probabilities: self.probabilities(&logits),
            logits,
            evidence: heat_maps(evidence.cells).await?,
            branches,
            bias,
            region: self.manifest.input.region(image.width, image.height),
        })
    }

    /// The evidence for a finding (its place in the manifest) if a part of the network were drawn at random: a map for each seed.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn read_randomised(
        &self,
        image: &GreyImage,
        finding: usize,
        part: Randomised,
        seeds: &[u64],
    ) -> Result<Vec<HeatMap>, ReadError> {
        let input = self.manifest.input.tensor(&[image], &self.device);
        // What lies below the part is the same for all.
        let kept = match part {
            Randomised::Classifier => Some(self.network.feature_maps(input.clone())),
            Randomised::LastStage => None,
        };
        let mut drawn = Vec::new();
        for seed in seeds {
            let network = self.network.clone().randomised(part, *seed);
            let maps = match &kept {
                Some(maps) => maps.clone(),
                None => network.feature_maps(input.clone()),
            };
            let cells = grad_cam::evidence(&network, maps).cells;
            drawn.extend(heat_maps(cells).await?.into_iter().nth(finding));
        }
        Ok(drawn)
    }

    /// The logits of several pictures at once, a row each.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn logits(&self, images: &[&GreyImage]) -> Result<Vec<Vec<f32>>, ReadError> {
        let input = self.manifest.input.tensor(images, &self.device);
        let logits = numbers(self.network.forward(input)).await?;
        let outputs = self.manifest.findings.len();
        Ok(logits.chunks_exact(outputs).map(<[f32]>::to_vec).collect())
    }

    /// What there is to say of pictures that are normalised already: what [`crate::explain::lime::Lime`] asks for.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub async fn score(&self, values: Vec<f32>) -> Result<Vec<Scored>, ReadError> {
        let input = self.manifest.input.tensor_of(values, &self.device);
        let feature_maps = self.network.feature_maps(input);
        let logits = self.network.classify(feature_maps.clone());
        let evidence = grad_cam::evidence(&self.network, feature_maps).cells;
        let cells = grad_cam::regrid(&evidence, GRID, GRID);
        let (logits, cells) = (numbers(logits).await?, numbers(cells).await?);
        let findings = self.manifest.findings.len();
        let rows = logits.chunks_exact(findings);
        let rows = rows.zip(cells.chunks_exact(findings * CELLS));
        Ok(rows
            .map(|(logits, cells)| {
                let probabilities = self.probabilities(logits);
                let mut evidence = cells.to_vec();
                let cells = evidence.chunks_exact_mut(CELLS).enumerate();
                for (finding, cells) in cells {
                    let Some(probability) = probabilities[finding] else {
                        cells.fill(0.0);
                        continue;
                    };
                    let scale = self.manifest.scale(finding);
                    let probability = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                    let log_odds = (probability / (1.0 - probability)).ln();
                    // What no cell adds, and what calibration does, is every cell's in equal parts.
                    let sum: f64 = cells.iter().map(|cell| scale * f64::from(*cell)).sum();
                    let rest = (log_odds - sum) / CELLS as f64;
                    for cell in cells {
                        *cell = (scale * f64::from(*cell) + rest) as f32;
                    }
                }
                Scored {
                    probabilities,
                    evidence,
                }
            })
            .collect())
    }

    /// The probabilities of one picture's logits.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<Option<f64>> {
        let logits = logits.iter().enumerate();
        logits
            .map(|(index, logit)| self.manifest.probability(index, *logit))
            .collect()
    }
}

/// The maps of one picture, `[1, outputs, h, w]`, output by output.
async fn heat_maps(cells: Tensor<4>) -> Result<Vec<HeatMap>, ReadError> {
    let [_, _, height, width] = cells.dims();
    let values = numbers(cells).await?;
    let maps = values.chunks_exact(width * height);
    Ok(maps
        .map(|values| HeatMap::new(width, height, values.to_vec()))
        .collect())
}

/// The values of a tensor, read back without blocking (a blocking read panics in a browser).
async fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor
        .into_data_async()
        .await
        .map_err(|e| ReadError::Device(e.to_string()))?;
    let values = data
        .try_to_vec::<f32>()
        .map_err(|e| ReadError::Device(format!("{e:?}")))?;
    if values.iter().any(|v| !v.is_finite()) {
        return Err(ReadError::NotANumber);
    }
    Ok(values)
}
