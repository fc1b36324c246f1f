//! Parts of views that change with what they read.

use leptos::prelude::*;

/// A part of a view that is made anew whenever a value that it reads has changed. It has one type, whatever it makes: Leptos compiles all
/// that watches a closure, a kilobyte, anew for each type.
pub type Live = Box<dyn FnMut() -> AnyView + Send>;

/// Makes such a part of what makes a view.
pub fn live<V: IntoAny>(mut part: impl FnMut() -> V + Send + 'static) -> Live {
    Box::new(move || part().into_any())
}
