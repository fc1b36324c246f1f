//! `import`: weights of other tools as a package that the page opens.

use std::path::PathBuf;

use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::builder::TypedValueParser;
use sightline::package::about;
use sightline::radiograph::Resize;
use sightline_import::{ImportError, Imported, Settings, Source, import_parts};

use super::values::{one_of, resize};
use crate::data::weights;
use crate::storage::{Location, write_together};

/// What the command line says of the weights.
#[derive(clap::Args)]
pub struct Options {
    /// Which tool's conventions the weights follow (by default what the file looks like, which the command says).
    #[arg(long = "from", value_parser = sources())]
    source: Option<Source>,
    /// The file of the weights: .pth, .pt, .ckpt, .onnx, .safetensors, or the index of several (.safetensors.index.json).
    file: PathBuf,
    /// The network: torchvision's name (densenet121, efficientnet_b0, vgg19_bn, mnasnet1_0), efficientnet_lite0 to _lite2,
    /// combined (the origin's six), or names joined by + (by default the one whose tensors are in the file).
    #[arg(long)]
    architecture: Option<String>,
    /// How the names of the wanted weights begin in the file, where it has several copies of them, as "state_dict_ema.".
    #[arg(long)]
    prefix: Option<String>,
    /// The package's folder.
    #[arg(long)]
    out: PathBuf,
    /// What each output stands for: any names in the order of the outputs, separated by commas, with - for an output to leave out;
    /// or the name of an order: "chexpert" (14, No Finding first), "chestx-ray14" (14, Atelectasis first, as CheXNet has it),
    /// "torchxrayvision" (18) or "vindr" (28). Not needed for mlmip, chexnet and torchxrayvision, nor where the file has the labels: all
    /// outputs are kept under their own names. There, "chexpert" makes CheXpert's observations of them, and leaves out the others.
    #[arg(long, value_delimiter = ',')]
    findings: Option<Vec<String>>,
    /// Height and width of the network's input in pixels.
    #[arg(long)]
    size: Option<usize>,
    /// How a picture becomes square: "stretch", or the length to which its shorter side is resized before the middle is cropped.
    #[arg(long, value_parser = resize)]
    resize: Option<Resize>,
    /// The mean to subtract from pixels (0 to 1): one value, or one per channel.
    #[arg(long, value_delimiter = ',')]
    mean: Option<Vec<f32>>,
    /// The standard deviation to divide by: one value, or one per channel.
    #[arg(long, value_delimiter = ',')]
    std: Option<Vec<f32>>,
    /// The title that the page shows (by default the folder's name).
    #[arg(long)]
    title: Option<String>,
    /// The licence of the weights, as the page shows it.
    #[arg(long, default_value = "Not stated; ask whoever made the weights.")]
    licence: String,
    /// Who made the weights, as the page shows it.
    #[arg(long, default_value = "Not stated.")]
    attribution: String,
}

/// The tools' names and descriptions, for `--help`.
fn sources() -> impl TypedValueParser<Value = Source> {
    one_of(&Source::ALL, Source::name, Source::about)
}

/// Writes a package of the weights and says what was and was not found in the file.
///
/// # Errors
/// When the file cannot be read, a tensor is missing or of another shape, or it is not known what the outputs or
/// the pixels mean.
pub fn run(options: &Options) -> Result<()> {
    let name = options.out.file_name().and_then(|name| name.to_str());
    let name = name
        .context("--out must end in the package's name")?
        .to_owned();
    let now = humantime::format_rfc3339(std::time::SystemTime::now()).to_string();
    let settings = Settings {
        source: options.source,
        architecture: options.architecture.clone(),
        prefix: options.prefix.clone(),
        title: options.title.clone().unwrap_or_else(|| name.clone()),
        name: name.clone(),
        findings: options.findings.clone(),
        size: options.size,
        resize: options.resize,
        mean: options.mean.clone(),
        std: options.std.clone(),
        licence: options.licence.clone(),
        attribution: options.attribution.clone(),
        date: now[..10].to_owned(),
    };
    let file = options.file.display().to_string();
    let files = weights::read(&options.file)?;
    let files: Vec<_> = files.iter().map(|(n, b)| (&**n, &**b)).collect();
    let imported = import_parts(&files, &settings, &Device::flex(), |line| {
        println!("{line}");
    });
    let imported = imported.map_err(|error| match error {
        ImportError::Container(_) => {
            anyhow::Error::from(error).context(format!("cannot read the weights {file}"))
        }
        error => error.into(),
    })?;
    let Imported { manifest, weights } = imported;
    let out = Location::from(options.out.as_path());
    out.create()?;
    let files = [
        ("weights.bpk", weights),
        ("card.md", about(&manifest).into_bytes()),
        ("manifest.json", serde_json::to_vec_pretty(&manifest)?),
    ];
    write_together(&out, &files)?;
    println!(
        "written to {}; the page offers it once models/index.json beside it lists {{\"name\": \"{name}\"}}",
        options.out.display()
    );
    Ok(())
}
