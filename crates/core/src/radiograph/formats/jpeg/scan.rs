//! One scan of a JPEG: coefficients of one component or several (T.81, B.2.3, annexes F.2 and G.2).

use super::frame::Frame;
use super::huffman::{Bits, Stop, Table};
use super::transform::ZIGZAG;
use crate::radiograph::refusal::RadiographError;

/// The marker of the end of a file.
pub const EOI: u8 = 0xD9;

/// The shortest run of zero bytes that is a hole, where zeros do not stand for an even area.
const HOLE: usize = 16;

pub struct Scan<'a> {
    /// Which of the frame's components, with their DC and AC tables.
    parts: Vec<Part<'a>>,
    /// The first and last coefficient, in zigzag order.
    first: usize,
    last: usize,
    /// Successive approximation: the bit that was known before (0 for none), and the one that is known after.
    high: u8,
    low: u8,
    restart_interval: usize,
    /// How many bits more than 8 a sample has, and so a coefficient.
    more: u32,
}

struct Part<'a> {
    component: usize,
    dc: Option<&'a Table>,
    ac: Option<&'a Table>,
}

impl<'a> Scan<'a> {
    pub fn parse(
        body: &[u8],
        frame: &Frame,
        [dc, ac]: &'a [[Option<Table>; 4]; 2],
        restart_interval: usize,
    ) -> Result<Self, RadiographError> {
        let wrong = || RadiographError::damaged("a scan header is invalid");
        let (count, rest) = body.split_first().ok_or_else(wrong)?;
        let count = usize::from(*count);
        if !(1..=4).contains(&count) || rest.len() < 2 * count + 3 {
            return Err(wrong());
        }
        let mut parts: Vec<Part> = Vec::with_capacity(count);
        for pair in rest.chunks_exact(2).take(count) {
            let found = frame.components.iter().position(|c| c.id == pair[0]);
            let component = found.ok_or_else(wrong)?;
            if parts.iter().any(|part| part.component == component) {
                return Err(wrong());
            }
            let table = |tables: &'a [Option<Table>; 4], slot: u8| {
                tables.get(usize::from(slot)).and_then(Option::as_ref)
            };
            parts.push(Part {
                component,
                dc: table(dc, pair[1] >> 4),
                ac: table(ac, pair[1] & 15),
            });
        }
        let end = &rest[2 * count..];
        let (first, last) = (usize::from(end[0]), usize::from(end[1]));
        let (high, low) = (end[2] >> 4, end[2] & 15);
        let (first, last, high, low) = if frame.progressive {
            (first, last, high, low)
        } else {
            // A sequential scan has all coefficients, whatever its header says.
            (0, 63, 0, 0)
        };
        let (needs_dc, needs_ac) = (first == 0 && high == 0, last > 0);
        let lacks = |part: &Part| needs_dc && part.dc.is_none() || needs_ac && part.ac.is_none();
        if first > last
            || last > 63
            || low > 13
            || high > 13
            || frame.progressive && first == 0 && last > 0
            || first > 0 && count > 1
            || parts.iter().any(lacks)
        {
            return Err(wrong());
        }
        Ok(Self {
            parts,
            first,
            last,
            high,
            low,
            restart_interval,
            more: u32::from(frame.precision.0) - 8,
        })
    }

    /// Reads the scan from the bytes behind its header; returns how many there were.
    ///
    /// # Errors
    /// When blocks are missing, when bits are no code, or when there are more bits than blocks.
    pub fn decode(&self, frame: &mut Frame, bytes: &[u8]) -> Result<usize, RadiographError> {
        if !frame.progressive {
            let again = |part: &Part| frame.components[part.component].read > 0;
            if self.parts.iter().any(again) {
                return Err(RadiographError::damaged("a component that comes twice"));
            }
        }
        let mut bits = Bits::new(bytes);
        match self.blocks(frame, &mut bits) {
            Ok(()) => {}
            Err(Stop::Exhausted) => return Err(RadiographError::incomplete(frame.share())),
            Err(Stop::Wrong) => return Err(RadiographError::damaged(&self.where_(frame))),
        }
        let read = bits.consumed();
        let at_marker = bits.finish();
        let zeros = bytes[..bits.position()].split(|byte| *byte != 0);
        if !self.zeros_are_even() && zeros.map(<[u8]>::len).any(|run| run >= HOLE) {
            return Err(RadiographError::damaged(
                "a part of its data is missing and filled with zeros",
            ));
        }
        if frame.progressive {
            for part in &self.parts {
                let known = &mut frame.components[part.component].low_bits;
                for low in &mut known[self.first..=self.last] {
                    // A refinement needs the bit before it.
                    if self.high == 0 || *low == self.high {
                        *low = self.low;
                    }
                }
            }
        }
        let ended = at_marker || frame.share() >= 1.0 && only_zeros_follow(bytes, read);
        if !ended {
            return Err(RadiographError::damaged(
                "its bits do not end where its picture does",
            ));
        }
        Ok(bits.position())
    }

    /// Blocks that are visited.
    pub fn blocks_to_read(&self, frame: &Frame) -> usize {
        let of = |part: &Part| {
            let (across, down) = frame.components[part.component].padded;
            across * down
        };
        self.parts.iter().map(of).sum()
    }

    /// Whether zeros can stand for blocks that are like the one before, without detail. A hole of zeros often decodes to as many
    /// blocks as were there, so that nothing else tells it.
    fn zeros_are_even(&self) -> bool {
        let even = |table: Option<&Table>| table.is_none_or(|table| table.of_zeros() == Some(0));
        // A further bit of each DC coefficient comes without a code: where it is zero everywhere, so are its bytes.
        if self.first == 0 && self.high > 0 {
            return true;
        }
        let dc = self.first > 0 || self.parts.iter().all(|part| even(part.dc));
        let ac = self.last == 0 || self.parts.iter().all(|part| even(part.ac));
        dc && ac
    }

    fn where_(&self, frame: &Frame) -> String {
        format!(
            "its data are invalid after {:.0}% of the picture",
            100.0 * frame.share()
        )
    }

    fn blocks(&self, frame: &mut Frame, bits: &mut Bits) -> Result<(), Stop> {
        let side = frame.block_side();
        let (progressive, precision) = (frame.progressive, frame.precision);
        let mut tables = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let component = &mut frame.components[part.component];
            if progressive {
                let (across, down) = component.padded;
                if component.coefficients.is_empty() {
                    component.coefficients = vec![0; 64 * across * down];
                }
                tables.push([0; 64]);
            } else {
                tables.push(component.prepare(side).map_err(|_| Stop::Wrong)?);
            }
        }
        let alone = self.parts.len() == 1;
        let (across, down) = if alone {
            frame.components[self.parts[0].component].blocks
        } else {
            frame.units()
        };
        let mut predictors = [0i32; 4];
        let mut end_of_band = 0u32;
        let mut due = 0u8;
        for unit in 0..across * down {
            if self.restart_interval > 0 && unit > 0 && unit % self.restart_interval == 0 {
                if !bits.finish() {
                    return Err(Stop::Wrong);
                }
                if !bits.restart(due) {
                    return Err(Stop::Exhausted);
                }
                due = (due + 1) % 8;
                predictors = [0; 4];
                end_of_band = 0;
            }
            let (column, row) = (unit % across, unit / across);
            for (index, part) in self.parts.iter().enumerate() {
                let component = &mut frame.components[part.component];
                let (h, v) = if alone { (1, 1) } else { component.sampling };
                for place in 0..h * v {
                    let (x, y) = (column * h + place % h, row * v + place / h);
                    if progressive {
                        let at = 64 * (y * component.padded.0 + x);
                        let block = &mut component.coefficients[at..at + 64];
                        self.progressive_block(
                            bits,
                            part,
                            block,
                            &mut predictors[index],
                            &mut end_of_band,
                        )?;
                    } else {
                        let mut block = [0i16; 64];
                        let table = &tables[index];
                        sequential_block(
                            bits,
                            part,
                            &mut block,
                            &mut predictors[index],
                            table[0],
                            self.more,
                        )?;
                        component.put((x, y), &block, table, precision, side);
                        let (wide, high) = component.blocks;
                        component.read += usize::from(x < wide && y < high);
                    }
                }
            }
        }
        Ok(())
    }

    /// Annex G.1.2 and G.2: a band of coefficients, or one more bit of them.
    fn progressive_block(
        &self,
        bits: &mut Bits,
        part: &Part,
        block: &mut [i16],
        predictor: &mut i32,
        end_of_band: &mut u32,
    ) -> Result<(), Stop> {
        match (self.first, self.high) {
            (0, 0) => {
                let table = part.dc.ok_or(Stop::Wrong)?;
                *predictor = difference(bits, table, *predictor, 0)?;
                block[0] = ((*predictor) << self.low) as i16;
                Ok(())
            }
            (0, _) => {
                if bits.take(1)? == 1 {
                    block[0] |= 1 << self.low;
                }
                Ok(())
            }
            (_, 0) => self.first_bits(bits, part.ac.ok_or(Stop::Wrong)?, block, end_of_band),
            _ => self.next_bit(bits, part.ac.ok_or(Stop::Wrong)?, block, end_of_band),
        }
    }

    fn first_bits(
        &self,
        bits: &mut Bits,
        table: &Table,
        block: &mut [i16],
        end_of_band: &mut u32,
    ) -> Result<(), Stop> {
        if *end_of_band > 0 {
            *end_of_band -= 1;
            return Ok(());
        }
        let mut k = self.first;
        while k <= self.last {
            let code = bits.decode(table)?;
            let (run, size) = (usize::from(code >> 4), u32::from(code & 15));
            if size == 0 {
                if run < 15 {
                    *end_of_band = (1 << run) - 1 + bits.take(run as u32)? as u32;
                    return Ok(());
                }
                k += 16;
                continue;
            }
            k += run;
            if k > self.last || size > 10 {
                return Err(Stop::Wrong);
            }
            block[usize::from(ZIGZAG[k])] = (bits.signed(size)? << self.low) as i16;
            k += 1;
        }
        Ok(())
    }

    fn next_bit(
        &self,
        bits: &mut Bits,
        table: &Table,
        block: &mut [i16],
        end_of_band: &mut u32,
    ) -> Result<(), Stop> {
        let bit = 1i16 << self.low;
        let mut k = self.first;
        if *end_of_band == 0 {
            while k <= self.last {
                let code = bits.decode(table)?;
                let (mut run, size) = (usize::from(code >> 4), code & 15);
                let mut new = 0;
                match size {
                    0 if run < 15 => {
                        *end_of_band = (1 << run) + bits.take(run as u32)? as u32;
                        break;
                    }
                    0 => {}
                    1 => new = if bits.take(1)? == 1 { bit } else { -bit },
                    _ => return Err(Stop::Wrong),
                }
                // Those that are not zero get one more bit each; as many zeros as the run says are passed over.
                loop {
                    if k > self.last {
                        if new != 0 {
                            return Err(Stop::Wrong);
                        }
                        break;
                    }
                    let place = usize::from(ZIGZAG[k]);
                    if block[place] != 0 {
                        refine(bits, &mut block[place], bit)?;
                    } else if run == 0 {
                        block[place] = new;
                        k += 1;
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
            }
        }
        if *end_of_band > 0 {
            for place in &ZIGZAG[k..=self.last] {
                let coefficient = &mut block[usize::from(*place)];
                if *coefficient != 0 {
                    refine(bits, coefficient, bit)?;
                }
            }
            *end_of_band -= 1;
        }
        Ok(())
    }
}

/// Whether zeros fill the rest of the file, or what lies before its end marker, and are not what the last blocks were read from.
fn only_zeros_follow(bytes: &[u8], read: usize) -> bool {
    let rest = &bytes[read..];
    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
    let last_read = &bytes[read.saturating_sub(2)..read];
    last_read.iter().any(|byte| *byte != 0) && matches!(rest[zeros..], [] | [0xFF, EOI, ..])
}

fn refine(bits: &mut Bits, coefficient: &mut i16, bit: i16) -> Result<(), Stop> {
    if bits.take(1)? == 1 && *coefficient & bit == 0 {
        *coefficient += if *coefficient > 0 { bit } else { -bit };
    }
    Ok(())
}

/// F.2.2.1: the DC coefficient, from its difference to the one before.
fn difference(bits: &mut Bits, table: &Table, predictor: i32, more: u32) -> Result<i32, Stop> {
    let size = u32::from(bits.decode(table)?);
    if size > 11 + more {
        return Err(Stop::Wrong);
    }
    let value = predictor + bits.signed(size)?;
    // Eight times 128 (2048 with 12 bits), and one step of quantisation, is the most there can be; twice that is damage.
    if value.abs() > (2048 << more) - i32::from(more > 0) {
        return Err(Stop::Wrong);
    }
    Ok(value)
}

/// F.2.2: all coefficients of a block.
fn sequential_block(
    bits: &mut Bits,
    part: &Part,
    block: &mut [i16; 64],
    predictor: &mut i32,
    dc_step: u16,
    more: u32,
) -> Result<(), Stop> {
    *predictor = difference(bits, part.dc.ok_or(Stop::Wrong)?, *predictor, more)?;
    let step = i32::from(dc_step);
    if predictor.abs() * step > (1024 << more) + step {
        return Err(Stop::Wrong);
    }
    block[0] = *predictor as i16;
    let table = part.ac.ok_or(Stop::Wrong)?;
    let mut k = 1;
    while k < 64 {
        let code = bits.decode(table)?;
        let (run, size) = (usize::from(code >> 4), u32::from(code & 15));
        if size == 0 {
            if run < 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += run;
        if k > 63 || size > 10 + more {
            return Err(Stop::Wrong);
        }
        block[usize::from(ZIGZAG[k])] = bits.signed(size)? as i16;
        k += 1;
    }
    Ok(())
}
