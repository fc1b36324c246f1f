//! Name, model, device, and what the page is doing.

use leptos::prelude::*;

use sightline_core::explain::method::Method;
use sightline_session::messages::{Adapter, Progress, Step};
use sightline_session::session::Status;

use super::dropped::OwnModels;
use super::live::live;
use super::show::Show;
use super::state::State;
use super::teaching::Switch;

#[component]
pub fn Header() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <header>
            <div class="brand">
                <svg viewBox="0 0 32 32" width="30" height="30" aria-hidden="true">
                    <path d="M3 16c4-7 8-10 13-10s9 3 13 10c-4 7-8 10-13 10S7 23 3 16z" fill="none" stroke="currentColor" stroke-width="2.2"/>
                    <circle cx="16" cy="16" r="4.6" fill="currentColor"/>
                </svg>
                <div>
                    <h1>"Sightline"</h1>
                    <p>"What a chest X-ray model looks at"</p>
                </div>
            </div>
            <div class="controls">
                <label>
                    <span>"Model"</span>
                    <select
                        data-testid="model-select"
                        translate="no"
                        prop:value=move || state.model.get()
                        on:change=move |event| state.tell(|session| session.load(&event_target_value(&event)))
                    >
                        <For each=move || state.models.get() key=|entry| entry.name.clone() let:entry>
                            <option value=entry.name.clone()>{entry.name.clone()}</option>
                        </For>
                    </select>
                </label>
                <OwnModels/>
                <Switch/>
                <AdapterChip/>
            </div>
        </header>
        <StatusLine/>
    }
}

#[component]
fn AdapterChip() -> impl IntoView {
    let state = expect_context::<State>();
    let label = move || {
        state
            .adapter
            .get()
            .map_or("Starting".to_owned(), |a| a.label())
    };
    let because = move || match state.adapter.get() {
        Some(Adapter::Cpu { because, .. }) if !because.is_empty() => {
            format!("The graphics card is not used: {because}.")
        }
        Some(Adapter::WebGpu { software: true, .. }) => {
            "This WebGPU adapter is a program on the CPU, not a graphics card.".to_owned()
        }
        _ => String::new(),
    };
    view! {
        <div class="adapter">
            <span>"Computes on"</span>
            <strong data-testid="adapter" title=because>{live(label)}</strong>
            <small>{live(because)}</small>
        </div>
    }
}

#[component]
fn StatusLine() -> impl IntoView {
    let state = expect_context::<State>();
    let text = move || match (state.status.get(), state.progress.get()) {
        (Status::Loading | Status::Reading | Status::Explaining, Some(progress)) => {
            said(progress, state.making.get().unwrap_or(state.method.get()))
        }
        (Status::Explaining, None) => "Computing the explanation".to_owned(),
        (Status::Loading, None) => "Starting the engine".to_owned(),
        (Status::Reading, None) => "Reading the radiograph".to_owned(),
        (Status::Idle, _) => "Ready for a radiograph".to_owned(),
        (Status::Ready, _) => state.picture.with(|picture| {
            picture.as_ref().map_or(String::new(), |picture| {
                let timings = picture.report.timings;
                format!(
                    "Read in {:.0} ms, including the Grad-CAM maps of all findings",
                    timings.decode + timings.read
                )
            })
        }),
        (Status::Error, _) if state.manifest.with(Option::is_some) => {
            "The file cannot be read. Choose another one".to_owned()
        }
        (Status::Error, _) => "No model is loaded".to_owned(),
    };
    let busy = move || {
        matches!(
            state.status.get(),
            Status::Loading | Status::Reading | Status::Explaining
        )
    };
    let share = move || {
        state
            .progress
            .get()
            .filter(|p| p.total > 0)
            .map(|p| (p.done as f64 / p.total as f64).to_string())
    };
    view! {
        <div
            class="status"
            data-testid="status"
            data-state=move || state.status.get().name()
            role="status"
        >
            <span>{live(text)}</span>
            <Show when=busy>
                <progress data-testid="progress" max="1" value=share aria-label="Progress"></progress>
                <button type="button" data-testid="cancel" on:click=move |_| state.tell(|session| session.cancel())>"Cancel"</button>
            </Show>
            <Show when=move || state.fallback.get().is_some()>
                <span class="note">{live(move || state.fallback.get())}</span>
            </Show>
        </div>
    }
}

/// What the engine is doing, and how far it is.
fn said(progress: Progress, method: Method) -> String {
    let Progress { step, done, total } = progress;
    let (what, unit) = match step {
        Step::OpenDevice => ("Looking for a device".to_owned(), ""),
        Step::FetchModel => ("Fetching the model".to_owned(), "MiB"),
        Step::CompileShaders => ("Preparing the graphics card".to_owned(), ""),
        Step::Decode => ("Decoding the picture".to_owned(), ""),
        Step::Read => ("Reading the radiograph".to_owned(), ""),
        Step::Prepare => (format!("Preparing {method}"), ""),
        Step::Explain => (method.to_string(), method.counts()),
        Step::Measure => ("Measuring the map".to_owned(), "pictures"),
        Step::Randomise => ("Sanity check with random weights".to_owned(), "networks"),
    };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    match (total, unit) {
        (0, _) | (_, "") => what,
        (_, "MiB") => format!("{what}: {:.1} of {:.1} MiB", mib(done), mib(total)),
        _ => format!("{what}: {done} of {total} {unit}"),
    }
}
