//! What can be folded away.

use leptos::prelude::*;

/// A screen as narrow as a phone's. In `em`, so that large letters count as a small screen.
const PHONE: &str = "(max-width: 40em)";

/// Text under a heading that opens and closes it. A phone begins with it closed, so that the page is short there.
#[component]
pub fn Fold(title: &'static str, children: Children) -> impl IntoView {
    let phone = window().match_media(PHONE).ok().flatten();
    let open = !phone.is_some_and(|phone| phone.matches());
    view! {
        <details class="fold" open=open>
            <summary>{title}</summary>
            {children()}
        </details>
    }
}
