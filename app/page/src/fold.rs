//! What can be folded away.

use leptos::prelude::*;

/// A screen as narrow as a phone's. In `em`, so that large letters count as a small screen.
const PHONE: &str = "(max-width: 40em)";

/// Whether what can be folded away is open at first.
pub fn opens_at_first() -> bool {
    let phone = window().match_media(PHONE).ok().flatten();
    !phone.is_some_and(|phone| phone.matches())
}

/// What is under a heading that opens and closes it. A phone begins with it closed, so that the page is short there.
#[component]
pub fn Fold(title: &'static str, children: Children) -> impl IntoView {
    view! {
        <details class="fold" open=opens_at_first()>
            <summary>{title}</summary>
            {children()}
        </details>
    }
}
