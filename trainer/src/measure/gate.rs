//! What a gate's detector makes of pictures.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use sightline::gate::detector::{Detector, Head, Part};
use sightline::gate::{Kind, Verdict};

use super::metrics::{Case, auc};

/// What a detector says of a picture: which kind it may be, and how likely it is odd.
pub type Said = (Kind, f64);

/// # Errors
/// When the detector is of another network.
pub fn said(detector: &Detector, head: &Head, features: &[f32]) -> Result<Said> {
    let shares = head.shares(features);
    Ok(detector.odd(&shares.context("the gate is of another network")?))
}

/// What comes of pictures.
pub fn part(detector: &Detector, said: &[Said]) -> Part {
    let of = |verdict: Verdict| {
        let of = said
            .iter()
            .filter(|(kind, value)| detector.verdict(*kind, *value) == verdict);
        of.count() as f64 / said.len().max(1) as f64
    };
    Part {
        images: said.len(),
        stopped: of(Verdict::Stop),
        warned: of(Verdict::Warn),
        auc: None,
        named: None,
    }
}

/// What comes of odd pictures, with the AUC between them and frontal chest radiographs; and how many are called by their kind.
pub fn odd_part(detector: &Detector, kind: Option<Kind>, frontal: &[Said], odd: &[Said]) -> Part {
    let positive = odd.iter().map(|(_, value)| Case::new(*value, true));
    let negative = frontal.iter().map(|(_, value)| Case::new(*value, false));
    let cases: Vec<Case> = positive.chain(negative).collect();
    let named = |kind: Kind| {
        let named = odd.iter().filter(|(said, _)| *said == kind).count();
        named as f64 / odd.len().max(1) as f64
    };
    Part {
        auc: auc(&cases),
        named: kind.map(named),
        ..part(detector, odd)
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
