//! Do the maps point at what radiologists marked?

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sightline::explain::heat_map::HeatMap;
use sightline::explain::method::{Asking, Method};
use sightline::package::Maps;
use sightline::package::Output;
use sightline::radiograph::GreyImage;
use sightline::reader::Reader;
pub use sightline_measure::pointing::{Header, Judged, Report};
use sightline_measure::pointing::{against, centre, spread};

use super::asking::ask;
use super::marks::Marks;
use super::parts::Part;
use crate::data::{Dataset, stream};

/// The seed of the random maps.
const SEED: u64 = 20_260_102;
/// The random map's grid: that of most networks at 224 pixels.
const RANDOM_CELLS: usize = 7;

/// What is judged.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// Maps by a method; Grad-CAM's where nothing is to be asked for.
    Method(Option<Asking>),
    /// A Gaussian in the middle of every picture: what a map must beat.
    Centre,
    /// A map drawn at random for every picture.
    Random,
}

impl Judgement {
    /// What is judged, by name.
    pub fn maps(&self) -> Maps {
        match self {
            Judgement::Method(None) => Maps::By(Method::GradCam),
            Judgement::Method(Some(asking)) => Maps::By(asking.method()),
            Judgement::Centre => Maps::Centre,
            Judgement::Random => Maps::Random,
        }
    }
}

/// How maps were judged, image by image, as `merge` joins it.
pub type Judgements = Part<Header, Judged>;

/// Compares the maps of a method with the marks, on every image that has a mark of a finding that was trained.
pub fn judge(
    reader: &Reader,
    mut data: Dataset,
    marks: &Marks,
    judgement: &Judgement,
) -> Result<Vec<(usize, Judged)>> {
    let wanted = data.findings.clone();
    let trained = wanted.iter().map(|f| reader.manifest.trained_output(*f));
    let trained: Vec<Option<Output>> = trained.collect();
    data.rows.retain(|row| {
        let findings = marks.findings(&row.path);
        findings.iter().any(|finding| trained[*finding].is_some())
    });
    if data.rows.is_empty() {
        return Ok(Vec::new());
    }
    let bar = ProgressBar::new(data.rows.len() as u64).with_style(ProgressStyle::with_template(
        "images {bar:40} {pos}/{len} ({eta} left)",
    )?);
    let mut rows = Vec::new();
    let blot = centre();
    // Whole pictures, so only as many as can be decoded side by side.
    let at_once = rayon::current_num_threads();
    let notes = stream(
        &data,
        at_once,
        |read| read.image,
        |images, pictures| {
            for (row, picture) in images.iter().zip(&pictures) {
                // Each image draws its own, whatever other images there are.
                let mut random = StdRng::seed_from_u64(SEED.wrapping_add(row.number as u64));
                let maps = maps(reader, picture, judgement, &mut random)?;
                let (mut findings, mut middle) = (BTreeMap::new(), BTreeMap::new());
                for (place, mark) in &marks.grids(&row.path)? {
                    let Some(output) = trained[*place] else {
                        continue;
                    };
                    let finding = wanted[*place];
                    let map = maps(output.0).with_context(|| format!("no map of {finding}"))?;
                    findings.insert(finding, against(mark, &map));
                    middle.insert(finding, against(mark, &blot));
                }
                let patient = row.patient.to_string();
                let judged = Judged {
                    patient,
                    findings,
                    middle,
                };
                rows.push((row.number, judged));
                bar.inc(1);
            }
            Ok(())
        },
    )?;
    bar.finish_and_clear();
    notes.say(&data)?;
    Ok(rows)
}

/// Measures judgements.
pub fn report(judgements: &Judgements) -> Report {
    let judged = judgements.rows.iter().map(|(_, judged)| judged);
    sightline_measure::pointing::report(&judgements.header, judged)
}

type MapOf = Box<dyn Fn(usize) -> Option<Vec<f32>>>;

/// The map of each output over the whole picture, `SIDE * SIDE` values, none below 0.
fn maps(
    reader: &Reader,
    picture: &GreyImage,
    judgement: &Judgement,
    random: &mut StdRng,
) -> Result<MapOf> {
    let view = reader.view(picture);
    let region = view.region;
    Ok(match judgement {
        Judgement::Method(None) => {
            let reading = pollster::block_on(reader.read(&view))?;
            Box::new(move |output| Some(spread(reading.evidence.get(output)?, region)))
        }
        Judgement::Method(Some(asking)) => {
            let job = asking.start(&view, &reader.manifest.input);
            let explanation = ask(reader, job, &ProgressBar::hidden())?;
            Box::new(move |output| Some(spread(&explanation.map(Output(output))?, region)))
        }
        Judgement::Centre => {
            let values = centre();
            Box::new(move |_| Some(values.clone()))
        }
        Judgement::Random => {
            let mut maps = Vec::new();
            for _ in &reader.manifest.findings {
                let cells = (0..RANDOM_CELLS * RANDOM_CELLS).map(|_| random.random::<f32>());
                let map = HeatMap::new(RANDOM_CELLS, RANDOM_CELLS, cells.collect());
                maps.push(spread(&map, region));
            }
            Box::new(move |output| maps.get(output).cloned())
        }
    })
}

#[cfg(test)]
mod tests {
    use sightline::finding::Finding;

    use super::*;

    #[test]
    fn a_map_is_compared_with_the_middle_on_the_same_images() {
        let judged = |patient: usize, hit: f64, middle: f64| {
            let of = |value| BTreeMap::from([(Finding::Edema, [value, 0.5, 0.0])]);
            let judged = Judged {
                patient: patient.to_string(),
                findings: of(hit),
                middle: of(middle),
            };
            (patient, judged)
        };
        // Both hit half of the images; alike, or each the other's half.
        let same =
            (0..12).map(|i| judged(i, f64::from(u8::from(i < 6)), f64::from(u8::from(i < 6))));
        let better = (0..12).map(|i| judged(i, 1.0, f64::from(u8::from(i < 6))));
        let judgements = |rows: Vec<(usize, Judged)>| Judgements {
            of: "localize".to_owned(),
            shard: super::super::parts::Shard::WHOLE,
            header: Header {
                model: String::new(),
                weights_sha256: String::new(),
                csv: String::new(),
                marks: String::new(),
                method: Maps::By(Method::GradCam),
                options: None,
            },
            rows,
        };
        let same = report(&judgements(same.collect()));
        let over = same.findings[0].over_middle;
        assert_eq!(
            (over.hit, over.hit_p, over.iou, over.iou_p),
            (0.0, 1.0, 0.0, 1.0)
        );
        let better = report(&judgements(better.collect()));
        let over = better
            .localisation(Finding::Edema)
            .expect("found")
            .over_middle;
        let over = over.expect("compared");
        assert_eq!((over.hit, over.hit_p), (0.5, 0.03125));
    }
}
