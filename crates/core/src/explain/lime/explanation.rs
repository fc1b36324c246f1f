//! How LIME is made, and what it says.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::sampling::Sampling;
use super::segments::Segments;
use crate::explain::account::Account;
use crate::explain::fill::Fill;
use crate::heat_map::HeatMap;
use crate::output::Output;

/// Fewer samples are explained well by anything.
const FEW_SAMPLES: usize = 20;

/// How the picture is cut into regions.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Segmentation {
    /// Regions follow edges and have any size, as in LIME's own code.
    #[default]
    Quickshift,
    /// About fifty regions of about one size.
    Slic,
}

/// How coefficients are made of the samples' scores.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// By ridge regression on the scores, as LIME's own code.
    Regression,
    /// By the same regression on the scores of [`PREDICTED`](super::PREDICTED) more samples, which an [`Emulator`](super::emulator::Emulator) predicts from what the first
    /// [`TRAINED_ON`](super::TRAINED_ON) samples' cells showed. It takes a third of the samples to come as near to what very many would give. Where more than
    /// that are scored, what was predicted wrongly is regressed, too, and corrects it.
    #[default]
    Emulation,
}

impl Estimator {
    /// The estimator of reports that do not say theirs.
    fn of_old() -> Self {
        Estimator::Regression
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "LimeOptions"))]
pub struct Options {
    /// At most; the whole picture is the first.
    pub samples: usize,
    /// Whether to stop before that when the maps no longer change.
    pub until_stable: bool,
    pub seed: u64,
    #[serde(default)]
    pub segmentation: Segmentation,
    pub fill: Fill,
    pub sampling: Sampling,
    #[serde(default = "Estimator::of_old")]
    pub estimator: Estimator,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            samples: 1000,
            until_stable: true,
            seed: 1,
            segmentation: Segmentation::default(),
            fill: Fill::default(),
            sampling: Sampling::default(),
            estimator: Estimator::default(),
        }
    }
}

impl Options {
    /// Takes over what a program asks for. As many samples as it names are scored; without a number they end when the maps no longer change.
    pub fn ask(&mut self, samples: Option<u32>, seed: Option<u32>) {
        self.until_stable = samples.is_none();
        self.samples = samples.map_or(Self::default().samples, |samples| samples as usize);
        self.seed = seed.map_or(Self::default().seed, u64::from);
    }
}

/// What LIME says of one finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FindingLime {
    /// What showing each region adds to the score.
    pub coefficients: Vec<f64>,
    /// Half the width of each coefficient's 95% interval, which holds what LIME's regression would say of infinitely many samples.
    pub margins: Vec<f64>,
    pub intercept: f64,
    /// Share of the scores' variance, near the whole picture, that the regions explain.
    pub r_squared: f64,
}

/// LIME's explanation of every finding, as far as it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Lime"))]
pub struct Explanation {
    pub options: Options,
    /// Scored so far.
    pub samples: usize,
    /// Whether the maps had stopped changing.
    pub stable: bool,
    pub segments: Segments,
    /// In the order of the manifest's findings; `None` for those that were not trained.
    pub findings: Vec<Option<FindingLime>>,
}

impl Explanation {
    /// What each pixel's region adds to the score of a finding; `None` where there is not a coefficient for each region.
    pub(super) fn painted(&self, output: Output) -> Option<HeatMap> {
        let finding = self.findings.get(output.0)?.as_ref()?;
        (finding.coefficients.len() == self.segments.count)
            .then(|| self.segments.paint(&finding.coefficients))
    }

    /// What the regions of a finding add up to: the score that the linear model expects of the whole picture.
    pub(super) fn summed(&self, output: Output) -> Option<Account> {
        let finding = self.findings.get(output.0)?.as_ref()?;
        let parts = [("with every region hidden", finding.intercept)];
        let total = finding.coefficients.iter().sum::<f64>() + finding.intercept;
        let of = "the score that LIME's linear model expects".to_owned();
        Account::new(finding.coefficients.iter().copied(), parts, total, of)
    }

    /// How far it is, and how well it explains the score of a finding.
    pub(super) fn described(&self, output: Output) -> String {
        let samples = self.samples;
        let so_far = match self.stable {
            true => format!("The map is stable after {samples} samples."),
            false => format!("After {samples} samples, the map is not stable."),
        };
        let Some(Some(finding)) = self.findings.get(output.0) else {
            return so_far;
        };
        let strongest = finding.coefficients.iter().zip(&finding.margins);
        let strongest = strongest.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        let explained = match strongest {
            Some((coefficient, _)) if *coefficient == 0.0 => {
                "No region changes the score.".to_owned()
            }
            Some((coefficient, margin)) if samples >= FEW_SAMPLES => format!(
                "Its {} regions explain {:.0}% of how the score changes (R\u{b2} {:.2}). The strongest region {} the score by {:.3} \u{b1} {margin:.3}.",
                self.segments.count,
                100.0 * finding.r_squared.max(0.0),
                finding.r_squared,
                if *coefficient > 0.0 {
                    "raises"
                } else {
                    "lowers"
                },
                coefficient.abs(),
            ),
            _ => return so_far,
        };
        format!("{so_far} {explained}")
    }
}
