//! Grey levels in CIELAB, as skimage's `rgb2lab` has them (D65, 2 degrees).

/// L*, a* and b* of the grey `level` in 0..1. The last two are near 0, not 0: the constants are rounded.
pub fn grey_to_lab(level: f64) -> [f64; 3] {
    let linear = if level > 0.04045 {
        ((level + 0.055) / 1.055).powf(2.4)
    } else {
        level / 12.92
    };
    const XYZ_FROM_RGB: [[f64; 3]; 3] = [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ];
    const WHITE: [f64; 3] = [0.95047, 1.0, 1.08883];
    let mut f = [0.0; 3];
    for ((f, row), white) in f.iter_mut().zip(XYZ_FROM_RGB).zip(WHITE) {
        let value = row.iter().map(|weight| weight * linear).sum::<f64>() / white;
        *f = if value > 0.008856 {
            value.cbrt()
        } else {
            7.787 * value + 16.0 / 116.0
        };
    }
    let [x, y, z] = f;
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The squared distance between two grey levels of 0..=255, for every pair of them: `[a * 256 + b]`.
pub fn squared_distances(scale: f64) -> Vec<f64> {
    let levels: Vec<[f64; 3]> = (0..256)
        .map(|level| grey_to_lab(f64::from(level) / 255.0).map(|v| v * scale))
        .collect();
    let mut distances = Vec::with_capacity(256 * 256);
    for a in &levels {
        distances.extend(levels.iter().map(|b| {
            let differences = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
            differences.sum::<f64>()
        }));
    }
    distances
}
