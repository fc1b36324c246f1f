//! A run: everything that a training needs is opened and checked, and epochs are trained until there are enough.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sightline::finding::Finding;

use super::balance::{positive_weights, teaches};
use super::batches::Source;
use super::checkpoint::{Plan, RunFolder, State};
use super::config::Recipe;
use super::plan;
use super::progress::Progress;
use super::soft_labels::SoftTargets;
use super::step::{Devices, Precision};
use super::trainer::Trainer;
use crate::data::{
    Boxes, Dataset, Pack, Pictures, Splits, boxes, load_pictures, load_squares, refuse_same_files,
    refuse_same_pixels,
};
use crate::device::DeviceName;
use crate::storage::Location;

/// What to train, on what, and how it is kept.
pub struct Settings {
    pub recipe: Recipe,
    /// The folder with the recipe's CSV and its images.
    pub data: Location,
    /// The run's folder.
    pub out: PathBuf,
    /// Go on with the run in that folder.
    pub resume: bool,
    /// Where decoded training images are kept; in memory if nowhere.
    pub cache: Option<PathBuf>,
    /// Between two saves within an epoch.
    pub save_every: Duration,
    /// Stop after so many batches.
    pub steps: Option<usize>,
    pub device: DeviceName,
    pub precision: Precision,
}

/// Says what a training would do: images, labels, parameters, memory, steps.
///
/// # Errors
/// When files are missing, or splits share patients.
pub fn dry_run(recipe: &Recipe, data: &Location) -> Result<()> {
    let splits = recipe.data.splits(data)?;
    refuse_same_files(&splits)?;
    let boxes = recipe.boxes(data, &splits.train)?;
    let marked = boxes.map_or(0, |(_, marked)| marked);
    plan::say(recipe, &splits, marked)
}

/// Trains until the recipe's epochs are done or the validation AUC no longer rises.
///
/// # Errors
/// When files are missing, splits share patients, or the run's folder holds another run.
pub fn run(settings: &Settings) -> Result<()> {
    let Settings {
        recipe, data, out, ..
    } = settings;
    let splits = recipe.data.splits(data)?;
    refuse_same_files(&splits)?;
    let boxes = recipe.boxes(data, &splits.train)?;
    let run = RunFolder(out.clone());
    if settings.resume && !run.is_begun() {
        bail!(
            "{} holds no run to go on with. Is the name right? Without --resume a run begins there",
            out.display()
        );
    }
    // Until this function is left.
    let _lock = run.lock()?;
    let state = match (run.state()?, settings.resume) {
        (Some(_), false) => bail!("{} holds a run already; go on with --resume", out.display()),
        (Some(state), true) => {
            let same = run.plan()?.check_recipe(recipe);
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
    } = splits.read_in(recipe.input.levels);
    // Kept a little larger than the input, so that a crop from it is not blurred.
    let side = recipe.input.size * 8 / 7;
    let (train, train_pictures) = match &settings.cache {
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
    let soft_labels = match &recipe.teacher {
        Some(teacher) => SoftTargets::read(teacher, data, &train)?,
        None => SoftTargets::default(),
    };
    let plan = Plan {
        rows_sha256,
        soft_labels_sha256: (soft_labels.len() > 0).then(|| soft_labels.sha256()),
        trained: Finding::ALL
            .iter()
            .map(|f| teaches(recipe, &train, *f))
            .collect(),
        train_images: train.rows.len(),
        train_patients: train.names_patients().then(|| train.patients().len()),
        data: data.to_string(),
        commit: commit(),
        started: humantime::format_rfc3339(std::time::SystemTime::now()).to_string()[..10]
            .to_owned(),
        precision: settings.precision,
        devices: settings.device.devices()?.len(),
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
    if soft_labels.len() > 0 {
        println!(
            "soft labels are known of {} of the training images",
            soft_labels.len()
        );
    }
    if let Some((_, marked)) = &boxes {
        println!("radiologists' boxes are on {marked} of the training images");
    }

    let progress = Progress::open(
        recipe.title.clone(),
        settings.device.to_string(),
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
            &settings.device,
            settings.precision,
            recipe,
            positive_weights(recipe, &train),
        )?,
        save_every: settings.save_every,
        steps_left: settings.steps,
        stop,
        run,
        progress,
        state,
    };
    let source = Source {
        recipe,
        data: &train,
        pictures: &train_pictures,
        soft_labels: &soft_labels,
        boxes: boxes.as_ref().map(|(boxes, _)| boxes),
    };
    let mut weights = trainer.weights(recipe)?;
    while trainer.wants_more(recipe) {
        let start = Instant::now();
        let done;
        (weights, done) = trainer.epoch(weights, source)?;
        if !done {
            drop(trainer.progress);
            println!("saved; --resume continues");
            return Ok(());
        }
        trainer.progress.note("validating");
        let average = &weights.average;
        let scored = trainer.validate(average, recipe, &valid, &valid_pictures)?;
        trainer.finish_epoch(
            &weights,
            recipe.keeps,
            source.batches(),
            &scored,
            start.elapsed(),
        )?;
        if trainer.stop.load(Ordering::SeqCst) && trainer.wants_more(recipe) {
            drop(trainer.progress);
            println!("saved; --resume continues");
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

impl Recipe {
    /// The boxes to point at, and on how many of the training images there are some; `None` if the recipe has none.
    fn boxes(&self, data: &Location, train: &Dataset) -> Result<Option<(Boxes, usize)>> {
        let Some(pointing) = &self.pointing else {
            return Ok(None);
        };
        let csv = data.join(&pointing.csv.to_string_lossy());
        let boxes = boxes(&csv, &Finding::ALL)?;
        let rows = train.rows.iter();
        let marked = rows.filter(|row| boxes.of_image(&row.path).next().is_some());
        match marked.count() {
            0 => bail!("{csv} has no box on a training image"),
            marked => Ok(Some((boxes, marked))),
        }
    }
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
