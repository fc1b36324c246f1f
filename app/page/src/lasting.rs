//! Values that last as long as the page, while the views that follow them come and go with every radiograph.
//!
//! Leptos keeps an entry for each view that followed a value, also once the view is gone: some 16 kB with each radiograph. So all
//! entries are struck off now and then. Whoever still follows is told that the value changed, computes anew, and follows again.
//! `reactive_graph` 0.3, of which there are candidates, drops the entries of what is gone itself.

use std::cell::{Cell, RefCell};

use leptos::prelude::*;
use leptos::reactive::computed::ArcMemo;
use leptos::reactive::graph::{ReactiveNode, Source};

/// How many radiographs come between two times: each time, everything on the page is computed anew.
const EVERY: u32 = 8;

thread_local! {
    static RADIOGRAPHS: Cell<u32> = const { Cell::new(0) };
    /// Whether every value counts as changed now.
    static ALL_CHANGED: Cell<bool> = const { Cell::new(false) };
    /// Strike off who follows one value, each.
    static STRIKES: RefCell<Vec<Box<dyn Fn()>>> = const { RefCell::new(Vec::new()) };
}

/// A value that is computed from others, as [`Memo::new`] makes it. What follows it must not mind to be computed anew.
pub fn memo<T: PartialEq + Send + Sync + 'static>(
    compute: impl Fn(Option<&T>) -> T + Send + Sync + 'static,
) -> Memo<T> {
    memo_with(compute, |old, new| all_changed() || old != new)
}

/// A value with a comparison of its own, which is to ask [`all_changed`] first.
pub fn memo_with<T: Send + Sync + 'static>(
    compute: impl Fn(Option<&T>) -> T + Send + Sync + 'static,
    changed: fn(Option<&T>, Option<&T>) -> bool,
) -> Memo<T> {
    let memo = Memo::new_with_compare(compute, changed);
    let node = ArcMemo::from(memo);
    strike(move || {
        node.mark_dirty();
        node.update_if_necessary();
        node.clear_subscribers();
    });
    memo
}

/// Has a signal among the values that last.
pub fn signal<T: Send + Sync + 'static>(signal: RwSignal<T>) -> RwSignal<T> {
    strike(move || {
        signal.notify();
        signal.clear_subscribers();
    });
    signal
}

fn strike(how: impl Fn() + 'static) {
    STRIKES.with_borrow_mut(|all| all.push(Box::new(how)));
}

/// Whether every value counts as changed, whatever it is.
pub fn all_changed() -> bool {
    ALL_CHANGED.get()
}

/// Another radiograph was given: the views of the one before are gone, or will be.
pub fn another_radiograph() {
    RADIOGRAPHS.set(RADIOGRAPHS.get() + 1);
    if !RADIOGRAPHS.get().is_multiple_of(EVERY) {
        return;
    }
    ALL_CHANGED.set(true);
    STRIKES.with_borrow(|all| all.iter().for_each(|strike| strike()));
    ALL_CHANGED.set(false);
}
