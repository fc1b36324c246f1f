//! How a radiograph is looked at: how large, which part, turned, and through which window. Scores do not depend on it.
//!
//! The viewport has the picture's proportions. Places in it and in the picture are shares of width and height, from the top left.

use sightline_core::radiograph::film::{Placement, between};
use sightline_core::radiograph::levels::Window;

/// How many times larger than fitting a picture can be shown, whatever its size.
const LARGEST: f64 = 64.0;

/// How a radiograph is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Presentation {
    /// How many times larger than when it fits the viewport.
    pub magnification: f64,
    /// The place of the picture in the middle of the viewport.
    pub middle: [f64; 2],
    /// Quarters of a turn, clockwise: 0 to 3.
    pub quarters: u8,
    /// Black and white are exchanged.
    pub inverted: bool,
    /// The values from black to white; `None`: those that the model sees.
    pub window: Option<Window>,
}

impl Default for Presentation {
    fn default() -> Self {
        Self {
            magnification: 1.0,
            middle: [0.5, 0.5],
            quarters: 0,
            inverted: false,
            window: None,
        }
    }
}

impl Presentation {
    /// The whole picture again, turned and seen as it is.
    pub fn fit(&mut self) {
        self.magnification = 1.0;
        self.middle = [0.5, 0.5];
    }

    /// Larger by `factor`. What lies at this place of the viewport stays there, as far as the picture goes.
    pub fn zoom(&mut self, at: [f64; 2], factor: f64, aspect: f64) {
        let kept = self.in_picture(at, aspect);
        self.magnification = (self.magnification * factor).clamp(1.0, LARGEST);
        let now = self.in_picture(at, aspect);
        self.middle = [0, 1].map(|axis| self.middle[axis] + kept[axis] - now[axis]);
        self.keep_in_view(aspect);
    }

    /// Moves the picture by shares of the viewport.
    pub fn pan(&mut self, by: [f64; 2], aspect: f64) {
        let from = self.in_picture([0.5 - by[0], 0.5 - by[1]], aspect);
        self.middle = from;
        self.keep_in_view(aspect);
    }

    /// A quarter of a turn: clockwise, or counter-clockwise.
    pub fn turn(&mut self, clockwise: bool, aspect: f64) {
        self.quarters = (self.quarters + if clockwise { 1 } else { 3 }) % 4;
        self.keep_in_view(aspect);
    }

    /// Changes the window as a drag over shares of the viewport does: to the right wider, down darker. The whole width of the viewport is
    /// the whole `range` of values.
    pub fn drag_window(&mut self, by: [f64; 2], range: [f64; 2], from: &Window) {
        let whole = (range[1] - range[0]).max(1.0);
        let width = (from.width + by[0] * whole).clamp(whole / 1024.0, 4.0 * whole);
        let center = (from.center + by[1] * whole).clamp(range[0] - whole, range[1] + whole);
        self.window = Some(between(center - width / 2.0, center + width / 2.0));
    }

    /// The place of the picture that is shown at a place of the viewport.
    pub fn in_picture(&self, at: [f64; 2], aspect: f64) -> [f64; 2] {
        let scale = self.scale(aspect);
        // Heights of the viewport, from its middle.
        let away = [(at[0] - 0.5) * aspect, at[1] - 0.5];
        let [x, y] = turned(away, 4 - self.quarters);
        [
            self.middle[0] + x / (scale * aspect),
            self.middle[1] + y / scale,
        ]
    }

    /// The place of the viewport at which a place of the picture is shown.
    pub fn in_viewport(&self, at: [f64; 2], aspect: f64) -> [f64; 2] {
        let scale = self.scale(aspect);
        let away = [
            (at[0] - self.middle[0]) * aspect * scale,
            (at[1] - self.middle[1]) * scale,
        ];
        let [x, y] = turned(away, self.quarters);
        [0.5 + x / aspect, 0.5 + y]
    }

    /// How a sheet that fills the viewport is moved, turned and scaled: shares of its width and height to the right and down, quarters, and
    /// a factor, in this order from the last to the first, about its top left corner.
    pub fn transform(&self, aspect: f64) -> ([f64; 2], u8, f64) {
        let corner = self.in_viewport([0.0, 0.0], aspect);
        (corner, self.quarters, self.scale(aspect))
    }

    /// Where the pixels of a viewport of this size lie in the picture.
    pub fn placement(&self, [width, height]: [usize; 2]) -> Placement {
        let aspect = width as f64 / height as f64;
        let corner = self.in_picture([0.0, 0.0], aspect);
        let away = |at| {
            let there: [f64; 2] = self.in_picture(at, aspect);
            [0, 1].map(|axis| there[axis] - corner[axis])
        };
        let mut right = away([1.0 / width as f64, 0.0]);
        let mut down = away([0.0, 1.0 / height as f64]);
        // What rounding leaves of the other axis is none.
        let odd = usize::from(self.quarters % 2);
        right[1 - odd] = 0.0;
        down[odd] = 0.0;
        Placement {
            width,
            height,
            corner,
            right,
            down,
        }
    }

    /// How many times as large a picture is as one that fills the viewport.
    fn scale(&self, aspect: f64) -> f64 {
        let fitting = match self.quarters % 2 {
            0 => 1.0,
            // The sides of a picture that is turned by a quarter change places.
            _ => aspect.min(1.0 / aspect),
        };
        self.magnification * fitting
    }

    /// The picture leaves no more of the viewport empty than it must.
    fn keep_in_view(&mut self, aspect: f64) {
        let [width, height] = match self.quarters % 2 {
            0 => [1.0, 1.0],
            _ => [1.0 / aspect, aspect],
        };
        let scale = self.scale(aspect);
        for (middle, length) in self.middle.iter_mut().zip([width, height]) {
            // Half of the viewport, in shares of the picture.
            let half = length / (2.0 * scale);
            *middle = match half < 0.5 {
                true => middle.clamp(half, 1.0 - half),
                false => 0.5,
            };
        }
    }
}

/// A vector after so many quarters of a turn clockwise, where y goes down.
fn turned([x, y]: [f64; 2], quarters: u8) -> [f64; 2] {
    match quarters % 4 {
        0 => [x, y],
        1 => [-y, x],
        2 => [-x, -y],
        _ => [y, -x],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the picture lies as it does at first, whatever it is seen through.
    fn lies_as_at_first(presentation: &Presentation) -> bool {
        let fresh = Presentation::default();
        presentation.magnification == 1.0
            && presentation.middle == fresh.middle
            && presentation.quarters == 0
    }

    fn near(a: [f64; 2], b: [f64; 2]) -> bool {
        (a[0] - b[0]).abs() < 1e-9 && (a[1] - b[1]).abs() < 1e-9
    }

    /// Every kind of presentation.
    fn some() -> Vec<(Presentation, f64)> {
        let mut all = Vec::new();
        for aspect in [0.7, 1.0, 1.6] {
            for quarters in 0..4 {
                for (magnification, middle) in [(1.0, [0.5, 0.5]), (3.0, [0.3, 0.6])] {
                    let presentation = Presentation {
                        magnification,
                        middle,
                        quarters,
                        ..Presentation::default()
                    };
                    all.push((presentation, aspect));
                }
            }
        }
        all
    }

    #[test]
    fn places_of_viewport_and_picture_are_each_others() {
        for (presentation, aspect) in some() {
            for at in [[0.0, 0.0], [0.25, 0.9], [1.0, 0.5]] {
                let there = presentation.in_viewport(at, aspect);
                assert!(near(presentation.in_picture(there, aspect), at));
            }
        }
    }

    #[test]
    fn at_first_the_picture_fills_the_viewport() {
        let fresh = Presentation::default();
        assert!(lies_as_at_first(&fresh));
        assert!(near(fresh.in_picture([0.2, 0.7], 0.8), [0.2, 0.7]));
        assert_eq!(fresh.transform(0.8), ([0.0, 0.0], 0, 1.0));
    }

    #[test]
    fn zooming_keeps_what_is_under_the_pointer() {
        let mut presentation = Presentation::default();
        presentation.zoom([0.6, 0.4], 4.0, 0.8);
        assert!(near(presentation.in_picture([0.6, 0.4], 0.8), [0.6, 0.4]));
        presentation.zoom([0.6, 0.4], 1e-3, 0.8);
        assert!(lies_as_at_first(&presentation), "{presentation:?}");
        presentation.zoom([0.5, 0.5], 1e9, 0.8);
        assert_eq!(presentation.magnification, LARGEST);
    }

    #[test]
    fn the_picture_stays_in_view() {
        let mut presentation = Presentation::default();
        presentation.pan([0.3, 0.3], 0.8);
        assert!(
            lies_as_at_first(&presentation),
            "it fits, and cannot be moved"
        );
        presentation.zoom([0.5, 0.5], 2.0, 0.8);
        presentation.pan([9.0, -9.0], 0.8);
        assert!(near(presentation.in_picture([0.0, 1.0], 0.8), [0.0, 1.0]));
        // Moved to the right, what was left of the middle is in it.
        presentation.fit();
        presentation.zoom([0.5, 0.5], 4.0, 0.8);
        presentation.pan([0.1, 0.0], 0.8);
        assert!(near(presentation.middle, [0.475, 0.5]));
    }

    #[test]
    fn four_turns_are_none() {
        let mut presentation = Presentation::default();
        presentation.turn(true, 1.5);
        // The top of the picture is on the right.
        let top = presentation.in_viewport([0.5, 0.0], 1.5);
        assert!(top[0] > 0.6 && (top[1] - 0.5).abs() < 1e-9, "{top:?}");
        presentation.turn(false, 1.5);
        assert!(lies_as_at_first(&presentation));
        for _ in 0..4 {
            presentation.turn(true, 1.5);
        }
        assert!(lies_as_at_first(&presentation));
    }

    #[test]
    fn a_sheet_under_its_transform_lies_where_the_picture_does() {
        for (presentation, aspect) in some() {
            let (moved, quarters, factor) = presentation.transform(aspect);
            for at in [[0.0, 0.0], [1.0, 0.0], [0.3, 0.8]] {
                // Scaled, turned, moved, as CSS applies them from the last to the first.
                let [x, y] = turned([at[0] * aspect * factor, at[1] * factor], quarters);
                let there = [moved[0] + x / aspect, moved[1] + y];
                assert!(near(there, presentation.in_viewport(at, aspect)));
            }
        }
    }

    #[test]
    fn a_placement_has_a_pixel_for_each_place() {
        for (presentation, aspect) in some() {
            let size = [(200.0 * aspect) as usize, 200];
            let aspect = size[0] as f64 / 200.0;
            let placement = presentation.placement(size);
            let (column, row) = (37.0, 120.0);
            let there: Vec<f64> = (0..2)
                .map(|axis| {
                    placement.corner[axis]
                        + column * placement.right[axis]
                        + row * placement.down[axis]
                })
                .collect();
            let at = [column / size[0] as f64, row / 200.0];
            assert!(near(
                [there[0], there[1]],
                presentation.in_picture(at, aspect)
            ));
        }
    }

    #[test]
    fn dragging_widens_and_darkens_the_window() {
        let mut presentation = Presentation::default();
        let from = between(0.0, 1000.0);
        presentation.drag_window([0.1, 0.2], [0.0, 4000.0], &from);
        let window = presentation.window.clone().expect("a window");
        assert_eq!((window.center, window.width), (1300.0, 1400.0));
        presentation.drag_window([-9.0, 0.0], [0.0, 4000.0], &from);
        let window = presentation.window.expect("a window");
        assert!(window.width > 0.0, "a window has a width");
    }
}
