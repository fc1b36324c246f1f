//! Makes a package's gate: gathers pictures, fits the detector, sets its limits, and measures it on pictures that it never saw.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use sightline::gate::Kind;
use sightline::gate::detector::{Detector, Measured};
use sightline::package::sha256;
use sightline::radiograph::{GreyImage, Radiograph};

use crate::data::augment::Augmentation;
use crate::data::odd::{self, Made};
use crate::data::{Dataset, Row};
use crate::measure::gate::{ByKind, Said, odd_part, part, quantile, said};
use crate::measure::score::{BATCH, Package};
use crate::storage::Location;
use crate::train::gate::{Example, fit};

/// Where pictures are from.
pub struct Sources {
    /// Frontal chest radiographs like those of the model's training, with a column Split.
    pub frontal: Dataset,
    /// What they are called.
    pub name: String,
    /// Frontal chest radiographs of other sources. Rows with Split=train and valid teach; those with test are measured.
    pub also: Vec<(String, Dataset)>,
    /// Chest radiographs of children.
    pub children: Option<Dataset>,
    /// A folder with the folders photo, document, medical, otherxray and lateral, as far as there are any.
    pub odd: Option<Location>,
    /// The most radiographs of the training that are used.
    pub most: usize,
    pub seed: u64,
}

/// Changes that leave a picture what it is: what scanners, crops and screens differ in.
const EVERYDAY: Augmentation = Augmentation {
    rotation: 7.0,
    crop: (0.85, 1.1),
    stretch: 1.2,
    contrast: 1.5,
    brightness: 0.12,
    flip: 0.0,
};
/// The power that grey levels are raised to, or its inverse, at most.
const GAMMA: f64 = 1.8;
/// The part of validation images below a limit: at most one in a hundred is stopped, and five are stopped or warned of.
const BELOW_STOP: f64 = 0.99;
const BELOW_WARN: f64 = 0.95;
/// Values below these are no reason to stop or to warn: a picture is likelier a frontal radiograph than anything else.
const LEAST_STOP: f64 = 0.5;
const LEAST_WARN: f64 = 0.5;
/// Test images that odd pictures of each kind are made of, at most.
const MADE: usize = 150;
/// Blank pictures in training and test.
const BLANK: (usize, usize) = (200, 60);
/// Other pictures of a kind, fewer than which teach nothing.
const LEAST_TAUGHT: usize = 10;
const MADE_KINDS: [Kind; 4] = [Kind::Turned, Kind::Mirrored, Kind::Inverted, Kind::Cropped];

/// A picture to be taught: its square, and its kind if it is odd.
type Taught = (GreyImage, Option<Kind>);

/// Makes the gate of a package.
///
/// # Errors
/// When pictures cannot be read, or there are none to teach, to set limits by or to measure.
pub fn make(package: &Package, sources: &Sources) -> Result<Detector> {
    let mut rng = StdRng::seed_from_u64(sources.seed);
    let maker = Maker { package };
    let mut taught: Vec<Taught> = Vec::new();
    let frontal = rows(&sources.frontal, "train");
    let every = frontal.len().div_ceil(sources.most.max(1)).max(1);
    let mut originals = read(&sources.frontal, frontal.into_iter().step_by(every));
    for (_, data) in &sources.also {
        originals.extend(read(data, rows(data, "train").into_iter()));
    }
    for (_, image) in &originals {
        for varied in [false, true, true] {
            taught.push((maker.square(image, varied, &mut rng), None));
        }
        for kind in MADE_KINDS {
            if let Some(made) = Made::draw(kind, &mut rng) {
                // As often as they are what they were, pictures are changed otherwise, too.
                let varied = taught.len().is_multiple_of(2);
                taught.push((
                    maker.square(&made.apply(image), varied, &mut rng),
                    Some(kind),
                ));
            }
        }
    }
    let frontal_images = originals.len();
    drop(originals);
    for _ in 0..BLANK.0 {
        taught.push((
            maker.square(&odd::blank(&mut rng), false, &mut rng),
            Some(Kind::Blank),
        ));
    }
    let (children, measured_children) = halves(sources.children.as_ref());
    let (others, measured_others) = others(sources.odd.as_ref())?;
    for (kind, image) in children.iter().chain(&others) {
        for varied in [false, true] {
            taught.push((maker.square(image, varied, &mut rng), Some(*kind)));
        }
    }
    let mut kinds: Vec<Kind> = taught.iter().filter_map(|(_, kind)| *kind).collect();
    kinds.sort();
    kinds.dedup();
    println!(
        "{} pictures teach: {frontal_images} frontal radiographs and what is made of them, {} of children, {} others",
        taught.len(),
        children.len(),
        others.len()
    );
    let squares: Vec<GreyImage> = taught.iter().map(|(square, _)| square.clone()).collect();
    let rows = taught.iter().map(|(_, kind)| match kind {
        None => 0,
        Some(kind) => 1 + kinds.iter().position(|known| known == kind).unwrap_or(0),
    });
    let rows: Vec<usize> = rows.collect();
    drop(taught);
    let features = maker.features(&squares)?;
    let examples = features.into_iter().zip(rows);
    let examples: Vec<Example> = examples
        .map(|(features, row)| Example { features, row })
        .collect();
    let head = fit(kinds.len(), &examples, sources.seed);
    let (scales, weights) = head.packed();
    let mut detector = Detector {
        kinds,
        scales,
        weights,
        bias: head.bias,
        warn: 1.0,
        stop: 1.0,
        training: training(sources, frontal_images, children.len(), others.len()),
        measured: Measured::default(),
    };
    drop(examples);

    let mut chosen_by = maker.said(&detector, &sources.frontal, "valid", None)?;
    for (_, data) in &sources.also {
        chosen_by.extend(maker.said(&detector, data, "valid", None)?);
    }
    if chosen_by.is_empty() {
        bail!("no row has Split=valid: the gate's limits are chosen by those");
    }
    detector.stop = quantile(&chosen_by, BELOW_STOP).max(LEAST_STOP);
    detector.warn = quantile(&chosen_by, BELOW_WARN)
        .max(LEAST_WARN)
        .min(detector.stop);

    let frontal = maker.said(&detector, &sources.frontal, "test", None)?;
    if frontal.is_empty() {
        bail!("no row has Split=test: the gate is measured on those");
    }
    let mut by_kind = ByKind::new();
    for kind in MADE_KINDS {
        by_kind.insert(
            kind,
            maker.said(&detector, &sources.frontal, "test", Some((kind, &mut rng)))?,
        );
    }
    let mut squares: BTreeMap<Kind, Vec<GreyImage>> = BTreeMap::new();
    for _ in 0..BLANK.1 {
        let square = maker.square(&odd::blank(&mut rng), false, &mut rng);
        squares.entry(Kind::Blank).or_default().push(square);
    }
    for (kind, image) in measured_children.iter().chain(&measured_others) {
        let square = maker.square(image, false, &mut rng);
        squares.entry(*kind).or_default().push(square);
    }
    for (kind, squares) in &squares {
        let said = maker.judged(&detector, squares)?;
        by_kind.entry(*kind).or_default().extend(said);
    }
    let mut elsewhere = BTreeMap::new();
    for (name, data) in &sources.also {
        let said = maker.said(&detector, data, "test", None)?;
        if !said.is_empty() {
            elsewhere.insert(name.clone(), part(&detector, &said));
        }
    }
    let odd: Vec<Said> = by_kind.values().flatten().copied().collect();
    let kinds = by_kind.iter().map(|(kind, said)| {
        let part = odd_part(&detector, Some(*kind), &frontal, said);
        (kind.name().to_owned(), part)
    });
    detector.measured = Measured {
        set: format!("{}, Split=test", sources.name),
        frontal: part(&detector, &frontal),
        odd: odd_part(&detector, None, &frontal, &odd),
        kinds: kinds.collect(),
        elsewhere,
    };
    Ok(detector)
}

fn training(sources: &Sources, frontal: usize, children: usize, others: usize) -> String {
    let teaches = sources
        .also
        .iter()
        .filter(|(_, data)| !rows(data, "train").is_empty());
    let also: Vec<&str> = teaches.map(|(name, _)| name.as_str()).collect();
    let also = match also.as_slice() {
        [] => String::new(),
        names => format!(" and {}", names.join(", ")),
    };
    format!(
        "Taught with {frontal} frontal radiographs of {}{also} (Split=train), with what was made of them (turned, mirrored, inverted, \
         cropped), with pictures drawn with nothing in them, with {children} radiographs of children, and with {others} other \
         pictures; limits by the radiographs with Split=valid.",
        sources.name
    )
}

/// The rows of a split.
fn rows<'a>(data: &'a Dataset, split: &str) -> Vec<&'a Row> {
    let rows = data.rows.iter().filter(|row| !row.lateral);
    let of_split = |row: &&Row| {
        row.column("Split")
            .is_some_and(|s| s.eq_ignore_ascii_case(split))
    };
    rows.filter(of_split).collect()
}

/// Pictures of rows that can be read; the others are named.
fn read<'a>(data: &Dataset, rows: impl Iterator<Item = &'a Row>) -> Vec<(&'a Row, GreyImage)> {
    let rows: Vec<&Row> = rows.collect();
    let read = rows
        .par_iter()
        .filter_map(|row| match data.radiograph(row) {
            Ok(radiograph) => Some((*row, radiograph.image)),
            Err(error) => {
                eprintln!("left out: {error:#}");
                None
            }
        });
    read.collect()
}

/// Whether a picture is kept for measuring: two in five, by a hash of what stands before `__` in its name. Pictures of one source stay
/// together: slices of one volume are alike.
fn is_measured(name: &str) -> bool {
    let name = name.split("__").next().unwrap_or(name);
    let hash = sha256(name.as_bytes());
    u64::from_str_radix(&hash[..8], 16).is_ok_and(|number| number % 5 < 2)
}

type OfKinds = Vec<(Kind, GreyImage)>;

/// Children to teach with, and others to measure on.
fn halves(children: Option<&Dataset>) -> (OfKinds, OfKinds) {
    let Some(data) = children else {
        return (Vec::new(), Vec::new());
    };
    let read = read(data, data.rows.iter());
    let (measured, taught): (Vec<_>, Vec<_>) = read
        .into_iter()
        .partition(|(row, _)| is_measured(&row.patient));
    let kind = |pictures: Vec<(&Row, GreyImage)>| {
        let pictures = pictures.into_iter();
        pictures.map(|(_, image)| (Kind::Child, image)).collect()
    };
    (kind(taught), kind(measured))
}

/// Other pictures to teach with, and others to measure on.
fn others(folder: Option<&Location>) -> Result<(OfKinds, OfKinds)> {
    let Some(folder) = folder else {
        return Ok((Vec::new(), Vec::new()));
    };
    let (mut taught, mut measured) = (Vec::new(), Vec::new());
    for (path, kind) in odd::files(folder)? {
        let bytes = folder.join(&path).read()?;
        match Radiograph::decode(&bytes).with_context(|| path.clone()) {
            Ok(radiograph) if is_measured(&path) => measured.push((kind, radiograph.image)),
            Ok(radiograph) => taught.push((kind, radiograph.image)),
            Err(error) => eprintln!("left out: {error:#}"),
        }
    }
    // A kind of which there are few cannot be taught. All of them are measured.
    for kind in Kind::ALL {
        let of_kind = |picture: &(Kind, GreyImage)| picture.0 == kind;
        if taught.iter().filter(|picture| of_kind(picture)).count() < LEAST_TAUGHT {
            let (few, rest) = taught.into_iter().partition(of_kind);
            taught = rest;
            measured.extend::<OfKinds>(few);
        }
    }
    Ok((taught, measured))
}

/// Makes what the network sees, and asks it.
struct Maker<'a> {
    package: &'a Package,
}

impl Maker<'_> {
    fn square(&self, image: &GreyImage, varied: bool, rng: &mut StdRng) -> GreyImage {
        let input = &self.package.manifest.input;
        match varied {
            true => {
                let mut changed = EVERYDAY.draw(rng).apply(image, input.size * 8 / 7);
                let gamma = rng.random_range(-GAMMA.ln()..GAMMA.ln()).exp();
                let curve = |level: u8| (255.0 * (f64::from(level) / 255.0).powf(gamma)) as u8;
                changed.pixels.iter_mut().for_each(|v| *v = curve(*v));
                input.square(&changed)
            }
            false => input.square(image),
        }
    }

    fn features(&self, squares: &[GreyImage]) -> Result<Vec<Vec<f32>>> {
        let bar = ProgressBar::new(squares.len() as u64);
        let mut features = Vec::with_capacity(squares.len());
        for squares in squares.chunks(BATCH) {
            features.extend(self.package.features(squares)?.1);
            bar.inc(squares.len() as u64);
        }
        bar.finish_and_clear();
        Ok(features)
    }

    fn judged(&self, detector: &Detector, squares: &[GreyImage]) -> Result<Vec<Said>> {
        let head = detector.head().map_err(anyhow::Error::msg)?;
        let features = self.features(squares)?;
        features
            .iter()
            .map(|features| said(detector, &head, features))
            .collect()
    }

    /// What a detector says of a split's pictures, or of what is made of some of them.
    fn said(
        &self,
        detector: &Detector,
        data: &Dataset,
        split: &str,
        made: Option<(Kind, &mut StdRng)>,
    ) -> Result<Vec<Said>> {
        let rows = rows(data, split);
        let every = match made {
            Some(_) => rows.len().div_ceil(MADE).max(1),
            None => 1,
        };
        let mut pictures: Vec<GreyImage> = read(data, rows.into_iter().step_by(every))
            .into_iter()
            .map(|(_, image)| image)
            .collect();
        if let Some((kind, rng)) = made {
            for picture in &mut pictures {
                if let Some(made) = Made::draw(kind, rng) {
                    *picture = made.apply(picture);
                }
            }
        }
        let input = &self.package.manifest.input;
        let squares: Vec<GreyImage> = pictures
            .par_iter()
            .map(|image| input.square(image))
            .collect();
        self.judged(detector, &squares)
    }
}
