//! The elements of a DICOM data set (PS3.5, clause 7), as slices of the file: nothing is allocated by what a file says of its length.

use std::collections::BTreeMap;

use super::tags::{PIXEL_DATA, SEQUENCES, Tag};
use crate::radiograph::refusal::RadiographError;

const ITEM: Tag = (0xFFFE, 0xE000);
const ITEM_END: Tag = (0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = (0xFFFE, 0xE0DD);
const UNDEFINED: u32 = u32::MAX;
/// Sequences in sequences, at most. Real files have five or so.
const DEEPEST: usize = 32;
/// Value representations whose length has four bytes (PS3.5, table 7.1-1).
const LONG: [&[u8; 2]; 13] = [
    b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV",
];

/// How elements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// With their value representation.
    pub explicit: bool,
    pub big_endian: bool,
}

impl Encoding {
    pub const IMPLICIT: Self = Self {
        explicit: false,
        big_endian: false,
    };
    pub const EXPLICIT: Self = Self {
        explicit: true,
        big_endian: false,
    };
    pub const BIG_ENDIAN: Self = Self {
        explicit: true,
        big_endian: true,
    };

    pub fn short(self, bytes: [u8; 2]) -> u16 {
        match self.big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        }
    }

    fn long(self, bytes: [u8; 4]) -> u32 {
        match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    }
}

/// What an element holds.
pub enum Value<'a> {
    Bytes(&'a [u8]),
    /// The items of a sequence.
    Items(Vec<Elements<'a>>),
    /// The fragments of encapsulated pixels (PS3.5, A.4): the offset table, then the frames.
    Fragments(Vec<&'a [u8]>),
}

/// The elements of a data set or of an item.
pub struct Elements<'a> {
    encoding: Encoding,
    values: BTreeMap<Tag, Value<'a>>,
}

/// The header of an element.
struct Header {
    tag: Tag,
    representation: [u8; 2],
    length: u32,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    encoding: Encoding,
}

impl<'a> Elements<'a> {
    /// The elements of a data set up to its pixels, which are the last that is read.
    ///
    /// # Errors
    /// When the data set is cut, or contradicts itself.
    pub fn read(bytes: &'a [u8], encoding: Encoding) -> Result<Self, RadiographError> {
        let mut reader = Reader {
            bytes,
            at: 0,
            encoding,
        };
        reader.elements(0)
    }

    /// The elements of the file's meta information (group 2), and how many bytes they take.
    ///
    /// # Errors
    /// When it is cut, or contradicts itself.
    pub fn read_meta(bytes: &'a [u8]) -> Result<(Self, usize), RadiographError> {
        let encoding = Encoding::EXPLICIT;
        let mut reader = Reader {
            bytes,
            at: 0,
            encoding,
        };
        let mut values = BTreeMap::new();
        while reader.bytes.get(reader.at..reader.at + 2) == Some(&[2, 0]) {
            let header = reader.header()?;
            let value = reader.take(header.length as usize)?;
            values.insert(header.tag, Value::Bytes(value));
        }
        Ok((Self { encoding, values }, reader.at))
    }

    pub fn get(&self, tag: Tag) -> Option<&Value<'a>> {
        self.values.get(&tag)
    }

    pub fn bytes(&self, tag: Tag) -> Option<&'a [u8]> {
        match self.get(tag)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The first item of a sequence.
    pub fn item(&self, tag: Tag) -> Option<&Self> {
        match self.get(tag)? {
            Value::Items(items) => items.first(),
            _ => None,
        }
    }

    /// The numbers of an element of the representation US or SS, without their sign.
    pub fn shorts(&self, tag: Tag) -> Option<Vec<u16>> {
        let (pairs, _) = self.bytes(tag)?.as_chunks::<2>();
        Some(
            pairs
                .iter()
                .map(|pair| self.encoding.short(*pair))
                .collect(),
        )
    }

    pub fn short(&self, tag: Tag) -> Option<u16> {
        self.shorts(tag)?.first().copied()
    }

    /// The text of an element, without what fills it up. Only codes and numbers are asked for, which are ASCII.
    pub fn text(&self, tag: Tag) -> Option<String> {
        let text = String::from_utf8_lossy(self.bytes(tag)?);
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The values of a text of several, as `DS` has them.
    pub fn numbers(&self, tag: Tag) -> Vec<f64> {
        let text = self.text(tag).unwrap_or_default();
        let numbers = text.split('\\').map(|part| part.trim().parse());
        numbers
            .map_while(Result::ok)
            .take_while(|number: &f64| number.is_finite())
            .collect()
    }
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], RadiographError> {
        let cut = RadiographError::Truncated { percent: None };
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        self.at += length.min(self.bytes.len());
        taken.ok_or(cut)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RadiographError> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many bytes as were asked for"))
    }

    fn header(&mut self) -> Result<Header, RadiographError> {
        let [a, b, c, d] = self.array()?;
        let tag = (self.encoding.short([a, b]), self.encoding.short([c, d]));
        if tag.0 == ITEM.0 || !self.encoding.explicit {
            let length = self.array()?;
            return Ok(Header {
                tag,
                representation: *b"  ",
                length: self.encoding.long(length),
            });
        }
        let representation: [u8; 2] = self.array()?;
        if !representation.iter().all(u8::is_ascii_uppercase) {
            let what = "an element without its value representation";
            return Err(RadiographError::damaged(what));
        }
        let length = if LONG.contains(&&representation) {
            self.take(2)?;
            let length = self.array()?;
            self.encoding.long(length)
        } else {
            let length = self.array()?;
            u32::from(self.encoding.short(length))
        };
        Ok(Header {
            tag,
            representation,
            length,
        })
    }

    /// Elements up to the end of the bytes, of the item, or to the pixels.
    fn elements(&mut self, depth: usize) -> Result<Elements<'a>, RadiographError> {
        if depth > DEEPEST {
            let what = "sequences in more sequences than any file has";
            return Err(RadiographError::damaged(what));
        }
        let mut values = BTreeMap::new();
        let said = |error| match depth {
            0 => before_picture(error),
            _ => error,
        };
        while self.at < self.bytes.len() {
            let header = self.header().map_err(said)?;
            if header.tag == ITEM_END {
                break;
            }
            if header.tag == PIXEL_DATA && depth == 0 {
                values.insert(PIXEL_DATA, self.pixels(&header)?);
                break;
            }
            let value = self.value(&header, depth).map_err(said)?;
            values.insert(header.tag, value);
        }
        Ok(Elements {
            encoding: self.encoding,
            values,
        })
    }

    fn value(&mut self, header: &Header, depth: usize) -> Result<Value<'a>, RadiographError> {
        if header.length != UNDEFINED {
            let bytes = self.take(header.length as usize)?;
            if header.representation != *b"SQ" && !(self.is_sequence(header, bytes)) {
                return Ok(Value::Bytes(bytes));
            }
            let mut inner = Reader {
                bytes,
                at: 0,
                encoding: self.encoding,
            };
            return Ok(Value::Items(inner.items(depth)?));
        }
        // An unknown representation of undefined length is implicit within (PS3.5, 6.2.2, note 4).
        let encoding = self.encoding;
        if header.representation == *b"UN" {
            self.encoding = Encoding::IMPLICIT;
        }
        let items = self.items(depth);
        self.encoding = encoding;
        Ok(Value::Items(items?))
    }

    /// Without value representations, the tables that are asked for are told by their tags and their items.
    fn is_sequence(&self, header: &Header, bytes: &[u8]) -> bool {
        let begins = bytes.first_chunk::<4>().is_some_and(|&[a, b, c, d]| {
            (self.encoding.short([a, b]), self.encoding.short([c, d])) == ITEM
        });
        !self.encoding.explicit && begins && SEQUENCES.contains(&header.tag)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Elements<'a>>, RadiographError> {
        let mut items = Vec::new();
        while self.at < self.bytes.len() {
            let header = self.header()?;
            match header.tag {
                SEQUENCE_END => break,
                ITEM if header.length == UNDEFINED => items.push(self.elements(depth + 1)?),
                ITEM => {
                    let bytes = self.take(header.length as usize)?;
                    let mut inner = Reader {
                        bytes,
                        at: 0,
                        encoding: self.encoding,
                    };
                    items.push(inner.elements(depth + 1)?);
                }
                _ => return Err(RadiographError::damaged("a sequence of something else")),
            }
        }
        Ok(items)
    }

    fn pixels(&mut self, header: &Header) -> Result<Value<'a>, RadiographError> {
        let rest = &self.bytes[self.at..];
        if header.length != UNDEFINED {
            let length = header.length as usize;
            let there = || rest.len() as f64 / length as f64;
            let pixels = rest.get(..length);
            return Ok(Value::Bytes(
                pixels.ok_or_else(|| RadiographError::incomplete(there()))?,
            ));
        }
        let mut fragments = Vec::new();
        loop {
            // A file that ends without the end of its fragments has all of them, if each is whole.
            if self.at == self.bytes.len() && fragments.len() > 1 {
                break;
            }
            let header = self.header()?;
            match header.tag {
                SEQUENCE_END => break,
                ITEM => fragments.push(self.take(header.length as usize)?),
                _ => return Err(RadiographError::damaged("pixels that are no fragments")),
            }
        }
        Ok(Value::Fragments(fragments))
    }
}

/// What is wrong with a file before its picture begins, said of DICOM: the bytes alone may not look like it.
pub fn before_picture(error: RadiographError) -> RadiographError {
    match error {
        RadiographError::Truncated { percent: None } => {
            RadiographError::damaged("a DICOM file that ends before its picture")
        }
        RadiographError::Damaged(what) => {
            RadiographError::Damaged(format!("a DICOM file with {what}"))
        }
        other => other,
    }
}
