//! The parts of a zip archive, where they lie. PyTorch's archives are not compressed, so that nothing is copied.

/// One part of an archive.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
    crc32: u32,
}

impl Entry<'_> {
    /// Whether its bytes have the checksum that the archive notes.
    pub fn has_its_checksum(&self) -> bool {
        crc32fast::hash(self.bytes) == self.crc32
    }
}

/// Why an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZipError {
    #[error("its end, the table of contents, is missing")]
    Cut,
    #[error("its table of contents is damaged")]
    Damaged,
    #[error("its parts are compressed")]
    Compressed,
}

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const END_LENGTH: usize = 22;
const LONGEST_COMMENT: usize = 0xffff;

pub fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(LOCAL) || bytes.starts_with(END)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<u64, ZipError> {
    let part = at.checked_add(N).and_then(|end| bytes.get(at..end));
    let part = part.ok_or(ZipError::Damaged)?;
    Ok(part
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn place(number: u64) -> Result<usize, ZipError> {
    usize::try_from(number).map_err(|_| ZipError::Damaged)
}

/// The names in an archive, also of what is compressed.
pub fn names(bytes: &[u8]) -> Result<Vec<&str>, ZipError> {
    let records = records(bytes)?;
    Ok(records.into_iter().map(|record| record.name).collect())
}

/// All parts of an archive, none of which may be compressed. Folders are left out.
pub fn entries(bytes: &[u8]) -> Result<Vec<Entry<'_>>, ZipError> {
    let mut entries = Vec::new();
    for record in records(bytes)? {
        if record.name.ends_with('/') {
            continue;
        }
        if record.method != 0 {
            return Err(ZipError::Compressed);
        }
        let header = bytes.get(record.offset..).ok_or(ZipError::Damaged)?;
        if !header.starts_with(LOCAL) {
            return Err(ZipError::Damaged);
        }
        let before = 30 + place(number::<2>(header, 26)?)? + place(number::<2>(header, 28)?)?;
        let end = before.checked_add(record.length).ok_or(ZipError::Damaged)?;
        entries.push(Entry {
            name: record.name,
            bytes: header.get(before..end).ok_or(ZipError::Damaged)?,
            crc32: record.crc32,
        });
    }
    Ok(entries)
}

struct Record<'a> {
    name: &'a str,
    method: u64,
    crc32: u32,
    length: usize,
    offset: usize,
}

fn records(bytes: &[u8]) -> Result<Vec<Record<'_>>, ZipError> {
    let from = bytes.len().saturating_sub(END_LENGTH + LONGEST_COMMENT);
    let end = memchr::memmem::rfind(&bytes[from..], END).ok_or(ZipError::Cut)? + from;
    if bytes.len() < end + END_LENGTH {
        return Err(ZipError::Cut);
    }
    let mut start = place(number::<4>(bytes, end + 16)?)?;
    let locator = end
        .checked_sub(20)
        .filter(|at| bytes[*at..].starts_with(LOCATOR_64));
    if let Some(locator) = locator {
        let end_64 = place(number::<8>(bytes, locator + 8)?)?;
        let is_there = bytes
            .get(end_64..)
            .is_some_and(|rest| rest.starts_with(END_64));
        if !is_there {
            return Err(ZipError::Damaged);
        }
        start = place(number::<8>(bytes, end_64 + 48)?)?;
    }
    let mut records = Vec::new();
    let mut at = start;
    while bytes
        .get(at..)
        .is_some_and(|rest| rest.starts_with(CENTRAL))
    {
        let lengths = [28, 30, 32].map(|field| number::<2>(bytes, at + field));
        let [name, extra, comment] = lengths;
        let (name, extra, comment) = (place(name?)?, place(extra?)?, place(comment?)?);
        let name_at = at + 46;
        let extra_at = name_at + name;
        let after = extra_at + extra + comment;
        let name = bytes.get(name_at..extra_at).ok_or(ZipError::Damaged)?;
        let extra = bytes
            .get(extra_at..extra_at + extra)
            .ok_or(ZipError::Damaged)?;
        let sizes = [24, 20, 42].map(|field| number::<4>(bytes, at + field));
        let [length, compressed, offset] = sizes;
        let mut wide = [length?, compressed?, offset?];
        widen(&mut wide, extra)?;
        let [length, compressed, offset] = wide;
        let method = number::<2>(bytes, at + 10)?;
        if method == 0 && length != compressed {
            return Err(ZipError::Damaged);
        }
        records.push(Record {
            name: std::str::from_utf8(name).map_err(|_| ZipError::Damaged)?,
            method,
            crc32: number::<4>(bytes, at + 16)? as u32,
            length: place(length)?,
            offset: place(offset)?,
        });
        at = after;
    }
    Ok(records)
}

/// The numbers that do not fit 32 bits are in a field of their own, in their order.
fn widen(numbers: &mut [u64; 3], mut extra: &[u8]) -> Result<(), ZipError> {
    const ZIP64: u64 = 1;
    while extra.len() >= 4 {
        let (kind, length) = (number::<2>(extra, 0)?, place(number::<2>(extra, 2)?)?);
        let field = extra.get(4..4 + length).ok_or(ZipError::Damaged)?;
        if kind == ZIP64 {
            let mut at = 0;
            for value in numbers.iter_mut().filter(|v| **v == u64::from(u32::MAX)) {
                *value = number::<8>(field, at)?;
                at += 8;
            }
        }
        extra = &extra[4 + length..];
    }
    Ok(())
}
