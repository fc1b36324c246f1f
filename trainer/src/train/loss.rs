//! Binary cross-entropy on logits, with soft targets and a mask.

use burn::tensor::Tensor;
use burn::tensor::activation::softplus;

/// The mean over the unmasked entries of `softplus(z) - y z`, which is the cross-entropy of `sigmoid(z)` and
/// `y` without ever taking the logarithm of 0. All are `[batch, findings]`; `mask` is 0 or 1; 0 if all is masked.
pub fn masked_bce(logits: Tensor<2>, targets: Tensor<2>, mask: Tensor<2>) -> Tensor<1> {
    let entries = mask.clone().sum().clamp_min(1.0);
    let loss = softplus(logits.clone(), 1.0) - logits * targets;
    (loss * mask).sum() / entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn masked_entries_do_not_count_and_soft_targets_do() {
        let device = Device::flex();
        let loss = |logits: [f32; 3], targets: [f32; 3], mask: [f32; 3]| {
            let t = |v: [f32; 3]| Tensor::<2>::from_floats([v], &device);
            masked_bce(t(logits), t(targets), t(mask)).into_scalar::<f32>()
        };
        let by_hand = |z: f32, y: f32| {
            let p = 1.0 / (1.0 + (-z).exp());
            -(y * p.ln() + (1.0 - y) * (1.0 - p).ln())
        };
        let ours = loss([2.0, -1.0, 90.0], [1.0, 0.3, 0.0], [1.0, 1.0, 0.0]);
        let expected = (by_hand(2.0, 1.0) + by_hand(-1.0, 0.3)) / 2.0;
        assert!((ours - expected).abs() < 1e-5, "{ours} {expected}");
        assert_eq!(loss([1.0; 3], [1.0; 3], [0.0; 3]), 0.0);
        assert!(loss([-200.0, 200.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]).is_finite());
    }
}
