//! What follows values, and does something whenever one of them changes.

use leptos::prelude::Effect;

/// Runs it now and whenever a value that it read has changed. Leptos's `Effect` is compiled anew for all that it runs, a kilobyte each.
pub fn effect(run: impl Fn() + 'static) {
    start(Box::new(run));
}

fn start(run: Box<dyn Fn()>) {
    Effect::new(move |_| run());
}
