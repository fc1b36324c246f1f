//! The findings of the model with their scores.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use sightline_core::vocabulary::CallRule;
use sightline_session::picture::ReadPicture;
use sightline_session::session::Session;

use super::fold::Fold;
use super::live::live;
use super::show::Show;
use super::state::State;

/// Said while there is no picture.
const HINT: &str = "The scores of the findings appear here. Each has a map of where the model sees evidence for the finding. Findings \
                    that the model was not trained on have no score.";

/// Said while the reader reads.
const WAITS: &str = "The scores are shown when you have committed your reading.";

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
        state.tell(|session| session.select_by(step));
    };
    view! {
        <h2>"Findings"</h2>
        <Show
            when=move || state.scored.get()
            fallback=move || view! {
                <p class="hint">{live(move || match state.picture.with(Option::is_some) {
                    true if state.of_session(Session::waits_for_reader) => WAITS,
                    true => "The scores are not shown: see above.",
                    false => HINT,
                })}</p>
            }
        >
            <ol
                class="findings"
                role="listbox"
                tabindex="0"
                aria-activedescendant=move || state.selected.get().map(id)
                aria-label="Findings, highest score first. Arrow keys change the map."
                on:keydown=keys
            >
                <For each=move || state.of_picture(ReadPicture::ranking).unwrap_or_default() key=|index| *index let:index>
                    <FindingRow index/>
                </For>
            </ol>
            <Fold title="What a score means">
            <p class="hint">
                "The mark on a bar is the operating point: the score at which the model calls the finding. Called findings are bold. "
                {live(move || rules(state))}
                "A score is not a probability of disease. If it was calibrated, it was calibrated on images like those of the model's \
                 training. Point at a finding, or use the arrow keys, to see its map."
            </p>
            </Fold>
        </Show>
    }
}

/// Which findings the model calls only alone.
fn rules(state: State) -> String {
    let said = |rule: &CallRule| {
        let mut said = format!(
            "The model calls “{}” only if it calls no other finding",
            rule.alone
        );
        let except: Vec<&str> = rule.except.iter().map(|finding| finding.name()).collect();
        if !except.is_empty() {
            said += &format!("; {} do not count", except.join(", "));
        }
        said + ". "
    };
    state.of_session(|session| session.vocabulary().rules.iter().map(said).collect())
}

/// The row of a finding in the document.
fn id(index: usize) -> String {
    format!("finding-{index}")
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
    let called = move || finding.get().is_some_and(|f| f.called);
    let selected = move || state.selected.get() == Some(index);
    let select = move || state.tell(|session| session.select(index));
    // What letters and colours tell, in words. It begins with the text that is seen: whoever speaks to the page says that.
    let label = move || {
        let finding = finding.get()?;
        let said = match finding.probability {
            None => "not trained".to_owned(),
            Some(score) => format!("{score:.2}"),
        };
        let called = if finding.called { ", called" } else { "" };
        let erased = state
            .of_picture(|picture| picture.erased_score(index))
            .flatten();
        let erased = erased.map_or(String::new(), |score| {
            format!(" \u{2192} {score:.2} without what is erased")
        });
        Some(format!("{} {said}{erased}{called}", finding.name.name()))
    };
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    view! {
        <li
            role="option"
            id=id(index)
            aria-label=label
            aria-disabled=move || (!trained()).then_some("true")
            data-testid=format!("finding-{index}")
            data-score=move || score().map(|p| format!("{p:.6}"))
            data-trained=move || trained().to_string()
            aria-selected=move || selected().to_string()
            class:selected=selected
            class:called=called
            class:untrained=move || !trained()
            on:mouseenter=move |_| select()
            on:click=move |_| select()
        >
            <span class="name">{live(name)}</span>
            " "
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
                <span class="score">
                    {live(move || score().map(|p| format!("{p:.2}")))}
                    {live(move || state.of_picture(|picture| picture.erased_score(index)).flatten().map(|p| view! {
                        <em class="erased" data-testid=format!("erased-{index}") data-score=format!("{p:.6}")>
                            {format!(" \u{2192} {p:.2}")}
                        </em>
                    }))}
                </span>
            </Show>
        </li>
    }
}
