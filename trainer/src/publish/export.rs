//! A run's best weights as a package, with what was measured of them.

use anyhow::{Context, Result};
use burn::tensor::Device;
use sightline::finding::Finding;
use sightline::network::Network;
use sightline::package::{
    self, Evaluation, FindingCard, Manifest, SCHEMA_VERSION, Training, Unit, Weights,
};

use super::card;
use crate::data::load_pictures;
use crate::measure::evaluation::{Report, report, score};
use crate::measure::metrics::cases_of;
use crate::measure::metrics::probability::{platt, temperature};
use crate::measure::metrics::threshold::{at_sensitivity, youden};
use crate::measure::parts::Shard;
use crate::measure::score::{Augmented, Package, label_cases, label_scores, network_logits};
use crate::storage::Location;
use crate::train::{RunFolder, load};

/// What to export, and how.
pub struct Settings<'a> {
    pub run: RunFolder,
    /// The package's folder.
    pub out: &'a Location,
    /// The data folder, if it moved since the training.
    pub data: Option<&'a Location>,
    pub operating_point: OperatingPoint,
    pub calibration: CalibrationFit,
    /// Whether to show pictures of the gravest errors.
    pub pictures: bool,
    pub device: Device,
}

/// How logits become probabilities.
#[derive(Clone, Copy)]
pub enum CalibrationFit {
    /// Factor and offset for each finding.
    Platt,
    /// A factor for each finding.
    Temperature,
    /// The sigmoid alone.
    None,
}

/// Where to call a finding.
#[derive(Clone, Copy)]
pub enum OperatingPoint {
    /// The largest sensitivity + specificity.
    Youden,
    /// The highest threshold with a sensitivity of so much.
    Sensitivity(f64),
}

impl std::str::FromStr for OperatingPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("youden", _) => Ok(OperatingPoint::Youden),
            (_, Ok(share)) if share > 0.0 && share <= 1.0 => Ok(OperatingPoint::Sensitivity(share)),
            _ => Err("must be \"youden\" or a sensitivity in 0..1".to_owned()),
        }
    }
}

/// Writes `manifest.json`, `weights.bpk`, `evaluation.json` and `card.md` to `out`.
///
/// Operating points come from the `valid` split, AUCs from the `test` split, both measured on the weights
/// as they are shipped, in half precision. Where there is no `test` split, the figures are of `valid`, and package and card
/// say so.
pub fn export(settings: Settings<'_>) -> Result<Report> {
    let Settings {
        run,
        out,
        data,
        operating_point,
        calibration,
        pictures,
        device,
    } = settings;
    let plan = run.plan()?;
    let state = run.state()?.context("the run has finished no epoch yet")?;
    let best = state.best.context("the run has no best epoch")?;
    let recipe = &plan.recipe;
    let network = Network::new(&recipe.architecture, Finding::ALL.len(), &device)?;
    let network = load(&run.0.join(&best.checkpoint).join("average.bpk"), network)?;
    let weights = package::save(&network)?;

    let mut manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        name: recipe.name.clone(),
        title: recipe.title.clone(),
        architecture: recipe.architecture.clone(),
        input: recipe.input.clone(),
        findings: Finding::ALL
            .into_iter()
            .map(|name| FindingCard::new(name, plan.trained[name.index()]))
            .collect(),
        rules: None,
        training: Training {
            data: recipe.data.description.clone(),
            images: Some(plan.train_images),
            patients: plan.train_patients,
            recipe: format!(
                "{}.json, epoch {} of {}",
                recipe.name, best.epoch, state.epochs_done
            ),
            seed: Some(recipe.seed),
            epochs: Some(best.epoch),
            commit: plan.commit.clone(),
            date: plan.started.clone(),
            taught_with_boxes: plan.taught_with_boxes || recipe.pointing.is_some(),
        },
        evaluation: None,
        licence: recipe.licence.clone(),
        attribution: recipe.attribution.clone(),
        intended_use: recipe.intended_use.clone(),
        limits: recipe.limits.clone(),
        weights: Weights {
            file: card::WEIGHTS.to_owned(),
            bytes: weights.len() as u64,
            sha256: package::sha256(&weights),
            dtype: "f16".to_owned(),
        },
        gate: None,
    };

    // From here on the shipped weights are measured, not the ones of the run.
    let network = package::load(&manifest, &weights, &device)?;
    let root = match data {
        Some(data) => data.clone(),
        None => plan.data.parse()?,
    };
    let splits = recipe.data.splits(&root)?.read_in(manifest.input.levels);
    let mut sets = vec![
        ("train".to_owned(), splits.train.clone()),
        ("valid".to_owned(), splits.valid.clone()),
    ];
    sets.extend(splits.test.clone().map(|test| ("test".to_owned(), test)));
    let mut package = Package::new(manifest.clone(), network, device);
    let (valid, squares) = load_pictures(splits.valid, |image| manifest.input.square(&image))?;
    let input = &manifest.input;
    let logits = label_cases(
        &valid,
        &network_logits(package.inference(), input, &squares, &package.device)?,
    );
    let logits: Vec<_> = logits.iter().collect();
    for card in manifest.findings.iter_mut().filter(|card| card.trained) {
        let cases = cases_of(&logits, card.name.index());
        card.calibration = match calibration {
            CalibrationFit::Platt => platt(&cases),
            CalibrationFit::Temperature => temperature(&cases),
            CalibrationFit::None => None,
        };
    }
    package.manifest = manifest.clone();
    let whole: Vec<_> = squares.into_iter().map(|square| vec![square]).collect();
    let scored = label_scores(&valid, &package.probabilities(&whole)?);
    let scored: Vec<_> = scored.iter().collect();
    for card in &mut manifest.findings {
        let cases = cases_of(&scored, card.name.index());
        card.operating_point = match operating_point {
            OperatingPoint::Youden => youden(&cases),
            OperatingPoint::Sensitivity(share) => at_sensitivity(&cases, share),
        };
    }
    package.manifest = manifest.clone();
    let set = recipe.data.set_name(splits.test.is_some());
    if splits.test.is_none() {
        package.manifest.limits.push(card::UNTESTED.to_owned());
    }
    package.manifest.evaluation = Some(Evaluation {
        set: set.clone(),
        unit: Unit::Image,
    });
    let measured = splits.test.unwrap_or(valid);
    let unselected = recipe.data.unselected.as_deref();
    let scores = score(
        &package,
        measured.clone(),
        Shard::WHOLE,
        Unit::Image,
        &card::parts(unselected),
        set,
        Augmented::NONE,
    )?;
    let report = report(&scores);
    card::record(&mut package.manifest, &report);
    out.create()?;
    let figures = card::Measured {
        scores: &scores,
        report: &report,
        history: &state.history,
        sets: &sets,
        unselected,
        pictures: pictures.then_some(&measured),
    };
    card::write(out, package, Some(weights), &figures)?;
    Ok(report)
}
