//! Looking at the radiograph: zoom, pan, window, turned, inverted, and what is measured on it. Bindings are those that radiology viewers share.

mod bar;
mod corner;
mod drawing;
mod keys;
mod pointer;

pub use bar::ViewingBar;
pub use corner::Corner;
pub use drawing::Drawing;
pub use keys::listen_for_keys;
pub use pointer::{Pointers, place_in_picture};
