//! Quickshift (Vedaldi and Soatto, ECCV 2008), as skimage computes it, for grey pictures.

use super::{Segments, lab};
use crate::radiograph::GreyImage;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quickshift {
    /// The width of the Gaussian that estimates density, in pixels.
    pub kernel_size: f64,
    /// Links longer than this are cut.
    pub max_dist: f64,
    /// How much colour counts against position.
    pub ratio: f64,
}

impl Default for Quickshift {
    /// LIME's choice for pictures.
    fn default() -> Self {
        Self {
            kernel_size: 4.0,
            max_dist: 200.0,
            ratio: 0.2,
        }
    }
}

impl Quickshift {
    /// Each pixel belongs to the nearest pixel of higher density, and those that lead to one root are a segment.
    ///
    /// `noise` is added to the density of each pixel, row by row, so that no two are equal.
    pub fn segment(&self, image: &GreyImage, mut noise: impl FnMut() -> f64) -> Segments {
        let (width, height) = (image.width, image.height);
        let radius = (3.0 * self.kernel_size).ceil() as usize;
        let colour = lab::squared_distances(self.ratio);
        let scale = 2.0 * self.kernel_size * self.kernel_size;
        // exp(-(a + b)) = exp(-a) exp(-b): two tables instead of an exponential for every pair of pixels.
        let colour_kernel: Vec<f64> = colour.iter().map(|d| (-d / scale).exp()).collect();
        let place_kernel: Vec<f64> = (0..=2 * radius * radius)
            .map(|d| (-(d as f64) / scale).exp())
            .collect();
        let window = |centre: usize, length: usize| {
            centre.saturating_sub(radius)..(centre + radius + 1).min(length)
        };

        let mut density = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let row = 256 * usize::from(image.pixels[y * width + x]);
                let mut sum = 0.0;
                for v in window(y, height) {
                    for u in window(x, width) {
                        let place = v.abs_diff(y).pow(2) + u.abs_diff(x).pow(2);
                        let other = usize::from(image.pixels[v * width + u]);
                        sum += colour_kernel[row + other] * place_kernel[place];
                    }
                }
                density.push(sum);
            }
        }
        for density in &mut density {
            *density += noise();
        }

        let mut parent: Vec<usize> = (0..width * height).collect();
        for y in 0..height {
            for x in 0..width {
                let here = y * width + x;
                let row = 256 * usize::from(image.pixels[here]);
                let mut nearest = f64::INFINITY;
                for v in window(y, height) {
                    for u in window(x, width) {
                        let there = v * width + u;
                        if density[there] <= density[here] {
                            continue;
                        }
                        let place = v.abs_diff(y).pow(2) + u.abs_diff(x).pow(2);
                        let distance =
                            colour[row + usize::from(image.pixels[there])] + place as f64;
                        if distance < nearest {
                            nearest = distance;
                            parent[here] = there;
                        }
                    }
                }
                if nearest.sqrt() > self.max_dist {
                    parent[here] = here;
                }
            }
        }
        Segments::from_roots(width, height, &parent)
    }
}
