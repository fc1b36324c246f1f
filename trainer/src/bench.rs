//! `bench`: how fast training is, for `cargo xtask bench` to set beside its peers.

use std::time::Instant;

use anyhow::Result;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;
use sightline::finding::Finding;
use sightline::network::{Architecture, Network};
use sightline::radiograph::{Input, Resize};

use crate::data::augment::Augmentation;
use crate::data::{Views, read_square};
use crate::options::Images;
use crate::train::Loss;

#[derive(clap::Subcommand)]
pub enum What {
    /// Training steps (forward, backward, AdamW) on random pictures.
    Train(Steps),
    /// Pictures read, decoded, resized, changed at random and normalised.
    Data(Pictures),
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

/// Prints what was timed as JSON.
pub fn run(what: &What, device: Device) -> Result<()> {
    match what {
        What::Train(options) => train(options, device),
        What::Data(options) => data(options),
    }
}

fn train(options: &Steps, device: Device) -> Result<()> {
    let device = device.autodiff();
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
    let (data, _) = options.images.rows(Views::All)?;
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
    let read = files.par_iter().map(|file| read_square(file, side));
    let pictures = read.collect::<Result<Vec<_>>>()?;
    let decode = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let sum: f32 = pictures
        .par_iter()
        .enumerate()
        .map(|(index, picture)| {
            let mut rng = StdRng::seed_from_u64(index as u64);
            let changed = augmentation.apply(picture, options.size, &mut rng);
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
