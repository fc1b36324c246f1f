//! The bits of a scan (T.87, A.1): behind a byte 0xFF, a byte has a 0 before its seven bits.

/// Why samples cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The coded data ends.
    End,
    /// A code that stands for no sample.
    Wrong,
}

pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bits that were taken in and not read yet, the next one highest.
    cache: u64,
    count: u32,
    after_ff: bool,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            cache: 0,
            count: 0,
            after_ff: false,
        }
    }

    /// Takes in bytes as long as there is room for them, up to the next marker.
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else {
                return;
            };
            let length = if self.after_ff { 7 } else { 8 };
            let next_is_marker = || self.bytes.get(self.at + 1).is_none_or(|next| *next >= 0x80);
            if self.after_ff && byte >= 0x80 || byte == 0xFF && next_is_marker() {
                return;
            }
            self.cache |= u64::from(byte) << (64 - length - self.count);
            self.count += length;
            self.at += 1;
            self.after_ff = byte == 0xFF;
        }
    }

    /// The next `count` bits, 32 at most, as a number.
    pub fn read(&mut self, count: u32) -> Result<u32, Stop> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill();
            if self.count < count {
                return Err(Stop::End);
            }
        }
        let value = (self.cache >> (64 - count)) as u32;
        self.skip(count);
        Ok(value)
    }

    /// How many zeros come before the next one, which is read too. More than `most` are wrong.
    pub fn zeros(&mut self, most: u32) -> Result<u32, Stop> {
        let mut zeros = 0;
        loop {
            if self.count == 0 {
                self.fill();
                if self.count == 0 {
                    return Err(Stop::End);
                }
            }
            let here = self.cache.leading_zeros().min(self.count);
            zeros += here;
            if zeros > most {
                return Err(Stop::Wrong);
            }
            if here < self.count {
                self.skip(here + 1);
                return Ok(zeros);
            }
            self.skip(here);
        }
    }

    fn skip(&mut self, count: u32) {
        self.cache = self.cache.checked_shl(count).unwrap_or(0);
        self.count -= count;
    }

    /// How many bytes the scan took, with those that fill its last byte; `None` if more was coded than was read.
    pub fn end(mut self) -> Option<usize> {
        self.fill();
        // A byte 0xFF at the end is followed by one that has nothing but its 0.
        let filling = if self.after_ff { 7 + 7 } else { 7 };
        (self.count <= filling).then_some(self.at)
    }
}
