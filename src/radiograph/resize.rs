//! Resizing with antialiasing, bit for bit as Pillow and torchvision do it.

/// An 8-bit grey picture, row by row from the top left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GreyImage {
    pub width: usize,
    pub height: usize,
    /// `height * width` values, 0 black.
    pub pixels: Vec<u8>,
}

/// Bits behind the point in Pillow's fixed-point weights (`Resample.c`, 8 bits per channel).
const PRECISION: u32 = 32 - 8 - 2;

/// The weights of the input pixels that make one output pixel.
struct Weights {
    first: usize,
    weights: Vec<i32>,
}

/// A triangle filter as wide as the reduction (never narrower than a pixel), normalised and in fixed point.
fn triangle_weights(input: usize, output: usize) -> Vec<Weights> {
    let scale = input as f64 / output as f64;
    let support = scale.max(1.0);
    (0..output)
        .map(|position| {
            let center = (position as f64 + 0.5) * scale;
            let first = ((center - support + 0.5).max(0.0)) as usize;
            let end = ((center + support + 0.5) as usize).min(input);
            let raw: Vec<f64> = (first..end)
                .map(|x| (1.0 - ((x as f64 - center + 0.5) / support).abs()).max(0.0))
                .collect();
            let total: f64 = raw.iter().sum();
            let weights = raw
                .iter()
                .map(|w| (w / total * f64::from(1u32 << PRECISION)).round() as i32)
                .collect();
            Weights { first, weights }
        })
        .collect()
}

fn weighted(pixels: impl Iterator<Item = u8>, weights: &[i32]) -> u8 {
    let half = 1i32 << (PRECISION - 1);
    let sum: i32 = pixels.zip(weights).map(|(p, w)| i32::from(p) * w).sum();
    ((half + sum) >> PRECISION).clamp(0, 255) as u8
}

/// The picture at another size: a triangle filter with antialiasing, rows first, each pass rounded to
/// 8 bits. This is Pillow's `Image.resize(.., BILINEAR)`, which torchvision's `Resize` calls.
pub fn resize(image: &GreyImage, width: usize, height: usize) -> GreyImage {
    let mut rows = Vec::with_capacity(width * image.height);
    let columns = triangle_weights(image.width, width);
    for row in image.pixels.chunks_exact(image.width) {
        rows.extend(
            columns
                .iter()
                .map(|w| weighted(row[w.first..].iter().copied(), &w.weights)),
        );
    }
    let mut pixels = Vec::with_capacity(width * height);
    for w in triangle_weights(image.height, height) {
        pixels.extend((0..width).map(|x| {
            let column = rows[w.first * width + x..].iter().step_by(width).copied();
            weighted(column, &w.weights)
        }));
    }
    GreyImage {
        width,
        height,
        pixels,
    }
}
