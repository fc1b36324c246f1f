//! What training makes small, on logits, with soft targets and a mask.

use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, softplus};
use serde::{Deserialize, Serialize};

/// Which loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Binary cross-entropy.
    #[default]
    Bce,
    /// Asymmetric loss (Ridnik et al., ICCV 2021): easy cases count less, negatives less than positives, and negatives
    /// with a probability below `margin` not at all.
    Asymmetric {
        positive_focus: f32,
        negative_focus: f32,
        margin: f32,
    },
    /// AUC margin loss (Yuan et al., ICCV 2021): within a batch positives shall score higher than negatives by `margin`.
    /// Its inner minimum and maximum are known for a batch (the means of both classes), and taken. To follow cross-entropy.
    AucMargin { margin: f32 },
}

impl Loss {
    /// The loss of a batch. `logits`, `targets` (0 to 1) and `mask` (0 or 1) are `[batch, findings]`; `positive_weight` is
    /// `[1, findings]`, and the AUC margin loss, which weighs the classes alike, has no use for it. 0 if all is masked.
    pub fn of(
        self,
        logits: Tensor<2>,
        targets: Tensor<2>,
        mask: Tensor<2>,
        positive_weight: Tensor<2>,
    ) -> Tensor<1> {
        match self {
            Loss::Bce => {
                // softplus(-z) = -log sigmoid(z), without ever taking the logarithm of 0.
                let positive = softplus(-logits.clone(), 1.0) * targets.clone() * positive_weight;
                let negative = softplus(logits, 1.0) * (-targets + 1.0);
                masked_mean(positive + negative, mask)
            }
            Loss::Asymmetric {
                positive_focus,
                negative_focus,
                margin,
            } => {
                let p = sigmoid(logits.clone());
                let easy = (-p.clone() + 1.0).powf_scalar(positive_focus);
                let positive = softplus(-logits, 1.0) * easy * targets.clone() * positive_weight;
                let p = (p - margin).clamp_min(0.0);
                let negative = -(-p.clone() + 1.0).clamp_min(1e-7).log();
                let negative = negative * p.powf_scalar(negative_focus) * (-targets + 1.0);
                masked_mean(positive + negative, mask)
            }
            Loss::AucMargin { margin } => {
                let p = sigmoid(logits);
                let positive = targets.clone() * mask.clone();
                let negative = (-targets + 1.0) * mask;
                let (positives, negatives) =
                    (positive.clone().sum_dim(0), negative.clone().sum_dim(0));
                let mean = |values: Tensor<2>, weight: &Tensor<2>, total: &Tensor<2>| {
                    (values * weight.clone()).sum_dim(0) / total.clone().clamp_min(1e-6)
                };
                let of_positives = mean(p.clone(), &positive, &positives);
                let of_negatives = mean(p.clone(), &negative, &negatives);
                let spread_of_positives = (p.clone() - of_positives.clone()).powi_scalar(2);
                let spread_of_negatives = (p - of_negatives.clone()).powi_scalar(2);
                let gap = (of_negatives - of_positives + margin).clamp_min(0.0);
                let loss = mean(spread_of_positives, &positive, &positives)
                    + mean(spread_of_negatives, &negative, &negatives)
                    + gap.powi_scalar(2);
                // Only findings of which the batch has both.
                let both = positives.clamp(0.0, 1.0) * negatives.clamp(0.0, 1.0);
                masked_mean(loss, both)
            }
        }
    }
}

fn masked_mean(loss: Tensor<2>, mask: Tensor<2>) -> Tensor<1> {
    let entries = mask.clone().sum().clamp_min(1.0);
    (loss * mask).sum() / entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn loss<const N: usize>(
        loss: Loss,
        z: [[f32; N]; 2],
        y: [[f32; N]; 2],
        mask: [[f32; N]; 2],
        weight: f32,
    ) -> f32 {
        let device = Device::flex();
        let t = |v: [[f32; N]; 2]| Tensor::<2>::from_floats(v, &device);
        let weight = Tensor::full([1, N], weight, &device);
        loss.of(t(z), t(y), t(mask), weight).into_scalar::<f32>()
    }

    fn p(z: f32) -> f32 {
        1.0 / (1.0 + (-z).exp())
    }

    #[test]
    fn cross_entropy_takes_soft_targets_masks_and_weights_and_stays_finite() {
        let by_hand = |z: f32, y: f32, w: f32| -(w * y * p(z).ln() + (1.0 - y) * (1.0 - p(z)).ln());
        let z = [[2.0, -1.0], [90.0, 0.5]];
        let y = [[1.0, 0.3], [0.0, 1.0]];
        let mask = [[1.0, 1.0], [0.0, 1.0]];
        for weight in [1.0, 3.0] {
            let ours = loss(Loss::Bce, z, y, mask, weight);
            let expected =
                by_hand(2.0, 1.0, weight) + by_hand(-1.0, 0.3, weight) + by_hand(0.5, 1.0, weight);
            assert!((ours - expected / 3.0).abs() < 1e-5, "{ours} {expected}");
        }
        assert_eq!(
            loss(
                Loss::Bce,
                [[1.0], [1.0]],
                [[1.0], [0.0]],
                [[0.0], [0.0]],
                1.0
            ),
            0.0
        );
        assert!(
            loss(
                Loss::Bce,
                [[-200.0], [200.0]],
                [[1.0], [0.0]],
                [[1.0], [1.0]],
                1.0
            )
            .is_finite()
        );
    }

    #[test]
    fn asymmetric_loss_is_cross_entropy_without_focus_and_forgets_easy_negatives_with_it() {
        let (z, y, mask) = (
            [[2.0, -1.0], [0.3, 0.5]],
            [[1.0, 0.0], [0.0, 1.0]],
            [[1.0; 2]; 2],
        );
        let plain = Loss::Asymmetric {
            positive_focus: 0.0,
            negative_focus: 0.0,
            margin: 0.0,
        };
        let difference = loss(plain, z, y, mask, 1.0) - loss(Loss::Bce, z, y, mask, 1.0);
        assert!(difference.abs() < 1e-5, "{difference}");
        let focused = Loss::Asymmetric {
            positive_focus: 1.0,
            negative_focus: 4.0,
            margin: 0.05,
        };
        assert_eq!(
            loss(focused, [[-4.0], [-5.0]], [[0.0]; 2], [[1.0]; 2], 1.0),
            0.0
        );
        let by_hand = (1.0 - p(2.0)) * -p(2.0).ln();
        assert!(
            (loss(focused, [[2.0], [-9.0]], [[1.0], [0.0]], [[1.0]; 2], 1.0) - by_hand / 2.0).abs()
                < 1e-6
        );
    }

    #[test]
    fn auc_margin_loss_is_0_where_the_classes_are_apart_and_undefined_findings_do_not_count() {
        let margin = Loss::AucMargin { margin: 1.0 };
        let apart = loss(
            margin,
            [[40.0, 1.0], [-40.0, 2.0]],
            [[1.0, 1.0], [0.0, 1.0]],
            [[1.0; 2]; 2],
            1.0,
        );
        assert!(apart.abs() < 1e-6, "{apart}");
        let turned = loss(margin, [[-40.0], [40.0]], [[1.0], [0.0]], [[1.0]; 2], 1.0);
        assert!((turned - 4.0).abs() < 1e-5, "{turned}");
    }
}
