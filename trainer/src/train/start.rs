//! The weights that a training begins with.

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use sightline::finding::Finding;
use sightline::network::Network;
use sightline_import::load_body;

use super::config::{Recipe, Start};
use crate::measure::score::Package;
use crate::storage::Location;

impl Start {
    /// The weights to begin with.
    pub fn load(&self, network: Network, recipe: &Recipe, device: &Device) -> Result<Network> {
        let architecture = &recipe.architecture;
        match self {
            Start::File(file) => {
                let bytes = std::fs::read(file);
                let bytes = bytes.with_context(|| format!("cannot open {}", file.display()))?;
                let loaded = load_body(network, architecture, &bytes);
                loaded.with_context(|| file.display().to_string())
            }
            Start::Packages(folders) => {
                let mut parts = Vec::new();
                let mut names = Vec::new();
                for folder in folders {
                    let place = Location::Local(folder.clone());
                    let package = Package::open(&place, device.clone())?;
                    let manifest = &package.manifest;
                    let (theirs, ours) = (&manifest.input, &recipe.input);
                    if (&theirs.mean, &theirs.std) != (&ours.mean, &ours.std) {
                        bail!(
                            "{place} takes pixels with mean {:?} and std {:?}, the recipe with {:?} and {:?}",
                            theirs.mean,
                            theirs.std,
                            ours.mean,
                            ours.std
                        );
                    }
                    if !manifest
                        .findings
                        .iter()
                        .map(|card| card.name)
                        .eq(Finding::ALL)
                    {
                        bail!(
                            "{place} has other outputs than CheXpert's 14 findings in their order"
                        );
                    }
                    names.extend(manifest.architecture.branch_names()?);
                    parts.push(package.network);
                }
                let wanted = architecture.branch_names()?;
                if names != wanted {
                    bail!(
                        "the packages are of {}; the recipe's network is of {}",
                        names.join(" + "),
                        wanted.join(" + ")
                    );
                }
                let network = network.with_parts(parts);
                network.context(
                    "the packages' classifiers cannot be joined: each must be a single linear layer",
                )
            }
        }
    }
}
