//! Views that are there while something holds.

use leptos::children::ViewFn;
use leptos::prelude::*;

use super::live::live;

/// Stands in for Leptos's component of this name, which is compiled anew for each condition and view, a kilobyte and more each.
#[component(transparent)]
pub fn Show(
    children: ChildrenFn,
    #[prop(into)] when: Signal<bool>,
    #[prop(optional, into)] fallback: ViewFn,
) -> impl IntoView {
    let shown = Memo::new(move |_| when.get());
    live(move || match shown.get() {
        true => children(),
        false => fallback.run(),
    })
}
