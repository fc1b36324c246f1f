//! A JPEG decoder that says when a part of the picture is missing.
//!
//! Decoders made for browsers fill a hole or a missing end with grey and say nothing; a score of such a picture is wrong. This
//! one (ITU-T T.81: baseline, extended and progressive of 8 bits, of 12 in grey, lossless of 2 to 16, Huffman coded) counts every block of every component, and
//! gives the pixels of libjpeg-turbo, bit for bit: its integer transform (`jidctint.c`), its triangle filter for chroma
//! (`jdsample.c`) and its conversion of colours (`jdcolor.c`).

mod colour;
mod frame;
mod huffman;
mod lossless;
mod scan;
mod transform;

use frame::{Colours, Frame, Plane};
use lossless::Lossless;
use scan::{EOI, Scan};
use transform::Precision;

use crate::radiograph::picture::{Facts, Notice};
use crate::radiograph::refusal::{RadiographError, check_size};
use crate::radiograph::samples::{Pixels, Samples};
use image::metadata::Orientation;

/// The most blocks that are visited in all scans together: many times what a picture of the largest size needs.
const MOST_BLOCKS: usize = 32_000_000;

const SOI: u8 = 0xD8;

/// Everything that the markers have told so far.
#[derive(Default)]
struct Decoder {
    frame: Option<Frame>,
    lossless: Option<Lossless>,
    quantisation: [Option<[u16; 64]>; 4],
    /// DC and AC tables.
    huffman: [[Option<huffman::Table>; 4]; 2],
    restart_interval: usize,
    colours: Colours,
    orientation: Option<Orientation>,
}

/// Decodes a JPEG file. With `least`, one that is much larger is decoded at a half, a quarter or an eighth of its size, but
/// with at least so many pixels on each side.
pub fn decode(bytes: &[u8], least: Option<usize>) -> Result<(Pixels, Facts), RadiographError> {
    let mut decoder = Decoder::default();
    let mut at = 2;
    let mut ended = false;
    let mut visited = 0;
    while let Some((marker, body, next)) = next_segment(bytes, at)? {
        at = next;
        match marker {
            EOI => {
                ended = true;
                break;
            }
            0xDA => {
                if let Some(picture) = &mut decoder.lossless {
                    let tables = &decoder.huffman[0];
                    at += picture.scan(body, tables, decoder.restart_interval, &bytes[at..])?;
                    continue;
                }
                let frame = decoder
                    .frame
                    .as_mut()
                    .ok_or_else(|| RadiographError::damaged("a scan without a frame"))?;
                frame.take_tables(&decoder.quantisation);
                let scan = Scan::parse(body, frame, &decoder.huffman, decoder.restart_interval)?;
                visited += scan.blocks_to_read(frame);
                if visited > MOST_BLOCKS {
                    return Err(RadiographError::damaged(
                        "it has more scans than a picture needs",
                    ));
                }
                at += scan.decode(frame, &bytes[at..])?;
            }
            _ => decoder.segment(marker, body, least)?,
        }
    }
    let mut facts = Facts {
        orientation: decoder.orientation.unwrap_or(Orientation::NoTransforms),
        ..Facts::default()
    };
    if !ended {
        facts.notices.push(Notice::NoEnd);
    }
    if let Some(picture) = decoder.lossless {
        let pixels = picture.pixels()?;
        // Without a marker, colours are RGB, as libjpeg-turbo has it.
        if pixels.channels > 1 && decoder.colours.are_ycbcr_by_marker() {
            return Err(RadiographError::unsupported("a lossless JPEG in YCbCr"));
        }
        return Ok((pixels, facts));
    }
    let mut frame = decoder
        .frame
        .ok_or(RadiographError::Truncated { percent: None })?;
    let there = frame.share();
    if there < 1.0 {
        return Err(RadiographError::incomplete(there));
    }
    let planes = frame.planes()?;
    let (width, height) = frame.scaled_size();
    if frame.precision != Precision(8) {
        let planes = planes.into_iter().map(|plane| plane.samples).collect();
        let pixels = Pixels {
            width,
            height,
            channels: 1,
            samples: Samples::of_planes(planes, frame.precision.0),
        };
        return Ok((pixels, facts));
    }
    let planes = planes.into_iter().map(Plane::narrow).collect();
    let samples = colour::convert(&frame, planes, decoder.colours)?;
    let channels = samples.len() / (width * height);
    Ok((
        Pixels {
            width,
            height,
            channels,
            samples: Samples::Eight(samples),
        },
        facts,
    ))
}

/// A marker, the content of its segment (empty for those that have none), and where the next begins.
type Segment<'a> = (u8, &'a [u8], usize);

/// The next marker. `None` at the end of the file.
fn next_segment(bytes: &[u8], mut at: usize) -> Result<Option<Segment<'_>>, RadiographError> {
    // What lies between segments is passed over, as libjpeg does; fill bytes (0xFF) are allowed by B.1.1.2.
    while at + 1 < bytes.len() && (bytes[at] != 0xFF || matches!(bytes[at + 1], 0x00 | 0xFF)) {
        at += 1;
    }
    let Some(&[0xFF, marker]) = bytes.get(at..at + 2) else {
        return Ok(None);
    };
    at += 2;
    if matches!(marker, 0x01 | 0xD0..=SOI | EOI) {
        return Ok(Some((marker, &[], at)));
    }
    let (body, end) = segment_body(bytes, at)?;
    Ok(Some((marker, body, end)))
}

/// What stands in a segment behind its marker, which ends at `at`, and where it ends (B.1.1.4, in JPEG-LS too).
pub fn segment_body(bytes: &[u8], at: usize) -> Result<(&[u8], usize), RadiographError> {
    let cut = RadiographError::Truncated { percent: None };
    let Some(&[high, low]) = bytes.get(at..at + 2) else {
        return Err(cut);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 2 {
        return Err(RadiographError::damaged(
            "a segment shorter than its own length",
        ));
    }
    let body = bytes.get(at + 2..at + length).ok_or(cut)?;
    Ok((body, at + length))
}

impl Decoder {
    fn segment(
        &mut self,
        marker: u8,
        body: &[u8],
        least: Option<usize>,
    ) -> Result<(), RadiographError> {
        match marker {
            0xC0..=0xC2 => {
                if self.frame.is_some() || self.lossless.is_some() {
                    return Err(RadiographError::unsupported("several frames in one JPEG"));
                }
                let frame = Frame::parse(marker, body)?;
                check_size(frame.width as u32, frame.height as u32)?;
                self.frame = Some(frame.reduced(least));
            }
            0xC3 if self.frame.is_some() || self.lossless.is_some() => {
                return Err(RadiographError::unsupported("several frames in one JPEG"));
            }
            0xC3 => self.lossless = Some(Lossless::parse(body)?),
            0xC5..=0xC7 => return Err(RadiographError::unsupported("hierarchical JPEG")),
            0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(RadiographError::unsupported(
                    "a JPEG with arithmetic coding",
                ));
            }
            0xC4 => self.huffman_tables(body)?,
            0xDB => self.quantisation_tables(body)?,
            0xDD => {
                let &[high, low] = body else {
                    return Err(RadiographError::damaged("the restart interval is invalid"));
                };
                self.restart_interval = usize::from(u16::from_be_bytes([high, low]));
            }
            0xE0 if body.starts_with(b"JFIF\0") => self.colours.jfif = true,
            0xE1 if body.starts_with(b"Exif\0\0") => {
                self.orientation = self
                    .orientation
                    .or_else(|| Orientation::from_exif_chunk(&body[6..]));
            }
            0xEE if body.starts_with(b"Adobe") && body.len() >= 12 => {
                self.colours.adobe = Some(body[11]);
            }
            // Comments, other applications' data, restart markers out of place.
            _ => {}
        }
        Ok(())
    }

    /// B.2.4.1.
    fn quantisation_tables(&mut self, mut body: &[u8]) -> Result<(), RadiographError> {
        while let Some((&head, rest)) = body.split_first() {
            let (wide, slot) = (head >> 4 == 1, usize::from(head & 15));
            let bytes = if wide { 128 } else { 64 };
            if head >> 4 > 1 || slot > 3 || rest.len() < bytes {
                return Err(RadiographError::damaged("a quantisation table is invalid"));
            }
            let value = |k: usize| {
                if wide {
                    u16::from_be_bytes([rest[2 * k], rest[2 * k + 1]])
                } else {
                    u16::from(rest[k])
                }
            };
            let mut table = [0; 64];
            for (k, place) in transform::ZIGZAG.into_iter().enumerate() {
                table[usize::from(place)] = value(k);
            }
            self.quantisation[slot] = Some(table);
            body = &rest[bytes..];
        }
        Ok(())
    }

    /// B.2.4.2.
    fn huffman_tables(&mut self, mut body: &[u8]) -> Result<(), RadiographError> {
        while !body.is_empty() {
            let wrong = || RadiographError::damaged("a Huffman table is invalid");
            let (head, rest) = body.split_first().ok_or_else(wrong)?;
            let (class, slot) = (usize::from(head >> 4), usize::from(head & 15));
            if class > 1 || slot > 3 || rest.len() < 16 {
                return Err(wrong());
            }
            let (counts, rest) = rest.split_at(16);
            let values = counts.iter().map(|n| usize::from(*n)).sum();
            if rest.len() < values {
                return Err(wrong());
            }
            let table = huffman::Table::new(counts, &rest[..values]).ok_or_else(wrong)?;
            self.huffman[class][slot] = Some(table);
            body = &rest[values..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radiograph::formats::cases::{assert_same, of_folder, values};

    #[test]
    fn golden_twelve_bits_give_the_samples_of_libjpeg_turbo() {
        let cases = of_folder("jpeg-12", "jpg");
        assert_eq!(cases.len(), 3);
        for (name, bytes, expected) in cases {
            let (pixels, facts) =
                decode(&bytes, None).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_same(&name, &pixels, &expected);
            assert!(facts.notices.is_empty());
            let Samples::Sixteen(samples) = pixels.samples else {
                panic!("{name}: 8 bits");
            };
            assert_eq!(
                samples.said,
                crate::radiograph::samples::Said::Precision(12)
            );
            for length in (0..bytes.len() - 12).step_by(97) {
                let read = decode(&bytes[..length], None);
                assert!(read.is_err(), "{name}: read with {length} bytes");
            }
            // A half, a quarter or an eighth of it, for training, has the same depth.
            let (half, _) = decode(&bytes, Some(40)).expect("smaller");
            assert_eq!((half.width, half.height), (50, 42));
            assert!(values(&half).iter().max() > Some(&2000));
        }
    }
}
