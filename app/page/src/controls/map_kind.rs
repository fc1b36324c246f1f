//! Which of a map's signs are shown.

use leptos::prelude::*;
use sightline_core::explain::look::MapKind;

use super::choice::Choice;
use crate::state::State;

#[component]
pub fn MapKindChoice() -> impl IntoView {
    let state = expect_context::<State>();
    let kinds = MapKind::ALL.map(|kind| (kind, kind.name().to_owned(), kind.title().to_owned()));
    view! {
        <Choice
            title="Evidence"
            testid="map-kind"
            options=kinds.into()
            chosen=state.kind
            choose=move |kind| state.kind.set(kind)
        />
    }
}
