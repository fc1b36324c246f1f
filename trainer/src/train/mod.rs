//! Training: a recipe and images in, a run's folder out.

mod checkpoint;
mod config;
mod loss;

pub use checkpoint::{Epoch, Plan, RunFolder, load_network, replace};
pub use config::Recipe;
pub use loss::masked_bce;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use sightline::finding::Finding;
use sightline::network::Network;
use sightline::radiograph::{GreyImage, Resize, resize};

use crate::data::{Dataset, Lessons, Splits, load_pictures};
use crate::import::load_body;
use crate::metrics::mean_defined_auc;
use crate::score::{label_cases, network_logits};
use checkpoint::{State, Weights};

/// Trains until the recipe's epochs are done or the validation AUC no longer rises.
///
/// # Errors
/// When files are missing, splits share patients, or the run's folder holds another run.
pub fn train(
    recipe_path: &Path,
    data: &Path,
    out: &Path,
    resume: bool,
    device: Device,
) -> Result<()> {
    let recipe = Recipe::read(recipe_path)?;
    recipe.input.check()?;
    if recipe.input.resize != Resize::Stretch {
        bail!(
            "training crops from the whole picture; the recipe's input.resize must be \"stretch\""
        );
    }
    let run = RunFolder(out.to_owned());
    let state = match (run.state()?, resume) {
        (Some(_), false) => bail!("{} holds a run already; go on with --resume", out.display()),
        (Some(state), true) => {
            if run.plan()?.recipe != recipe {
                bail!("{} was started with another recipe", out.display());
            }
            state
        }
        (None, _) => State::default(),
    };

    let Splits { train, valid, .. } = recipe.data.splits(data)?;
    // Kept a little larger than the input, so that a crop from it is not blurred.
    let side = recipe.input.size * 8 / 7;
    let (train, train_pictures) = load_pictures(train, |image| resize(&image, side, side))?;
    let (valid, valid_pictures) = load_pictures(valid, |image| recipe.input.square(&image))?;
    // With one kind of label only, nothing can be learned of a finding but how often it was labelled.
    let trained = |finding: &Finding| {
        let has = |label| {
            let labels = train.rows.iter().map(|row| row.labels[finding.index()]);
            labels.into_iter().any(|found| found == Some(label))
        };
        has(1.0) && has(0.0)
    };
    if state.epochs_done == 0 {
        run.write_plan(&Plan {
            trained: Finding::ALL.iter().map(trained).collect(),
            train_images: train.rows.len(),
            train_patients: train.patients().len(),
            data: data.to_owned(),
            commit: commit(),
            started: humantime::format_rfc3339(std::time::SystemTime::now()).to_string()[..10]
                .to_owned(),
            recipe: recipe.clone(),
        })?;
    }
    println!(
        "training {} on {} images of {} patients; validating on {} of {}",
        recipe.name,
        train.rows.len(),
        train.patients().len(),
        valid.rows.len(),
        valid.patients().len()
    );

    let lessons = match &recipe.teacher {
        Some(teacher) => Lessons::read(teacher, data, &train)?,
        None => Lessons::default(),
    };
    if lessons.len() > 0 {
        println!("a teacher knows {} of the training images", lessons.len());
    }
    let mut trainer = Trainer {
        lessons,
        recipe,
        run,
        state,
        device: device.autodiff(),
    };
    let mut weights = trainer.weights()?;
    while trainer.wants_more() {
        let start = Instant::now();
        let train_loss;
        (weights, train_loss) = trainer.epoch(weights, &train, &train_pictures)?;
        let valid_auc = trainer.validate(&weights.average, &valid, &valid_pictures)?;
        let epoch = trainer.state.epochs_done + 1;
        trainer.state.epochs_done = epoch;
        if trainer.state.best.is_none_or(|(_, best)| valid_auc > best) {
            trainer.state.best = Some((epoch, valid_auc));
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "epoch {epoch}: loss {train_loss:.4}, validation AUC {valid_auc:.4}, {seconds:.0} s"
        );
        trainer.state.history.push(Epoch {
            epoch,
            train_loss,
            valid_auc,
            seconds,
        });
        trainer.run.save(&trainer.state, &weights)?;
    }
    let (epoch, best) = trainer.state.best.context("no epoch was run")?;
    println!("done: the best validation AUC is {best:.4}, of epoch {epoch}");
    Ok(())
}

struct Trainer {
    recipe: Recipe,
    lessons: Lessons,
    run: RunFolder,
    state: State,
    device: Device,
}

impl Trainer {
    fn wants_more(&self) -> bool {
        let stale = self
            .state
            .best
            .map_or(0, |(best, _)| self.state.epochs_done - best);
        self.state.epochs_done < self.recipe.epochs && stale < self.recipe.patience
    }

    /// The weights to go on with: of the last epoch, of the pretrained start, or fresh.
    fn weights(&self) -> Result<Weights> {
        self.device.seed(self.recipe.seed);
        let mut network =
            Network::new(&self.recipe.architecture, Finding::ALL.len(), &self.device)?;
        let optimizer = AdamWConfig::new()
            .with_weight_decay(self.recipe.weight_decay)
            .with_epsilon(1e-8)
            .init();
        if self.state.epochs_done == 0
            && let Some(start) = &self.recipe.start
        {
            network = load_body(network, &self.recipe.architecture, &start.file)?;
        }
        let weights = Weights {
            average: network.valid(),
            network,
            optimizer,
        };
        match self.state.epochs_done {
            0 => Ok(weights),
            done => self.run.load(done, weights),
        }
    }

    /// One pass over the training images; returns the mean loss.
    fn epoch(
        &self,
        weights: Weights,
        data: &Dataset,
        pictures: &[GreyImage],
    ) -> Result<(Weights, f64)> {
        let Weights {
            mut network,
            mut average,
            mut optimizer,
        } = weights;
        let recipe = &self.recipe;
        let epoch = self.state.epochs_done;
        // All chance in an epoch comes from the seed and its number, so a resumed run draws the same.
        let seed = recipe
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add(epoch as u64);
        let mut rng = StdRng::seed_from_u64(seed);
        self.device.seed(seed);

        let mut order: Vec<usize> = (0..data.rows.len()).collect();
        order.shuffle(&mut rng);
        // A last batch of a picture or two would spoil the batch statistics: it is left for the next epoch.
        let steps = (order.len() / recipe.batch).max(1);
        let bar = ProgressBar::new(steps as u64).with_style(ProgressStyle::with_template(
            "epoch {prefix} {bar:40} {pos}/{len} {msg} ({eta} left)",
        )?);
        bar.set_prefix(format!("{}", epoch + 1));
        let mut total = 0.0;
        for (step, batch) in order.chunks(recipe.batch).take(steps).enumerate() {
            let (input, targets, mask) = self.batch(batch, data, pictures, &mut rng);
            let loss = loss::masked_bce(network.forward(input), targets, mask);
            let value = loss.clone().into_scalar::<f32>();
            if !value.is_finite() {
                bail!(
                    "the loss is no number at step {step} of epoch {}",
                    epoch + 1
                );
            }
            total += f64::from(value);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            let rate = recipe.learning_rate_at(epoch * steps + step, steps);
            network = optimizer.step(rate, network, gradients);
            let done = (epoch * steps + step) as f64;
            // Early on the average would remember the start for too long.
            let decay = recipe.average_decay.min((1.0 + done) / (10.0 + done));
            average = moving_average(average, &network.valid(), decay);
            bar.set_message(format!("loss {:.4}", total / (step + 1) as f64));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok((
            Weights {
                network,
                average,
                optimizer,
            },
            total / steps as f64,
        ))
    }

    fn batch(
        &self,
        indices: &[usize],
        data: &Dataset,
        pictures: &[GreyImage],
        rng: &mut impl Rng,
    ) -> (Tensor<4>, Tensor<2>, Tensor<2>) {
        let input = &self.recipe.input;
        let mut values = Vec::new();
        let (mut targets, mut masks) = (Vec::new(), Vec::new());
        for &index in indices {
            let changed = self
                .recipe
                .augmentation
                .apply(&pictures[index], input.size, rng);
            values.extend(input.normalise(&changed));
            let row = &data.rows[index];
            let (mut target, mut mask) = self.recipe.labels.targets(row, rng);
            self.lessons.teach(&row.path, &mut target, &mut mask);
            targets.extend(target);
            masks.extend(mask);
        }
        let table = |values: Vec<f32>| {
            Tensor::from_data(
                TensorData::new(values, [indices.len(), Finding::ALL.len()]),
                &self.device,
            )
        };
        (
            input.tensor_of(values, &self.device),
            table(targets),
            table(masks),
        )
    }

    /// The mean AUC over the findings of which the validation images have both kinds.
    fn validate(&self, network: &Network, data: &Dataset, squares: &[GreyImage]) -> Result<f64> {
        let device = self.device.clone().inner();
        let logits = network_logits(network, &self.recipe.input, squares, &device)?;
        let scored = label_cases(data, &logits);
        let scored: Vec<_> = scored.iter().collect();
        mean_defined_auc(&scored, &Finding::ALL.map(Finding::index))
            .context("no finding has both positive and negative validation images")
    }
}

/// `decay * average + (1 - decay) * new`, parameter by parameter.
fn moving_average(average: Network, new: &Network, decay: f64) -> Network {
    struct Collect(GradientsParams);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val());
        }
    }
    struct Blend(GradientsParams, f64);
    impl ModuleMapper for Blend {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let new = self
                .0
                .remove::<D>(param.id)
                .expect("the same network's parameters");
            let decay = self.1;
            param.map(|old| old * decay + new * (1.0 - decay))
        }
    }
    let mut collect = Collect(GradientsParams::new());
    new.visit(&mut collect);
    average.map(&mut Blend(collect.0, decay))
}

/// The commit of the source code, if it is known; marked where files were changed since.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .args(arguments)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    match (
        git(&["rev-parse", "--short=12", "HEAD"]),
        git(&["status", "--porcelain", "--untracked-files=no"]),
    ) {
        (Some(commit), Some(changes)) if changes.is_empty() => commit,
        (Some(commit), _) => format!("{commit} with changes"),
        _ => "unknown".to_owned(),
    }
}
