//! `explain`: pictures with a map on them, and the readings' reports.

mod names;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::builder::TypedValueParser;
use indicatif::{ProgressBar, ProgressStyle};
use sightline::explain::colormap::Colormap;
use sightline::explain::method::{Method, Settings};
use sightline::explain::overlay::overlay;
use sightline::finding::Finding;
use sightline::package::sha256;
use sightline::radiograph::{self, LATERAL, Radiograph, is_lateral};
use sightline::reader::Reader;
use sightline::report::{Report, Timings};

use super::options::{Images, LimeOptions, Model, one_of};
use crate::data::{Views, said};
use crate::measure::asking::ask;
use crate::measure::replay;
use crate::measure::score::Package;
use crate::storage::Location;

/// How much of the colour covers the picture where the map is at its highest.
const OPACITY: f32 = 0.6;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: Model,
    /// How the map is made.
    #[arg(long, default_value = "grad-cam", value_parser = methods())]
    method: Method,
    #[command(flatten)]
    lime: LimeOptions,
    /// The finding to explain, for example "Pleural Effusion" (by default the one with the highest score).
    #[arg(long, value_parser = finding)]
    finding: Option<Finding>,
    /// The images to explain; or use --csv.
    #[arg(required_unless_present = "csv", conflicts_with = "csv")]
    image: Vec<Location>,
    #[command(flatten)]
    images: Option<Images>,
    /// Repeat the reading of this report and compare. Scores and maps may differ by 1e-3 of their size.
    #[arg(long, conflicts_with_all = ["csv", "finding", "json"])]
    replay: Option<Location>,
    /// Write the picture with the map on it to this PNG file; for several images, to this folder.
    #[arg(long)]
    out: Option<Location>,
    /// Write the report to this JSON file; for several images, to this folder.
    #[arg(long)]
    json: Option<Location>,
}

/// The methods by their names, for `--help`.
fn methods() -> impl TypedValueParser<Value = Method> {
    one_of(Method::ALL, Method::name, Method::title)
}

fn finding(name: &str) -> Result<Finding, String> {
    Finding::from_name(name).ok_or_else(|| {
        let names = Finding::ALL.map(Finding::name).join(", ");
        format!("there is no finding {name:?}; there are {names}")
    })
}

/// Explains one finding of each image, by one of the methods.
pub fn run(options: &Options) -> Result<()> {
    let package = Package::open(&options.model.model, options.model.device.device()?)?;
    if let Some(finding) = options.finding
        && package.manifest.trained_output(finding).is_none()
    {
        bail!(
            "{} was not trained on {finding}: there is nothing to explain",
            package.manifest.name
        );
    }
    let reader = Reader::new(package.manifest, package.network, package.device);
    if let Some(report) = &options.replay {
        let [image] = options.image.as_slice() else {
            bail!("a report is of one image");
        };
        let replayed = replay::replay(&reader, &report.read()?, &image.read()?);
        replayed.with_context(|| format!("{report} and {image}"))?;
        println!(
            "the report can be repeated: it is within {:.0e} of what comes out now",
            replay::TOLERANCE
        );
        return Ok(());
    }
    if let ([image], None) = (options.image.as_slice(), &options.images) {
        return explain(
            &reader,
            image,
            options,
            options.out.as_ref(),
            options.json.as_ref(),
        );
    }
    let (paths, images): (Vec<String>, Vec<Location>) = match &options.images {
        Some(images) => {
            let (data, _) = images.rows(Views::Frontal, options.model.depth)?;
            let rows = data.rows.iter();
            rows.map(|row| (row.path.clone(), data.file(row))).unzip()
        }
        None => {
            let paths: Vec<String> = options.image.iter().map(Location::to_string).collect();
            (names::without_shared_folders(&paths), options.image.clone())
        }
    };
    for folder in [&options.out, &options.json].into_iter().flatten() {
        folder.create()?;
    }
    let mut unreadable = 0;
    for (name, image) in names::names(&paths).iter().zip(&images) {
        let file = |folder: &Option<Location>, ending: &str| {
            let file = format!("{name}.{ending}");
            folder.as_ref().map(|folder| folder.join(&file))
        };
        let (out, json) = (file(&options.out, "png"), file(&options.json, "json"));
        print!("{name}: ");
        if let Err(error) = explain(&reader, image, options, out.as_ref(), json.as_ref()) {
            unreadable += 1;
            eprintln!("left out: {error:#}");
        }
    }
    if unreadable > 0 {
        eprintln!("{unreadable} of {} images are left out", images.len());
    }
    if unreadable == images.len() {
        bail!("no image could be explained");
    }
    Ok(())
}

fn explain(
    reader: &Reader,
    image: &Location,
    options: &Options,
    out: Option<&Location>,
    json: Option<&Location>,
) -> Result<()> {
    let bytes = image.read()?;
    let start = Instant::now();
    let decoding = radiograph::Options {
        depth: options.model.depth,
        ..radiograph::Options::default()
    };
    let radiograph = Radiograph::decode_with(&bytes, decoding);
    let radiograph = radiograph.with_context(|| image.to_string())?;
    for notice in &radiograph.notices {
        eprintln!("{}: {}", image.name(), said(notice));
    }
    if is_lateral(&image.name()) == Some(true) {
        eprintln!("{}: {LATERAL}", image.name());
    }
    let decode = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let view = reader.view(&radiograph.image);
    let reading = pollster::block_on(reader.read(&view))?;
    let read = start.elapsed().as_secs_f64() * 1e3;
    let cards = &reader.manifest.findings;
    let scored = reading.probabilities.iter().enumerate();
    let scored = scored.filter_map(|(output, p)| Some((output, (*p)?)));
    let chosen = match options.finding {
        Some(finding) => scored
            .into_iter()
            .find(|(output, _)| cards[*output].name == finding),
        None => scored.max_by(|a, b| a.1.total_cmp(&b.1)),
    };
    let (output, probability) = chosen.context("the package has no trained finding")?;
    println!("{}: {probability:.3}", cards[output].name);
    let settings = Settings {
        lime: options.lime.options(),
        ..Settings::default()
    };
    let explanation = match settings.asking(options.method) {
        Some(asking) => {
            let style = format!(
                "{} {{bar:40}} {{pos}}/{{len}} ({{eta}} left)",
                options.method
            );
            let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(&style)?);
            let job = asking.start(&view, &reader.manifest.input);
            let explanation = ask(reader, job, &bar)?;
            bar.finish_and_clear();
            println!("{}: {}", options.method, explanation.said(output));
            Some(explanation)
        }
        None => None,
    };
    let map = match &explanation {
        Some(made) => made
            .map(output)
            .context("a trained finding has an explanation")?,
        None => reading.evidence[output].clone(),
    };

    if let Some(out) = out {
        let image = &radiograph.image;
        let rgba = overlay(image, &map, reading.region, Colormap::Inferno, OPACITY);
        let picture = image::RgbaImage::from_raw(image.width as u32, image.height as u32, rgba);
        let picture = picture.context("an overlay has its picture's size")?;
        let mut png = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut png, image::ImageFormat::Png)?;
        out.write(png.get_ref())?;
    }
    if let Some(json) = json {
        let timings = Timings { decode, read };
        let mut report = Report::new(
            &reader.manifest,
            &radiograph,
            &image.name(),
            sha256(&bytes),
            &reading,
            &options.model.device.to_string(),
            timings,
        );
        explanation
            .into_iter()
            .for_each(|made| report.explain(made));
        json.write(&serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}
