//! The radiograph's samples as they are to be seen, computed once for all panes: a drag changes them with every frame.

use std::sync::Arc;

use leptos::prelude::*;
use sightline_core::radiograph::levels::Window;
use sightline_session::messages::PREVIEW_SIDE;

use super::lasting;
use super::state::{State, is_another};

/// Red, green, blue and opacity of each pixel.
pub struct Painted {
    pub size: (usize, usize),
    pub rgba: Vec<u8>,
}

/// The samples as they are to be seen. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Shades {
    /// The window that was chosen, if one was, and whether black and white are exchanged.
    pub seen: Memo<(Option<Window>, bool)>,
    /// How many pixels of the screen a pane has, where the picture is shown larger than its preview.
    pub closer: Memo<Option<[usize; 2]>>,
    /// The whole picture through the window that was chosen. None before the samples are there, or where no window was.
    pub whole: Memo<Option<Arc<Painted>>>,
    /// What a pane shows of a picture that is larger than its preview, once the samples are there.
    pub part: Memo<Option<Arc<Painted>>>,
    /// Whether the part covers all of the pane.
    pub covered: Memo<bool>,
}

impl Shades {
    pub fn new(state: State) -> Self {
        let viewing = state.viewing;
        let seen = lasting::memo(move |_| {
            let look = viewing.presentation.read();
            (look.window.clone(), look.inverted)
        });
        // Of all values that a sample can have, so not again for a picture that is only moved.
        let greys = lasting::memo_with(
            move |_| {
                let film = state.film.get()?;
                let greys = seen.with(|(window, inverted)| film.greys(window.as_ref(), *inverted));
                Some(Arc::new(greys))
            },
            is_another,
        );
        let pane = move || {
            let pixels = window().device_pixel_ratio();
            let size = viewing.viewport.get();
            let size = size.map(|length| (length * pixels).round() as usize);
            let scale = viewing
                .presentation
                .with(|look| look.transform(state.aspect()).2);
            (size, scale)
        };
        let closer = lasting::memo(move |_| {
            let (size, scale) = pane();
            let preview = state
                .preview
                .with(|preview| Some(preview.as_ref()?.width))?;
            let larger = size[0] as f64 * scale > 1.01 * preview as f64;
            let magnified = viewing.presentation.with(|look| look.magnification > 1.0);
            (larger && magnified && !size.contains(&0)).then_some(size)
        });
        // No more pixels than the screen has: a window that is dragged paints all of them with every frame.
        let side = lasting::memo(move |_| {
            let (size, scale) = pane();
            let longest = size[0].max(size[1]) as f64 * scale;
            let enough = [256, 512].into_iter().find(|side| longest <= *side as f64);
            enough.unwrap_or(PREVIEW_SIDE)
        });
        let whole = lasting::memo_with(
            move |_| {
                if seen.with(|(window, _)| window.is_none()) {
                    return None;
                }
                let (film, greys) = (state.film.get()?, greys.get()?);
                let (width, height, rgba) = film.whole(side.get(), &greys);
                let size = (width, height);
                Some(Arc::new(Painted { size, rgba }))
            },
            is_another,
        );
        let part = lasting::memo_with(
            move |_| {
                let size = closer.get()?;
                let (film, greys) = (state.film.get()?, greys.get()?);
                let placement = viewing.presentation.with(|look| look.placement(size));
                let rgba = film.part(&placement, &greys);
                let size = (size[0], size[1]);
                Some(Arc::new(Painted { size, rgba }))
            },
            is_another,
        );
        let covered = lasting::memo(move |_| {
            closer.with(Option::is_some) && state.film.with(Option::is_some)
        });
        Self {
            seen,
            closer,
            whole,
            part,
            covered,
        }
    }
}
