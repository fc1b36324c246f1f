//! Do the maps point at what radiologists marked?

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sightline_core::explain::lime;
use sightline_core::finding::Finding;
use sightline_core::heat_map::HeatMap;
use sightline_core::package::{Localisation, LocalisedBy, Manifest, Maps, OverMiddle};
use sightline_core::radiograph::Region;

use super::metrics::{Case, Estimate, Scored, bootstrap, cases_of, sign_flip};
use super::overlap::{SIDE, iou, iou_of_same_area, otsu, peak};

/// The seed of the bootstrap.
const SEED: u64 = 20_260_102;
/// The standard deviation of the centre prior, as a share of the picture's side.
const CENTRE_WIDTH: f64 = 0.25;

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

/// Hit, IoU above Otsu's threshold, IoU of the same area.
pub fn against(mark: &[bool], map: &[f32]) -> [f64; 3] {
    let hit = peak(map).is_some_and(|place| mark[place]);
    [
        f64::from(u8::from(hit)),
        iou(map, otsu(map), mark),
        iou_of_same_area(map, mark),
    ]
}

/// Measures judgements.
pub fn report<'a>(header: &Header, judged: impl IntoIterator<Item = &'a Judged>) -> Report {
    let judged: Vec<&Judged> = judged.into_iter().collect();
    let named = judged.iter();
    let named: BTreeSet<Finding> = named
        .flat_map(|judged| judged.findings.keys().copied())
        .collect();
    let findings = named.into_iter().filter_map(|finding| {
        let marked = judged.iter().filter_map(|judged| {
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
            let differences = judged.iter().filter_map(|judged| {
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
        header: header.clone(),
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

    /// Brings the figures into a manifest.
    pub fn record(&self, manifest: &mut Manifest, by: &LocalisedBy) {
        for card in &mut manifest.findings {
            if let Some(measured) = self.localisation(card.name) {
                card.localisation.insert(by.clone(), measured);
            }
        }
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

/// A Gaussian in the middle of the picture.
pub fn centre() -> Vec<f32> {
    let middle = |index: usize| ((index as f64 + 0.5) / SIDE as f64 - 0.5) / CENTRE_WIDTH;
    let value = |place: usize| {
        let (x, y) = (middle(place % SIDE), middle(place / SIDE));
        (-(x * x + y * y) / 2.0).exp() as f32
    };
    (0..SIDE * SIDE).map(value).collect()
}

/// A map's positive part where its region of the picture is, and 0 elsewhere.
pub fn spread(map: &HeatMap, region: Region) -> Vec<f32> {
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
