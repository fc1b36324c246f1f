//! The 14 findings with their scores, and how far to trust the one in view.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use sightline::package::FindingCard;

use super::state::State;

/// The finding's card in the manifest.
fn card(state: State, index: usize) -> Option<FindingCard> {
    state
        .manifest
        .with(|manifest| manifest.as_ref()?.findings.get(index).cloned())
}

#[component]
pub fn Findings() -> impl IntoView {
    let state = expect_context::<State>();
    let keys = move |event: KeyboardEvent| {
        let step = match event.key().as_str() {
            "ArrowDown" | "ArrowRight" => 1,
            "ArrowUp" | "ArrowLeft" => -1,
            _ => return,
        };
        event.prevent_default();
        state.select_by(step);
    };
    view! {
        <h2>"Findings"</h2>
        <Show
            when=move || state.picture.with(Option::is_some)
            fallback=|| view! {
                <p class="hint">"Scores for 14 findings appear here, each with a map of what it rests on."</p>
            }
        >
            <ol
                class="findings"
                role="listbox"
                tabindex="0"
                aria-label="Findings, highest score first. Arrow keys change the map."
                on:keydown=keys
            >
                <For each=move || state.ranking() key=|index| *index let:index>
                    <FindingRow index/>
                </For>
            </ol>
            <p class="hint">
                "The mark on a bar is the model's operating point. Scores are not calibrated probabilities of disease. "
                "Point at a finding, or use the arrow keys, to see its map."
            </p>
        </Show>
    }
}

#[component]
fn FindingRow(index: usize) -> impl IntoView {
    let state = expect_context::<State>();
    let finding = Memo::new(move |_| {
        state.picture.with(|p| {
            p.as_ref()
                .and_then(|p| p.report.findings.get(index).cloned())
        })
    });
    let name = move || finding.get().map(|f| f.name.name());
    let trained = move || finding.get().is_some_and(|f| f.trained);
    let score = move || finding.get().and_then(|f| f.probability);
    let called = move || {
        finding
            .get()
            .is_some_and(|f| match (f.probability, f.operating_point) {
                (Some(probability), Some(point)) => probability >= point,
                _ => false,
            })
    };
    let select = move || {
        if trained() {
            state.selected.set(index);
        }
    };
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    view! {
        <li
            role="option"
            data-testid=format!("finding-{index}")
            data-score=move || score().map(|p| format!("{p:.6}"))
            data-trained=move || trained().to_string()
            aria-selected=move || (trained() && state.selected.get() == index).to_string()
            class:selected=move || trained() && state.selected.get() == index
            class:called=called
            class:untrained=move || !trained()
            on:mouseenter=move |_| select()
            on:click=move |_| select()
        >
            <span class="name">{name}</span>
            <Show
                when=trained
                fallback=|| view! { <span class="not-trained">"not trained"</span> }
            >
                <span class="bar">
                    <span class="fill" style:width=move || score().map(percent)></span>
                    <Show when=move || finding.get().is_some_and(|f| f.operating_point.is_some())>
                        <span
                            class="point"
                            style:left=move || finding.get().and_then(|f| f.operating_point).map(percent)
                        ></span>
                    </Show>
                </span>
                <span class="score">{move || score().map(|p| format!("{p:.2}"))}</span>
            </Show>
        </li>
    }
}

/// What was measured of this model on this finding.
#[component]
pub fn TrustPanel() -> impl IntoView {
    let state = expect_context::<State>();
    let text = move || {
        let finding = state.selected_finding()?;
        let card = card(state, state.selected.get())?;
        let evidence = state
            .manifest
            .with(|m| m.as_ref()?.evaluation.as_ref().map(|e| e.set.clone()));
        let auc = match (card.auc, card.auc_ci95, evidence) {
            (Some(auc), Some([low, high]), Some(set)) => format!(
                "On test images ({set}) the score ranks a case above a non-case {:.0} times in 100 \
                 (AUC {auc:.2}, 95% interval {low:.2} to {high:.2}; {} cases, {} non-cases).",
                auc * 100.0,
                card.positives,
                card.negatives
            ),
            _ => "How well this score separates cases from non-cases was not measured.".to_owned(),
        };
        let weak = card.auc_ci95.is_some_and(|[low, _]| low < 0.6).then(|| {
            "The interval comes close to chance (0.5): do not lean on this score or its map."
                .to_owned()
        });
        let called = match (finding.probability, finding.operating_point) {
            (Some(p), Some(point)) if p >= point => {
                format!("The score {p:.2} is at or above the operating point {point:.2}.")
            }
            (Some(p), Some(point)) => {
                format!("The score {p:.2} is below the operating point {point:.2}.")
            }
            _ => String::new(),
        };
        let maps = match card.localisation.get(state.method.get().name()) {
            Some(measured) => format!(
                "This model's {} hit the radiologist's box in {:.0}% of {} cases{}.",
                state.method.get().title(),
                measured.pointing_hit * 100.0,
                measured.n,
                match card.localisation.get("center") {
                    Some(centre) => format!(
                        "; pointing at the middle of every picture would hit {:.0}%",
                        centre.pointing_hit * 100.0
                    ),
                    None => String::new(),
                }
            ),
            None => "Whether this model's maps point at the finding was not measured: a map shows what the model \
                     used, not where the disease is."
                .to_owned(),
        };
        Some((
            finding.name.name(),
            [Some(called), Some(auc), weak, Some(maps)],
        ))
    };
    view! {
        <Show when=move || state.picture.with(Option::is_some)>
            <section class="trust" data-testid="trust-panel">
                <h2>"Can I trust this? "<small>{move || text().map(|(name, _)| name)}</small></h2>
                <ul>
                    {move || text().map(|(_, lines)| lines
                        .into_iter()
                        .flatten()
                        .filter(|line| !line.is_empty())
                        .map(|line| view! { <li>{line}</li> })
                        .collect_view())}
                </ul>
            </section>
        </Show>
    }
}
