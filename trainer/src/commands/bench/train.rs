//! `bench train`: how long a training step takes.

use std::time::Instant;

use anyhow::Result;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Distribution, Tensor};
use sightline::finding::Finding;
use sightline::network::{Architecture, Network};

use crate::device::DeviceName;
use crate::train::Loss;

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
    /// The device to compute on: flex (the CPU), cuda, cuda:1, or wgpu.
    #[arg(long, default_value = "flex")]
    device: DeviceName,
}

pub fn run(options: &Options) -> Result<()> {
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
