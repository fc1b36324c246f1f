//! A radiograph that was read.

use std::sync::Arc;

use sightline_core::explain::account::Account;
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::method::{Explanation, Method, Settings};
use sightline_core::order::falling;
use sightline_core::output::Output;
use sightline_core::package::Manifest;
use sightline_core::radiograph::{GreyImage, Region};
use sightline_core::report::{GradCam, Report};
use sightline_core::trust::Trust;
use sightline_core::trust::audit::{Audit, credit};

/// How many findings are shown side by side, at least.
const AT_ONCE: usize = 3;

/// A radiograph that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPicture {
    /// What is shown; it stays the same whatever else becomes known.
    pub preview: Arc<GreyImage>,
    pub report: Report,
}

impl ReadPicture {
    /// Positions in the report: trained findings from the highest score down, then the untrained ones.
    pub fn ranking(&self) -> Vec<usize> {
        let findings = &self.report.findings;
        let scores = findings.iter().map(|f| f.probability.unwrap_or(-1.0));
        falling(&scores.collect::<Vec<f64>>())
    }

    /// The trained findings alone, from the highest score down.
    pub fn trained(&self) -> Vec<usize> {
        let mut order = self.ranking();
        order.retain(|index| self.report.findings[*index].trained);
        order
    }

    /// The findings whose maps are shown side by side, from the highest score down: those that are called, and at least three.
    pub fn side_by_side(&self) -> Vec<usize> {
        let findings = &self.report.findings;
        let ranked = self.trained().into_iter().enumerate();
        let shown = ranked.filter(|(rank, index)| *rank < AT_ONCE || findings[*index].called);
        shown.map(|(_, index)| index).collect()
    }

    /// The explanation by a method, if it was made as `settings` ask: a map that was made otherwise is not shown under them.
    pub fn explanation(&self, method: Method, settings: &Settings) -> Option<Explanation> {
        let made = self.report.explanations.by(method)?;
        (Some(made.asking()) == settings.asking(method)).then_some(made)
    }

    /// The map of a finding by a method; `None` where it is not known yet. `branch`: of a combined network, one of its networks.
    pub fn map(
        &self,
        index: usize,
        method: Method,
        branch: Option<usize>,
        settings: &Settings,
    ) -> Option<HeatMap> {
        if let Some(asking) = settings.asking(method) {
            return self.report.explanations.map(&asking, Output(index));
        }
        let map = &self.report.findings.get(index)?.grad_cam;
        let branch = branch.and_then(|index| map.branches.get(index));
        Some(branch.map_or(&map.cells, |branch| &branch.cells).clone())
    }

    /// What the map of a finding by a method adds up to: the logit, or something else that the method says. `None` where it adds up to
    /// nothing, or is not known yet. `branch`: of a combined network, one of its networks.
    pub fn account(
        &self,
        index: usize,
        method: Method,
        branch: Option<usize>,
        settings: &Settings,
    ) -> Option<Account> {
        if !method.adds_up() {
            let made = self.explanation(method, settings)?;
            return made.account(Output(index));
        }
        let map = self.map(index, method, branch, settings)?;
        let finding = self.report.findings.get(index)?;
        let evidence = &finding.grad_cam;
        let sum = |map: &HeatMap| map.values.iter().copied().map(f64::from).sum::<f64>();
        let of_one = method == Method::GradCam
            && branch.is_some_and(|branch| branch < evidence.branches.len());
        let others = of_one.then(|| sum(&evidence.cells) - sum(&map));
        let (logit, score) = (finding.logit, finding.probability);
        Account::of_logit(&map, others, evidence.bias, logit, score)
    }

    /// What the evidence credits the erased place with, and what the logit of a finding falls by without the place. `None` where nothing is
    /// erased, or the score without it does not tell its logit.
    pub fn audit(&self, index: usize, manifest: &Manifest) -> Option<Audit> {
        let erased = self.report.erased.as_ref()?;
        let finding = self.report.findings.get(index)?;
        let after = manifest.logit(Output(index), self.erased_score(index)?)?;
        let GradCam { cells, region, .. } = &finding.grad_cam;
        let image = &self.report.image;
        let aspect = image.width as f32 / image.height as f32;
        let side = self.report.preprocessing.size;
        Some(Audit {
            credit: credit(cells, side, *region, aspect, &erased.spots),
            before: f64::from(finding.logit),
            after,
        })
    }

    /// The method whose map another one's is compared with: Grad-CAM, or for Grad-CAM the first that there is a map by.
    pub(crate) fn compared_with(
        &self,
        method: Method,
        index: usize,
        settings: &Settings,
    ) -> Option<Method> {
        let others = Method::ALL.iter().copied().filter(|other| *other != method);
        let mut others =
            others.filter(|other| method == Method::GradCam || *other == Method::GradCam);
        others.find(|other| self.map(index, *other, None, settings).is_some())
    }

    /// The part of the picture that maps cover; `None` for a model without findings.
    pub fn region(&self) -> Option<Region> {
        let first = self.report.findings.first();
        first.map(|finding| finding.grad_cam.region)
    }

    /// The networks that a combined model joins; none for a model of one.
    pub fn branches(&self) -> Vec<String> {
        let first = self.report.findings.first();
        let branches = first.map(|finding| &finding.grad_cam.branches);
        let names = branches.into_iter().flatten().map(|b| b.network.clone());
        names.collect()
    }

    /// What was measured of a method's map of all networks together, if it was.
    pub fn trust(&self, index: usize, method: Method) -> Option<&Trust> {
        let finding = self.report.findings.get(index)?.name;
        let mut trust = self.report.trust.iter();
        trust.find(|trust| trust.finding == finding && trust.method == method)
    }

    /// The score of a finding without what is painted over.
    pub fn erased_score(&self, index: usize) -> Option<f64> {
        *self.report.erased.as_ref()?.probabilities.get(index)?
    }
}
