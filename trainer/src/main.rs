//! The command line of Sightline: trains, evaluates, predicts and explains models, imports and exports them.

mod bench;
mod card;
mod data;
mod evaluate;
mod explain;
mod export;
#[cfg(test)]
mod golden;
mod import;
mod localize;
mod metrics;
mod predict;
mod score;
mod train;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use clap::{Parser, Subcommand, ValueEnum};
use sightline::explain::lime;
use sightline::finding::Finding;
use sightline::package::Unit;
use sightline::reading::Reader;

use data::Dataset;
use score::Package;

#[derive(Parser)]
#[command(name = "sightline-trainer", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a network by a recipe.
    Train {
        /// The recipe, as in trainer/configs.
        #[arg(long)]
        config: PathBuf,
        /// The folder with the recipe's CSV and its images.
        #[arg(long)]
        data: PathBuf,
        /// The run's folder: checkpoints and figures.
        #[arg(long)]
        out: PathBuf,
        /// Go on with the run in that folder.
        #[arg(long)]
        resume: bool,
        #[arg(long, default_value = "flex")]
        device: DeviceName,
    },
    /// Measure a package: AUC with 95% intervals by patient.
    Evaluate {
        /// The package's folder.
        #[arg(long)]
        model: PathBuf,
        /// Labels in CheXpert's format.
        #[arg(long)]
        csv: PathBuf,
        /// Where the CSV's paths begin; the CSV's own folder if not given.
        #[arg(long)]
        root: Option<PathBuf>,
        /// Only rows whose Split column says this.
        #[arg(long)]
        split: Option<String>,
        #[arg(long, default_value = "image")]
        unit: UnitName,
        /// Also report the part of the rows with COLUMN=VALUE; may be repeated.
        #[arg(long = "part", value_parser = column_and_value, default_value = "Repo=jrzech/reproduce-chexnet")]
        parts: Vec<(String, String)>,
        /// Write the figures here too.
        #[arg(long)]
        json: Option<PathBuf>,
        #[arg(long, default_value = "flex")]
        device: DeviceName,
    },
    /// Write the probabilities of every image of a CSV.
    Predict {
        #[arg(long)]
        model: PathBuf,
        #[arg(long)]
        csv: PathBuf,
        #[arg(long)]
        root: Option<PathBuf>,
        /// Only rows whose Split column says this.
        #[arg(long)]
        split: Option<String>,
        #[arg(long)]
        out: PathBuf,
        #[arg(long, default_value = "flex")]
        device: DeviceName,
    },
    /// Show where in an image the evidence for a finding is.
    Explain {
        #[arg(long)]
        model: PathBuf,
        #[arg(long, default_value = "grad-cam")]
        method: Method,
        /// Of LIME: pictures to score, at most; it stops when the maps no longer change.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(usize))]
        samples: usize,
        /// Of LIME's samples.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// One of the 14, for example "Pleural Effusion".
        #[arg(long)]
        finding: String,
        image: PathBuf,
        /// The picture with the map on it, as PNG.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The reading's report.
        #[arg(long)]
        json: Option<PathBuf>,
        #[arg(long, default_value = "flex")]
        device: DeviceName,
    },
    /// Measure whether a package's maps point at what radiologists marked.
    Localize {
        #[arg(long)]
        model: PathBuf,
        #[arg(long)]
        csv: PathBuf,
        #[arg(long)]
        root: Option<PathBuf>,
        /// Only rows whose Split column says this.
        #[arg(long)]
        split: Option<String>,
        /// Path, Class, X, Y, W, H, the last four as shares of the picture.
        #[arg(long, required_unless_present = "masks", conflicts_with = "masks")]
        boxes: Option<PathBuf>,
        /// Instead: Path, Mask, Class, SourceClass; masks are under the same root as the images.
        #[arg(long)]
        masks: Option<PathBuf>,
        #[arg(long, default_value = "grad-cam")]
        method: Judged,
        /// Of LIME: pictures to score for each image, at most.
        #[arg(long, default_value_t = 1000)]
        samples: usize,
        /// Of LIME's samples.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Write the figures here too.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Write the figures into the package, for the page to show.
        #[arg(long)]
        record: bool,
        #[arg(long, default_value = "flex")]
        device: DeviceName,
    },
    /// Time training steps.
    #[command(hide = true)]
    Bench(bench::Options),
    /// Make a package of weights that another tool trained.
    Import(import::Options),
    /// Make a package of a run's best weights, measured on its data.
    Export {
        /// The run's folder.
        #[arg(long)]
        checkpoint: PathBuf,
        /// The package's folder.
        #[arg(long)]
        out: PathBuf,
        /// The data folder, if it moved since the training.
        #[arg(long)]
        data: Option<PathBuf>,
        #[arg(long, default_value = "flex")]
        device: DeviceName,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum DeviceName {
    /// The CPU.
    Flex,
    /// An NVIDIA card; needs a build with `--features cuda`.
    Cuda,
    /// Any graphics card; needs a build with `--features wgpu`.
    Wgpu,
}

impl DeviceName {
    fn device(self) -> Result<Device> {
        match self {
            DeviceName::Flex => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            DeviceName::Cuda => Ok(Device::cuda(0)),
            #[cfg(not(feature = "cuda"))]
            DeviceName::Cuda => bail!("this build has no CUDA; build it with --features cuda"),
            #[cfg(feature = "wgpu")]
            DeviceName::Wgpu => Ok(Device::wgpu(Default::default())),
            #[cfg(not(feature = "wgpu"))]
            DeviceName::Wgpu => bail!("this build has no wgpu; build it with --features wgpu"),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum UnitName {
    Image,
    Study,
}

#[derive(Clone, Copy, ValueEnum)]
enum Method {
    GradCam,
    Lime,
}

#[derive(Clone, Copy, ValueEnum)]
enum Judged {
    GradCam,
    Lime,
    /// A Gaussian in the middle of every picture: what a map must beat.
    #[value(alias = "centre")]
    Center,
    /// A map drawn at random for every picture.
    Random,
}

fn column_and_value(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("must be COLUMN=VALUE")?;
    Ok((column.to_owned(), value.to_owned()))
}

fn dataset(csv: &Path, root: Option<&Path>, split: Option<&str>) -> Result<Dataset> {
    let data = Dataset::read(csv, root)?;
    data.select(&data::Selection {
        views: data::Views::Frontal,
        split: split.map(str::to_owned),
    })
}

/// A training step takes and gives back gigabytes in blocks of many megabytes. glibc asks the kernel for each of them
/// anew, page by page: a quarter of a step's time. Let it keep them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    // SAFETY: called before any other thread is started; it only sets numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_memory() {}

fn main() -> Result<()> {
    keep_memory();
    match Cli::parse().command {
        Command::Train {
            config,
            data,
            out,
            resume,
            device,
        } => train::train(&config, &data, &out, resume, device.device()?),
        Command::Evaluate {
            model,
            csv,
            root,
            split,
            unit,
            parts,
            json,
            device,
        } => {
            let package = Package::open(&model, device.device()?)?;
            let data = dataset(&csv, root.as_deref(), split.as_deref())?;
            let unit = match unit {
                UnitName::Image => Unit::Image,
                UnitName::Study => Unit::Study,
            };
            let report = evaluate::evaluate(
                &package,
                data,
                unit,
                &parts,
                &csv.file_name().unwrap_or_default().to_string_lossy(),
            )?;
            for part in &report.parts {
                println!("{}", part.table(unit));
            }
            if let Some(json) = json {
                std::fs::write(&json, serde_json::to_vec_pretty(&report)?)
                    .with_context(|| format!("cannot write {}", json.display()))?;
            }
            Ok(())
        }
        Command::Predict {
            model,
            csv,
            root,
            split,
            out,
            device,
        } => {
            let package = Package::open(&model, device.device()?)?;
            let data = dataset(&csv, root.as_deref(), split.as_deref())?;
            let rows = predict::predict(&package, data, &out)?;
            println!("{rows} images scored");
            Ok(())
        }
        Command::Explain {
            model,
            method,
            samples,
            seed,
            finding,
            image,
            out,
            json,
            device,
        } => {
            let Some(finding) = Finding::from_name(&finding) else {
                let names: Vec<&str> = Finding::ALL.iter().map(|f| f.name()).collect();
                bail!(
                    "there is no finding {finding:?}; there are {}",
                    names.join(", ")
                );
            };
            let package = Package::open(&model, device.device()?)?;
            let lime = matches!(method, Method::Lime).then(|| lime::Options {
                samples,
                seed,
                ..lime::Options::default()
            });
            explain::explain(
                package,
                finding,
                &image,
                lime,
                out.as_deref(),
                json.as_deref(),
            )
        }
        Command::Localize {
            model,
            csv,
            root,
            split,
            boxes,
            masks,
            method,
            samples,
            seed,
            json,
            record,
            device,
        } => {
            let method = match method {
                Judged::GradCam => localize::Method::GradCam,
                Judged::Lime => localize::Method::Lime(lime::Options {
                    samples,
                    seed,
                    ..lime::Options::default()
                }),
                Judged::Center => localize::Method::Centre,
                Judged::Random => localize::Method::Random,
            };
            let package = Package::open(&model, device.device()?)?;
            let mut manifest = package.manifest.clone();
            let reader = Reader::new(package.manifest, package.network, package.device);
            let data = dataset(&csv, root.as_deref(), split.as_deref())?;
            let marks = boxes.map(localize::MarksFile::Boxes);
            let marks = marks.or(masks.map(localize::MarksFile::Masks));
            let marks = marks.context("--boxes or --masks is needed")?;
            let report = localize::localize(&reader, data, &csv, &marks, &method)?;
            print!("{}", report.table());
            if let Some(json) = json {
                std::fs::write(&json, serde_json::to_vec_pretty(&report)?)
                    .with_context(|| format!("cannot write {}", json.display()))?;
            }
            if record {
                for card in &mut manifest.findings {
                    if let Some(measured) = report.localisation(card.name) {
                        card.localisation.insert(report.method.clone(), measured);
                    }
                }
                let json = serde_json::to_vec_pretty(&manifest)?;
                train::replace(&model.join("manifest.json"), &json)?;
                let path = model.join("card.md");
                let card = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot open {}", path.display()))?;
                let card = card::with_localisation(&card, &manifest);
                train::replace(&path, card.as_bytes())?;
            }
            Ok(())
        }
        Command::Bench(options) => bench::run(&options, Device::flex()),
        Command::Import(options) => import::import(options, &Device::flex()),
        Command::Export {
            checkpoint,
            out,
            data,
            device,
        } => {
            let report = export::export(&checkpoint, data.as_deref(), &out, device.device()?)?;
            for part in &report.parts {
                println!("{}", part.table(report.unit));
            }
            println!("written to {}", out.display());
            Ok(())
        }
    }
}
