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

/// Pixels whose densities are summed at once.
const TOGETHER: usize = 8;

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
        let colour = lab::squared_distances(self.ratio);
        let mut density = self.densities(image, &colour);
        for density in &mut density {
            *density += noise();
        }
        let parent = self.parents(image, &colour, &density);
        Segments::from_roots(image.width, image.height, &parent)
    }

    /// How far a pixel's window reaches.
    fn radius(&self) -> usize {
        (3.0 * self.kernel_size).ceil() as usize
    }

    /// How many pixels of like colour are near each pixel. `colour`: squared distances, 256 by 256.
    fn densities(&self, image: &GreyImage, colour: &[f64]) -> Vec<f64> {
        let (width, height) = (image.width, image.height);
        let radius = self.radius();
        let scale = 2.0 * self.kernel_size * self.kernel_size;
        // exp(-(a + b)) = exp(-a) exp(-b): two tables instead of an exponential for every pair of pixels.
        let colour_kernel: Vec<f64> = colour.iter().map(|d| (-d / scale).exp()).collect();
        let (levels, _) = colour_kernel.as_chunks::<256>();
        let place_kernel: Vec<f64> = (0..=2 * radius * radius)
            .map(|d| (-(d as f64) / scale).exp())
            .collect();
        let window = |centre: usize, length: usize| {
            centre.saturating_sub(radius)..(centre + radius + 1).min(length)
        };
        let mut density: Vec<f64> = Vec::with_capacity(width * height);
        for y in 0..height {
            let mut x = 0;
            while x < width {
                // Where the whole window is in the picture, several pixels at once: no sum waits for another's terms, and each
                // has its own in the order of the picture.
                let inside = x >= radius && x + TOGETHER + radius <= width;
                let together = if inside { TOGETHER } else { 1 };
                let mut kernels = [&levels[0]; TOGETHER];
                let own = &image.pixels[y * width + x..][..together];
                for (kernel, level) in kernels.iter_mut().zip(own) {
                    *kernel = &levels[usize::from(*level)];
                }
                let mut sums = [0.0; TOGETHER];
                for v in window(y, height) {
                    let down = v.abs_diff(y).pow(2);
                    let line = &image.pixels[v * width..][..width];
                    if inside {
                        let others = line[x - radius..].windows(TOGETHER);
                        for (u, others) in others.take(2 * radius + 1).enumerate() {
                            let place = place_kernel[down + u.abs_diff(radius).pow(2)];
                            for ((sum, kernel), other) in sums.iter_mut().zip(kernels).zip(others) {
                                *sum += kernel[usize::from(*other)] * place;
                            }
                        }
                    } else {
                        for u in window(x, width) {
                            let place = place_kernel[down + u.abs_diff(x).pow(2)];
                            sums[0] += kernels[0][usize::from(line[u])] * place;
                        }
                    }
                }
                density.extend(&sums[..together]);
                x += together;
            }
        }
        density
    }

    /// The nearest pixel of higher density for each, or itself; of several as near, the first in the picture.
    fn parents(&self, image: &GreyImage, colour: &[f64], density: &[f64]) -> Vec<usize> {
        let (width, height) = (image.width, image.height);
        let parent = |here: usize| {
            let at = [here % width, here / width];
            let colour = &colour[256 * usize::from(image.pixels[here])..][..256];
            let mut nearest = (f64::INFINITY, here);
            // From the pixel outwards, until no other can be as near: none is nearer than its place.
            for down in 0..=self.radius() {
                for across in 0..=self.radius() {
                    let place = (down * down + across * across) as f64;
                    if place > nearest.0 {
                        break;
                    }
                    for there in around(at, [across, down], [width, height]) {
                        if density[there] > density[here] {
                            let distance = colour[usize::from(image.pixels[there])] + place;
                            if (distance, there) < nearest {
                                nearest = (distance, there);
                            }
                        }
                    }
                }
            }
            match nearest.0.sqrt() > self.max_dist {
                true => here,
                false => nearest.1,
            }
        };
        (0..width * height).map(parent).collect()
    }
}

/// The pixels of a picture that are as far from one as this, across and down: 4 at most.
fn around(
    [x, y]: [usize; 2],
    [across, down]: [usize; 2],
    [width, height]: [usize; 2],
) -> impl Iterator<Item = usize> {
    let both = |centre: usize, step: usize, length: usize| {
        let before = centre.checked_sub(step);
        let after = (step > 0).then_some(centre + step);
        let after = after.filter(|after| *after < length);
        before.into_iter().chain(after)
    };
    both(y, down, height).flat_map(move |v| both(x, across, width).map(move |u| v * width + u))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pair by pair, in the order of the picture.
    fn plainly(shift: &Quickshift, image: &GreyImage) -> Segments {
        let colour = lab::squared_distances(shift.ratio);
        let reach = shift.radius() as isize;
        let (width, height) = (image.width as isize, image.height as isize);
        let scale = 2.0 * shift.kernel_size * shift.kernel_size;
        let pairs = |here: usize| {
            let (x, y) = (here as isize % width, here as isize / width);
            let colour = &colour[256 * usize::from(image.pixels[here])..][..256];
            let rows = (y - reach).max(0)..(y + reach + 1).min(height);
            let columns = (x - reach).max(0)..(x + reach + 1).min(width);
            let places = rows.flat_map(move |v| columns.clone().map(move |u| (u, v)));
            places.map(move |(u, v)| {
                let there = (v * width + u) as usize;
                let place = ((u - x).pow(2) + (v - y).pow(2)) as f64;
                (there, colour[usize::from(image.pixels[there])], place)
            })
        };
        let kernel = |d: f64| (-d / scale).exp();
        let all = 0..image.pixels.len();
        let density = all.clone().map(|here| {
            let terms = pairs(here).map(|(_, colour, place)| kernel(colour) * kernel(place));
            terms.fold(0.0, |sum, term| sum + term)
        });
        let density: Vec<f64> = density.collect();
        let parent = all.map(|here| {
            let mut nearest = (f64::INFINITY, here);
            for (there, colour, place) in pairs(here) {
                if density[there] > density[here] && colour + place < nearest.0 {
                    nearest = (colour + place, there);
                }
            }
            match nearest.0.sqrt() > shift.max_dist {
                true => here,
                false => nearest.1,
            }
        });
        let parent: Vec<usize> = parent.collect();
        Segments::from_roots(image.width, image.height, &parent)
    }

    #[test]
    fn several_pixels_at_once_and_from_the_pixel_outwards_are_the_same_segments() {
        for (width, height, levels) in [
            (40, 31, 200),
            (33, 20, 3),
            (9, 9, 1),
            (1, 30, 50),
            (64, 5, 7),
        ] {
            for max_dist in [200.0, 3.0] {
                let shift = Quickshift {
                    max_dist,
                    ..Quickshift::default()
                };
                let level = |place: usize| (place * place * 31 / 7 % levels) as u8;
                let image = GreyImage {
                    width,
                    height,
                    pixels: (0..width * height).map(level).collect(),
                };
                let segments = shift.segment(&image, || 0.0);
                assert_eq!(segments, plainly(&shift, &image), "{width} x {height}");
            }
        }
    }
}
