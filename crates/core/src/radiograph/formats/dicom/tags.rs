//! The elements that are asked for (PS3.6). Nobody's name, date or place is among them, and of numbers the study's alone, of which a hash is kept.

/// A tag: group and element.
pub type Tag = (u16, u16);

pub const PIXEL_DATA: Tag = (0x7FE0, 0x0010);
pub const MODALITY: Tag = (0x0008, 0x0060);
pub const SERIES_VIEW: Tag = (0x0018, 0x5101);
pub const BODY_PART: Tag = (0x0018, 0x0015);
pub const SAMPLES_PER_PIXEL: Tag = (0x0028, 0x0002);
pub const PHOTOMETRIC: Tag = (0x0028, 0x0004);
pub const PLANAR: Tag = (0x0028, 0x0006);
pub const FRAMES: Tag = (0x0028, 0x0008);
pub const ROWS: Tag = (0x0028, 0x0010);
pub const COLUMNS: Tag = (0x0028, 0x0011);
pub const BITS_ALLOCATED: Tag = (0x0028, 0x0100);
pub const BITS_STORED: Tag = (0x0028, 0x0101);
pub const HIGH_BIT: Tag = (0x0028, 0x0102);
pub const SIGNED: Tag = (0x0028, 0x0103);
pub const WINDOW_CENTER: Tag = (0x0028, 0x1050);
pub const WINDOW_WIDTH: Tag = (0x0028, 0x1051);
pub const WINDOW_FUNCTION: Tag = (0x0028, 0x1056);
pub const INTERCEPT: Tag = (0x0028, 0x1052);
pub const SLOPE: Tag = (0x0028, 0x1053);
pub const MODALITY_TABLE: Tag = (0x0028, 0x3000);
pub const VOI_TABLE: Tag = (0x0028, 0x3010);
pub const TABLE_DESCRIPTOR: Tag = (0x0028, 0x3002);
pub const TABLE_DATA: Tag = (0x0028, 0x3006);
pub const PRESENTATION_SHAPE: Tag = (0x2050, 0x0020);
pub const TRANSFER_SYNTAX: Tag = (0x0002, 0x0010);
pub const SOP_CLASS: Tag = (0x0008, 0x0016);
pub const LATERALITY: Tag = (0x0020, 0x0060);
pub const IMAGE_LATERALITY: Tag = (0x0020, 0x0062);
pub const STUDY: Tag = (0x0020, 0x000D);
pub const PATIENT_ORIENTATION: Tag = (0x0020, 0x0020);
pub const IMAGER_SPACING: Tag = (0x0018, 0x1164);
pub const SPACING: Tag = (0x0028, 0x0030);
pub const WINDOW_EXPLANATION: Tag = (0x0028, 0x1055);
/// Palettes of red, green and blue: their descriptors, and their entries.
pub const PALETTES: [(Tag, Tag); 3] = [
    ((0x0028, 0x1101), (0x0028, 0x1201)),
    ((0x0028, 0x1102), (0x0028, 0x1202)),
    ((0x0028, 0x1103), (0x0028, 0x1203)),
];
/// Sequences that are asked for.
pub const SEQUENCES: [Tag; 2] = [MODALITY_TABLE, VOI_TABLE];
