//! `bench`: how fast training is, for `cargo xtask bench` to set beside its peers.

use std::time::Instant;

use anyhow::Result;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use sightline::finding::Finding;
use sightline::network::{Architecture, Network};

use crate::train::masked_bce;

#[derive(clap::Args)]
pub struct Options {
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

/// Training steps (forward, backward, AdamW) on random pictures; prints the seconds of each as JSON.
pub fn run(options: &Options, device: Device) -> Result<()> {
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
        let loss = masked_bce(network.forward(x), y, Tensor::ones(outputs, &device));
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
