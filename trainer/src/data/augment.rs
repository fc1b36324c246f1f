//! Random changes that keep a radiograph a radiograph. Not mirrored, unless a recipe asks for it: the heart stays on its side.

use rand::Rng;
use serde::{Deserialize, Serialize};
use sightline::radiograph::GreyImage;

/// How far each change may go; each is drawn evenly from its range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Degrees to either side.
    pub rotation: f32,
    /// The side of the crop, as a share of the picture's: from, to.
    pub crop: (f32, f32),
    /// The longer over the shorter side of the crop, at most.
    pub stretch: f32,
    /// Contrast is multiplied by up to this, or divided.
    pub contrast: f32,
    /// Added to the grey values, to either side, as a share of white.
    pub brightness: f32,
    /// The share of pictures that are mirrored, as the origin did: the heart then lies on the wrong side.
    #[serde(default)]
    pub flip: f32,
}

/// One change, as it was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The size of the crop, as shares of the picture's sides; a negative width mirrors.
    size: (f32, f32),
    center: (f32, f32),
    /// In radians.
    angle: f32,
    contrast: f32,
    /// In grey levels.
    brightness: f32,
}

impl Change {
    /// Where in the picture a place of the changed picture comes from; both as shares of the sides. Beyond 0..1 lies nothing.
    pub fn source(&self, x: f32, y: f32) -> (f32, f32) {
        let (sin, cos) = self.angle.sin_cos();
        let (u, v) = ((x - 0.5) * self.size.0, (y - 0.5) * self.size.1);
        (
            self.center.0 + u * cos - v * sin,
            self.center.1 + u * sin + v * cos,
        )
    }

    /// The changed picture, `size` x `size`, sampled bilinearly; outside the picture is black.
    pub fn apply(&self, image: &GreyImage, size: usize) -> GreyImage {
        let (width, height) = (image.width as f32, image.height as f32);
        let mut pixels = Vec::with_capacity(size * size);
        for row in 0..size {
            for column in 0..size {
                let share = |index: usize| (index as f32 + 0.5) / size as f32;
                let (x, y) = self.source(share(column), share(row));
                let level = sample(image, x * width - 0.5, y * height - 0.5);
                // Rounded half up; the conversion saturates.
                pixels.push(((level - 128.0) * self.contrast + 128.5 + self.brightness) as u8);
            }
        }
        GreyImage {
            width: size,
            height: size,
            pixels,
        }
    }
}

impl Augmentation {
    /// Changes nothing.
    #[cfg(test)]
    pub const NONE: Self = Self {
        rotation: 0.0,
        crop: (1.0, 1.0),
        stretch: 1.0,
        contrast: 1.0,
        brightness: 0.0,
        flip: 0.0,
    };

    /// Draws a change.
    pub fn draw(&self, rng: &mut impl Rng) -> Change {
        let angle = self.symmetric(self.rotation, rng).to_radians();
        let crop = rng.random_range(self.crop.0..=self.crop.1);
        let stretch = self.factor(self.stretch, rng).sqrt();
        let (crop_x, crop_y) = (crop * stretch, crop / stretch);
        let shift = |crop: f32, rng: &mut dyn rand::RngCore| {
            let room = (1.0 - crop).abs() / 2.0;
            rng.random_range(-room..=room)
        };
        let center = (0.5 + shift(crop_x, rng), 0.5 + shift(crop_y, rng));
        let contrast = self.factor(self.contrast, rng);
        let brightness = self.symmetric(self.brightness, rng) * 255.0;
        // Drawn only where it is wanted, so that other recipes' pictures stay as they were.
        let mirror = self.flip > 0.0 && rng.random_bool(f64::from(self.flip));
        Change {
            size: (if mirror { -crop_x } else { crop_x }, crop_y),
            center,
            angle,
            contrast,
            brightness,
        }
    }

    fn symmetric(&self, range: f32, rng: &mut impl Rng) -> f32 {
        rng.random_range(-range..=range)
    }

    fn factor(&self, most: f32, rng: &mut impl Rng) -> f32 {
        rng.random_range(-most.ln()..=most.ln()).exp()
    }
}

#[inline]
fn sample(image: &GreyImage, x: f32, y: f32) -> f32 {
    // Where all four neighbours are there, which is nearly everywhere. Truncation is the floor: nothing is below 0.
    if x >= 0.0 && y >= 0.0 {
        let (left, top) = (x as usize, y as usize);
        if left + 1 < image.width && top + 1 < image.height {
            let (across, down) = (x - left as f32, y - top as f32);
            let at = top * image.width + left;
            let [above, below] = [at, at + image.width].map(|at| {
                let pair = &image.pixels[at..at + 2];
                f32::from(pair[0]) * (1.0 - across) + f32::from(pair[1]) * across
            });
            return above * (1.0 - down) + below * down;
        }
    }
    sample_at_border(image, x, y)
}

/// Beyond the border is black.
fn sample_at_border(image: &GreyImage, x: f32, y: f32) -> f32 {
    let (x0, y0) = (x.floor(), y.floor());
    let pixel = |x: f32, y: f32| {
        let inside = x >= 0.0 && y >= 0.0 && x < image.width as f32 && y < image.height as f32;
        if inside {
            f32::from(image.pixels[y as usize * image.width + x as usize])
        } else {
            0.0
        }
    };
    let (across, down) = (x - x0, y - y0);
    let above = pixel(x0, y0) * (1.0 - across) + pixel(x0 + 1.0, y0) * across;
    let below = pixel(x0, y0 + 1.0) * (1.0 - across) + pixel(x0 + 1.0, y0 + 1.0) * across;
    above * (1.0 - down) + below * down
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn gradient() -> GreyImage {
        let pixels = (0..64 * 64).map(|i| (i % 64 * 4) as u8).collect();
        GreyImage {
            width: 64,
            height: 64,
            pixels,
        }
    }

    #[test]
    fn no_change_gives_the_picture_back() {
        let image = gradient();
        assert_eq!(
            Augmentation::NONE
                .draw(&mut StdRng::seed_from_u64(1))
                .apply(&image, 64),
            image
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_picture_and_left_stays_left() {
        let strong = Augmentation {
            rotation: 10.0,
            crop: (0.8, 1.0),
            stretch: 1.1,
            contrast: 1.3,
            brightness: 0.1,
            flip: 0.0,
        };
        let image = gradient();
        let draw = |seed| {
            strong
                .draw(&mut StdRng::seed_from_u64(seed))
                .apply(&image, 32)
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        for seed in 0..50 {
            let picture = draw(seed);
            let side = |columns: std::ops::Range<usize>| -> u32 {
                columns
                    .map(|x| u32::from(picture.pixels[16 * 32 + x]))
                    .sum()
            };
            assert!(
                side(0..8) < side(24..32),
                "seed {seed} mirrored the picture"
            );
        }
    }
}
