//! Whether the picture is one that the model knows, said before its scores.

use leptos::prelude::*;
use sightline_core::gate::{Judgement, Verdict};
use sightline_session::session::Session;

use super::live::live;
use super::show::Show;
use super::state::State;

#[component]
pub fn Gate() -> impl IntoView {
    let state = expect_context::<State>();
    let said = move || {
        state.gate.get().map(|gate| {
            let Judgement {
                verdict, kind, why, ..
            } = gate;
            let asked = move || {
                let waits = state.of_session(Session::waits_for_reader);
                verdict == Verdict::Stop && !state.scored.get() && !waits
            };
            view! {
                <div
                    class="gate"
                    data-testid="gate"
                    data-verdict=verdict.name()
                    data-kind=kind.map(|kind| kind.name())
                >
                    <h2>{title(verdict)}</h2>
                    <p>{why}</p>
                    <Show when=asked>
                        <p>"A score of such a picture means nothing."</p>
                        <button
                            type="button"
                            data-testid="gate-show-scores"
                            on:click=move |_| state.tell(|session| session.show_scores())
                        >
                            "Show the scores anyway"
                        </button>
                    </Show>
                </div>
            }
        })
    };
    // What comes into a place that is there already is read aloud.
    view! { <div role="status">{live(said)}</div> }
}

/// The verdict in words.
pub fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "A frontal chest radiograph",
        Verdict::Warn => "Perhaps not a picture for this model",
        Verdict::Stop => "Not a picture for this model",
    }
}
