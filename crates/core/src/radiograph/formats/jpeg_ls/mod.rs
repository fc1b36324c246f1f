//! A JPEG-LS decoder (ITU-T T.87, ISO 14495-1): grey or RGB of 2 to 16 bits, without loss or nearly so, with any interleaving.
//!
//! JPEG-LS has no checksums. What can be told is told: a picture that ends early, coded data that goes on behind the last sample, and
//! codes that no encoder writes are refused. Names are those of the standard.

mod bits;
mod model;

use crate::radiograph::formats::jpeg::segment_body;
use crate::radiograph::picture::{Facts, Notice};
use crate::radiograph::refusal::{RadiographError, check_colours, check_size};
use crate::radiograph::samples::{Pixels, Samples};
use bits::{Bits, Stop};
use model::{Coding, Model, Preset};

const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const SOF_55: u8 = 0xF7;
const LSE: u8 = 0xF8;

/// How the components of a picture follow each other in a scan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interleaving {
    /// A scan has one component.
    None,
    Line,
    Sample,
}

/// The frame header (C.2.2).
struct Frame {
    width: usize,
    height: usize,
    /// Bits of a sample.
    precision: u8,
    /// The components' identifiers, in the order in which they are given.
    components: Vec<u8>,
}

struct Scan {
    /// Positions in the frame.
    components: Vec<usize>,
    near: u16,
    interleaving: Interleaving,
}

/// Whether a file that begins as a JPEG is one of JPEG-LS: its first frame header tells.
pub fn is_one(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        match segment(bytes, at) {
            Ok(Some((SOF_55, ..))) => return true,
            // Of other processes, frame headers and what comes with them lie between 0xC0 and 0xDF.
            Ok(Some((0xC0..=0xDF, ..)) | None) | Err(_) => return false,
            Ok(Some((_, _, next))) => at = next,
        }
    }
}

/// Decodes a file. Samples of 9 bits or more keep their values.
pub fn decode(bytes: &[u8]) -> Result<(Pixels, Facts), RadiographError> {
    let mut frame: Option<Frame> = None;
    let mut preset = Preset::default();
    // A plane for each component, once it was decoded.
    let mut planes: Vec<Option<Vec<u16>>> = Vec::new();
    let mut facts = Facts::default();
    let mut at = 2;
    loop {
        let Some((marker, body, next)) = segment(bytes, at)? else {
            facts.notices.push(Notice::NoEnd);
            break;
        };
        at = next;
        match marker {
            EOI => break,
            SOF_55 => {
                if frame.is_some() {
                    return Err(RadiographError::unsupported(
                        "several frames in one JPEG-LS file",
                    ));
                }
                let read = Frame::parse(body)?;
                planes = vec![None; read.components.len()];
                frame = Some(read);
            }
            LSE => preset = Preset::parse(body)?,
            SOS => {
                let frame = frame
                    .as_ref()
                    .ok_or_else(|| RadiographError::damaged("a scan without a frame"))?;
                let scan = Scan::parse(body, frame)?;
                let (decoded, used) = scan.decode(frame, preset, &bytes[at..])?;
                for (component, plane) in scan.components.iter().zip(decoded) {
                    if planes[*component].replace(plane).is_some() {
                        return Err(RadiographError::damaged("a component is coded twice"));
                    }
                }
                at += used;
            }
            0xDD if body.iter().any(|byte| *byte != 0) => {
                return Err(RadiographError::unsupported(
                    "a JPEG-LS file with restart markers",
                ));
            }
            // HP's colour transforms, which CharLS writes on demand: the last byte is 0 where there is none.
            0xE8 if body.starts_with(b"mrfx") && body.get(4) != Some(&0) => {
                return Err(RadiographError::unsupported(
                    "a JPEG-LS file with a colour transform",
                ));
            }
            0xDD | 0xE0..=0xEF | 0xFE => {}
            _ => {
                return Err(RadiographError::unsupported(
                    "a JPEG-LS file with other markers",
                ));
            }
        }
    }
    let frame = frame.ok_or(RadiographError::Truncated { percent: None })?;
    let there = planes.iter().flatten().count();
    if there < planes.len() {
        let share = there as f64 / planes.len() as f64;
        return Err(RadiographError::incomplete(share));
    }
    let pixels = Pixels {
        width: frame.width,
        height: frame.height,
        channels: planes.len(),
        samples: Samples::of_planes(planes.into_iter().flatten().collect(), frame.precision),
    };
    Ok((pixels, facts))
}

/// A marker, the content of its segment, and where the next begins.
type Segment<'a> = (u8, &'a [u8], usize);

/// The next marker; `None` at the end of the file.
fn segment(bytes: &[u8], mut at: usize) -> Result<Option<Segment<'_>>, RadiographError> {
    // Fill bytes are allowed before a marker.
    while bytes.get(at..at + 2) == Some(&[0xFF, 0xFF]) {
        at += 1;
    }
    let marker = match bytes.get(at..at + 2) {
        Some(&[0xFF, marker]) if marker >= 0x80 => marker,
        Some(_) => {
            return Err(RadiographError::damaged(
                "something that is no marker between its segments",
            ));
        }
        None => return Ok(None),
    };
    at += 2;
    if marker == EOI {
        return Ok(Some((marker, &[], at)));
    }
    let (body, end) = segment_body(bytes, at)?;
    Ok(Some((marker, body, end)))
}

impl Frame {
    fn parse(body: &[u8]) -> Result<Self, RadiographError> {
        let &[precision, h1, h2, w1, w2, count, ref rest @ ..] = body else {
            return Err(RadiographError::damaged("a frame header that is cut"));
        };
        let (height, width) = (u16::from_be_bytes([h1, h2]), u16::from_be_bytes([w1, w2]));
        if height == 0 || width == 0 {
            return Err(RadiographError::unsupported(
                "a JPEG-LS file that gives its size elsewhere",
            ));
        }
        check_size(width.into(), height.into())?;
        if !(2..=16).contains(&precision) {
            return Err(RadiographError::damaged("a depth that there is not"));
        }
        if !matches!(count, 1 | 3) {
            let what = format!("a JPEG-LS file of {count} components");
            return Err(RadiographError::Unsupported(what));
        }
        check_colours(width.into(), height.into(), count.into())?;
        let (components, []) = rest.as_chunks::<3>() else {
            return Err(RadiographError::damaged(
                "a frame header of the wrong length",
            ));
        };
        if components.len() != usize::from(count) {
            return Err(RadiographError::damaged(
                "a frame header of the wrong length",
            ));
        }
        if components.iter().any(|[_, sampling, _]| *sampling != 0x11) {
            return Err(RadiographError::unsupported(
                "a JPEG-LS file with components of different sizes",
            ));
        }
        Ok(Self {
            width: width.into(),
            height: height.into(),
            precision,
            components: components.iter().map(|[id, ..]| *id).collect(),
        })
    }
}

impl Preset {
    fn parse(body: &[u8]) -> Result<Self, RadiographError> {
        match body {
            [1, rest @ ..] => {
                let (words, []) = rest.as_chunks::<2>() else {
                    return Err(RadiographError::damaged(
                        "coding parameters of the wrong length",
                    ));
                };
                let words: Vec<u16> = words.iter().map(|word| u16::from_be_bytes(*word)).collect();
                let &[most, t1, t2, t3, reset] = words.as_slice() else {
                    return Err(RadiographError::damaged(
                        "coding parameters of the wrong length",
                    ));
                };
                Ok(Self {
                    most,
                    thresholds: [t1, t2, t3],
                    reset,
                })
            }
            [2 | 3, ..] => Err(RadiographError::unsupported(
                "a JPEG-LS file with a palette",
            )),
            [4, ..] => Err(RadiographError::unsupported(
                "a JPEG-LS file that gives its size elsewhere",
            )),
            _ => Err(RadiographError::unsupported(
                "a JPEG-LS file with extensions",
            )),
        }
    }
}

impl Scan {
    fn parse(body: &[u8], frame: &Frame) -> Result<Self, RadiographError> {
        let wrong = || RadiographError::damaged("a scan header of the wrong length");
        let (&count, rest) = body.split_first().ok_or_else(wrong)?;
        let (listed, end) = rest
            .split_at_checked(2 * usize::from(count))
            .ok_or_else(wrong)?;
        let &[near, interleaving, transform] = end else {
            return Err(wrong());
        };
        let mut components = Vec::new();
        for &[id, table] in listed.as_chunks::<2>().0 {
            if table != 0 {
                return Err(RadiographError::unsupported(
                    "a JPEG-LS file with a palette",
                ));
            }
            let place = frame.components.iter().position(|known| *known == id);
            components.push(place.ok_or_else(|| {
                RadiographError::damaged("a scan of a component that there is not")
            })?);
        }
        if transform != 0 {
            return Err(RadiographError::unsupported(
                "a JPEG-LS file with shifted samples",
            ));
        }
        let interleaving = match (interleaving, components.len()) {
            // Of one component, all are the same.
            (0..=2, 1) => Interleaving::None,
            (1, 2..) => Interleaving::Line,
            (2, 2..) => Interleaving::Sample,
            _ => {
                return Err(RadiographError::damaged(
                    "an interleaving that there is not",
                ));
            }
        };
        Ok(Self {
            components,
            near: near.into(),
            interleaving,
        })
    }

    /// A plane for each of its components, and how many bytes they took.
    fn decode(
        &self,
        frame: &Frame,
        preset: Preset,
        bytes: &[u8],
    ) -> Result<(Vec<Vec<u16>>, usize), RadiographError> {
        let coding = Coding::new(frame.precision, self.near, preset).ok_or_else(|| {
            RadiographError::damaged("coding parameters that contradict each other")
        })?;
        let count = self.components.len();
        let (width, height) = (frame.width, frame.height);
        let mut bits = Bits::new(bytes);
        let mut model = Model::new(coding);
        // A line has a sample more on each side: what stands for the neighbours that are not there.
        let empty = vec![0; width + 2];
        let mut above = vec![empty.clone(); count];
        let mut lines = vec![empty; count];
        let mut run_index = vec![0; count];
        let mut planes = vec![Vec::with_capacity(width * height); count];
        for _ in 0..height {
            for (above, current) in above.iter_mut().zip(&mut lines) {
                above[width + 1] = above[width];
                current[0] = above[1];
            }
            let decoded = match self.interleaving {
                Interleaving::Sample => {
                    model.samples(&mut bits, &above, &mut lines, &mut run_index[0])
                }
                _ => (0..count).try_for_each(|component| {
                    let (above, current) = (&above[component], &mut lines[component]);
                    model.line(&mut bits, above, current, &mut run_index[component])
                }),
            };
            decoded.map_err(|stop| match stop {
                Stop::End => {
                    // Of components that have scans of their own, others may be there.
                    if count < frame.components.len() {
                        return RadiographError::Truncated { percent: None };
                    }
                    RadiographError::incomplete(planes[0].len() as f64 / (width * height) as f64)
                }
                Stop::Wrong => RadiographError::damaged("a code that no encoder writes"),
            })?;
            for (plane, current) in planes.iter_mut().zip(&lines) {
                plane.extend_from_slice(&current[1..=width]);
            }
            std::mem::swap(&mut above, &mut lines);
        }
        let used = bits
            .end()
            .ok_or_else(|| RadiographError::damaged("coded data behind the last sample"))?;
        Ok((planes, used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radiograph::formats::cases::{Case, assert_same, of_folder, values};

    fn cases() -> Vec<Case> {
        let cases = of_folder("jpeg-ls", "jls");
        assert_eq!(cases.len(), 16);
        cases
    }

    #[test]
    fn golden_every_depth_loss_and_interleaving_gives_the_samples_of_charls() {
        for (name, bytes, expected) in cases() {
            assert!(is_one(&bytes), "{name}");
            let (pixels, facts) = decode(&bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_same(&name, &pixels, &expected);
            assert!(facts.notices.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_depth_is_told_by_the_file() {
        use crate::radiograph::samples::Said;
        for (name, bytes, _) in cases() {
            let (pixels, _) = decode(&bytes).expect("a picture");
            let told = match pixels.samples {
                Samples::Eight(_) => None,
                Samples::Sixteen(samples) => match samples.said {
                    Said::Precision(bits) => Some(bits),
                    other => panic!("{name}: {other:?}"),
                },
            };
            let written = name
                .rsplit('/')
                .next()
                .and_then(|name| name.split(['-', '.']).nth(1));
            let bits = written
                .and_then(|bits| bits.parse().ok())
                .filter(|bits| *bits > 8);
            assert_eq!(told, bits, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_or_goes_on_is_refused() {
        for (name, bytes, expected) in cases() {
            let end = bytes.len() - 2;
            for length in (0..end).step_by(97).chain(end - 4..end) {
                let read = decode(&bytes[..length]);
                assert!(read.is_err(), "{name}: read with {length} of {end} bytes");
            }
            // Only its end mark is missing.
            let (pixels, facts) = decode(&bytes[..end]).expect("every sample is there");
            assert!(values(&pixels) == values(&expected));
            assert_eq!(facts.notices, [Notice::NoEnd]);
            let more = [&bytes[..end], &[0x12; 40], &bytes[end..]].concat();
            assert!(decode(&more).is_err(), "{name}: read with more data");
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let bytes = &cases()
            .into_iter()
            .find(|case| case.0.contains("grey-12."))
            .expect("it")
            .1;
        let at = |marker: u8| bytes.windows(2).position(|two| two == [0xFF, marker]);
        let with = |at: usize, value: u8| {
            let mut changed = bytes.clone();
            changed[at] = value;
            decode(&changed)
                .err()
                .map_or(String::new(), |why| why.to_string())
        };
        let (frame, scan) = (at(SOF_55).expect("a frame"), at(SOS).expect("a scan"));
        for (place, value, words) in [
            (frame + 4, 1, "depth"),
            (frame + 9, 4, "4 components"),
            (frame + 11, 0x21, "different sizes"),
            (scan + 6, 1, "palette"),
            (scan + 9, 1, "shifted"),
        ] {
            let said = with(place, value);
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
