//! What a reader draws on a radiograph to measure it: lengths, and the cardiothoracic ratio.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// What a line was drawn for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The distance between two places.
    Length,
    /// The greatest width of the heart, level with the picture's rows.
    Heart,
    /// The greatest inner width of the chest, level with the picture's rows.
    Chest,
}

/// A line on a radiograph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Line {
    pub purpose: Purpose,
    /// Where it ends on both sides, as shares of the picture's width and height from the top left.
    pub ends: [[f64; 2]; 2],
    /// In pixels of the file.
    pub pixels: f64,
    /// In millimetres, where the file tells the spacing of its pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millimetres: Option<f64>,
}

/// Everything that was drawn.
#[derive(
    Clone, Debug, Default, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Drawn {
    /// In the order in which they were drawn. Of widths the last one counts.
    pub lines: Vec<Line>,
    /// The heart's width as a share of the chest's, where both were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardiothoracic_ratio: Option<f64>,
}

impl Line {
    /// A line between two places of a picture of so many pixels, whose rows and columns may be so many millimetres apart. A width is level:
    /// it ends as high as it begins.
    pub fn new(
        purpose: Purpose,
        [from, mut to]: [[f64; 2]; 2],
        [width, height]: [usize; 2],
        spacing: Option<[f64; 2]>,
    ) -> Self {
        if purpose != Purpose::Length {
            to[1] = from[1];
        }
        let across = (to[0] - from[0]) * width as f64;
        let down = (to[1] - from[1]) * height as f64;
        Self {
            purpose,
            ends: [from, to],
            pixels: across.hypot(down),
            millimetres: spacing.map(|[rows, columns]| (across * columns).hypot(down * rows)),
        }
    }

    /// How long it is, in millimetres where they are known.
    pub fn said(&self) -> String {
        match self.millimetres {
            Some(length) => format!("{length:.1} mm"),
            None => format!("{:.0} pixels", self.pixels),
        }
    }
}

impl Drawn {
    pub fn draw(&mut self, line: Line) {
        self.lines.push(line);
        self.count();
    }

    /// Takes back the last line.
    pub fn undo(&mut self) {
        self.lines.pop();
        self.count();
    }

    fn count(&mut self) {
        let width = |purpose| {
            let mut lines = self.lines.iter().rev();
            let line = lines.find(|line| line.purpose == purpose)?;
            Some(line.pixels)
        };
        self.cardiothoracic_ratio = match (width(Purpose::Heart), width(Purpose::Chest)) {
            (Some(heart), Some(chest)) if chest > 0.0 => Some(heart / chest),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [2000, 1000];

    #[test]
    fn lengths_are_in_pixels_and_in_millimetres_where_the_spacing_is_known() {
        let ends = [[0.1, 0.1], [0.25, 0.5]];
        let line = Line::new(Purpose::Length, ends, SIZE, Some([0.5, 0.1]));
        assert!((line.pixels - 500.0).abs() < 1e-9);
        // 300 columns of 0.1 mm and 400 rows of 0.5 mm.
        let expected = 30.0_f64.hypot(200.0);
        assert!((line.millimetres.expect("a spacing") - expected).abs() < 1e-9);
        assert_eq!(line.said(), "202.2 mm");
        let line = Line::new(Purpose::Length, ends, SIZE, None);
        assert_eq!(line.said(), "500 pixels");
    }

    #[test]
    fn the_cardiothoracic_ratio_is_of_the_last_two_widths_and_can_be_taken_back() {
        let width = |purpose, to: f64| Line::new(purpose, [[0.2, 0.3], [to, 0.9]], SIZE, None);
        let mut drawn = Drawn::default();
        drawn.draw(width(Purpose::Heart, 0.5));
        assert_eq!(drawn.cardiothoracic_ratio, None);
        drawn.draw(width(Purpose::Chest, 0.8));
        assert!((drawn.cardiothoracic_ratio.expect("both") - 0.5).abs() < 1e-9);
        drawn.draw(width(Purpose::Heart, 0.35));
        assert!((drawn.cardiothoracic_ratio.expect("both") - 0.25).abs() < 1e-9);
        drawn.undo();
        assert!((drawn.cardiothoracic_ratio.expect("both") - 0.5).abs() < 1e-9);
        drawn.undo();
        assert_eq!(drawn.cardiothoracic_ratio, None);
        assert_eq!(
            drawn.lines[0].ends,
            [[0.2, 0.3], [0.5, 0.3]],
            "a width is level"
        );
    }
}
