//! One of several.

use std::sync::Arc;

use leptos::prelude::*;

/// A choice of values, each with its name in the document and what people read.
#[component(transparent)]
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
    let (values, named): (Vec<T>, Vec<(String, String)>) = options
        .into_iter()
        .map(|(value, name, text)| (value, (name, text)))
        .unzip();
    let values = Arc::new(values);
    let known = values.clone();
    let is_chosen = move |place: usize| chosen.with(|chosen| *chosen == known[place]);
    let choose = move |place: usize| choose(values[place].clone());
    select(
        [title, testid],
        named,
        Arc::new(is_chosen),
        Box::new(choose),
    )
}

/// Where in the list a value is says all of it, so that this is compiled once, whatever the values are.
fn select(
    [title, testid]: [&'static str; 2],
    named: Vec<(String, String)>,
    is_chosen: Arc<dyn Fn(usize) -> bool + Send + Sync>,
    choose: Box<dyn Fn(usize)>,
) -> AnyView {
    let known: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
    let changed = move |event| {
        let name = event_target_value(&event);
        if let Some(place) = known.iter().position(|known| *known == name) {
            choose(place);
        }
    };
    let option = |(place, (name, text)): (usize, (String, String))| {
        let is_chosen = is_chosen.clone();
        view! { <option value=name prop:selected=move || is_chosen(place)>{text}</option> }
    };
    view! {
        <label>
            <span>{title}</span>
            <select data-testid=testid on:change=changed>
                {named.into_iter().enumerate().map(option).collect_view()}
            </select>
        </label>
    }
    .into_any()
}
