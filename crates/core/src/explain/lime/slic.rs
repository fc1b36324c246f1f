//! SLIC superpixels (Achanta et al., IEEE TPAMI 2012), as skimage's `slic` computes them, for grey pictures.

use super::{Segments, lab};
use crate::radiograph::GreyImage;

/// How often pixels are given to the nearest centre and centres moved to the middle of their pixels.
const ROUNDS: usize = 10;
/// Regions of less than this part of a fair share of the pixels join a neighbour.
const SMALLEST: f64 = 0.5;
/// Regions of more fair shares than this are cut.
const LARGEST: f64 = 3.0;
/// More are not made: rounding and connectivity make a few times as many, and their numbers have 16 bits.
const MOST_SEGMENTS: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slic {
    /// About how many regions to make.
    pub segments: usize,
    /// How much position counts against colour: higher makes squarer regions.
    pub compactness: f64,
}

impl Default for Slic {
    fn default() -> Self {
        Self {
            segments: 50,
            compactness: 10.0,
        }
    }
}

/// The middle of a region's pixels, in place and colour.
#[derive(Clone, Copy)]
struct Centre {
    y: f64,
    x: f64,
    colour: [f64; 3],
}

impl Slic {
    /// k-means of place and colour, from centres on a grid; then each region is made connected.
    pub fn segment(&self, picture: &GreyImage) -> Segments {
        let (width, height) = (picture.width, picture.height);
        let colours = colours(&picture.pixels, self.compactness);
        let wanted = self.segments.clamp(1, MOST_SEGMENTS);
        let (down, across) = grid(height, width, wanted);
        // All are black at first: a pixel's colour is as far from one as from another, so place alone decides.
        let mut centres = Vec::new();
        for y in (down.start..height).step_by(down.step) {
            centres.extend((across.start..width).step_by(across.step).map(|x| Centre {
                y: y as f64,
                x: x as f64,
                colour: [0.0; 3],
            }));
        }
        let step = down.step.max(across.step) as f64;
        let place_weight = 1.0 / (step * step);
        // Windows have the size of a grid with as many points as there came to be.
        let (down, across) = grid(height, width, centres.len());

        let mut nearest = vec![0; width * height];
        for round in 0..ROUNDS {
            if round > 0 {
                centres = middles(picture, &colours, &nearest, centres.len());
            }
            let mut distances = vec![f64::INFINITY; width * height];
            for (number, centre) in centres.iter().enumerate() {
                for y in window(centre.y, down.step, height) {
                    let dy = centre.y - y as f64;
                    for x in window(centre.x, across.step, width) {
                        let here = y * width + x;
                        let dx = centre.x - x as f64;
                        let colour = &colours[usize::from(picture.pixels[here])];
                        let differences = colour.iter().zip(&centre.colour).map(|(a, b)| a - b);
                        let difference: f64 = differences.map(|d| d * d).sum();
                        let distance = (dy * dy + dx * dx) * place_weight + difference;
                        if distance < distances[here] {
                            distances[here] = distance;
                            nearest[here] = number;
                        }
                    }
                }
            }
        }
        let share = (width * height) as f64 / centres.len() as f64;
        let sizes = (SMALLEST * share) as usize..(LARGEST * share) as usize;
        connected(width, height, &nearest, sizes)
    }
}

/// The colour of each grey level: in CIELAB, where the darkest of `pixels` is black and the lightest white, over
/// `compactness`.
fn colours(pixels: &[u8], compactness: f64) -> Vec<[f64; 3]> {
    let level = |pixel: u8| f64::from(pixel) * (1.0 / 255.0);
    let darkest = level(pixels.iter().copied().min().unwrap_or(0));
    let lightest = level(pixels.iter().copied().max().unwrap_or(0));
    let range = if lightest > darkest {
        lightest - darkest
    } else {
        1.0
    };
    (0..=255)
        .map(|pixel| lab::grey_to_lab((level(pixel) - darkest) / range))
        .map(|colour| colour.map(|v| v * (1.0 / compactness)))
        .collect()
}

/// Where points are on an axis: every `step` pixels from `start`.
struct Axis {
    start: usize,
    step: usize,
}

/// About `points` points, as far from each other down as across (skimage's `regular_grid`).
fn grid(height: usize, width: usize, points: usize) -> (Axis, Axis) {
    if height * width <= points {
        return (Axis { start: 0, step: 1 }, Axis { start: 0, step: 1 });
    }
    let (h, w, points) = (height as f64, width as f64, points as f64);
    let step = (h * w / points).sqrt();
    // A picture too narrow for two rows of points has one.
    let (down, across) = if h < step {
        (h, w / points)
    } else if w < step {
        (h / points, w)
    } else {
        (step, step)
    };
    let axis = |step: f64| Axis {
        start: (step / 2.0) as usize,
        step: step.round_ties_even() as usize,
    };
    (axis(down), axis(across))
}

/// The pixels of an axis that are looked at from a centre: two steps to either side. Casts stop at 0.
fn window(centre: f64, step: usize, length: usize) -> std::ops::Range<usize> {
    let reach = 2.0 * step as f64;
    (centre - reach) as usize..((centre + reach + 1.0) as usize).min(length)
}

/// The middle of each region's pixels. That of none is not a number, and so nearest to nothing.
fn middles(
    picture: &GreyImage,
    colours: &[[f64; 3]],
    nearest: &[usize],
    count: usize,
) -> Vec<Centre> {
    let nothing = Centre {
        y: 0.0,
        x: 0.0,
        colour: [0.0; 3],
    };
    let mut sums = vec![(nothing, 0.0); count];
    for (pixel, number) in nearest.iter().enumerate() {
        let (sum, pixels) = &mut sums[*number];
        sum.y += (pixel / picture.width) as f64;
        sum.x += (pixel % picture.width) as f64;
        let colour = &colours[usize::from(picture.pixels[pixel])];
        for (sum, value) in sum.colour.iter_mut().zip(colour) {
            *sum += value;
        }
        *pixels += 1.0;
    }
    let middles = sums.into_iter().map(|(sum, pixels)| Centre {
        y: sum.y / pixels,
        x: sum.x / pixels,
        colour: sum.colour.map(|v| v / pixels),
    });
    middles.collect()
}

/// The pixels beside a pixel, in skimage's order: which of a region's neighbours is the last depends on it.
fn neighbours(pixel: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (pixel % width, pixel / width);
    let neighbours = [
        (x + 1 < width).then(|| pixel + 1),
        (x > 0).then(|| pixel - 1),
        (y + 1 < height).then(|| pixel + width),
        (y > 0).then(|| pixel - width),
    ];
    neighbours.into_iter().flatten()
}

/// Connected regions of pixels of the same number. Those smaller than `sizes` join one beside them; what goes beyond
/// `sizes` is another region.
fn connected(
    width: usize,
    height: usize,
    numbers: &[usize],
    sizes: std::ops::Range<usize>,
) -> Segments {
    let mut labels: Vec<Option<u16>> = vec![None; numbers.len()];
    let mut label = 0;
    let mut region = Vec::new();
    for first in 0..numbers.len() {
        if labels[first].is_some() {
            continue;
        }
        // Only the first region has none beside it. If it is small, the next large one takes its label.
        let mut beside = 0;
        labels[first] = Some(label);
        region.clear();
        region.push(first);
        let mut visited = 0;
        while visited < region.len() && region.len() < sizes.end {
            let pixel = region[visited];
            visited += 1;
            for neighbour in neighbours(pixel, width, height) {
                match labels[neighbour] {
                    None if numbers[neighbour] == numbers[first] => {
                        labels[neighbour] = Some(label);
                        region.push(neighbour);
                        if region.len() >= sizes.end {
                            break;
                        }
                    }
                    Some(other) if other != label => beside = other,
                    _ => {}
                }
            }
        }
        if region.len() < sizes.start {
            for pixel in &region {
                labels[*pixel] = Some(beside);
            }
        } else {
            label += 1;
        }
    }
    let labels: Vec<u16> = labels.into_iter().flatten().collect();
    Segments {
        width,
        height,
        count: labels.iter().max().map_or(0, |last| usize::from(*last) + 1),
        labels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize, grey: impl Fn(usize, usize) -> u8) -> GreyImage {
        let pixels = (0..width * height).map(|pixel| grey(pixel % width, pixel / width));
        GreyImage {
            width,
            height,
            pixels: pixels.collect(),
        }
    }

    /// How many connected pieces the regions have together.
    fn pieces(segments: &Segments) -> usize {
        let labels = &segments.labels;
        let mut seen = vec![false; labels.len()];
        let mut pieces = 0;
        for first in 0..labels.len() {
            if seen[first] {
                continue;
            }
            pieces += 1;
            let mut open = vec![first];
            while let Some(pixel) = open.pop() {
                seen[pixel] = true;
                let beside = neighbours(pixel, segments.width, segments.height);
                open.extend(beside.filter(|p| !seen[*p] && labels[*p] == labels[pixel]));
            }
        }
        pieces
    }

    #[test]
    fn regions_are_connected_and_about_as_many_as_asked_for() {
        // Light rings on dark, with specks.
        let rings = picture(90, 70, |x, y| {
            let ring = (x.abs_diff(40).pow(2) + y.abs_diff(30).pow(2)).isqrt() / 12;
            (100 * (ring % 2) + (x * x * 7 + y * 13) % 30) as u8
        });
        for segments in [1, 10, 50, 300] {
            let slic = Slic {
                segments,
                ..Slic::default()
            };
            let regions = slic.segment(&rings);
            assert_eq!(pieces(&regions), regions.count, "{segments}");
            let allowed = (segments / 3).max(1)..=2 * segments;
            assert!(allowed.contains(&regions.count), "{segments}");
        }
    }

    #[test]
    fn a_picture_of_one_grey_is_cut_into_a_grid() {
        let slic = Slic {
            segments: 12,
            ..Slic::default()
        };
        let regions = slic.segment(&picture(36, 27, |_, _| 77));
        let expected = (0..36 * 27).map(|pixel| (pixel / 36 / 9 * 4 + pixel % 36 / 9) as u16);
        assert_eq!(regions.labels, expected.collect::<Vec<_>>());
    }

    #[test]
    fn odd_pictures_and_options_are_cut_too() {
        for (width, height) in [(0, 0), (1, 1), (2, 1), (1, 300), (5, 5), (400, 3)] {
            for segments in [0, 1, 7, 50, usize::MAX] {
                for compactness in [0.0, 1e-9, 10.0, f64::INFINITY] {
                    let slic = Slic {
                        segments,
                        compactness,
                    };
                    let noise = picture(width, height, |x, y| (x * 151 + y * y * 83) as u8);
                    let regions = slic.segment(&noise);
                    assert_eq!(regions.labels.len(), width * height);
                    assert_eq!(pieces(&regions), regions.count);
                }
            }
        }
    }
}
