//! A detector of pictures that are no frontal chest radiographs: a linear head on a network's features, kept in its package.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::kind::{Kind, Verdict};
use crate::radiograph::{GreyImage, resize};

/// The side of the small picture whose levels are features, too.
pub const THUMBNAIL: usize = 16;

/// A linear head (multinomial logistic regression) on what a network makes of a picture.
///
/// Features: for each channel of the last feature maps its mean, the mean of the right half less that of the left, and of the lower half less
/// that of the upper; then the levels of a picture of 16 x 16 pixels, from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Detector {
    /// What the head tells apart from frontal chest radiographs, which come first.
    pub kinds: Vec<Kind>,
    /// By what each feature's weights are multiplied: float32, the lowest byte first, in Base64.
    pub scales: String,
    /// Weights from -127 to 127: a row of all features for frontal chest radiographs, then one for each kind; bytes in Base64.
    pub weights: String,
    /// One for each row.
    pub bias: Vec<f32>,
    /// From which value on there is a warning, and scores are shown only when asked for; but see [`Detector::verdict`].
    pub warn: f64,
    pub stop: f64,
    /// How it was trained, in a sentence.
    pub training: String,
    pub measured: Measured,
}

/// What was measured of a detector on images that it was not trained on.
#[derive(
    Clone, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Measured {
    /// Which frontal chest radiographs.
    pub set: String,
    pub frontal: Part,
    /// All other pictures together.
    pub odd: Part,
    /// Other pictures by the names of their kinds.
    pub kinds: BTreeMap<String, Part>,
    /// Frontal chest radiographs of other sources, by the name of the table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub elsewhere: BTreeMap<String, Part>,
}

/// Some pictures, and what came of them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Part {
    pub images: usize,
    /// Parts of them.
    pub stopped: f64,
    pub warned: f64,
    /// AUC between them and the frontal chest radiographs, of other pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<f64>,
    /// The part that is called by its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<f64>,
}

/// A detector's head, unpacked.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub scales: Vec<f32>,
    pub weights: Vec<i8>,
    pub bias: Vec<f32>,
}

impl Head {
    /// Scales and weights as a manifest has them.
    pub fn packed(&self) -> (String, String) {
        let scales = self.scales.iter().flat_map(|v| v.to_le_bytes());
        let weights = self.weights.iter().map(|weight| *weight as u8);
        (
            STANDARD.encode(scales.collect::<Vec<u8>>()),
            STANDARD.encode(weights.collect::<Vec<u8>>()),
        )
    }

    /// How likely a picture is a frontal chest radiograph, and each of the kinds; together 1. `None` where the features are not as many as the
    /// head has.
    pub fn shares(&self, features: &[f32]) -> Option<Vec<f64>> {
        if features.len() != self.scales.len() {
            return None;
        }
        let scaled: Vec<f64> = features
            .iter()
            .zip(&self.scales)
            .map(|(feature, scale)| f64::from(*feature) * f64::from(*scale))
            .collect();
        let rows = self
            .weights
            .chunks_exact(scaled.len().max(1))
            .zip(&self.bias);
        let logits: Vec<f64> = rows
            .map(|(row, bias)| {
                let products = row.iter().zip(&scaled).map(|(w, x)| f64::from(*w) * x);
                products.sum::<f64>() + f64::from(*bias)
            })
            .collect();
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let parts: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
        let sum: f64 = parts.iter().sum();
        Some(parts.into_iter().map(|part| part / sum).collect())
    }
}

impl Detector {
    /// The head of it, which is what computes.
    ///
    /// # Errors
    /// When its parts do not fit each other, in words.
    pub fn head(&self) -> Result<Head, String> {
        let rows = self.kinds.len() + 1;
        let mut kinds = self.kinds.clone();
        kinds.sort();
        kinds.dedup();
        if kinds.len() != self.kinds.len() || kinds.is_empty() {
            return Err("the gate names a kind twice, or none".to_owned());
        }
        let decoded = |text: &str| {
            let bytes = STANDARD.decode(text);
            bytes.map_err(|error| format!("the gate's numbers are no Base64: {error}"))
        };
        let scales = decoded(&self.scales)?;
        let (scales, _) = scales.as_chunks::<4>();
        let head = Head {
            scales: scales.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            weights: decoded(&self.weights)?
                .into_iter()
                .map(|byte| byte as i8)
                .collect(),
            bias: self.bias.clone(),
        };
        if self.bias.len() != rows || head.weights.len() != rows * head.scales.len() {
            return Err("the gate's weights do not fit its kinds".to_owned());
        }
        let numbers = head.scales.iter().chain(&self.bias);
        if numbers.into_iter().any(|number| !number.is_finite()) {
            return Err("the gate has a weight that is no number".to_owned());
        }
        if !(0.0..=1.0).contains(&self.warn) || !(self.warn..=1.0).contains(&self.stop) {
            return Err("the gate's limits are no shares, or the wrong way round".to_owned());
        }
        Ok(head)
    }

    /// What a value means for a picture that is likeliest of a kind. A mirrored chest and a child's are frontal chest radiographs still, and
    /// those of another hospital are taken for mirrored ones most often: they are warned of at most.
    pub fn verdict(&self, kind: Kind, value: f64) -> Verdict {
        let still_frontal = matches!(kind, Kind::Mirrored | Kind::Child);
        match value {
            value if value >= self.stop && !still_frontal => Verdict::Stop,
            value if value >= self.warn => Verdict::Warn,
            _ => Verdict::Pass,
        }
    }

    /// The likeliest of the kinds, and how likely a picture is any of them.
    pub fn odd(&self, shares: &[f64]) -> (Kind, f64) {
        let others = self.kinds.iter().zip(shares.iter().skip(1));
        let likeliest = others.max_by(|a, b| a.1.total_cmp(b.1));
        let kind = likeliest.map_or(Kind::NotARadiograph, |(kind, _)| *kind);
        let frontal = shares.first().copied().unwrap_or(0.0);
        (kind, (1.0 - frontal).clamp(0.0, 1.0))
    }
}

/// The levels of a small picture, row by row, from 0 to 1.
pub fn thumbnail(square: &GreyImage) -> Vec<f32> {
    let small = resize(square, THUMBNAIL, THUMBNAIL);
    small.pixels.iter().map(|v| f32::from(*v) / 255.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            scales: vec![0.1, 0.01],
            weights: vec![10, 0, -10, 50, 0, -100],
            bias: vec![0.5, 0.0, -0.5],
        }
    }

    fn detector() -> Detector {
        let (scales, weights) = head().packed();
        Detector {
            kinds: vec![Kind::Turned, Kind::Inverted],
            scales,
            weights,
            bias: head().bias,
            warn: 0.5,
            stop: 0.9,
            training: "By hand.".to_owned(),
            measured: Measured::default(),
        }
    }

    #[test]
    fn shares_are_the_softmax_of_a_linear_head() {
        let shares = head().shares(&[2.0, 3.0]).expect("as many features");
        let logits: [f64; 3] = [
            10.0 * 0.2 + 0.5,
            -10.0 * 0.2 + 50.0 * 0.03,
            -100.0 * 0.03 - 0.5,
        ];
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        for (share, logit) in shares.iter().zip(logits) {
            assert!((share - logit.exp() / sum).abs() < 1e-6);
        }
        let (kind, value) = detector().odd(&shares);
        assert_eq!(kind, Kind::Turned);
        assert!((value - (1.0 - shares[0])).abs() < 1e-12);
        assert_eq!(head().shares(&[1.0]), None);
    }

    #[test]
    fn it_is_written_and_read_and_what_contradicts_itself_is_refused() {
        let detector = detector();
        let json = serde_json::to_string(&detector).expect("JSON");
        let read: Detector = serde_json::from_str(&json).expect("a detector");
        assert_eq!(read.head().as_ref(), Ok(&head()));
        let nan = Head {
            scales: vec![f32::NAN, 0.0],
            ..head()
        };
        let wrong = [
            Detector {
                bias: vec![0.0],
                ..detector.clone()
            },
            Detector {
                kinds: vec![Kind::Turned, Kind::Turned],
                ..detector.clone()
            },
            Detector {
                scales: nan.packed().0,
                ..detector.clone()
            },
            Detector {
                warn: 0.95,
                ..detector.clone()
            },
            Detector {
                weights: "!".to_owned(),
                ..detector.clone()
            },
            Detector {
                weights: String::new(),
                ..detector
            },
        ];
        for detector in wrong {
            assert!(detector.head().is_err());
        }
    }
}
