//! What a gate's detector makes of pictures.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use sightline::features;
use sightline::gate::Kind;
use sightline::gate::detector::{Detector, OfKind, OfSource};
use sightline::input::Tensors;
use sightline::radiograph::GreyImage;

use super::metrics::{Case, auc};
use super::score::{BATCH, Package, rows};

/// The features of pictures that the model's input was made of.
pub fn features_of(package: &Package, squares: &[GreyImage]) -> Result<Vec<Vec<f32>>> {
    let input = &package.manifest.input;
    let mut all = Vec::with_capacity(squares.len());
    for batch in squares.chunks(BATCH) {
        let values = batch
            .iter()
            .flat_map(|square| input.normalise(square))
            .collect();
        let maps = package
            .network
            .feature_maps(input.tensor_of(values, &package.device));
        let of_maps = rows(features::of_maps(&maps), batch.len())?;
        let pictures = of_maps.iter().zip(batch);
        all.extend(pictures.map(|(of_maps, square)| features::with_thumbnail(of_maps, square)));
    }
    Ok(all)
}

/// What a detector says of a picture: which kind it may be, and how likely it is odd.
pub type Said = (Kind, f64);

/// # Errors
/// When the detector is of another network.
pub fn said(detector: &Detector, features: &[f32]) -> Result<Said> {
    let shares = detector.shares(features);
    Ok(detector.odd(&shares.context("the gate is of another network")?))
}

/// The parts of values that reach a detector's limits: to be stopped, and to be warned of but not stopped.
pub fn parts(detector: &Detector, said: &[Said]) -> (f64, f64) {
    let part = |reach: &dyn Fn(f64) -> bool| {
        let count = said.iter().filter(|(_, value)| reach(*value)).count();
        count as f64 / said.len().max(1) as f64
    };
    let stopped = part(&|value| value >= detector.stop);
    (stopped, part(&|value| value >= detector.warn) - stopped)
}

/// The AUC between odd pictures and frontal chest radiographs.
pub fn auc_of(frontal: &[Said], odd: &[Said]) -> f64 {
    let positive = odd.iter().map(|(_, value)| Case::new(*value, true));
    let negative = frontal.iter().map(|(_, value)| Case::new(*value, false));
    auc(&positive.chain(negative).collect::<Vec<_>>()).unwrap_or(f64::NAN)
}

/// The figures of one kind.
pub fn of_kind(detector: &Detector, kind: Kind, frontal: &[Said], odd: &[Said]) -> OfKind {
    let (stopped, warned) = parts(detector, odd);
    let named = odd.iter().filter(|(said, _)| *said == kind).count();
    OfKind {
        images: odd.len(),
        auc: auc_of(frontal, odd),
        stopped,
        warned,
        named: named as f64 / odd.len().max(1) as f64,
    }
}

/// The figures of frontal chest radiographs of another source.
pub fn of_source(detector: &Detector, said: &[Said]) -> OfSource {
    let (stopped, warned) = parts(detector, said);
    OfSource {
        images: said.len(),
        stopped,
        warned,
    }
}

/// The values, ascending, of frontal chest radiographs, and where so large a part of them lies below.
pub fn quantile(said: &[Said], part: f64) -> f64 {
    let mut values: Vec<f64> = said.iter().map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let place = (part * values.len() as f64).ceil() as usize;
    values[place.clamp(1, values.len()) - 1]
}

/// Odd pictures by their kind.
pub type ByKind = BTreeMap<Kind, Vec<Said>>;
