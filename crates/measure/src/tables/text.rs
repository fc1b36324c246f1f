//! The bytes of a table as text: UTF-8, UTF-16 and Windows-1252 (Latin-1) are told apart; files that are no text are named.

use anyhow::{Context, Result, bail};

/// Kinds of files that are given for tables, by how they begin.
const OTHER_KINDS: [(&[u8], &str); 9] = [
    (
        b"PK\x03\x04",
        "an Excel workbook or another ZIP archive: save the sheet as CSV",
    ),
    (
        b"\xD0\xCF\x11\xE0",
        "an old Excel workbook: save the sheet as CSV",
    ),
    (b"\x1F\x8B", "compressed by gzip: unpack it first"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`",
    ),
    (b"PAR1", "a Parquet file: save the table as CSV"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xFF\xD8\xFF", "a picture"),
    (b"SQLite format 3", "a database: save the table as CSV"),
];

/// # Errors
/// When the bytes are no text, or are damaged.
pub fn decode(bytes: Vec<u8>) -> Result<String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        bail!("the file is empty");
    }
    if bytes.iter().all(|byte| *byte == 0) {
        bail!("the file is {} zero bytes", bytes.len());
    }
    for (start, kind) in OTHER_KINDS {
        if bytes.starts_with(start) {
            bail!("this is no table in text, but {kind}");
        }
    }
    if bytes.starts_with(&[0xFF, 0xFE, 0, 0]) || bytes.starts_with(&[0, 0, 0xFE, 0xFF]) {
        bail!("the file is in UTF-32: save it as UTF-8");
    }
    // DOS ended texts with Ctrl-Z.
    let bytes = match bytes.split_last() {
        Some((0x1A, rest)) => rest.to_vec(),
        _ => bytes,
    };
    let text = match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, rest @ ..] => {
            let text = String::from_utf8(rest.to_vec());
            text.context(
                "the file is cut or damaged: it is not all in UTF-8, as its first bytes say",
            )?
        }
        [0xFF, 0xFE, rest @ ..] => utf_16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf_16(rest, u16::from_be_bytes)?,
        _ => without_mark(bytes)?,
    };
    let start = text.trim_start();
    if ["<!doctype", "<html"].iter().any(|tag| {
        let begins = start.get(..tag.len());
        begins.is_some_and(|begins| begins.eq_ignore_ascii_case(tag))
    }) {
        bail!("this is no table, but a web page: was a log-in page saved instead of the file?");
    }
    Ok(text)
}

fn without_mark(bytes: Vec<u8>) -> Result<String> {
    if let Some(order) = utf_16_order(&bytes) {
        return utf_16(&bytes, order);
    }
    if bytes.contains(&0) {
        bail!("this is no table in text: it has zero bytes");
    }
    // Every byte means something in Windows-1252.
    let text = String::from_utf8(bytes);
    Ok(text.unwrap_or_else(|error| error.as_bytes().iter().map(|b| windows_1252(*b)).collect()))
}

/// Two bytes of UTF-16 in their order.
type Order = fn([u8; 2]) -> u16;

fn utf_16(bytes: &[u8], order: Order) -> Result<String> {
    let pairs = bytes.chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    let units = pairs.map(|pair| order([pair[0], pair[1]]));
    let text = char::decode_utf16(units).collect::<Result<String, _>>();
    match text {
        Ok(text) if whole => Ok(text),
        _ => bail!("the file is cut or damaged: it is not all in UTF-16"),
    }
}

/// Tells UTF-16 by its first characters: of a table's, nearly all are ASCII, so every other byte is zero.
fn utf_16_order(bytes: &[u8]) -> Option<Order> {
    let start = &bytes[..bytes.len().min(4096)];
    let zeros = |from: usize| start.iter().skip(from).step_by(2).filter(|b| **b == 0);
    let (even, odd) = (zeros(0).count(), zeros(1).count());
    let many = start.len() / 4;
    match (even > many, odd > many) {
        (true, false) => Some(u16::from_be_bytes),
        (false, true) => Some(u16::from_le_bytes),
        _ => None,
    }
}

/// Latin-1, but for what Windows has in the place of control characters.
fn windows_1252(byte: u8) -> char {
    const FROM_0X80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => FROM_0X80[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_read_from_every_encoding() {
        let text = "Path,Untersucher\na.png,Müller\n";
        let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(order).collect()
        };
        let marked = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
        let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
        let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            marked(b"\xEF\xBB\xBF", text.as_bytes().to_vec()),
            marked(b"\xFF\xFE", little.clone()),
            marked(b"\xFE\xFF", big.clone()),
            little,
            big,
            latin,
        ] {
            assert_eq!(decode(bytes).expect("a text"), text);
        }
        assert_eq!(
            decode(b"Path\x80\x96\xFC".to_vec()).expect("a text"),
            "Path€–ü"
        );
    }

    #[test]
    fn files_that_are_no_text_are_called_by_name() {
        let named = |bytes: &[u8], name: &str| {
            let error = decode(bytes.to_vec()).expect_err("no table").to_string();
            assert!(error.contains(name), "{error}");
        };
        named(b"", "empty");
        named(b" \r\n\r\n", "empty");
        named(&[0; 500], "500 zero bytes");
        named(b"PK\x03\x04rest", "Excel workbook");
        named(b"\xD0\xCF\x11\xE0rest", "old Excel workbook");
        named(b"\x1F\x8B\x08rest", "gzip");
        named(
            b"version https://git-lfs.github.com/spec/v1",
            "Git LFS pointer",
        );
        named(b"<!DOCTYPE html><html>", "web page");
        named(b"Path,Sex\na\0b,c", "zero bytes");
        named(b"\xFF\xFEP\0a\0t", "cut or damaged");
        named(b"\xEF\xBB\xBFPath\n\xFCrsula", "UTF-8");
    }
}
