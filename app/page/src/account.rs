//! What the map in view adds up to.

use leptos::prelude::*;

use super::state::State;

/// The parts of the map and their sum, as a sentence; nothing where a map adds up to nothing.
#[component]
pub fn Account() -> impl IntoView {
    let state = expect_context::<State>();
    let account = Memo::new(move |_| {
        let selected = state.selected.get()?;
        let (method, branch) = (state.method.get(), state.branch.get());
        let account = state.settings.with(|settings| {
            state.of_picture(|picture| picture.account(selected, method, branch, settings))
        });
        Some(account??.said())
    });
    move || {
        let said = account.get()?;
        Some(view! { <p class="account" data-testid="account">{said}</p> })
    }
}
