//! `bench lime`: how many samples LIME needs.

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use sightline::asked::{Asked, Wants};
use sightline::explain::lime::{self, Estimator, Lime, Sampling, rank_correlation};

use super::called::CalledImages;
use crate::measure::asking::ask;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    images: CalledImages,
    /// Independent samples of the reference map.
    #[arg(long, default_value_t = 10_000)]
    reference: usize,
    /// The most samples of plain LIME's maps, which are compared with the reference map.
    #[arg(long, default_value_t = 2000)]
    most: usize,
    /// The most samples of the other maps.
    #[arg(long, default_value_t = 600)]
    most_of_ours: usize,
}

/// Samples between two comparisons.
const COMPARED_EVERY: usize = 10;
/// Rank correlation with the map that is aimed at.
const AIM: f64 = 0.95;

/// LIME's maps as its own code makes them, from samples in orthogonal blocks of pairs, and from an emulator that has learned from
/// those, compared with a map of very many samples.
pub fn run(options: &Options) -> Result<()> {
    let plain = (Sampling::Bernoulli, Estimator::Regression);
    let ways = [
        plain,
        (Sampling::Orthogonal, Estimator::Regression),
        (Sampling::Orthogonal, Estimator::Emulation),
    ];
    // By way and comparison: the correlations of all maps.
    let mut found = ways.map(|_| vec![Vec::new(); options.most / COMPARED_EVERY]);
    let mut maps = 0;
    let images = options.images.each(20, |seed, reader, image, called| {
        maps += called.len();
        let settings = |samples, (sampling, estimator), seed| lime::Options {
            samples,
            until_stable: false,
            sampling,
            estimator,
            seed,
            ..lime::Options::default()
        };
        let reference = settings(options.reference, plain, seed);
        let (input, square) = (&reader.manifest.input, reader.manifest.input.square(image));
        let reference = Lime::new(&square, input, reference);
        let reference = ask(reader, reference, &ProgressBar::hidden())?;
        // Those that draw the same samples have the same pictures: scored once.
        let mut known = Vec::new();
        for (way, found) in ways.into_iter().zip(&mut found) {
            let most = if way == plain {
                options.most
            } else {
                options.most_of_ours
            };
            let mut lime = Lime::new(&square, input, settings(most, way, !seed));
            for (step, found) in found.iter_mut().take(most / COMPARED_EVERY).enumerate() {
                let values = lime.next_batch(COMPARED_EVERY);
                let scored = if way.1 == Estimator::Emulation {
                    std::mem::take(&mut known[step])
                } else {
                    let scored = pollster::block_on(reader.score(values, &Wants::Evidence))?;
                    if way.0 == Sampling::Orthogonal {
                        known.push(scored.clone());
                    }
                    scored
                };
                lime.push(scored);
                let map = lime.outcome().context("no sample was scored")?;
                let pairs = map.findings.iter().zip(&reference.findings);
                let pairs: Vec<_> = pairs.collect();
                found.extend(called.iter().filter_map(|index| {
                    let (ours, aim) = pairs[*index];
                    let (ours, aim) = (ours.as_ref()?, aim.as_ref()?);
                    Some(rank_correlation(&ours.coefficients, &aim.coefficients))
                }));
            }
        }
        Ok(())
    })?;
    let means = found.map(|by_samples| {
        let mean = |all: &Vec<f64>| all.iter().sum::<f64>() / all.len() as f64;
        let measured = by_samples.iter().filter(|all| !all.is_empty());
        measured.map(mean).collect::<Vec<_>>()
    });
    let needed = [0, 1, 2].map(|way| {
        let reached = means[way].iter().position(|mean| *mean >= AIM);
        reached.map(|index| (index + 1) * COMPARED_EVERY)
    });
    println!(
        "{}",
        serde_json::json!({
            "images": images, "maps": maps, "reference": options.reference, "aim": AIM, "every": COMPARED_EVERY,
            "plain": means[0], "orthogonal": means[1], "emulated": means[2],
            "needed": { "plain": needed[0], "orthogonal": needed[1], "emulated": needed[2] },
        })
    );
    Ok(())
}
