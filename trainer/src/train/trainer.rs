//! The loop: batches, steps, epochs, and when to save and to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use sightline::finding::Finding;
use sightline::network::{Inference, Network};
use sightline::package::sigmoid;
use sightline::radiograph::GreyImage;

use super::batches::{Batch, Source, seed_of};
use super::checkpoint::{Best, RunFolder, State, Weights};
use super::config::{Keeps, Recipe};
use super::plan;
use super::progress::{Done, Progress};
use super::step::Devices;
use super::student::Student;
use crate::data::Dataset;
use crate::history::Epoch;
use crate::measure::metrics::{Scored, mean_defined_auc};
use crate::measure::score::{label_scores, network_logits};

/// A training on its way.
pub struct Trainer<'a> {
    pub run: RunFolder,
    pub state: State,
    pub devices: Devices<'a>,
    pub progress: Progress,
    pub save_every: Duration,
    pub steps_left: Option<usize>,
    pub stop: Arc<AtomicBool>,
}

impl Trainer<'_> {
    pub fn wants_more(&self, recipe: &Recipe) -> bool {
        let best = self.state.best.as_ref();
        let stale = best.map_or(0, |best| self.state.epochs_done - best.epoch);
        self.state.epochs_done < recipe.epochs && stale < recipe.patience
    }

    /// The weights to go on with: of the last checkpoint, of the pretrained start, or fresh.
    pub fn weights(&self, recipe: &Recipe) -> Result<Weights> {
        let device = self.devices.first();
        device.seed(recipe.seed);
        let network = Network::new(&recipe.architecture, Finding::ALL.len(), device)?;
        let network = match &recipe.start {
            Some(start) if self.state.checkpoint.is_none() => {
                start.load(network, recipe, device)?
            }
            _ => network,
        };
        let weights = Weights {
            average: network.valid(),
            student: Student::new(network, &recipe.input, self.devices.teacher(), device)?,
            optimizer: recipe.optimizer.init(),
        };
        match &self.state.checkpoint {
            None => Ok(weights),
            Some(checkpoint) => self.run.load(checkpoint, weights),
        }
    }

    /// The rest of an epoch; false if it was stopped (and saved) before its end.
    pub fn epoch(&mut self, weights: Weights, source: Source) -> Result<(Weights, bool)> {
        let epoch = self.state.epochs_done;
        let batches = source.batches();
        self.progress
            .begin(epoch + 1, self.state.steps_done, batches);
        std::thread::scope(|scope| {
            let queue = source.start(scope, epoch, self.state.steps_done);
            let mut weights = weights;
            let mut gradients = GradientsAccumulator::new();
            let mut saved = Instant::now();
            for batch in queue {
                let step = self.state.steps_done;
                let last = step + 1 == batches;
                // Batches whose gradients wait for others are done again after a stop.
                let steps = (step + 1).is_multiple_of(source.recipe.accumulate) || last;
                let pictures = batch.pictures;
                let start = Instant::now();
                let value = self.step(
                    &mut weights,
                    &mut gradients,
                    source.recipe,
                    batch,
                    steps,
                    batches,
                )?;
                self.state.steps_done += 1;
                self.state.loss_sum += value;
                self.progress.batch(&Done {
                    pictures,
                    time: start.elapsed(),
                    batches: self.state.steps_done,
                    loss: self.state.loss_sum / self.state.steps_done as f64,
                    learning_rate: source
                        .recipe
                        .learning_rate_at(epoch * batches + step, batches),
                });
                if let Some(left) = &mut self.steps_left {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        self.stop.store(true, Ordering::SeqCst);
                    }
                }
                let stop = self.stop.load(Ordering::SeqCst);
                if stop {
                    self.progress
                        .note("saving after this step; Ctrl-C once more stops at once");
                }
                if steps && !last && (stop || saved.elapsed() > self.save_every) {
                    let name = format!("epoch-{}-step-{}", epoch + 1, step + 1);
                    self.run.save(&mut self.state, name, &weights)?;
                    saved = Instant::now();
                    if stop {
                        return Ok((weights, false));
                    }
                }
            }
            Ok((weights, true))
        })
    }

    /// One batch, and with `steps` a step of the optimiser; the batch's loss.
    fn step(
        &self,
        weights: &mut Weights,
        gradients: &mut GradientsAccumulator<Student>,
        recipe: &Recipe,
        batch: Batch,
        steps: bool,
        batches: usize,
    ) -> Result<f64> {
        let (epoch, step) = (self.state.epochs_done, self.state.steps_done);
        let seed = seed_of(!recipe.seed, epoch, step);
        let (value, found) = self.devices.gradients(&weights.student, batch, seed)?;
        if !value.is_finite() {
            bail!(
                "the loss is no number at step {step} of epoch {}",
                epoch + 1
            );
        }
        gradients.accumulate(&weights.student, found);
        if steps {
            let rate = recipe.learning_rate_at(epoch * batches + step, batches);
            let student = weights.student.clone();
            weights.student = weights.optimizer.step(rate, student, gradients.grads());
            let done = (epoch * batches + step) as f64 / recipe.accumulate as f64;
            // Early on the average would remember the start for too long.
            let decay = recipe.average_decay.min((1.0 + done) / (10.0 + done));
            let average = weights.average.clone();
            weights.average = moving_average(average, &weights.student.network.valid(), decay);
        }
        Ok(value)
    }

    /// Records an epoch's figures and saves it.
    pub fn finish_epoch(
        &mut self,
        weights: &Weights,
        keeps: Keeps,
        batches: usize,
        scored: &[Scored],
        time: Duration,
    ) -> Result<()> {
        let all: Vec<&Scored> = scored.iter().collect();
        let valid_auc = mean_defined_auc(&all, &Finding::ALL.map(Finding::index))
            .context("no finding has both positive and negative validation images")?;
        let state = &mut self.state;
        let epoch = state.epochs_done + 1;
        let train_loss = state.loss_sum / batches as f64;
        let name = format!("epoch-{epoch}");
        (state.epochs_done, state.steps_done, state.loss_sum) = (epoch, 0, 0.0);
        let better = |best: &Best| keeps == Keeps::Last || valid_auc > best.valid_auc;
        if state.best.as_ref().is_none_or(better) {
            state.best = Some(Best {
                epoch,
                valid_auc,
                checkpoint: name.clone(),
            });
        }
        let done = Epoch {
            epoch,
            train_loss,
            valid_auc,
            seconds: time.as_secs_f64(),
        };
        self.progress.epoch(&done);
        state.history.push(done);
        self.run.save(state, name, weights)?;
        plan::write_figures(&self.run.0, &self.state.history, scored)
    }

    /// The validation images' probabilities beside their labels.
    pub fn validate(
        &self,
        network: &Network,
        recipe: &Recipe,
        data: &Dataset,
        squares: &[GreyImage],
    ) -> Result<Vec<Scored>> {
        let device = self.devices.first().clone().inner();
        let network = Inference::new(network.clone(), &recipe.architecture, &device);
        let logits = network_logits(&network, &recipe.input, squares, &device)?;
        let probability = |logit: &f32| Some(sigmoid(f64::from(*logit)));
        let rows = logits
            .iter()
            .map(|row| row.iter().map(probability).collect());
        Ok(label_scores(data, &rows.collect::<Vec<_>>()))
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
