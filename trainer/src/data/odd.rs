//! Pictures that are no frontal chest radiographs: made of those, or of a folder with others.

use anyhow::{Result, bail};
use rand::Rng;
use rand::rngs::StdRng;
use sightline::gate::Kind;
use sightline::radiograph::GreyImage;

use crate::storage::Location;

/// How a frontal chest radiograph is made into something else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Made {
    /// By so many quarters clockwise.
    Turned(u8),
    UpsideDown,
    Mirrored,
    Inverted,
    /// The part that begins at these shares of width and height, and is so large a share of each.
    Cropped(f64, f64, f64),
}

/// The side of a crop as a share of the picture's: so little shows no longer both lungs.
const CROPS: (f64, f64) = (0.25, 0.55);

impl Made {
    /// One of a kind that can be made, drawn at random; `None` for the other kinds.
    pub fn draw(kind: Kind, rng: &mut StdRng) -> Option<Self> {
        Some(match kind {
            Kind::Turned => match rng.random_range(0..4u8) {
                0 => Self::UpsideDown,
                quarters => Self::Turned(quarters),
            },
            Kind::Mirrored => Self::Mirrored,
            Kind::Inverted => Self::Inverted,
            Kind::Cropped => {
                let side = rng.random_range(CROPS.0..CROPS.1);
                let mut start = || rng.random_range(0.0..1.0 - side);
                Self::Cropped(start(), start(), side)
            }
            _ => return None,
        })
    }

    pub fn apply(self, image: &GreyImage) -> GreyImage {
        let (width, height) = (image.width, image.height);
        let at = |x: usize, y: usize| image.pixels[y * width + x];
        match self {
            Self::Turned(quarters) => match quarters % 4 {
                1 => picture(height, width, |x, y| at(y, height - 1 - x)),
                2 => picture(width, height, |x, y| at(width - 1 - x, height - 1 - y)),
                3 => picture(height, width, |x, y| at(width - 1 - y, x)),
                _ => image.clone(),
            },
            Self::UpsideDown => picture(width, height, |x, y| at(x, height - 1 - y)),
            Self::Mirrored => picture(width, height, |x, y| at(width - 1 - x, y)),
            Self::Inverted => picture(width, height, |x, y| 255 - at(x, y)),
            Self::Cropped(left, top, side) => {
                let part = |length: usize, start: f64| {
                    let size = ((length as f64 * side) as usize).max(1);
                    (((length as f64 * start) as usize).min(length - size), size)
                };
                let ((left, width), (top, height)) = (part(width, left), part(height, top));
                picture(width, height, |x, y| at(left + x, top + y))
            }
        }
    }
}

fn picture(width: usize, height: usize, level: impl Fn(usize, usize) -> u8) -> GreyImage {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    GreyImage {
        width,
        height,
        pixels: places.map(|(x, y)| level(x, y)).collect(),
    }
}

/// The side of a picture with nothing in it.
const SIDE: usize = 320;

/// A picture with nothing in it: one grey with noise, a slope, or a bright field in the dark.
pub fn blank(rng: &mut StdRng) -> GreyImage {
    let ground = rng.random_range(0.0..255.0f64);
    let noise = rng.random_range(0.5..40.0f64);
    let slope = (rng.random_range(-0.4..0.4), rng.random_range(-0.4..0.4));
    let field = rng.random_bool(0.3).then(|| {
        let edge = rng.random_range(20..SIDE / 2);
        (edge, SIDE - edge, rng.random_range(0.0..255.0f64))
    });
    let mut level = |x: usize, y: usize| {
        let inside = |(from, to, _): &(usize, usize, f64)| {
            (*from..*to).contains(&x) && (*from..*to).contains(&y)
        };
        let base = field.filter(inside).map_or(ground, |(_, _, level)| level);
        let grain = rng.random_range(-noise..noise);
        (base + slope.0 * x as f64 + slope.1 * y as f64 + grain).clamp(0.0, 255.0) as u8
    };
    let places = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y)));
    GreyImage {
        width: SIDE,
        height: SIDE,
        pixels: places.map(|(x, y)| level(x, y)).collect(),
    }
}

/// Folders of other pictures, and what is in them.
const FOLDERS: [(&str, Kind); 5] = [
    ("photo", Kind::NotARadiograph),
    ("document", Kind::NotARadiograph),
    ("medical", Kind::AnotherBodyPart),
    ("otherxray", Kind::AnotherBodyPart),
    ("lateral", Kind::Lateral),
];

/// The files of a folder of other pictures, with their kinds.
///
/// # Errors
/// When it cannot be read, or has no folder whose name is known.
pub fn files(folder: &Location) -> Result<Vec<(String, Kind)>> {
    let files = folder.files()?.into_iter();
    let of_kind = files.filter_map(|path| {
        let (first, _) = path.split_once('/')?;
        let (_, kind) = FOLDERS.iter().find(|(name, _)| *name == first)?;
        Some((path, *kind))
    });
    let files: Vec<_> = of_kind.collect();
    if files.is_empty() {
        let names = FOLDERS.map(|(name, _)| name).join(", ");
        bail!("{folder} has none of the folders {names}");
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 rows of 3.
    fn image() -> GreyImage {
        picture(3, 2, |x, y| (10 * y + x) as u8)
    }

    #[test]
    fn pictures_are_turned_mirrored_inverted_and_cropped() {
        let pixels = |made: Made| made.apply(&image()).pixels;
        assert_eq!(pixels(Made::Turned(1)), [10, 0, 11, 1, 12, 2]);
        assert_eq!(pixels(Made::Turned(2)), [12, 11, 10, 2, 1, 0]);
        assert_eq!(pixels(Made::Turned(3)), [2, 12, 1, 11, 0, 10]);
        assert_eq!(pixels(Made::UpsideDown), [10, 11, 12, 0, 1, 2]);
        assert_eq!(pixels(Made::Mirrored), [2, 1, 0, 12, 11, 10]);
        assert_eq!(pixels(Made::Inverted), [255, 254, 253, 245, 244, 243]);
        let wide = picture(8, 8, |x, y| (10 * y + x) as u8);
        let part = Made::Cropped(0.5, 0.25, 0.25).apply(&wide);
        assert_eq!((part.width, part.height), (2, 2));
        assert_eq!(part.pixels, [24, 25, 34, 35]);
    }

    #[test]
    fn turning_four_times_by_a_quarter_changes_nothing() {
        let mut turned = image();
        for _ in 0..4 {
            turned = Made::Turned(1).apply(&turned);
        }
        assert_eq!(turned, image());
    }
}
