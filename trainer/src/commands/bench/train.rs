//! `bench train`: how long a training step takes.

use std::time::Instant;

use anyhow::Result;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sightline::finding::Finding;
use sightline::network::{Architecture, Naming, Network};

use crate::device::DeviceName;
use crate::train::Loss;

const SEED: u64 = 1;

#[derive(clap::Args)]
pub struct Options {
    /// The network, as `import` names it: densenet121, efficientnet_lite0, ...
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
    /// AdamW's learning rate.
    #[arg(long, default_value_t = 1e-4)]
    rate: f64,
    /// The device to compute on: flex (the CPU), cuda, cuda:1, or wgpu.
    #[arg(long, default_value = "flex")]
    device: DeviceName,
}

pub fn run(options: &Options) -> Result<()> {
    let device = options.device.device()?.autodiff();
    let architecture = Architecture::named(&options.architecture, 3)?;
    // The same weights and pictures on every device, and nothing else that is drawn: so their losses can be compared.
    let cpu = Device::flex().autodiff();
    cpu.seed(SEED);
    let network = Network::new(&architecture, Finding::ALL.len(), &cpu)?;
    // Burn draws a parameter when it is first looked at.
    network.for_each_value(Naming::Torchvision, |_, _| {});
    let mut network = network.never_drop().fork(&device);
    let mut random = StdRng::seed_from_u64(SEED);
    let mut optimizer = AdamWConfig::new().init();
    let (mut seconds, mut losses) = (Vec::new(), Vec::new());
    for step in 0..=options.steps {
        let (batch, size) = (options.batch, options.size);
        let channels = architecture.in_channels;
        let shape = [batch, channels, size, size];
        let outputs = [batch, Finding::ALL.len()];
        let mut values =
            |count: usize| -> Vec<f32> { (0..count).map(|_| random.random()).collect() };
        let pictures = values(shape.iter().product());
        let labels = values(outputs.iter().product()).into_iter();
        let labels: Vec<f32> = labels.map(|value| f32::from(value < 0.3)).collect();
        let x = Tensor::from_data(TensorData::new(pictures, shape), &device);
        let y = Tensor::from_data(TensorData::new(labels, outputs), &device);
        let start = Instant::now();
        let all = || Tensor::ones(outputs, &device);
        let weight = Tensor::ones([1, Finding::ALL.len()], &device);
        let loss = Loss::Bce.of(network.forward(x), y, all(), weight);
        let value = loss.clone().into_scalar::<f32>();
        let forward = start.elapsed().as_secs_f64();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let backward = start.elapsed().as_secs_f64() - forward;
        network = optimizer.step(options.rate, network, gradients);
        // A graphics card is asked, and computes later.
        device.sync()?;
        losses.push(value);
        eprintln!("step {step}: loss {value:.4}, forward {forward:.3} s, backward {backward:.3} s");
        if step > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    println!(
        "{}",
        serde_json::json!({ "batch": options.batch, "seconds": seconds, "losses": losses })
    );
    Ok(())
}
