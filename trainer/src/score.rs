//! Scores of many images.

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use sightline::finding::Finding;
use sightline::network::Network;
use sightline::package::{self, Manifest};
use sightline::radiograph::{GreyImage, Input};

use crate::data::Dataset;
use crate::metrics::{Case, Scored};
use crate::storage::Location;

/// Pictures in one forward pass.
const BATCH: usize = 16;

/// The logits of pictures that [`Input::square`] made, a row of all outputs each.
pub fn network_logits(
    network: &Network,
    input: &Input,
    squares: &[GreyImage],
    device: &Device,
) -> Result<Vec<Vec<f32>>> {
    let mut rows = Vec::with_capacity(squares.len());
    for batch in squares.chunks(BATCH) {
        let values = batch
            .iter()
            .flat_map(|square| input.normalise(square))
            .collect();
        let logits: Tensor<2> = network.forward(input.tensor_of(values, device));
        let outputs = logits.dims()[1];
        let logits = logits
            .into_data()
            .try_to_vec::<f32>()
            .map_err(|e| anyhow::anyhow!("{e:?}"))?;
        rows.extend(logits.chunks_exact(outputs).map(<[f32]>::to_vec));
    }
    Ok(rows)
}

/// Logits beside labels; uncertain and blank labels are left out.
pub fn label_cases(data: &Dataset, logits: &[Vec<f32>]) -> Vec<Scored> {
    let scores: Vec<Vec<Option<f64>>> = logits
        .iter()
        .map(|row| row.iter().map(|logit| Some(f64::from(*logit))).collect())
        .collect();
    label_scores(data, &scores)
}

/// Scores (in the order of [`Finding::ALL`]) beside labels; uncertain and blank labels are left out.
pub fn label_scores(data: &Dataset, scores: &[Vec<Option<f64>>]) -> Vec<Scored> {
    let case = |score: Option<f64>, label: Option<f32>| match (score, label) {
        (Some(score), Some(label)) if label >= 0.0 => Some(Case::new(score, label == 1.0)),
        _ => None,
    };
    let rows = data.rows.iter().zip(scores);
    rows.map(|(row, scores)| Scored {
        patient: row.patient.clone(),
        cases: scores
            .iter()
            .zip(row.labels)
            .map(|(score, label)| case(*score, label))
            .collect(),
    })
    .collect()
}

/// A package read from its folder.
pub struct Package {
    pub manifest: Manifest,
    pub network: Network,
    pub device: Device,
}

impl Package {
    pub fn open(folder: &Location, device: Device) -> Result<Self> {
        let read = |name: &str| folder.join(name).read();
        let manifest = Manifest::parse(&read("manifest.json")?)
            .with_context(|| format!("the package {folder} is refused"))?;
        let network = package::load(&manifest, &read(&manifest.weights.file)?, &device)
            .with_context(|| format!("the package {folder} is refused"))?;
        Ok(Self {
            manifest,
            network,
            device,
        })
    }

    /// Probabilities of pictures that [`Input::square`] made, in the order of [`Finding::ALL`];
    /// `None` where the package has no such finding or it was not trained.
    pub fn probabilities(&self, squares: &[GreyImage]) -> Result<Vec<Vec<Option<f64>>>> {
        let logits = network_logits(&self.network, &self.manifest.input, squares, &self.device)?;
        let output_of = |finding: Finding| {
            self.manifest
                .findings
                .iter()
                .position(|c| c.name == finding)
        };
        let outputs: Vec<Option<usize>> = Finding::ALL.into_iter().map(output_of).collect();
        let row = |logits: &Vec<f32>| {
            let score = |output: &Option<usize>| {
                output.and_then(|index| self.manifest.probability(index, logits[index]))
            };
            outputs.iter().map(score).collect()
        };
        Ok(logits.iter().map(row).collect())
    }
}
