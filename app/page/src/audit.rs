//! The map held to account: what it credits the painted place with, beside what the logit falls by without the place.

use leptos::prelude::*;
use sightline_core::trust::audit::Written;

use super::state::State;

/// What is known once a place is painted and the scores without it are there.
#[derive(Clone, PartialEq)]
enum Known {
    Figures {
        name: &'static str,
        written: Written,
    },
    /// The score without the place is so close to 0 or 1 that it does not tell its logit.
    NoLogit,
}

#[component]
pub fn Audit() -> impl IntoView {
    let state = expect_context::<State>();
    let known = Memo::new(move |_| {
        let index = state.selected.get()?;
        let name = state.selected_finding()?.name.name();
        state.manifest.with(|manifest| {
            let manifest = manifest.as_ref()?;
            state.of_picture(|picture| {
                picture.erased_score(index)?;
                let audit = picture.audit(index, manifest);
                Some(audit.map_or(Known::NoLogit, |audit| Known::Figures {
                    name,
                    written: audit.written(),
                }))
            })?
        })
    });
    let figures = |name: &'static str, written: Written| {
        let Written {
            credit,
            before,
            after,
            fall,
            gap,
        } = written;
        view! {
            <dl>
                <dt>"The evidence map credits the painted place with"</dt>
                <dd data-testid="audit-credit">{credit}</dd>
                <dt>"The logit of "{name}" falls without the place by"</dt>
                <dd data-testid="audit-fall">{fall}</dd>
                <dt>"Gap between both"</dt>
                <dd data-testid="audit-gap">{gap}</dd>
            </dl>
            <p class="hint">
                "All in logits. The logit is "<span data-testid="audit-before">{before}</span>", and "
                <span data-testid="audit-after">{after}</span>
                " without the place. A negative fall is a rise. Each cell of the map (Grad-CAM's) counts by the share of its area that is painted. \
                 The gap is what the map says more, or less, than erasing the place shows; it depends on what the place is filled with."
            </p>
        }
    };
    move || {
        let known = known.get()?;
        let inside = match known {
            Known::Figures { name, written } => figures(name, written).into_any(),
            Known::NoLogit => view! {
                <p>"The score without the painted place is so close to 0 or 1 that it does not tell its logit: there is nothing to compare."</p>
            }
            .into_any(),
        };
        Some(view! {
            <section class="audit" data-testid="audit" role="status" aria-label="What the map credits the painted place with">
                <h3>"The painted place, audited"</h3>
                {inside}
            </section>
        })
    }
}
