//! Which pictures a GIF holds, and where; `others` decodes the first.

/// Left, top, width and height of each picture, up to where the file ends or cannot be understood.
pub fn frames(bytes: &[u8]) -> Vec<[u32; 4]> {
    let mut frames = Vec::new();
    let mut at = 13 + bytes.get(10).map_or(0, |flags| table(*flags));
    while let Some(kind) = bytes.get(at) {
        match kind {
            // An extension: its label, then its blocks.
            0x21 => at = blocks_end(bytes, at + 2),
            0x2C => {
                let Some(place) = bytes.get(at + 1..at + 10) else {
                    break;
                };
                let number = |k: usize| u32::from(u16::from_le_bytes([place[k], place[k + 1]]));
                frames.push([0, 2, 4, 6].map(number));
                // The size of its codes, then its blocks.
                at = blocks_end(bytes, at + 10 + table(place[8]) + 1);
            }
            _ => break,
        }
    }
    frames
}

/// The bytes of a colour table.
fn table(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

/// Behind blocks that each begin with their length, the last of none.
fn blocks_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(length) = bytes.get(at) {
        at += 1 + usize::from(*length);
        if *length == 0 {
            break;
        }
    }
    at
}
