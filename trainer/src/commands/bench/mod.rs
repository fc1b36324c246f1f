//! `bench`: how fast training is, and whether what is said of maps holds, for `cargo xtask bench`.

mod intervals;
mod verdicts;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Distribution, Tensor};
use indicatif::ProgressBar;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;
use sightline::explain::lime::{self, Estimator, Lime, Sampling, rank_correlation};
use sightline::finding::{Finding, called};
use sightline::network::{Architecture, Network};
use sightline::radiograph::{GreyImage, Input, Resize};
use sightline::reading::Reader;

use crate::data::augment::Augmentation;
use crate::data::{Views, read_square};
use crate::explain::explain_by_lime;
use crate::options::{DeviceName, Images, Model};
use crate::score::Package;
use crate::train::Loss;

#[derive(clap::Subcommand)]
pub enum What {
    /// Training steps (forward, backward, AdamW) on random pictures.
    Train(Steps),
    /// Pictures read, decoded, resized, changed at random and normalised.
    Data(Box<Pictures>),
    /// How many samples LIME needs until its map is the one of very many.
    Lime(Box<Samples>),
    /// How often LIME's 95% intervals hold what very many samples say.
    Intervals(Box<intervals::Options>),
    /// How often maps, random ones too, are said to be what a score rests on.
    Verdicts(Box<verdicts::Options>),
}

#[derive(clap::Args)]
pub struct Steps {
    /// As `import` names them: densenet121, efficientnet_lite0, ...
    #[arg(long)]
    architecture: String,
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Height and width of the pictures.
    #[arg(long, default_value_t = 224)]
    size: usize,
    /// Steps that are timed, after one that is not.
    #[arg(long, default_value_t = 3)]
    steps: usize,
    /// flex (the CPU), cuda, cuda:1, or wgpu.
    #[arg(long, default_value = "flex")]
    device: DeviceName,
}

#[derive(clap::Args)]
pub struct Pictures {
    #[command(flatten)]
    images: Images,
    /// Height and width of the pictures.
    #[arg(long, default_value_t = 224)]
    size: usize,
    /// Pictures that are timed.
    #[arg(long, default_value_t = 1000)]
    count: usize,
}

#[derive(clap::Args)]
pub struct Samples {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    images: Images,
    /// Images that are explained: the first with a finding above its operating point.
    #[arg(long, default_value_t = 20)]
    count: usize,
    /// Samples, drawn independently, of the map that is aimed at.
    #[arg(long, default_value_t = 10_000)]
    reference: usize,
    /// Samples of plain LIME's maps that are compared with it, at most.
    #[arg(long, default_value_t = 2000)]
    most: usize,
    /// Samples of the other maps, at most.
    #[arg(long, default_value_t = 600)]
    most_of_ours: usize,
}

/// Samples between two comparisons.
const COMPARED_EVERY: usize = 10;
/// Rank correlation with the map that is aimed at.
const AIM: f64 = 0.95;

/// Prints what was timed as JSON.
pub fn run(what: &What) -> Result<()> {
    match what {
        What::Train(options) => train(options),
        What::Data(options) => data(options),
        What::Lime(options) => lime(options),
        What::Intervals(options) => intervals::run(options),
        What::Verdicts(options) => verdicts::run(options),
    }
}

fn train(options: &Steps) -> Result<()> {
    let device = options.device.device()?.autodiff();
    let architecture = Architecture::named(&options.architecture, 3)?;
    let mut network = Network::new(&architecture, Finding::ALL.len(), &device)?;
    let mut optimizer = AdamWConfig::new().init();
    let mut seconds = Vec::new();
    for step in 0..=options.steps {
        let (batch, size) = (options.batch, options.size);
        let channels = architecture.in_channels;
        let x = Tensor::random(
            [batch, channels, size, size],
            Distribution::Default,
            &device,
        );
        let outputs = [batch, Finding::ALL.len()];
        let y = Tensor::random(outputs, Distribution::Bernoulli(0.3), &device);
        let start = Instant::now();
        let all = || Tensor::ones(outputs, &device);
        let weight = Tensor::ones([1, Finding::ALL.len()], &device);
        let loss = Loss::Bce.of(network.forward(x), y, all(), weight);
        let value = loss.clone().into_scalar::<f32>();
        let forward = start.elapsed().as_secs_f64();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let backward = start.elapsed().as_secs_f64() - forward;
        network = optimizer.step(1e-4, network, gradients);
        eprintln!("step {step}: loss {value:.4}, forward {forward:.3} s, backward {backward:.3} s");
        if step > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    println!(
        "{}",
        serde_json::json!({ "batch": options.batch, "seconds": seconds })
    );
    Ok(())
}

/// As a training's first epoch does it: the file, decoded, resized to a little more than the input, then what every epoch does
/// with it, a random crop and its like, and normalisation. The second figure is of the latter alone: later epochs.
fn data(options: &Pictures) -> Result<()> {
    let (data, _) = options.images.rows(Views::All, None)?;
    let files: Vec<_> = data
        .rows
        .iter()
        .map(|row| data.file(row))
        .cycle()
        .take(options.count)
        .collect();
    let input = Input {
        size: options.size,
        resize: Resize::Stretch,
        channels: 3,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
    };
    let augmentation = Augmentation {
        rotation: 10.0,
        crop: (0.8, 1.0),
        stretch: 1.1,
        contrast: 1.3,
        brightness: 0.1,
        flip: 0.0,
    };
    let side = options.size * 8 / 7;
    let start = Instant::now();
    let read = files
        .par_iter()
        .map(|file| Ok(read_square(file, side)?.image));
    let pictures = read.collect::<Result<Vec<_>>>()?;
    let decode = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let sum: f32 = pictures
        .par_iter()
        .enumerate()
        .map(|(index, picture)| {
            let mut rng = StdRng::seed_from_u64(index as u64);
            let changed = augmentation.draw(&mut rng).apply(picture, options.size);
            input.normalise(&changed)[0]
        })
        .sum();
    let change = start.elapsed().as_secs_f64();
    println!(
        "{}",
        serde_json::json!({
            "pictures": pictures.len(), "decode_seconds": decode, "change_seconds": change,
            "threads": rayon::current_num_threads(), "checksum": sum,
        })
    );
    Ok(())
}

/// LIME's maps as its own code makes them, from samples in orthogonal blocks of pairs, and from an emulator that has learned from
/// those, compared with a map of very many samples.
fn lime(options: &Samples) -> Result<()> {
    let plain = (Sampling::Bernoulli, Estimator::Regression);
    let ways = [
        plain,
        (Sampling::Orthogonal, Estimator::Regression),
        (Sampling::Orthogonal, Estimator::Emulation),
    ];
    // By way and comparison: the correlations of all maps.
    let mut found = ways.map(|_| vec![Vec::new(); options.most / COMPARED_EVERY]);
    let mut maps = 0;
    let images = called_images(
        &options.model,
        &options.images,
        options.count,
        |seed, reader, image, called| {
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
            let reference = explain_by_lime(reader, image, reference, &ProgressBar::hidden())?;
            // Those that draw the same samples have the same pictures: scored once.
            let mut known = Vec::new();
            for (way, found) in ways.into_iter().zip(&mut found) {
                let most = if way == plain {
                    options.most
                } else {
                    options.most_of_ours
                };
                let input = &reader.manifest.input;
                let mut lime = Lime::new(&input.square(image), input, settings(most, way, !seed));
                for (step, found) in found.iter_mut().take(most / COMPARED_EVERY).enumerate() {
                    let values = lime.next_batch(COMPARED_EVERY);
                    let scored = if way.1 == Estimator::Emulation {
                        std::mem::take(&mut known[step])
                    } else {
                        let scored = pollster::block_on(reader.score(values))?;
                        if way.0 == Sampling::Orthogonal {
                            known.push(scored.clone());
                        }
                        scored
                    };
                    lime.push(scored);
                    let map = lime.explanation().context("no sample was scored")?;
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
        },
    )?;
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

/// Does something with the first images that have a finding above its operating point: the image's number, from 1, and which findings,
/// the highest score first. Gives how many there were.
///
/// # Errors
/// When there is none, or an image cannot be read, or the work fails.
fn called_images(
    model: &Model,
    images: &Images,
    count: usize,
    mut work: impl FnMut(u64, &Reader, &GreyImage, &[usize]) -> Result<()>,
) -> Result<usize> {
    let package = Package::open(&model.model, model.device.device()?)?;
    let reader = Reader::new(package.manifest, package.network, package.device);
    let (data, _) = images.rows(Views::Frontal, model.depth)?;
    let mut found = 0;
    for row in &data.rows {
        if found == count {
            break;
        }
        let image = data.radiograph(row)?.image;
        let probabilities = pollster::block_on(reader.read(&image))?.probabilities;
        let calls = called(&reader.manifest.scores(&probabilities));
        let mut called: Vec<usize> = (0..calls.len()).filter(|index| calls[*index]).collect();
        let score = |finding: usize| probabilities[finding].unwrap_or_default();
        called.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
        if !called.is_empty() {
            found += 1;
            work(found as u64, &reader, &image, &called)?;
            eprintln!("{found} of {count} images");
        }
    }
    if found == 0 {
        bail!("no image has a score above its operating point");
    }
    Ok(found)
}
