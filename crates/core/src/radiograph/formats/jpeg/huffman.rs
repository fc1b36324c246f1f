//! Huffman codes, and the bits of a scan (T.81, annex F.2.2).

/// How many bits are looked up at once.
const LOOKUP: u32 = 9;

/// A Huffman table, by code.
#[derive(Clone)]
pub struct Table {
    /// For the next [`LOOKUP`] bits: the code's value and its length; length 0 where the code is longer.
    short: Vec<(u8, u8)>,
    /// For each length, the first code that is too large for it, moved to 16 bits.
    ends: [u32; 17],
    /// For each length, what added to a code gives the place of its value.
    offsets: [i32; 17],
    values: Vec<u8>,
}

impl Table {
    /// From the number of codes of each length from 1 to 16, and their values (C.2). `None` if there are more codes than fit.
    pub fn new(counts: &[u8], values: &[u8]) -> Option<Self> {
        let mut short = vec![(0, 0); 1 << LOOKUP];
        let (mut ends, mut offsets) = ([0; 17], [0; 17]);
        let (mut code, mut index) = (0u32, 0usize);
        for length in 1..=16 {
            let count = u32::from(*counts.get(length - 1)?);
            offsets[length] = index as i32 - code as i32;
            for _ in 0..count {
                if code >= 1 << length {
                    return None;
                }
                let value = *values.get(index)?;
                if length as u32 <= LOOKUP {
                    let room = LOOKUP - length as u32;
                    let first = (code << room) as usize;
                    short[first..first + (1 << room)].fill((value, length as u8));
                }
                code += 1;
                index += 1;
            }
            ends[length] = code << (16 - length);
            code <<= 1;
        }
        Some(Self {
            short,
            ends,
            offsets,
            values: values.to_vec(),
        })
    }
}

impl Table {
    /// The value whose code is nothing but zeros: the first one (C.2).
    pub fn of_zeros(&self) -> Option<u8> {
        self.values.first().copied()
    }
}

/// Why no more can be read from a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A marker, or the end of the file, where bits were expected.
    Exhausted,
    /// Bits that are no code, or a value that cannot be.
    Wrong,
}

/// The bits of an entropy-coded segment, up to the next marker.
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the top.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            held: 0,
            count: 0,
        }
    }

    /// Takes bytes in until a marker; 0xFF is followed by a stuffed zero (B.1.1.5).
    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at..) {
                Some([0xFF, 0x00, ..]) => {
                    self.at += 2;
                    0xFF
                }
                Some([byte, ..]) if *byte != 0xFF => {
                    self.at += 1;
                    *byte
                }
                _ => return,
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn skip(&mut self, length: u32) -> Result<(), Stop> {
        if length > self.count {
            return Err(Stop::Exhausted);
        }
        self.held <<= length;
        self.count -= length;
        Ok(())
    }

    /// The next `length` bits as a number, up to 16 of them.
    pub fn take(&mut self, length: u32) -> Result<i32, Stop> {
        if length == 0 {
            return Ok(0);
        }
        if self.count < length {
            self.fill();
        }
        let value = self.held >> (64 - length);
        self.skip(length)?;
        Ok(value as i32)
    }

    /// A signed number of `size` bits (F.2.2.1, `EXTEND`).
    pub fn signed(&mut self, size: u32) -> Result<i32, Stop> {
        let value = self.take(size)?;
        if size > 0 && value < 1 << (size - 1) {
            return Ok(value - (1 << size) + 1);
        }
        Ok(value)
    }

    pub fn decode(&mut self, table: &Table) -> Result<u8, Stop> {
        if self.count < 16 {
            self.fill();
        }
        let (value, length) = table.short[(self.held >> (64 - LOOKUP)) as usize];
        if length > 0 {
            self.skip(u32::from(length))?;
            return Ok(value);
        }
        let next = (self.held >> 48) as u32;
        for length in LOOKUP as usize + 1..=16 {
            if next < table.ends[length] {
                let code = (next >> (16 - length)) as i32;
                let place =
                    usize::try_from(code + table.offsets[length]).map_err(|_| Stop::Wrong)?;
                self.skip(length as u32)?;
                return table.values.get(place).copied().ok_or(Stop::Wrong);
            }
        }
        if self.count < 16 {
            return Err(Stop::Exhausted);
        }
        Err(Stop::Wrong)
    }

    /// Drops what fills up the last byte; `true` if nothing but that, and at most two stray bytes, was left before the
    /// marker.
    pub fn finish(&mut self) -> bool {
        self.fill();
        let whole = self.count / 8;
        let at_marker = matches!(self.bytes.get(self.at..), Some([0xFF, next, ..]) if *next != 0)
            || self.at + 1 >= self.bytes.len();
        (self.held, self.count) = (0, 0);
        whole <= 2 && at_marker
    }

    /// Takes a restart marker, if it is the one that is due.
    pub fn restart(&mut self, due: u8) -> bool {
        while self.bytes.get(self.at..self.at + 2) == Some(&[0xFF, 0xFF]) {
            self.at += 1;
        }
        let found = self.bytes.get(self.at..self.at + 2) == Some(&[0xFF, 0xD0 + due]);
        self.at += if found { 2 } else { 0 };
        found
    }

    /// Where the first byte is of which no bit was taken, while the scan's blocks are read.
    pub fn consumed(&self) -> usize {
        let (mut at, mut held) = (self.at, self.count / 8);
        while held > 0 {
            let stuffed = at >= 2 && self.bytes[at - 2..at] == [0xFF, 0x00];
            at -= if stuffed { 2 } else { 1 };
            held -= 1;
        }
        at
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }
}
