//! `explain`: pictures with a map on them, and the readings' reports.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use sightline::explain::agreement::{agreement, elsewhere};
use sightline::explain::colormap::Colormap;
use sightline::explain::erase::erase;
use sightline::explain::faithfulness::Curves;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::lime::{self, Lime};
use sightline::explain::overlay::overlay;
use sightline::finding::Finding;
use sightline::package::sha256;
use sightline::radiograph::{GreyImage, Radiograph};
use sightline::reading::Reader;
use sightline::report::{Report, Timings};

use crate::data::Views;
use crate::options::{Images, LimeOptions, Model};
use crate::score::Package;
use crate::storage::Location;

/// How much of the colour covers the picture where the map is at its highest.
const OPACITY: f32 = 0.6;

/// Pictures that LIME scores at once.
const BATCH: usize = 8;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: Model,
    #[arg(long, default_value = "grad-cam")]
    method: Method,
    #[command(flatten)]
    lime: LimeOptions,
    /// One of the 14, for example "Pleural Effusion"; the one with the highest score if not given.
    #[arg(long, value_parser = finding)]
    finding: Option<Finding>,
    /// One or more images, or --csv.
    #[arg(required_unless_present = "csv", conflicts_with = "csv")]
    image: Vec<Location>,
    #[command(flatten)]
    images: Option<Images>,
    /// Do again what this report says of the image, and compare: scores and maps to 1e-3 of their size.
    #[arg(long, conflicts_with_all = ["csv", "finding", "json"])]
    replay: Option<Location>,
    /// The picture with the map on it, as PNG; of several images, the folder of the pictures.
    #[arg(long)]
    out: Option<Location>,
    /// The reading's report; of several images, the folder of the reports.
    #[arg(long)]
    json: Option<Location>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Method {
    GradCam,
    Lime,
}

fn finding(name: &str) -> Result<Finding, String> {
    Finding::from_name(name).ok_or_else(|| {
        let names = Finding::ALL.map(Finding::name).join(", ");
        format!("there is no finding {name:?}; there are {names}")
    })
}

/// Explains one finding of each image, by Grad-CAM or by LIME.
pub fn run(options: &Options) -> Result<()> {
    let package = Package::open(&options.model.model, options.model.device.device()?)?;
    let cards = &package.manifest.findings;
    if let Some(finding) = options.finding
        && !cards
            .iter()
            .any(|card| card.name == finding && card.trained)
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
        return replay(&reader, report, image);
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
    let images: Vec<(String, Location)> = match &options.images {
        Some(images) => {
            let (data, _) = images.rows(Views::Frontal)?;
            let rows = data.rows.iter();
            rows.map(|row| (row.path.clone(), data.file(row))).collect()
        }
        None => options
            .image
            .iter()
            .map(|image| (image.name(), image.clone()))
            .collect(),
    };
    for folder in [&options.out, &options.json].into_iter().flatten() {
        folder.create()?;
    }
    let mut unreadable = 0;
    for (name, image) in &images {
        // The path with its folders, so that no two images have one name.
        let name = name.replace('/', "_");
        let stem = name
            .rsplit_once('.')
            .map_or(name.as_str(), |(stem, _)| stem);
        let file = |folder: &Option<Location>, ending: &str| {
            folder
                .as_ref()
                .map(|folder| folder.join(&format!("{stem}.{ending}")))
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
    let radiograph = Radiograph::decode(&bytes).with_context(|| image.to_string())?;
    let decode = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let reading = pollster::block_on(reader.read(&radiograph.image))?;
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
    let lime = match options.method {
        Method::Lime => {
            let style = "LIME {bar:40} {pos}/{len} samples ({eta} left)";
            let style = ProgressStyle::with_template(style)?;
            let settings = options.lime.options();
            let bar = ProgressBar::new(settings.samples as u64).with_style(style);
            let explanation = explain_by_lime(reader, &radiograph.image, settings, &bar)?;
            bar.finish_and_clear();
            say(&explanation);
            Some(explanation)
        }
        Method::GradCam => None,
    };
    let map = match &lime {
        Some(lime) => lime
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
            "CPU",
            timings,
        );
        report.lime = lime;
        json.write(&serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}

/// What a replay may differ by, as a share of the largest value: another device adds up in another order.
const TOLERANCE: f64 = 1e-3;

/// Reads and explains an image as its report says, and compares what comes out.
///
/// # Errors
/// When the report is of another model or image, or says something else than what comes out.
fn replay(reader: &Reader, place: &Location, image: &Location) -> Result<()> {
    let report: Report = serde_json::from_slice(&place.read()?)
        .with_context(|| format!("{place} is no report of a reading"))?;
    let bytes = image.read()?;
    if report.image.sha256 != sha256(&bytes) {
        bail!(
            "{image} is not the image of the report ({})",
            report.image.file
        );
    }
    let manifest = &reader.manifest;
    if report.model.weights_sha256 != manifest.weights.sha256
        || report.preprocessing != manifest.input
    {
        bail!(
            "the report is of another model: {}, weights {}",
            report.model.name,
            report.model.weights_sha256
        );
    }
    let radiograph = Radiograph::decode(&bytes).with_context(|| image.to_string())?;
    let reading = pollster::block_on(reader.read(&radiograph.image))?;
    let mut worst: Vec<(&str, f64)> = vec![
        ("scores", 0.0),
        ("Grad-CAM", 0.0),
        ("LIME", 0.0),
        ("deletion and insertion", 0.0),
        ("scores with places painted over", 0.0),
        ("LIME's R\u{b2}", 0.0),
        ("sanity checks", 0.0),
        ("agreement and evidence elsewhere", 0.0),
    ];
    let mut note = |what: usize, difference: f64| worst[what].1 = worst[what].1.max(difference);
    for (index, finding) in report.findings.iter().enumerate() {
        if let (Some(theirs), Some(ours)) = (finding.probability, reading.probabilities[index]) {
            note(0, (theirs - ours).abs());
        }
        let (theirs, ours) = (
            &finding.grad_cam.cells.values,
            &reading.evidence[index].values,
        );
        note(
            1,
            difference(
                theirs.iter().map(|v| f64::from(*v)),
                ours.iter().map(|v| f64::from(*v)),
            ),
        );
    }
    let square = manifest.input.square(&radiograph.image);
    if let Some(theirs) = &report.lime {
        // As many samples as were scored then, whether it had stopped by itself or was stopped.
        let settings = lime::Options {
            samples: theirs.samples,
            until_stable: false,
            ..theirs.options.clone()
        };
        let ours = explain_by_lime(reader, &radiograph.image, settings, &ProgressBar::hidden())?;
        for (theirs, ours) in theirs.findings.iter().zip(&ours.findings) {
            if let (Some(theirs), Some(ours)) = (theirs, ours) {
                let largest = theirs
                    .coefficients
                    .iter()
                    .fold(1.0, |most: f64, c| most.max(c.abs()));
                let pairs = theirs.coefficients.iter().zip(&ours.coefficients);
                note(
                    2,
                    pairs
                        .map(|(a, b)| (a - b).abs() / largest)
                        .fold(0.0, f64::max),
                );
                note(5, (theirs.r_squared - ours.r_squared).abs());
            }
        }
    }
    for trust in &report.trust {
        let index = manifest
            .findings
            .iter()
            .position(|card| card.name == trust.finding);
        let index = index.context("the report measures a finding that the model does not have")?;
        // The report's own map: that it comes again is seen above.
        let map = match (trust.method.as_str(), &report.lime) {
            ("lime", Some(lime)) => lime.map(index),
            _ => Some(report.findings[index].grad_cam.cells.clone()),
        };
        let map = map.context("the report has no such map")?;
        let mut curves = Curves::new(&square, &manifest.input, &map, trust.faithfulness.options);
        while !curves.is_done() {
            let scored = pollster::block_on(reader.score(curves.next_batch(BATCH)))?;
            let scores = scored.into_iter().map(|s| s.probabilities[index]);
            curves.push(scores.map(|score| score.unwrap_or(f64::NAN)));
        }
        let ours = curves.result().context("nothing was measured")?;
        let theirs = &trust.faithfulness;
        for (theirs, ours) in [
            (&theirs.deletion, &ours.deletion),
            (&theirs.insertion, &ours.insertion),
        ] {
            let pairs = theirs.scores.iter().zip(&ours.scores);
            note(3, pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max));
        }
        for theirs in &trust.sanity {
            let random = reader.randomised(theirs.randomised, trust.faithfulness.options.seed);
            let ours = pollster::block_on(random.read(&square))?
                .evidence
                .swap_remove(index);
            let values = |map: &HeatMap| map.values.clone().into_iter().map(f64::from);
            note(6, difference(values(&theirs.map), values(&ours)));
        }
        if let Some(theirs) = &trust.elsewhere {
            let ours = elsewhere(&square, &map).context("the map has no evidence any more")?;
            note(7, (theirs.background - ours.background).abs());
            note(7, (theirs.markers - ours.markers).abs());
        }
        if let (Some(theirs), Some(lime)) = (&trust.agreement, &report.lime) {
            let grad_cam = &report.findings[index].grad_cam.cells;
            let lime = lime.map(index).context("the report has no such map")?;
            let ours = agreement(grad_cam, &lime);
            note(7, (theirs.top_overlap - ours.top_overlap).abs());
            if let (Some(theirs), Some(ours)) = (theirs.rank_correlation, ours.rank_correlation) {
                note(7, (theirs - ours).abs());
            }
        }
    }
    if let Some(theirs) = &report.erased {
        let (width, height) = (radiograph.image.width, radiograph.image.height);
        let region = manifest.input.region(width, height);
        let picture = erase(
            &square,
            region,
            width as f32 / height as f32,
            &theirs.spots,
            theirs.fill,
        );
        let values = manifest.input.normalise(&picture);
        let ours = pollster::block_on(reader.score(values))?.swap_remove(0);
        for (theirs, ours) in theirs.probabilities.iter().zip(ours.probabilities) {
            if let (Some(theirs), Some(ours)) = (theirs, ours) {
                note(4, (theirs - ours).abs());
            }
        }
    }
    for (what, difference) in &worst {
        println!("{what}: off by {difference:.1e} at most");
    }
    if let Some((what, difference)) = worst.iter().find(|(_, d)| *d > TOLERANCE || d.is_nan()) {
        bail!("{what} are not what the report says: off by {difference:.1e}");
    }
    println!("the report can be repeated");
    Ok(())
}

/// The largest difference, as a share of the largest value (at least 1).
fn difference(theirs: impl Iterator<Item = f64> + Clone, ours: impl Iterator<Item = f64>) -> f64 {
    let largest = theirs
        .clone()
        .fold(1.0, |most: f64, value| most.max(value.abs()));
    theirs
        .zip(ours)
        .map(|(a, b)| (a - b).abs() / largest)
        .fold(0.0, f64::max)
}

/// LIME of one picture; the bar shows how many samples are scored.
pub fn explain_by_lime(
    reader: &Reader,
    image: &GreyImage,
    options: lime::Options,
    bar: &ProgressBar,
) -> Result<lime::Explanation> {
    let input = &reader.manifest.input;
    let mut lime = Lime::new(&input.square(image), input, options);
    while !lime.is_done() {
        let values = lime.next_batch(BATCH);
        lime.push(pollster::block_on(reader.score(values))?);
        bar.set_position(lime.scored() as u64);
    }
    lime.explanation().context("no sample was scored")
}

fn say(explanation: &lime::Explanation) {
    println!(
        "LIME: {} regions, {} samples, {}",
        explanation.segments.count,
        explanation.samples,
        if explanation.stable {
            "stable"
        } else {
            "not stable yet"
        }
    );
}
