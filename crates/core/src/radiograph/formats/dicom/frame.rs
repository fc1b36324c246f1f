//! The stored values of the first picture (PS3.5, clause 8 and annexes A, G).

use super::elements::Value;
use super::layout::Layout;
use super::syntax::{Pixels as Coding, Syntax};
use crate::radiograph::formats::{jpeg, jpeg_2000, jpeg_ls};
use crate::radiograph::refusal::RadiographError;
use crate::radiograph::samples::{Pixels, Samples};

/// The values, row by row, the channels of a pixel one behind the other.
pub fn values(
    pixels: &Value,
    layout: &Layout,
    syntax: &Syntax,
) -> Result<Vec<i32>, RadiographError> {
    let raw = match (pixels, syntax.pixels) {
        (_, Coding::Other) => {
            let what = format!("a DICOM picture in {}", syntax.name);
            return Err(RadiographError::unsupported(&what));
        }
        (Value::Bytes(bytes), Coding::Native) => native(bytes, layout, syntax)?,
        (Value::Fragments(fragments), coding) if coding != Coding::Native => {
            let frame = first(fragments, layout);
            match coding {
                Coding::RunLengths => rgb(run_lengths(&frame, layout)?, layout)?,
                Coding::Jpeg2000 => decoded(jpeg_2000::decode(&frame)?, layout)?,
                Coding::JpegLs => decoded(jpeg_ls::decode(&frame)?.0, layout)?,
                _ => decoded(jpeg::decode(&frame, None)?.0, layout)?,
            }
        }
        _ => {
            let what = "its pixels are not written as its transfer syntax says";
            return Err(RadiographError::damaged(what));
        }
    };
    Ok(raw.into_iter().map(|value| layout.value(value)).collect())
}

impl Layout {
    /// A stored value: the bits that belong to it (others may have overlays), with its sign.
    fn value(&self, raw: u16) -> i32 {
        let bits = u32::from(self.stored);
        let value = i32::from(raw >> (self.high + 1 - self.stored)) & ((1 << bits) - 1);
        match self.signed && value >> (bits - 1) == 1 {
            true => value - (1 << bits),
            false => value,
        }
    }

    fn count(&self) -> usize {
        self.width * self.height * self.channels
    }
}

/// Samples as they lie in the file, in the order of pixels.
fn native(bytes: &[u8], layout: &Layout, syntax: &Syntax) -> Result<Vec<u16>, RadiographError> {
    // Two pixels have their luma each, and a colour together (C.7.6.3.1.2).
    let halved = layout.photometric == "YBR_FULL_422";
    if halved && (layout.allocated != 8 || layout.width % 2 == 1) {
        let what = "a DICOM picture in YBR_FULL_422 of 16 bits or an odd width";
        return Err(RadiographError::unsupported(what));
    }
    let samples = if halved {
        layout.width * layout.height * 2
    } else {
        layout.count()
    };
    let length = samples * usize::from(layout.allocated / 8);
    let Some(frame) = bytes.get(..length) else {
        return Err(RadiographError::incomplete(
            bytes.len() as f64 / length as f64,
        ));
    };
    let samples: Vec<u16> = match layout.allocated {
        8 if syntax.encoding.big_endian => {
            // Bytes of 8 bits lie in words (PS3.5, 8.1.1 and A.3), whose order is turned.
            let (pairs, rest) = frame.as_chunks::<2>();
            let turned = pairs.iter().flat_map(|[a, b]| [*b, *a]);
            turned.chain(rest.iter().copied()).map(u16::from).collect()
        }
        8 => frame.iter().map(|byte| u16::from(*byte)).collect(),
        _ => {
            let (pairs, _) = frame.as_chunks::<2>();
            pairs
                .iter()
                .map(|pair| syntax.encoding.short(*pair))
                .collect()
        }
    };
    let samples = if halved {
        let (pairs, _) = samples.as_chunks::<4>();
        let both = |&[one, other, blue, red]: &[u16; 4]| [one, blue, red, other, blue, red];
        pairs.iter().flat_map(both).collect()
    } else if layout.planar && layout.channels == 3 {
        interleaved(&samples, layout.channels)
    } else {
        samples
    };
    rgb(samples, layout)
}

/// Red, green and blue of what is written as luma and two differences of colour (YBR_FULL, C.7.6.3.1.2).
fn rgb(mut samples: Vec<u16>, layout: &Layout) -> Result<Vec<u16>, RadiographError> {
    match layout.photometric.as_str() {
        "YBR_FULL" | "YBR_FULL_422" if layout.allocated == 8 => {}
        _ if layout.channels == 1 => return Ok(samples),
        "RGB" => return Ok(samples),
        other => {
            let what = format!(
                "a DICOM picture of {} bits in {other}, not compressed",
                layout.allocated
            );
            return Err(RadiographError::unsupported(&what));
        }
    }
    let (pixels, _) = samples.as_chunks_mut::<3>();
    for pixel in pixels {
        let [luma, blue, red] = pixel.map(f64::from);
        let (blue, red) = (blue - 128.0, red - 128.0);
        let colours = [
            luma + 1.402 * red,
            luma - (0.114 * 1.772 * blue + 0.299 * 1.402 * red) / 0.587,
            luma + 1.772 * blue,
        ];
        *pixel = colours.map(|colour| (colour + 0.5).floor().clamp(0.0, 255.0) as u16);
    }
    Ok(samples)
}

fn interleaved(planes: &[u16], channels: usize) -> Vec<u16> {
    let size = planes.len() / channels;
    let pixel = |place: usize| (0..channels).map(move |channel| planes[channel * size + place]);
    (0..size).flat_map(pixel).collect()
}

/// The fragments of the first picture, joined. The first of all is the table of where pictures begin, if it is not empty.
fn first(fragments: &[&[u8]], layout: &Layout) -> Vec<u8> {
    let Some((table, fragments)) = fragments.split_first() else {
        return Vec::new();
    };
    let second = match table.get(4..).and_then(<[u8]>::first_chunk) {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]) as usize,
        // Without the table, pictures are told apart only where each is one fragment.
        None if layout.frames > 1 && fragments.len() == layout.frames => 0,
        None => usize::MAX,
    };
    let mut frame = Vec::new();
    let mut at = 0;
    for fragment in fragments {
        if at > 0 && at >= second {
            break;
        }
        frame.extend_from_slice(fragment);
        // An item's tag and length come before it.
        at += 8 + fragment.len();
    }
    frame
}

/// The samples of a picture that a decoder has decoded, if it is of the size and depth that the file says.
fn decoded(pixels: Pixels, layout: &Layout) -> Result<Vec<u16>, RadiographError> {
    let said = (layout.width, layout.height, layout.channels);
    if (pixels.width, pixels.height, pixels.channels) != said {
        let what = "its picture has another size than it says";
        return Err(RadiographError::damaged(what));
    }
    // The decoders give samples of fewer than 8 bits as they are shown, from 0 to 255: those are not the stored values.
    if layout.stored < 8 {
        let what = format!("a compressed DICOM picture of {} bits", layout.stored);
        return Err(RadiographError::unsupported(&what));
    }
    match pixels.samples {
        Samples::Eight(values) => Ok(values.into_iter().map(u16::from).collect()),
        Samples::Sixteen(_) if layout.allocated == 8 => Err(RadiographError::damaged(
            "its picture has more bits than it says",
        )),
        Samples::Sixteen(samples) => Ok(samples.values),
    }
}

/// PackBits in segments, one for each byte of each channel, the highest first (annex G).
fn run_lengths(frame: &[u8], layout: &Layout) -> Result<Vec<u16>, RadiographError> {
    let wrong = || RadiographError::damaged("its run lengths contradict each other");
    let cut = RadiographError::Truncated { percent: None };
    let header = frame.first_chunk::<64>().ok_or(cut)?;
    let (numbers, _) = header.as_chunks::<4>();
    let numbers: Vec<usize> = numbers
        .iter()
        .map(|n| u32::from_le_bytes(*n) as usize)
        .collect();
    let deep = usize::from(layout.allocated / 8);
    let segments = layout.channels * deep;
    if numbers[0] != segments {
        return Err(wrong());
    }
    let size = layout.width * layout.height;
    let mut samples = vec![0u16; size * layout.channels];
    for segment in 0..segments {
        let start = numbers[1 + segment];
        let end = match segment + 1 < segments {
            true => numbers[2 + segment],
            false => frame.len(),
        };
        let bytes = frame.get(start..end).ok_or_else(wrong)?;
        let (channel, byte) = (segment / deep, segment % deep);
        let shift = 8 * (deep - 1 - byte);
        let mut place = 0;
        unpack(bytes, size, |value| {
            samples[place * layout.channels + channel] |= u16::from(value) << shift;
            place += 1;
        });
        if place < size {
            let there = (segment as f64 + place as f64 / size as f64) / segments as f64;
            return Err(RadiographError::incomplete(there));
        }
    }
    Ok(samples)
}

/// Gives the bytes that PackBits stands for, `most` at most (G.3.2).
fn unpack(bytes: &[u8], most: usize, mut give: impl FnMut(u8)) {
    let mut rest = bytes;
    let mut given = 0;
    while let [control, after @ ..] = rest {
        let (run, used) = match *control {
            128 => (&[][..], 0),
            literal @ 0..128 => {
                let length = (usize::from(literal) + 1).min(after.len());
                (&after[..length], length)
            }
            _ => (&after[..after.len().min(1)], 1),
        };
        let times = if *control > 128 {
            257 - usize::from(*control)
        } else {
            1
        };
        for _ in 0..times {
            for value in run {
                if given == most {
                    return;
                }
                give(*value);
                given += 1;
            }
        }
        rest = after.get(used..).unwrap_or_default();
    }
}
