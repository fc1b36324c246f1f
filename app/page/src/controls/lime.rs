//! How LIME is made.

use leptos::html::Input;
use leptos::prelude::*;
use sightline_core::explain::lime::Segmentation;
use sightline_core::explain::method::Method;
use sightline_session::session::SAMPLES;

use super::choice::Choice;
use crate::erase::FILLS;
use crate::show::Show;
use crate::state::State;

/// LIME's regions, and what they are called.
const REGIONS: [(Segmentation, &str); 2] = [
    (Segmentation::Quickshift, "quickshift"),
    (Segmentation::Slic, "SLIC"),
];

#[component]
pub fn LimeControls() -> impl IntoView {
    let state = expect_context::<State>();
    let options = Memo::new(move |_| state.settings.with(|settings| settings.lime.clone()));
    let samples = NodeRef::<Input>::new();
    let choose_samples = move |event| {
        if let Ok(samples) = event_target_value(&event).parse::<usize>() {
            state.tell(|session| session.choose(|settings| settings.lime.samples = samples));
        }
        // What is no number, or out of bounds, changed nothing that would show in the field.
        if let Some(field) = samples.get_untracked() {
            field.set_value(&options.get_untracked().samples.to_string());
        }
    };
    let choose_stop = move |event| {
        let until_stable = event_target_checked(&event);
        state.tell(|session| session.choose(|settings| settings.lime.until_stable = until_stable));
    };
    let named = |name: &str| (name.to_owned(), name.to_owned());
    let regions = REGIONS.map(|(segmentation, name)| (segmentation, named(name).0, named(name).1));
    let fills = FILLS.map(|(fill, name)| (fill, named(name).0, named(name).1));
    view! {
        <label>
            <span>"LIME samples"</span>
            <input
                node_ref=samples
                type="number" min=*SAMPLES.start() max=*SAMPLES.end() step="50"
                data-testid="lime-samples"
                prop:value=move || options.get().samples.to_string()
                on:change=choose_samples
            />
        </label>
        <Show when=move || state.method.get() == Method::Lime>
            <label class="tick" title="Stop as soon as more samples no longer change the order of the regions">
                <input
                    type="checkbox"
                    data-testid="lime-until-stable"
                    prop:checked=move || options.get().until_stable
                    on:change=choose_stop
                />
                <span>"Stop when stable"</span>
            </label>
            <Choice
                title="Regions"
                testid="lime-regions"
                options=regions.clone().into()
                chosen=Signal::derive(move || options.get().segmentation)
                choose=move |segmentation| {
                    state.tell(|session| session.choose(|settings| settings.lime.segmentation = segmentation));
                }
            />
            <Choice
                title="Hidden regions become"
                testid="lime-fill"
                options=fills.clone().into()
                chosen=Signal::derive(move || options.get().fill)
                choose=move |fill| state.tell(|session| session.choose(|settings| settings.lime.fill = fill))
            />
        </Show>
    }
}
