//! Pictures that a program has in its memory, as files: an engine reads files, and so what is read of a picture does not depend on the way
//! that it came.

use super::refusal::{MAX_SIDE, RadiographError};

/// The pixels of a detector, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InMemory<'a> {
    pub width: usize,
    pub height: usize,
    /// The samples, row by row: a byte each, or two with the lower first.
    pub samples: &'a [u8],
    /// Bits that a sample takes: 8 or 16.
    pub allocated: u8,
    /// How many of them are used.
    pub stored: u8,
    pub signed: bool,
    /// Whether the lowest value is white (MONOCHROME1).
    pub inverted: bool,
    /// The values that are shown from black to white, as their centre and their width (VOI LUT). Without it what all bits show is shown.
    pub window: Option<[f64; 2]>,
    /// What a window's values are of samples (Modality LUT): slope and intercept.
    pub rescale: [f64; 2],
}

/// A DICOM file of these pixels (Explicit VR Little Endian), which says nothing of a person, a place or a date.
///
/// # Errors
/// When there are not as many samples as width and height say, or the numbers are none of a picture.
pub fn dicom(picture: &InMemory) -> Result<Vec<u8>, RadiographError> {
    let InMemory {
        width,
        height,
        samples,
        allocated,
        stored,
        ..
    } = *picture;
    let bytes = usize::from(allocated / 8);
    let side = 1..=(MAX_SIDE as usize).min(usize::from(u16::MAX));
    if !side.contains(&width) || !side.contains(&height) {
        let what = format!("a picture of {width} x {height} pixels in memory");
        return Err(RadiographError::unsupported(&what));
    }
    if !matches!(allocated, 8 | 16) || stored == 0 || stored > allocated {
        let what = format!("{stored} of {allocated} bits a sample in memory");
        return Err(RadiographError::unsupported(&what));
    }
    if samples.len() != width * height * bytes {
        let what = format!(
            "{width} x {height} pixels have {} samples in memory",
            samples.len() / bytes
        );
        return Err(RadiographError::damaged(&what));
    }
    let numbers = picture.window.into_iter().flatten().chain(picture.rescale);
    if numbers.clone().any(|number| !number.is_finite()) {
        return Err(RadiographError::damaged("its window is no number"));
    }

    let mut file = vec![0; 128];
    file.extend(b"DICM");
    let syntax = "1.2.840.10008.1.2.1";
    // Explicit VR Little Endian; its length is even with the zero behind it.
    let mut group = Vec::new();
    element(&mut group, (2, 0x10), b"UI", &padded(syntax, 0));
    element(
        &mut file,
        (2, 0),
        b"UL",
        &(group.len() as u32).to_le_bytes(),
    );
    file.extend(group);

    let short = |value: usize| (value as u16).to_le_bytes();
    let photometric = match picture.inverted {
        true => "MONOCHROME1",
        false => "MONOCHROME2",
    };
    element(&mut file, (0x28, 0x02), b"US", &short(1));
    element(&mut file, (0x28, 0x04), b"CS", &padded(photometric, b' '));
    element(&mut file, (0x28, 0x10), b"US", &short(height));
    element(&mut file, (0x28, 0x11), b"US", &short(width));
    element(&mut file, (0x28, 0x100), b"US", &short(allocated.into()));
    element(&mut file, (0x28, 0x101), b"US", &short(stored.into()));
    let high = usize::from(stored) - 1;
    element(&mut file, (0x28, 0x102), b"US", &short(high));
    element(
        &mut file,
        (0x28, 0x103),
        b"US",
        &short(picture.signed.into()),
    );
    if let Some([centre, width]) = picture.window {
        element(&mut file, (0x28, 0x1050), b"DS", &decimal(centre));
        element(&mut file, (0x28, 0x1051), b"DS", &decimal(width));
    }
    let [slope, intercept] = picture.rescale;
    if picture.rescale != [1.0, 0.0] {
        element(&mut file, (0x28, 0x1052), b"DS", &decimal(intercept));
        element(&mut file, (0x28, 0x1053), b"DS", &decimal(slope));
    }
    // Pixel data are of a length that takes four bytes, and even.
    let kind: &[u8; 2] = if allocated == 8 { b"OB" } else { b"OW" };
    head(&mut file, (0x7fe0, 0x10), kind);
    let odd = samples.len() % 2;
    file.extend([0, 0]);
    file.extend(((samples.len() + odd) as u32).to_le_bytes());
    file.extend(samples);
    file.extend(std::iter::repeat_n(0, odd));
    Ok(file)
}

/// A PNG file of colours with transparency, as a canvas gives them: red, green, blue and opacity of each pixel.
///
/// # Errors
/// When there are not as many values as width and height say.
pub fn png(width: usize, height: usize, rgba: &[u8]) -> Result<Vec<u8>, RadiographError> {
    let refused = |error: png::EncodingError| RadiographError::damaged(&error.to_string());
    if rgba.len() != width * height * 4 {
        return Err(RadiographError::damaged("it has another number of pixels"));
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    // It goes nowhere but to a worker of the same machine.
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().map_err(refused)?;
    writer.write_image_data(rgba).map_err(refused)?;
    writer.finish().map_err(refused)?;
    Ok(file)
}

fn head(file: &mut Vec<u8>, (group, element): (u16, u16), kind: &[u8; 2]) {
    file.extend(group.to_le_bytes());
    file.extend(element.to_le_bytes());
    file.extend(kind);
}

fn element(file: &mut Vec<u8>, tag: (u16, u16), kind: &[u8; 2], value: &[u8]) {
    head(file, tag, kind);
    file.extend((value.len() as u16).to_le_bytes());
    file.extend(value);
}

/// A text of an even number of bytes.
fn padded(text: &str, with: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(with);
    }
    bytes
}

/// A number as DICOM writes it: 16 characters at most.
fn decimal(number: f64) -> Vec<u8> {
    let exact = format!("{number}");
    let text = match exact.len() <= 16 {
        true => exact,
        false => format!("{number:.9e}"),
    };
    padded(&text, b' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radiograph::Radiograph;
    use crate::radiograph::levels::UsedLevels;

    /// Each value is a column of so many pixels, for a radiograph has 16 on a side at least.
    const WIDE: usize = 7;
    const HEIGHT: usize = 21;

    fn columns<const N: usize>(values: &[[u8; N]]) -> Vec<u8> {
        let row = values
            .iter()
            .flat_map(|value| std::iter::repeat_n(*value, WIDE));
        let row: Vec<u8> = row.flatten().collect();
        row.repeat(HEIGHT)
    }

    fn sixteen(values: &[u16]) -> Vec<u8> {
        let values: Vec<[u8; 2]> = values.iter().map(|value| value.to_le_bytes()).collect();
        columns(&values)
    }

    /// A picture of six columns.
    fn picture(samples: &[u8]) -> InMemory<'_> {
        InMemory {
            width: 6 * WIDE,
            height: HEIGHT,
            samples,
            allocated: 16,
            stored: 12,
            signed: false,
            inverted: false,
            window: Some([2047.5, 4096.0]),
            rescale: [1.0, 0.0],
        }
    }

    fn read(picture: &InMemory) -> Radiograph {
        Radiograph::decode(&dicom(picture).expect("a file")).expect("a radiograph")
    }

    /// The grey of each column.
    fn greys(radiograph: &Radiograph) -> Vec<u8> {
        let all = &radiograph.image.pixels;
        let last = &all[all.len() - radiograph.image.width..];
        assert_eq!(&all[..last.len()], last);
        last.iter().step_by(WIDE).copied().collect()
    }

    #[test]
    fn samples_are_read_back_through_their_window() {
        let values = [0, 1024, 2048, 3072, 4095, 100];
        let samples = sixteen(&values);
        let known = read(&picture(&samples));
        assert_eq!((known.image.width, known.image.height), (6 * WIDE, HEIGHT));
        let plain = greys(&known);
        // C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) * 255.
        for (value, grey) in values.iter().zip(&plain) {
            let exact = ((f64::from(*value) - 2047.0) / 4095.0 + 0.5) * 255.0;
            assert!((exact - f64::from(*grey)).abs() <= 1.0, "{value}: {grey}");
        }
        assert_eq!((plain[0], plain[4]), (0, 255));

        let narrow = read(&InMemory {
            window: Some([1536.0, 1024.0]),
            ..picture(&samples)
        });
        assert_eq!((greys(&narrow)[0], greys(&narrow)[3]), (0, 255));
        let UsedLevels::Window(window) = &narrow.used.shown else {
            panic!("{:?}", narrow.used);
        };
        assert_eq!((window.center, window.width), (1536.0, 1024.0));

        let inverted = read(&InMemory {
            inverted: true,
            ..picture(&samples)
        });
        for (a, b) in greys(&inverted).iter().zip(&plain) {
            assert!(a.abs_diff(255 - b) <= 1, "{a} {b}");
        }
    }

    #[test]
    fn a_window_is_of_rescaled_values_and_samples_may_be_signed() {
        let values = [-1000i16, 0, 1000, 2000, -500, 500].map(i16::to_le_bytes);
        let samples = columns(&values);
        let known = read(&InMemory {
            stored: 16,
            signed: true,
            window: Some([0.5, 2001.0]),
            rescale: [2.0, -1000.0],
            ..picture(&samples)
        });
        // Shown are values from -1000 to 1000, of samples from 0 to 1000.
        let greys = greys(&known);
        assert_eq!((greys[0], greys[1], greys[2]), (0, 0, 255));
        assert!(greys[5].abs_diff(127) <= 1, "{}", greys[5]);
    }

    #[test]
    fn bytes_of_an_odd_number_are_read() {
        let samples = columns(&[[0], [77], [255]]);
        assert_eq!(samples.len() % 2, 1);
        let known = read(&InMemory {
            width: 3 * WIDE,
            allocated: 8,
            stored: 8,
            window: None,
            ..picture(&samples)
        });
        assert_eq!(greys(&known), [0, 77, 255]);
    }

    #[test]
    fn a_canvas_is_read_as_its_png() {
        let rgba = columns(&[[0, 0, 0, 255], [200, 200, 200, 255], [9, 9, 9, 255]]);
        let file = png(3 * WIDE, HEIGHT, &rgba).expect("a file");
        let known = Radiograph::decode(&file).expect("a radiograph");
        assert_eq!(greys(&known), [0, 200, 9]);
        assert!(png(2, 2, &rgba).is_err());
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let samples = sixteen(&[0; 6]);
        let sound = picture(&samples);
        assert!(dicom(&sound).is_ok());
        let wrong = [
            InMemory { width: 41, ..sound },
            InMemory { width: 0, ..sound },
            InMemory {
                width: usize::MAX,
                ..sound
            },
            InMemory {
                stored: 17,
                ..sound
            },
            InMemory { stored: 0, ..sound },
            InMemory {
                allocated: 32,
                ..sound
            },
            InMemory {
                window: Some([f64::NAN, 1.0]),
                ..sound
            },
        ];
        for picture in wrong {
            assert!(dicom(&picture).is_err(), "{picture:?}");
        }
    }
}
