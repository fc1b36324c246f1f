//! Looking at the radiograph more closely: its samples, and what is drawn on it. Neither changes a score.

use std::sync::Arc;

use sightline_core::radiograph::film::{Film, Samples};
use sightline_core::report::drawn::{Drawn, Line, Purpose};

use super::{Effect, Negative, Session, Study};
use crate::messages::Request;

impl Session {
    /// The samples are wanted, to see the picture larger or through another window.
    pub fn look_closer(&mut self) {
        if matches!(self.study, Study::Read(_)) && matches!(self.film, Negative::None) {
            self.film = Negative::Asked;
            // No other work ends for it.
            self.effects
                .push(Effect::Send(Request::Samples { id: self.id }));
        }
    }

    pub(super) fn show_film(&mut self, samples: Samples) {
        if let Some(film) = Film::new(samples) {
            self.film = Negative::Here(Arc::new(film));
        }
    }

    /// Draws a line from one place of the picture to another.
    pub fn draw(&mut self, purpose: Purpose, ends: [[f64; 2]; 2]) {
        let Some(picture) = self.picture() else {
            return;
        };
        let image = &picture.report.image;
        let spacing = image.dicom.as_ref().and_then(|facts| facts.spacing_mm);
        let line = Line::new(purpose, ends, [image.width, image.height], spacing);
        self.drawn.draw(line);
        self.put_drawn_into_report();
    }

    /// Takes back the line that was drawn last.
    pub fn undo_drawing(&mut self) {
        self.drawn.undo();
        self.put_drawn_into_report();
    }

    pub(super) fn put_drawn_into_report(&mut self) {
        let drawn = Some(self.drawn.clone()).filter(|drawn| *drawn != Drawn::default());
        self.change_picture(|picture| picture.report.drawn = drawn);
    }
}
