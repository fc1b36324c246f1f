//! Training: a recipe and images in, a run's folder out.

mod batches;
mod checkpoint;
mod config;
mod dashboard;
mod loss;
mod plan;
mod pointing;
mod progress;
mod ranges;
mod step;
mod student;

pub use checkpoint::{RunFolder, load};
pub use config::Recipe;
pub use loss::Loss;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use sightline::finding::Finding;
use sightline::network::Network;
use sightline::radiograph::GreyImage;

use crate::data::{
    Blank, Boxes, Dataset, Label, Lessons, Pack, Pictures, Splits, load_pictures, load_squares,
    refuse_same_files, refuse_same_pixels,
};
use crate::history::Epoch;
use crate::import::load_body;
use crate::metrics::{Scored, mean_defined_auc};
use crate::options::DeviceName;
use crate::score::{Package, label_scores, network_logits};
use crate::storage::Location;
use batches::{Batch, Source, seed_of};
use checkpoint::{Best, Plan, State, Weights};
use config::{Keeps, Start};
use progress::{Done, Progress};
use step::{Devices, Precision};
use student::Student;

#[derive(clap::Args)]
pub struct Options {
    /// The recipe, as in trainer/configs.
    #[arg(long)]
    config: PathBuf,
    /// The folder with the recipe's CSV and its images.
    #[arg(long)]
    data: Location,
    /// The run's folder: checkpoints and figures.
    #[arg(long, required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Go on with the run in that folder.
    #[arg(long)]
    resume: bool,
    /// Say what would be done: images, labels, parameters, memory, steps.
    #[arg(long)]
    dry_run: bool,
    /// Keep the decoded training images in this folder instead of in memory; the next run decodes none.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Save also within an epoch, after so many minutes.
    #[arg(long, default_value = "15", value_parser = minutes)]
    save_minutes: Duration,
    /// Stop after so many batches, as Ctrl-C does; --resume goes on.
    #[arg(long)]
    steps: Option<usize>,
    /// flex (the CPU), cuda, cuda:1, wgpu, or several cards that share each batch: cuda:0,1.
    #[arg(long, default_value = "flex")]
    device: DeviceName,
    /// In which numbers convolutions are computed.
    #[arg(long, default_value = "f32")]
    precision: Precision,
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: Option<f64> = text.parse().ok();
    let time = minutes.and_then(|minutes| Duration::try_from_secs_f64(60.0 * minutes).ok());
    time.ok_or("must be a number of minutes, 0 or more".to_owned())
}

/// Trains until the recipe's epochs are done or the validation AUC no longer rises.
///
/// # Errors
/// When files are missing, splits share patients, or the run's folder holds another run.
pub fn run(options: &Options) -> Result<()> {
    let data = &options.data;
    let recipe = Recipe::read(&options.config)?;
    recipe.check()?;
    let splits = recipe.data.splits(data)?;
    refuse_same_files(&splits)?;
    let boxes = recipe.boxes(data, &splits.train)?;
    if options.dry_run {
        let marked = boxes.map_or(0, |(_, marked)| marked);
        return plan::say(&recipe, &splits, marked);
    }
    let out = options.out.as_ref().context("--out is needed")?;
    let run = RunFolder(out.clone());
    if options.resume && !run.is_begun() {
        bail!(
            "{} holds no run to go on with. Is the name right? Without --resume a run begins there",
            out.display()
        );
    }
    // Until this function is left.
    let _lock = run.lock()?;
    let state = match (run.state()?, options.resume) {
        (Some(_), false) => bail!("{} holds a run already; go on with --resume", out.display()),
        (Some(state), true) => {
            let same = run.plan()?.check_recipe(&recipe);
            same.with_context(|| format!("cannot go on with {}", out.display()))?;
            state
        }
        (None, _) => State::default(),
    };

    let Splits {
        train,
        valid,
        test,
        rows_sha256,
    } = splits;
    // Kept a little larger than the input, so that a crop from it is not blurred.
    let side = recipe.input.size * 8 / 7;
    let (train, train_pictures) = match &options.cache {
        Some(folder) => {
            let (train, pack) = Pack::open(folder, train, side)?;
            (train, Pictures::Disk(pack))
        }
        None => {
            let (train, pictures) = load_squares(train, side)?;
            (train, Pictures::Memory(pictures))
        }
    };
    for other in std::iter::once(&valid).chain(&test) {
        refuse_same_pixels(&train, &train_pictures, other, side)?;
    }
    let (valid, valid_pictures) = load_pictures(valid, |image| recipe.input.square(&image))?;
    let lessons = match &recipe.teacher {
        Some(teacher) => Lessons::read(teacher, data, &train)?,
        None => Lessons::default(),
    };
    let plan = Plan {
        rows_sha256,
        lessons_sha256: (lessons.len() > 0).then(|| lessons.sha256()),
        trained: Finding::ALL
            .iter()
            .map(|f| teaches(&recipe, &train, *f))
            .collect(),
        train_images: train.rows.len(),
        train_patients: train.names_patients().then(|| train.patients().len()),
        data: data.to_string(),
        commit: commit(),
        started: humantime::format_rfc3339(std::time::SystemTime::now()).to_string()[..10]
            .to_owned(),
        precision: options.precision,
        devices: options.device.devices()?.len(),
        teacher_sha256: match &recipe.distillation {
            Some(distillation) => Some(distillation.teacher_sha256()?),
            None => None,
        },
        boxes_sha256: boxes.as_ref().map(|(boxes, _)| boxes.sha256.clone()),
        taught_with_boxes: match state.checkpoint {
            None => recipe.taught_with_boxes()?,
            // The packages that it started from may be gone.
            Some(_) => run.plan()?.taught_with_boxes,
        },
        recipe: recipe.clone(),
    };
    if state.checkpoint.is_none() {
        run.write_plan(&plan)?;
    } else {
        run.plan()?.check_same(&plan)?;
    }
    println!(
        "training {} on {} images of {}; validating on {} of {}",
        recipe.name,
        train.rows.len(),
        train.said_patients(),
        valid.rows.len(),
        valid.said_patients()
    );
    if lessons.len() > 0 {
        println!("a teacher knows {} of the training images", lessons.len());
    }
    if let Some((_, marked)) = &boxes {
        println!("radiologists' boxes are on {marked} of the training images");
    }

    let progress = Progress::open(
        recipe.title.clone(),
        options.device.to_string(),
        recipe.epochs,
        &state.history,
    );
    let on_dashboard = progress.is_dashboard();
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    ctrlc::set_handler(move || {
        // The second time it is meant.
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        if !on_dashboard {
            eprintln!("saving after this step; once more to stop at once");
        }
    })?;
    let mut trainer = Trainer {
        devices: Devices::open(
            &options.device,
            options.precision,
            &recipe,
            positive_weights(&recipe, &train),
        )?,
        save_every: options.save_minutes,
        steps_left: options.steps,
        stop,
        run,
        progress,
        state,
    };
    let source = Source {
        recipe: &recipe,
        data: &train,
        pictures: &train_pictures,
        lessons: &lessons,
        boxes: boxes.as_ref().map(|(boxes, _)| boxes),
    };
    let mut weights = trainer.weights(&recipe)?;
    while trainer.wants_more(&recipe) {
        let start = Instant::now();
        let done;
        (weights, done) = trainer.epoch(weights, source)?;
        if !done {
            drop(trainer.progress);
            println!("saved; --resume goes on");
            return Ok(());
        }
        trainer.progress.note("validating");
        let average = &weights.average;
        let scored = trainer.validate(average, &recipe, &valid, &valid_pictures)?;
        trainer.finish_epoch(
            &weights,
            recipe.keeps,
            source.batches(),
            &scored,
            start.elapsed(),
        )?;
        if trainer.stop.load(Ordering::SeqCst) && trainer.wants_more(&recipe) {
            drop(trainer.progress);
            println!("saved; --resume goes on");
            return Ok(());
        }
    }
    drop(trainer.progress);
    let best = trainer.state.best.context("no epoch was run")?;
    println!(
        "done: epoch {} is kept, with a validation AUC of {:.4}",
        best.epoch, best.valid_auc
    );
    Ok(())
}

impl Start {
    /// The weights to begin with.
    fn load(&self, network: Network, recipe: &Recipe, device: &Device) -> Result<Network> {
        let architecture = &recipe.architecture;
        match self {
            Start::File(file) => load_body(network, architecture, file),
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
                        bail!("{place} has other outputs than the 14 findings in their order");
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

impl Recipe {
    /// The boxes to point at, and on how many of the training images there are some; `None` if the recipe has none.
    fn boxes(&self, data: &Location, train: &Dataset) -> Result<Option<(Boxes, usize)>> {
        let Some(pointing) = &self.pointing else {
            return Ok(None);
        };
        let csv = data.join(&pointing.csv.to_string_lossy());
        let boxes = Boxes::read(&csv)?;
        let rows = train.rows.iter();
        let marked = rows.filter(|row| boxes.of_image(&row.path).next().is_some());
        match marked.count() {
            0 => bail!("{csv} has no box on a training image"),
            marked => Ok(Some((boxes, marked))),
        }
    }
}

/// Whether the training images teach a finding: with one kind of label only, nothing can be learned of it but how often it
/// was labelled.
fn teaches(recipe: &Recipe, train: &Dataset, finding: Finding) -> bool {
    let has = |label| {
        let mut rows = train.rows.iter();
        rows.any(|row| row.labels[finding.index()] == label)
    };
    let blank = recipe.labels.blank == Blank::Zeros && has(Label::Unlabelled);
    has(Label::Present) && (has(Label::Absent) || blank)
}

/// What a positive of each finding counts.
fn positive_weights(recipe: &Recipe, train: &Dataset) -> Vec<f32> {
    let weight = |finding: &Finding| {
        let count = |label| {
            let rows = train.rows.iter();
            let labels = rows.filter(|row| row.labels[finding.index()] == label);
            labels.count() as f32
        };
        let mut negatives = count(Label::Absent);
        if recipe.labels.blank == Blank::Zeros {
            negatives += count(Label::Unlabelled);
        }
        (negatives / count(Label::Present).max(1.0)).clamp(1.0, recipe.positive_weight.max(1.0))
    };
    Finding::ALL.iter().map(weight).collect()
}

struct Trainer<'a> {
    run: RunFolder,
    state: State,
    devices: Devices<'a>,
    progress: Progress,
    save_every: Duration,
    steps_left: Option<usize>,
    stop: Arc<AtomicBool>,
}

impl Trainer<'_> {
    fn wants_more(&self, recipe: &Recipe) -> bool {
        let best = self.state.best.as_ref();
        let stale = best.map_or(0, |best| self.state.epochs_done - best.epoch);
        self.state.epochs_done < recipe.epochs && stale < recipe.patience
    }

    /// The weights to go on with: of the last checkpoint, of the pretrained start, or fresh.
    fn weights(&self, recipe: &Recipe) -> Result<Weights> {
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
    fn epoch(&mut self, weights: Weights, source: Source) -> Result<(Weights, bool)> {
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
    fn finish_epoch(
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
    fn validate(
        &self,
        network: &Network,
        recipe: &Recipe,
        data: &Dataset,
        squares: &[GreyImage],
    ) -> Result<Vec<Scored>> {
        let device = self.devices.first().clone().inner();
        let logits = network_logits(network, &recipe.input, squares, &device)?;
        let probability = |logit: &f32| Some(1.0 / (1.0 + (-f64::from(*logit)).exp()));
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
