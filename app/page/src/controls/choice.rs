//! One of several.

use leptos::prelude::*;

/// A choice of values, each with its name in the document and what people read.
#[component]
pub fn Choice<T, C>(
    title: &'static str,
    testid: &'static str,
    options: Vec<(T, String, String)>,
    #[prop(into)] chosen: Signal<T>,
    choose: C,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    C: Fn(T) + 'static,
{
    let known: Vec<(T, String)> = options
        .iter()
        .map(|(value, name, _)| (value.clone(), name.clone()))
        .collect();
    let changed = move |event| {
        let name = event_target_value(&event);
        if let Some((value, _)) = known.iter().find(|(_, known)| *known == name) {
            choose(value.clone());
        }
    };
    let option = |(value, name, text): (T, String, String)| {
        let is_chosen = move || chosen.with(|chosen| *chosen == value);
        view! { <option value=name prop:selected=is_chosen>{text}</option> }
    };
    view! {
        <label>
            <span>{title}</span>
            <select data-testid=testid on:change=changed>
                {options.into_iter().map(option).collect_view()}
            </select>
        </label>
    }
}
