//! A radiograph that was read.

use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::lime;
use sightline_core::radiograph::GreyImage;
use sightline_core::report::{Report, Trust};

/// How a map is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    #[default]
    GradCam,
    Lime,
}

impl Method {
    pub const ALL: [Self; 2] = [Method::GradCam, Method::Lime];

    /// As the page's options and the command line have it.
    pub fn name(self) -> &'static str {
        match self {
            Method::GradCam => "grad-cam",
            Method::Lime => "lime",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Method::GradCam => "Grad-CAM",
            Method::Lime => "LIME",
        }
    }
}

/// A radiograph that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPicture {
    pub preview: GreyImage,
    pub report: Report,
}

impl ReadPicture {
    /// Positions in the report: trained findings from the highest score down, then the untrained ones.
    pub fn ranking(&self) -> Vec<usize> {
        let findings = &self.report.findings;
        let mut order: Vec<usize> = (0..findings.len()).collect();
        let score = |index: &usize| findings[*index].probability.unwrap_or(-1.0);
        order.sort_by(|a, b| score(b).total_cmp(&score(a)));
        order
    }

    /// The trained findings alone, from the highest score down.
    pub fn trained(&self) -> Vec<usize> {
        let mut order = self.ranking();
        order.retain(|index| self.report.findings[*index].trained);
        order
    }

    /// LIME's explanation, if it was made as `options` ask: a map of other options is not shown under theirs.
    pub fn lime(&self, options: &lime::Options) -> Option<&lime::Explanation> {
        let lime = self.report.lime.as_ref()?;
        (lime.options == *options).then_some(lime)
    }

    /// The map of a finding by a method; `None` where it is not known yet. `branch`: of a combined network, one of its networks.
    pub fn map(
        &self,
        index: usize,
        method: Method,
        branch: Option<usize>,
        options: &lime::Options,
    ) -> Option<HeatMap> {
        if method == Method::Lime {
            return self.lime(options)?.map(index);
        }
        let map = &self.report.findings.get(index)?.grad_cam;
        let branch = branch.and_then(|index| map.branches.get(index));
        Some(branch.map_or(&map.cells, |branch| &branch.cells).clone())
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
        trust.find(|trust| trust.finding == finding && trust.method == method.name())
    }

    /// The score of a finding without what is painted over.
    pub fn erased_score(&self, index: usize) -> Option<f64> {
        *self.report.erased.as_ref()?.probabilities.get(index)?
    }

    /// Takes another explanation of LIME's in. What was measured of the one before is not of this one.
    pub(crate) fn explain(&mut self, lime: lime::Explanation) {
        let report = &mut self.report;
        let of_lime = |trust: &Trust| trust.method == Method::Lime.name();
        report.trust.retain(|trust| !of_lime(trust));
        for trust in &mut report.trust {
            trust.agreement = None;
        }
        report.lime = Some(lime);
    }

    /// Takes in what was measured of a map, in place of what was measured of it before.
    pub(crate) fn measure(&mut self, trust: Trust) {
        let all = &mut self.report.trust;
        all.retain(|old| old.finding != trust.finding || old.method != trust.method);
        all.push(trust);
    }
}
