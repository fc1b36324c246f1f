//! Lossless JPEG (T.81, annex H: process 14): each sample is predicted from its neighbours, and the difference is coded.

use super::huffman::{Bits, Stop, Table};
use crate::radiograph::refusal::{RadiographError, check_colours, check_size};
use crate::radiograph::samples::{Pixels, Samples};

/// The picture of a lossless frame (SOF3), and what of it was decoded.
pub struct Lossless {
    width: usize,
    height: usize,
    /// Bits of a sample.
    precision: u8,
    components: Vec<Component>,
}

struct Component {
    id: u8,
    /// Row by row; `None` until its scan was decoded.
    samples: Option<Vec<u16>>,
}

/// What a scan's header says (B.2.3).
struct Header<'a> {
    /// Positions in the frame, with their tables.
    parts: Vec<(usize, &'a Table)>,
    /// Which neighbours a sample is predicted from (table H.1), 1 to 7.
    predictor: u8,
    /// The point transform: so many low bits are not coded.
    shift: u8,
}

impl Lossless {
    /// The frame of the body of SOF3.
    ///
    /// # Errors
    /// When it is damaged, of a size that is not read, or not grey or RGB.
    pub fn parse(body: &[u8]) -> Result<Self, RadiographError> {
        let wrong = || RadiographError::damaged("the frame header is invalid");
        let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = body else {
            return Err(wrong());
        };
        let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
        if height == 0 {
            let what = "a JPEG that tells its height at its end";
            return Err(RadiographError::unsupported(what));
        }
        let (components, []) = rest.as_chunks::<3>() else {
            return Err(wrong());
        };
        if width == 0 || !(2..=16).contains(&precision) || components.len() != usize::from(count) {
            return Err(wrong());
        }
        if !matches!(count, 1 | 3) {
            let what = "a lossless JPEG that is neither grey nor RGB";
            return Err(RadiographError::unsupported(what));
        }
        check_size(width.into(), height.into())?;
        check_colours(width.into(), height.into(), count.into())?;
        if count > 1 && components.iter().any(|[_, sampling, _]| *sampling != 0x11) {
            let what = "a lossless JPEG with components of different sizes";
            return Err(RadiographError::unsupported(what));
        }
        let component = |&[id, ..]: &[u8; 3]| Component { id, samples: None };
        Ok(Self {
            width: width.into(),
            height: height.into(),
            precision,
            components: components.iter().map(component).collect(),
        })
    }

    /// Decodes a scan from its header and the bytes behind it; returns how many of them it took.
    ///
    /// # Errors
    /// When samples are missing, bits are no code, or there are more bits than samples.
    pub fn scan(
        &mut self,
        body: &[u8],
        tables: &[Option<Table>; 4],
        restart_interval: usize,
        bytes: &[u8],
    ) -> Result<usize, RadiographError> {
        let header = self.header(body, tables)?;
        // H.1.1: whole lines lie between restarts.
        if !restart_interval.is_multiple_of(self.width) {
            let what = "a restart interval that ends within a line";
            return Err(RadiographError::damaged(what));
        }
        let lines_between = restart_interval / self.width;
        let (width, count) = (self.width, header.parts.len());
        let mut planes: Vec<Vec<u16>> = vec![Vec::with_capacity(width * self.height); count];
        let mut bits = Bits::new(bytes);
        let mut restarts = 0;
        for line in 0..self.height {
            let first = lines_between > 0 && line % lines_between == 0;
            if first && line > 0 {
                if !bits.finish() || !bits.restart(restarts % 8) {
                    return Err(RadiographError::damaged("a restart marker is missing"));
                }
                restarts = (restarts + 1) % 8;
            }
            let first = first || line == 0;
            for x in 0..width {
                for (plane, (_, table)) in planes.iter_mut().zip(&header.parts) {
                    let sample = self.sample(&header, &mut bits, table, plane, (x, first));
                    plane.push(sample.map_err(|stop| match stop {
                        Stop::Exhausted => {
                            let there = (line * width + x) as f64 / (width * self.height) as f64;
                            RadiographError::incomplete(
                                there * count as f64 / self.components.len() as f64,
                            )
                        }
                        Stop::Wrong => RadiographError::damaged("a code that stands for no sample"),
                    })?);
                }
            }
        }
        if !bits.finish() {
            let what = "its bits do not end where its picture does";
            return Err(RadiographError::damaged(what));
        }
        for ((component, _), plane) in header.parts.into_iter().zip(planes) {
            let samples = plane.into_iter().map(|sample| sample << header.shift);
            let before = self.components[component]
                .samples
                .replace(samples.collect());
            if before.is_some() {
                return Err(RadiographError::damaged("a component that comes twice"));
            }
        }
        Ok(bits.position())
    }

    fn header<'a>(
        &self,
        body: &[u8],
        tables: &'a [Option<Table>; 4],
    ) -> Result<Header<'a>, RadiographError> {
        let wrong = || RadiographError::damaged("a scan header is invalid");
        let (count, rest) = body.split_first().ok_or_else(wrong)?;
        let (listed, end) = rest
            .split_at_checked(2 * usize::from(*count))
            .ok_or_else(wrong)?;
        let &[predictor @ 1..=7, 0, shift @ 0..=15] = end else {
            return Err(wrong());
        };
        let mut parts: Vec<(usize, &Table)> = Vec::new();
        for &[id, slots] in listed.as_chunks::<2>().0 {
            let place = self.components.iter().position(|known| known.id == id);
            let table = tables.get(usize::from(slots >> 4)).and_then(Option::as_ref);
            let place = place.filter(|place| parts.iter().all(|(known, _)| known != place));
            parts.push(place.zip(table).ok_or_else(wrong)?);
        }
        if parts.is_empty() || shift >= self.precision {
            return Err(wrong());
        }
        Ok(Header {
            parts,
            predictor,
            shift,
        })
    }

    /// The next sample of a component, without its low bits. `place`: its place in the line, and whether the line is the first of the scan or
    /// behind a restart.
    fn sample(
        &self,
        header: &Header,
        bits: &mut Bits,
        table: &Table,
        plane: &[u16],
        (x, first): (usize, bool),
    ) -> Result<u16, Stop> {
        let size = bits.decode(table)?;
        let difference = match size {
            0..=15 => bits.signed(size.into())?,
            // H.1.2.2: no further bits.
            16 => 1 << 15,
            _ => return Err(Stop::Wrong),
        };
        let depth = self.precision - header.shift;
        let before = |back: usize| i32::from(plane[plane.len() - back]);
        let predicted = match (x, first) {
            (0, true) => 1 << (depth - 1),
            (0, false) => before(self.width),
            (_, true) => before(1),
            _ => {
                let (a, b, c) = (before(1), before(self.width), before(self.width + 1));
                match header.predictor {
                    1 => a,
                    2 => b,
                    3 => c,
                    4 => a + b - c,
                    5 => a + ((b - c) >> 1),
                    6 => b + ((a - c) >> 1),
                    _ => (a + b) >> 1,
                }
            }
        };
        // H.1.2.1: modulo 2^16.
        let value = (predicted + difference) & 0xFFFF;
        match value >> depth {
            0 => Ok(value as u16),
            _ => Err(Stop::Wrong),
        }
    }

    /// The picture, once all components are there.
    ///
    /// # Errors
    /// When one is missing.
    pub fn pixels(self) -> Result<Pixels, RadiographError> {
        let count = self.components.len();
        let planes = self
            .components
            .into_iter()
            .filter_map(|component| component.samples);
        let planes: Vec<Vec<u16>> = planes.collect();
        if planes.len() < count {
            return Err(RadiographError::incomplete(
                planes.len() as f64 / count as f64,
            ));
        }
        Ok(Pixels {
            width: self.width,
            height: self.height,
            channels: count,
            samples: Samples::of_planes(planes, self.precision),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use crate::radiograph::formats::cases::{Case, assert_same, of_folder, values};
    use crate::radiograph::picture::Notice;

    fn cases() -> Vec<Case> {
        let cases = of_folder("jpeg-lossless", "jpg");
        assert_eq!(cases.len(), 9);
        cases
    }

    #[test]
    fn golden_every_depth_and_predictor_gives_the_samples_that_were_coded() {
        for (name, bytes, expected) in cases() {
            let (pixels, facts) =
                decode(&bytes, None).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_same(&name, &pixels, &expected);
            assert!(facts.notices.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_refused_and_one_without_its_end_mark_is_read() {
        for (name, bytes, expected) in cases() {
            let end = bytes.len() - 2;
            for length in (0..end - 8).step_by(97) {
                let read = decode(&bytes[..length], None);
                assert!(read.is_err(), "{name}: read with {length} of {end} bytes");
            }
            let (pixels, facts) = decode(&bytes[..end], None).expect("every sample is there");
            assert!(values(&pixels) == values(&expected));
            assert_eq!(facts.notices, [Notice::NoEnd]);
            let more = [&bytes[..end], &[0x12; 40], &bytes[end..]].concat();
            assert!(decode(&more, None).is_err(), "{name}: read with more data");
        }
    }

    /// Behind a restart, everything is coded as at the beginning: a scan that comes twice is a picture below itself.
    #[test]
    fn a_restart_begins_anew() {
        for (name, bytes, expected) in cases() {
            let place = |marker: u8| bytes.windows(2).position(|two| two == [0xFF, marker]);
            let (frame, scan) = (place(0xC3).expect("a frame"), place(0xDA).expect("a scan"));
            let data = scan + 2 + usize::from(bytes[scan + 3]);
            let interval = (expected.width * expected.height) as u16;
            let [high, low] = interval.to_be_bytes();
            let mut head = bytes[..data].to_vec();
            head[frame + 5..frame + 7].copy_from_slice(&(2 * expected.height as u16).to_be_bytes());
            head.splice(frame..frame, [0xFF, 0xDD, 0, 4, high, low]);
            let (data, end) = bytes[data..].split_at(bytes.len() - 2 - data);
            let twice = [&head, data, &[0xFF, 0xD0], data, end].concat();
            let (pixels, _) = decode(&twice, None).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(values(&pixels) == values(&expected).repeat(2), "{name}");
            let without = [&head, data, data, end].concat();
            assert!(
                decode(&without, None).is_err(),
                "{name}: read without its restart"
            );
            let other = [&head, data, &[0xFF, 0xD1], data, end].concat();
            assert!(
                decode(&other, None).is_err(),
                "{name}: read with another restart"
            );
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let cases = cases();
        let (_, bytes, _) = cases.iter().find(|case| case.2.channels == 3).expect("RGB");
        let frame = bytes.windows(2).position(|two| two == [0xFF, 0xC3]);
        let frame = frame.expect("a frame");
        let said = |changed: &[u8]| {
            let read = decode(changed, None);
            read.err().map_or(String::new(), |why| why.to_string())
        };
        let with = |at: usize, value: u8| {
            let mut changed = bytes.clone();
            changed[at] = value;
            said(&changed)
        };
        assert!(with(frame + 4, 1).contains("frame header is invalid"));
        assert!(with(frame + 11, 0x21).contains("different sizes"));
        // Adobe's marker with the transform to YCbCr.
        let adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\x01";
        let told = [&bytes[..frame], adobe, &bytes[frame..]].concat();
        assert!(said(&told).contains("YCbCr"), "{}", said(&told));
    }
}
