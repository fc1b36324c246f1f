//! The samples of a radiograph as a viewer shows them: any part of it, as large as wanted, through any window.

use borsh::{BorshDeserialize, BorshSerialize};

use super::levels::{Function, Levels, Shown, Window};
use super::picture::Radiograph;
use super::samples::Stored;

/// Samples beyond this many are sent at half their resolution: a browser's tab holds no more.
const MOST_SAMPLES: usize = 40_000_000;
/// What rounding may take from a place, in pixels.
const NEARLY: f64 = 1e-6;
/// The levels of grey that a preset leaves out at both ends: shares of all values.
const PRESETS: [(&str, [f64; 2]); 3] = [
    ("percentiles 0.5 to 99.5", [0.005, 0.995]),
    // Lungs are the darker half of a chest radiograph, bones its brighter.
    ("lung", [0.005, 0.6]),
    ("bone", [0.35, 0.998]),
];

/// What a radiograph's values are shown through, and its name.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Preset {
    pub name: String,
    pub window: Window,
}

/// A radiograph's samples as they travel.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Samples {
    pub width: usize,
    pub height: usize,
    /// The stored value that the number 0 stands for.
    pub first: i32,
    /// `height * width` numbers, row by row: one byte each, or two, little end first.
    pub bytes: Vec<u8>,
    /// How stored values become the grey that the model sees.
    pub levels: Levels,
    /// The file's own windows first.
    pub presets: Vec<Preset>,
}

impl Radiograph {
    /// The samples, and what they can be seen through.
    pub fn film(&self) -> Samples {
        let stored = self.stored();
        let (mut width, mut height) = (self.image.width, self.image.height);
        let (first, mut bytes): (i32, Vec<u8>) = match stored {
            Stored::Eight(values) => (0, values.to_vec()),
            Stored::Sixteen(values) => (0, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Stored::Signed(values) => {
                let number = |value: &i16| (*value as u16 ^ 0x8000).to_le_bytes();
                (i16::MIN.into(), values.iter().flat_map(number).collect())
            }
        };
        while width * height > MOST_SAMPLES {
            let sheet = Sheet::read(&bytes, width, height).halved();
            bytes = match bytes.len() == width * height {
                true => sheet.values.iter().map(|v| *v as u8).collect(),
                false => sheet.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            };
            (width, height) = (sheet.width, sheet.height);
        }
        Samples {
            width,
            height,
            first,
            bytes,
            levels: self.levels.clone(),
            presets: self.presets(),
        }
    }

    fn presets(&self) -> Vec<Preset> {
        let windows = self.dicom.iter().flat_map(|facts| &facts.windows);
        let own = windows.enumerate().map(|(place, window)| Preset {
            name: match &window.explanation {
                Some(explanation) => format!("the file's: {explanation}"),
                None => format!("the file's window {}", place + 1),
            },
            window: window.clone(),
        });
        let stored = self.stored();
        let made = PRESETS.map(|(name, shares)| {
            let (low, high) = self.levels.quantiles(stored, shares);
            Preset {
                name: name.to_owned(),
                window: between(low, high.max(low + 1.0)),
            }
        });
        own.chain(made).collect()
    }
}

/// A window that shows values from black at `low` to white at `high`.
pub fn between(low: f64, high: f64) -> Window {
    Window {
        center: (low + high) / 2.0,
        width: high - low,
        function: Function::LinearExact,
        explanation: None,
    }
}

/// Numbers of one resolution, row by row.
#[derive(Debug)]
struct Sheet {
    width: usize,
    height: usize,
    values: Vec<u16>,
}

impl Sheet {
    fn read(bytes: &[u8], width: usize, height: usize) -> Self {
        let values = match bytes.len() == width * height {
            true => bytes.iter().map(|byte| (*byte).into()).collect(),
            false => {
                let (pairs, _) = bytes.as_chunks::<2>();
                pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
            }
        };
        Self {
            width,
            height,
            values,
        }
    }

    /// Half as large: means of four. A last odd row or column is left out.
    fn halved(&self) -> Self {
        let (width, height) = ((self.width / 2).max(1), (self.height / 2).max(1));
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let rows = [2 * y, (2 * y + 1).min(self.height - 1)];
            let [above, below] = rows.map(|y| &self.values[y * self.width..][..self.width]);
            for x in 0..width {
                let columns = [2 * x, (2 * x + 1).min(self.width - 1)];
                let sum: u32 = columns
                    .map(|x| u32::from(above[x]) + u32::from(below[x]))
                    .into_iter()
                    .sum();
                values.push(((sum + 2) / 4) as u16);
            }
        }
        Self {
            width,
            height,
            values,
        }
    }
}

/// Where the pixels of a viewport lie in the picture: a picture that is turned by quarters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Pixels of the viewport.
    pub width: usize,
    pub height: usize,
    /// Where the viewport's top left corner lies, in shares of the picture's width and height.
    pub corner: [f64; 2],
    /// How far a pixel to the right leads, and one down.
    pub right: [f64; 2],
    pub down: [f64; 2],
}

/// Samples in several resolutions, each half of the one before.
#[derive(Debug)]
pub struct Film {
    sheets: Vec<Sheet>,
    first: i32,
    numbers: usize,
    levels: Levels,
    pub presets: Vec<Preset>,
    /// The lowest and the highest value, after the modality's rescale.
    pub range: [f64; 2],
}

impl Film {
    /// Samples that have travelled; `None` where there is not one for each pixel.
    pub fn new(samples: Samples) -> Option<Self> {
        let Samples {
            width,
            height,
            first,
            bytes,
            levels,
            presets,
        } = samples;
        let count = width * height;
        if count == 0 || (bytes.len() != count && bytes.len() != 2 * count) {
            return None;
        }
        let numbers = if bytes.len() == count {
            1 << 8
        } else {
            1 << 16
        };
        let mut sheets = vec![Sheet::read(&bytes, width, height)];
        drop(bytes);
        while let Some(last) = sheets.last()
            && last.width.min(last.height) > 256
        {
            let next = last.halved();
            sheets.push(next);
        }
        let values = &sheets[0].values;
        let ends = [values.iter().min(), values.iter().max()];
        let [a, b] = ends.map(|end| {
            let number = i32::from(end.copied().unwrap_or(0));
            levels.modality.value(number + first)
        });
        Some(Self {
            sheets,
            first,
            numbers,
            levels,
            presets,
            range: [a.min(b), a.max(b)],
        })
    }

    /// The grey of every number that a sample can have: through a window, or as the model sees it; black and white exchanged if `inverted`.
    pub fn greys(&self, window: Option<&Window>, inverted: bool) -> Vec<u8> {
        let mut levels = self.levels.clone();
        if let Some(window) = window {
            levels.shown = Shown::Window(window.clone());
        }
        levels.inverted ^= inverted;
        let grey = |number: usize| levels.grey(number as i32 + self.first);
        (0..self.numbers).map(grey).collect()
    }

    /// The whole picture in about this many pixels on its longer side, as red, green, blue and opacity, and its size.
    pub fn whole(&self, side: usize, greys: &[u8]) -> (usize, usize, Vec<u8>) {
        let mut of_size = self.sheets.iter().rev();
        let enough = of_size.find(|sheet| 4 * sheet.width.max(sheet.height) >= 3 * side);
        let sheet = enough.unwrap_or(&self.sheets[0]);
        let mut rgba = vec![0; 4 * sheet.values.len()];
        let (pixels, _) = rgba.as_chunks_mut::<4>();
        for (pixel, number) in pixels.iter_mut().zip(&sheet.values) {
            let grey = greys[usize::from(*number)];
            *pixel = [grey, grey, grey, 255];
        }
        (sheet.width, sheet.height, rgba)
    }

    /// What a viewport shows, as red, green, blue and opacity: clear outside the picture. A pixel that is smaller than one of the viewport's is
    /// averaged with its neighbours; one that is as large or larger is shown as it is.
    pub fn part(&self, placement: &Placement, greys: &[u8]) -> Vec<u8> {
        let Placement {
            width,
            height,
            corner,
            right,
            down,
        } = *placement;
        // Turned by a quarter, a row of the viewport is a column of the picture.
        let turned = right[0] == 0.0;
        let full = &self.sheets[0];
        let step = match turned {
            false => right[0].abs() * full.width as f64,
            true => right[1].abs() * full.height as f64,
        };
        // Samples that come to lie on one pixel.
        let level = match step {
            step if step < 1.0 => 0,
            step => ((step * 1.0001).log2().floor() as usize).min(self.sheets.len() - 1),
        };
        let sheet = &self.sheets[level];
        let exact = step < 1.0001;
        let along = |axis: usize, count: usize, by: f64| -> Vec<Option<(usize, usize, u32)>> {
            let length = [sheet.width, sheet.height][axis];
            let place = |index: usize| {
                // Between two pixels it is the later one, whatever rounding leaves.
                let at = (corner[axis] + (index as f64 + 0.5) * by) * length as f64 + NEARLY;
                if !(0.0..length as f64).contains(&at) {
                    return None;
                }
                if exact {
                    return Some((at as usize, at as usize, 0));
                }
                let at = (at - 0.5).clamp(0.0, (length - 1) as f64);
                let low = at as usize;
                let part = ((at - low as f64) * 256.0) as u32;
                Some((low, (low + 1).min(length - 1), part))
            };
            (0..count).map(place).collect()
        };
        let (columns, rows) = match turned {
            false => (along(0, width, right[0]), along(1, height, down[1])),
            true => (along(1, width, right[1]), along(0, height, down[0])),
        };
        let (across, below) = match turned {
            false => (1, sheet.width),
            true => (sheet.width, 1),
        };
        let mut rgba = vec![0; 4 * width * height];
        let (pixels, _) = rgba.as_chunks_mut::<4>();
        for (line, row) in pixels.chunks_exact_mut(width.max(1)).zip(&rows) {
            let Some((low, high, part)) = *row else {
                continue;
            };
            let (low, high) = (low * below, high * below);
            for (pixel, column) in line.iter_mut().zip(&columns) {
                let Some((left, next, share)) = *column else {
                    continue;
                };
                let number = if exact {
                    sheet.values[low + left * across]
                } else {
                    let at =
                        |row: usize, column: usize| u32::from(sheet.values[row + column * across]);
                    let mix = |row| at(row, left) * (256 - share) + at(row, next) * share;
                    ((mix(low) * (256 - part) + mix(high) * part) >> 16) as u16
                };
                let grey = greys[usize::from(number)];
                *pixel = [grey, grey, grey, 255];
            }
        }
        rgba
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radiograph::levels::Modality;

    /// Samples whose values tell their places: 100 for each row, 1 for each column.
    fn film(width: usize, height: usize) -> Film {
        let value = |place: usize| (100 * (place / width) + place % width) as u16;
        let bytes = (0..width * height).flat_map(|place| value(place).to_le_bytes());
        Film::new(Samples {
            width,
            height,
            first: 0,
            bytes: bytes.collect(),
            levels: Levels {
                modality: Modality::Linear {
                    slope: 1.0,
                    intercept: 0.0,
                },
                shown: Shown::Range(0.0, 65535.0),
                inverted: false,
            },
            presets: Vec::new(),
        })
        .expect("a film")
    }

    fn whole(width: usize, height: usize) -> Placement {
        Placement {
            width,
            height,
            corner: [0.0, 0.0],
            right: [1.0 / width as f64, 0.0],
            down: [0.0, 1.0 / height as f64],
        }
    }

    fn reds(rgba: &[u8]) -> Vec<u8> {
        rgba.iter().step_by(4).copied().collect()
    }

    #[test]
    fn at_full_size_each_pixel_is_shown_as_it_is() {
        let film = film(7, 5);
        let greys: Vec<u8> = (0..1usize << 16).map(|number| number as u8).collect();
        let shown = reds(&film.part(&whole(7, 5), &greys));
        let expected: Vec<u8> = (0..35)
            .map(|place| (100 * (place / 7) + place % 7) as u8)
            .collect();
        assert_eq!(shown, expected);
        // Twice as large, each is shown four times.
        let twice = reds(&film.part(&whole(14, 10), &greys));
        for (place, grey) in twice.iter().enumerate() {
            let (x, y) = (place % 14, place / 14);
            assert_eq!(*grey, expected[y / 2 * 7 + x / 2]);
        }
    }

    #[test]
    fn a_picture_that_is_turned_shows_its_columns_as_rows() {
        let film = film(7, 5);
        let greys: Vec<u8> = (0..1usize << 16).map(|number| number as u8).collect();
        // A quarter clockwise: the first row goes down the right side.
        let placement = Placement {
            width: 5,
            height: 7,
            corner: [0.0, 1.0],
            right: [0.0, -1.0 / 5.0],
            down: [1.0 / 7.0, 0.0],
        };
        let shown = reds(&film.part(&placement, &greys));
        for (place, grey) in shown.iter().enumerate() {
            let (x, y) = (place % 5, place / 5);
            assert_eq!(*grey, (100 * (4 - x) + y) as u8);
        }
    }

    #[test]
    fn outside_the_picture_nothing_is_shown() {
        let film = film(4, 4);
        let placement = Placement {
            corner: [-0.5, 0.0],
            ..whole(4, 4)
        };
        let rgba = film.part(&placement, &vec![9; 1 << 16]);
        let opacity: Vec<u8> = rgba.iter().skip(3).step_by(4).take(4).copied().collect();
        assert_eq!(opacity, [0, 0, 255, 255]);
    }

    #[test]
    fn a_picture_that_is_made_smaller_keeps_its_mean() {
        let film = film(2048, 1024);
        let greys: Vec<u8> = (0..1usize << 16)
            .map(|number| (number >> 8) as u8)
            .collect();
        let mean =
            |greys: &[u8]| greys.iter().map(|g| f64::from(*g)).sum::<f64>() / greys.len() as f64;
        let full = mean(&reds(&film.part(&whole(2048, 1024), &greys)));
        for (width, height) in [(1024, 512), (700, 350), (300, 150)] {
            let small = mean(&reds(&film.part(&whole(width, height), &greys)));
            assert!((full - small).abs() < 1.0, "{full} and {small} at {width}");
        }
        let (width, height, rgba) = film.whole(500, &greys);
        assert_eq!((width, height), (512, 256));
        assert!((full - mean(&reds(&rgba))).abs() < 1.0);
    }

    #[test]
    fn greys_are_through_the_window_or_as_the_model_sees_them() {
        let film = film(4, 4);
        assert_eq!(film.range, [0.0, 303.0]);
        assert_eq!(film.greys(None, false)[65535], 255);
        assert_eq!(film.greys(None, true)[65535], 0);
        let window = between(100.0, 200.0);
        let greys = film.greys(Some(&window), false);
        assert_eq!([greys[100], greys[150], greys[200]], [0, 128, 255]);
    }

    #[test]
    fn samples_of_another_size_than_they_say_are_none() {
        let mut samples = Samples {
            width: 3,
            height: 3,
            first: 0,
            bytes: vec![0; 9],
            levels: Levels::of_bits(8, false),
            presets: Vec::new(),
        };
        assert!(Film::new(samples.clone()).is_some());
        samples.bytes.pop();
        assert!(Film::new(samples).is_none());
    }
}
