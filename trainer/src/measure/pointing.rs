//! Do the maps point at what radiologists marked?

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use sightline::explain::heat_map::HeatMap;
use sightline::explain::lime;
use sightline::explain::method::{Asking, Method};
use sightline::finding::Finding;
use sightline::package::Output;
use sightline::package::{Localisation, Maps, OverMiddle};
use sightline::radiograph::{GreyImage, Region};
use sightline::reader::Reader;

use super::asking::ask;
use super::marks::{Marks, SIDE};
use super::metrics::{Case, Estimate, Scored, bootstrap, cases_of, sign_flip};
use super::overlap::{iou, iou_of_same_area, otsu, peak};
use super::parts::Part;
use crate::data::{Dataset, stream};

/// The seed of the bootstrap and of the random maps.
const SEED: u64 = 20_260_102;
/// The standard deviation of the centre prior, as a share of the picture's side.
const CENTRE_WIDTH: f64 = 0.25;
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

/// What is the same for all images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub model: String,
    pub weights_sha256: String,
    pub csv: String,
    pub marks: String,
    pub method: Maps,
    /// How LIME's maps were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<lime::Options>,
}

/// One image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    pub patient: String,
    /// By finding that is marked and trained: hit (1 or 0), IoU above Otsu's threshold, IoU of the same area.
    pub findings: BTreeMap<Finding, [f64; 3]>,
    /// By finding, for a Gaussian in the middle: hit (1 or 0), IoU above Otsu's threshold, IoU of the same area.
    #[serde(default)]
    pub middle: BTreeMap<Finding, [f64; 3]>,
}

#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub header: Header,
    pub findings: Vec<FindingResult>,
}

/// One finding's figures, over the images on which it is marked.
#[derive(Serialize)]
pub struct FindingResult {
    pub name: Finding,
    /// Images; all marks of the finding on an image count as one.
    pub n: usize,
    pub patients: usize,
    /// Share of the images on which the map's maximum lies in a mark (the pointing game, without tolerance).
    pub pointing_hit: Estimate,
    /// Mean intersection over union of the marks and the map above Otsu's threshold.
    pub iou_otsu: Estimate,
    /// Mean intersection over union of the marks and as much of the map as they cover.
    pub iou_area: Estimate,
    /// Less what a Gaussian in the middle of the same images has, and the p-values of that.
    pub over_middle: OverMiddle,
}

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

/// Hit, IoU above Otsu's threshold, IoU of the same area.
fn against(mark: &[bool], map: &[f32]) -> [f64; 3] {
    let hit = peak(map).is_some_and(|place| mark[place]);
    [
        f64::from(u8::from(hit)),
        iou(map, otsu(map), mark),
        iou_of_same_area(map, mark),
    ]
}

/// Measures judgements.
pub fn report(judgements: &Judgements) -> Report {
    let rows = judgements.rows.iter();
    let named: BTreeSet<Finding> = rows
        .flat_map(|(_, judged)| judged.findings.keys().copied())
        .collect();
    let findings = named.into_iter().filter_map(|finding| {
        let marked = judgements.rows.iter().filter_map(|(_, judged)| {
            let values = judged.findings.get(&finding)?;
            Some(Scored {
                patient: judged.patient.clone(),
                cases: values.map(|value| Some(Case::new(value, true))).to_vec(),
            })
        });
        let marked: Vec<Scored> = marked.collect();
        let patients: BTreeSet<&str> = marked.iter().map(|s| s.patient.as_str()).collect();
        let mean = |of: usize| {
            bootstrap(&marked, SEED, |drawn| {
                let values: Vec<f64> = cases_of(drawn, of).iter().map(|case| case.score).collect();
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            })
        };
        let over_middle = |of: usize| {
            let rows = judgements.rows.iter();
            let differences = rows.filter_map(|(_, judged)| {
                let (ours, middle) = (judged.findings.get(&finding)?, judged.middle.get(&finding)?);
                Some((judged.patient.as_str(), ours[of] - middle[of]))
            });
            let differences: Vec<(&str, f64)> = differences.collect();
            let total: f64 = differences.iter().map(|(_, difference)| difference).sum();
            let mean = total / differences.len().max(1) as f64;
            (mean, sign_flip(differences, SEED))
        };
        let ((hit, hit_p), (iou, iou_p)) = (over_middle(0), over_middle(1));
        Some(FindingResult {
            over_middle: OverMiddle {
                hit,
                hit_p,
                iou,
                iou_p,
            },
            name: finding,
            n: marked.len(),
            patients: patients.len(),
            pointing_hit: mean(0)?,
            iou_otsu: mean(1)?,
            iou_area: mean(2)?,
        })
    });
    Report {
        header: judgements.header.clone(),
        findings: findings.collect(),
    }
}

impl Report {
    /// A table for people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} against {}\n{:28} {:>6}  {:24} {:24} {:24} {}\n",
            self.header.method,
            self.header.marks,
            "",
            "images",
            "pointing game",
            "IoU (Otsu)",
            "IoU (same area)",
            "hits, IoU (Otsu) over the middle's"
        );
        let show = |e: &Estimate| format!("{:.2} ({:.2} to {:.2})", e.value, e.ci95[0], e.ci95[1]);
        let over = |o: &OverMiddle| {
            let (hit, iou) = (o.hit, o.iou);
            format!(
                "{hit:+.2} (p = {:.3}), {iou:+.2} (p = {:.3})",
                o.hit_p, o.iou_p
            )
        };
        for finding in &self.findings {
            text += &format!(
                "{:28} {:>6}  {:24} {:24} {:24} {}\n",
                finding.name.name(),
                finding.n,
                show(&finding.pointing_hit),
                show(&finding.iou_otsu),
                show(&finding.iou_area),
                over(&finding.over_middle),
            );
        }
        text
    }

    /// What a package's manifest keeps of a finding.
    pub fn localisation(&self, finding: Finding) -> Option<Localisation> {
        let result = self.findings.iter().find(|result| result.name == finding)?;
        Some(Localisation {
            pointing_hit: result.pointing_hit.value,
            pointing_hit_ci95: Some(result.pointing_hit.ci95),
            iou: result.iou_otsu.value,
            iou_ci95: Some(result.iou_otsu.ci95),
            iou_same_area: Some(result.iou_area.value),
            iou_same_area_ci95: Some(result.iou_area.ci95),
            n: result.n,
            over_middle: Some(result.over_middle),
            samples: self.header.options.as_ref().map(|lime| lime.samples),
        })
    }
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

/// A Gaussian in the middle of the picture.
fn centre() -> Vec<f32> {
    let middle = |index: usize| ((index as f64 + 0.5) / SIDE as f64 - 0.5) / CENTRE_WIDTH;
    let value = |place: usize| {
        let (x, y) = (middle(place % SIDE), middle(place / SIDE));
        (-(x * x + y * y) / 2.0).exp() as f32
    };
    (0..SIDE * SIDE).map(value).collect()
}

/// A map's positive part where its region of the picture is, and 0 elsewhere.
fn spread(map: &HeatMap, region: Region) -> Vec<f32> {
    let at = |share: f64| (share * SIDE as f64).round() as usize;
    let (left, top) = (at(region.x), at(region.y));
    let width = at(region.width).clamp(1, SIDE - left);
    let height = at(region.height).clamp(1, SIDE - top);
    let map = map.positive().upsample(width, height);
    let mut grid = vec![0.0; SIDE * SIDE];
    for (row, values) in map.values.chunks_exact(width).enumerate() {
        let start = (top + row) * SIDE + left;
        grid[start..start + width].copy_from_slice(values);
    }
    grid
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_map_lies_where_the_network_looked() {
        let region = Region {
            x: 0.25,
            y: 0.0,
            width: 0.5,
            height: 1.0,
        };
        let grid = spread(&HeatMap::new(1, 1, vec![1.0]), region);
        let covered = grid.iter().filter(|v| **v > 0.0).count();
        assert_eq!(covered, SIDE * SIDE / 2);
        assert!(grid[0] == 0.0 && grid[SIDE / 2] == 1.0);
    }
}
