//! The channel of transparency.

/// Leaves out the last channel of each pixel, and says whether it was opaque everywhere.
pub fn without_alpha<T: Copy + PartialEq>(
    samples: Vec<T>,
    channels: usize,
    opaque: T,
) -> (Vec<T>, bool) {
    let kept = channels - 1;
    let covers = samples
        .iter()
        .skip(kept)
        .step_by(channels)
        .all(|alpha| *alpha == opaque);
    let pixels = samples.chunks_exact(channels);
    (
        pixels.flat_map(|pixel| &pixel[..kept]).copied().collect(),
        covers,
    )
}
