//! What the reader chose, kept for the next visit.

use leptos::prelude::window;
use web_sys::Storage;

/// The browser's storage; `None` where it is forbidden.
fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// What is kept under a name.
pub fn kept(name: &str) -> Option<String> {
    storage()?.get_item(name).ok().flatten()
}

/// Keeps a choice, where the browser allows it.
pub fn keep(name: &str, value: &str) {
    if let Some(storage) = storage() {
        // A full or forbidden storage: the choice holds until the page is left.
        let _ = storage.set_item(name, value);
    }
}
