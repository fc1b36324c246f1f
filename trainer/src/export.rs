//! `export`: a run's best weights as a package, with what was measured of them.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use sightline::finding::Finding;
use sightline::network::Network;
use sightline::package::{
    self, Evaluation, FindingCard, Manifest, SCHEMA_VERSION, Training, Unit, Weights,
};

use crate::card;
use crate::data::load_pictures;
use crate::evaluate::{self, Report};
use crate::metrics::cases_of;
use crate::metrics::probability::platt;
use crate::metrics::threshold::youden;
use crate::score::{Package, label_cases, label_scores, network_logits};
use crate::train::{RunFolder, load_network, replace};

/// The part of the NIH images that nobody chose by class, reported beside all of them.
pub const UNSELECTED: (&str, &str) = ("Repo", "jrzech/reproduce-chexnet");

/// Writes `manifest.json`, `weights.bpk`, `evaluation.json` and `card.md` to `out`.
///
/// Operating points come from the `valid` split, AUCs from the `test` split, both measured on the weights
/// as they are shipped, in half precision.
pub fn export(run: &Path, data: Option<&Path>, out: &Path, device: Device) -> Result<Report> {
    let run = RunFolder(run.to_owned());
    let plan = run.plan()?;
    let state = run.state()?.context("the run has finished no epoch yet")?;
    let (best, _) = state.best.context("the run has no best epoch")?;
    let recipe = &plan.recipe;
    let network = Network::new(&recipe.architecture, Finding::ALL.len(), &device)?;
    let network = load_network(&run.epoch(best).join("average.bpk"), network)?;
    let weights = package::save(&network)?;

    let mut manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        name: recipe.name.clone(),
        title: recipe.title.clone(),
        architecture: recipe.architecture.clone(),
        input: recipe.input.clone(),
        findings: Finding::ALL
            .into_iter()
            .map(|name| FindingCard {
                name,
                trained: plan.trained[name.index()],
                calibration: None,
                operating_point: None,
                auc: None,
                auc_ci95: None,
                positives: 0,
                negatives: 0,
                localisation: Default::default(),
            })
            .collect(),
        training: Training {
            data: recipe.data.description.clone(),
            images: Some(plan.train_images),
            patients: Some(plan.train_patients),
            recipe: format!(
                "{}.json, epoch {best} of {}",
                recipe.name, state.epochs_done
            ),
            seed: Some(recipe.seed),
            epochs: Some(best),
            commit: plan.commit.clone(),
            date: plan.started.clone(),
        },
        evaluation: Some(Evaluation {
            set: recipe.data.test_name(),
            unit: Unit::Image,
        }),
        licence: recipe.licence.clone(),
        attribution: recipe.attribution.clone(),
        intended_use: recipe.intended_use.clone(),
        limits: recipe.limits.clone(),
        weights: Weights {
            file: "weights.bpk".to_owned(),
            bytes: weights.len() as u64,
            sha256: package::sha256(&weights),
            dtype: "f16".to_owned(),
        },
    };

    // From here on the shipped weights are measured, not the ones of the run.
    let network = package::load(&manifest, &weights, &device)?;
    let root = data.unwrap_or(&plan.data);
    let splits = recipe.data.splits(root)?;
    let mut package = Package {
        manifest: manifest.clone(),
        network,
        device,
    };
    let (valid, squares) = load_pictures(splits.valid, |image| manifest.input.square(&image))?;
    let input = &manifest.input;
    let logits = label_cases(
        &valid,
        &network_logits(&package.network, input, &squares, &package.device)?,
    );
    let logits: Vec<_> = logits.iter().collect();
    for card in manifest.findings.iter_mut().filter(|card| card.trained) {
        card.calibration = platt(&cases_of(&logits, card.name.index()));
    }
    package.manifest = manifest.clone();
    let scored = label_scores(&valid, &package.probabilities(&squares)?);
    let scored: Vec<_> = scored.iter().collect();
    for card in &mut manifest.findings {
        card.operating_point = youden(&cases_of(&scored, card.name.index()));
    }
    package.manifest = manifest.clone();
    let parts = [(UNSELECTED.0.to_owned(), UNSELECTED.1.to_owned())];
    let report = evaluate::evaluate(
        &package,
        splits.test.unwrap_or(valid),
        Unit::Image,
        &parts,
        &manifest
            .evaluation
            .as_ref()
            .map_or(String::new(), |e| e.set.clone()),
    )?;
    for (card, result) in manifest.findings.iter_mut().zip(&report.parts[0].findings) {
        card.positives = result.positives;
        card.negatives = result.negatives;
        card.auc = result.auc.as_ref().map(|auc| auc.value);
        card.auc_ci95 = result.auc.as_ref().map(|auc| auc.ci95);
    }

    std::fs::create_dir_all(out)
        .with_context(|| format!("cannot make the folder {}", out.display()))?;
    replace(&out.join("weights.bpk"), &weights)?;
    replace(
        &out.join("evaluation.json"),
        &serde_json::to_vec_pretty(&report)?,
    )?;
    replace(
        &out.join("card.md"),
        card::markdown(&manifest, &report, &state.history).as_bytes(),
    )?;
    replace(
        &out.join("manifest.json"),
        &serde_json::to_vec_pretty(&manifest)?,
    )?;
    Ok(report)
}
