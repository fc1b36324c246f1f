//! Ways to give the page a radiograph: a button, dropping, pasting, samples.

use gloo::file::futures::read_as_bytes;
use gloo::net::http::Request;
use leptos::ev;
use leptos::html::Input;
use leptos::prelude::*;
use sightline::radiograph::MAX_BYTES;
use wasm_bindgen_futures::spawn_local;

use super::state::{GivenFile, State, Status};

/// The bundled radiographs: file, and what the source says of it.
const SAMPLES: [(&str, &str); 3] = [
    ("cardiomegaly.jpg", "Cardiomegaly, infiltration"),
    ("effusion.jpg", "Effusion, atelectasis, pneumothorax"),
    ("no-finding.jpg", "No finding"),
];

/// A file anywhere on the page, dropped or pasted.
pub fn listen_for_paste_and_drop(state: State) {
    let over = window_event_listener(ev::dragover, |event| event.prevent_default());
    let drop = window_event_listener(ev::drop, move |event| {
        event.prevent_default();
        let files = event.data_transfer().and_then(|transfer| transfer.files());
        match files.and_then(|files| files.get(0)) {
            Some(file) => open_file(state, file),
            // What is under way goes on.
            None => state.error.set(Some(
                "What was dropped is no file. Save the picture first, then drop its file."
                    .to_owned(),
            )),
        }
    });
    let paste = window_event_listener(ev::paste, move |event| {
        let files = event
            .clipboard_data()
            .and_then(|clipboard| clipboard.files());
        if let Some(file) = files.and_then(|files| files.get(0)) {
            event.prevent_default();
            open_file(state, file);
        }
    });
    on_cleanup(move || {
        over.remove();
        drop.remove();
        paste.remove();
    });
}

fn open_file(state: State, file: web_sys::File) {
    let name = file.name();
    if file.size() > MAX_BYTES as f64 {
        return state.refuse_file(format!(
            "{name} is {:.0} MiB long; files up to {} MiB can be read.",
            file.size() / f64::from(1 << 20),
            MAX_BYTES >> 20
        ));
    }
    spawn_local(async move {
        match read_as_bytes(&gloo::file::Blob::from(file)).await {
            Ok(bytes) => state.open(GivenFile { name, bytes }),
            Err(error) => state.refuse_file(format!("{name} cannot be read: {error}.")),
        }
    });
}

async fn open_sample(state: State, file: &'static str) {
    let response = Request::get(&format!("samples/{file}")).send().await;
    let bytes = match response {
        Ok(response) if response.ok() => response.binary().await,
        Ok(response) => {
            return state.refuse_file(format!("The sample is not there ({}).", response.status()));
        }
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => state.open(GivenFile {
            name: file.to_owned(),
            bytes,
        }),
        Err(error) => state.refuse_file(format!("The sample cannot be fetched: {error}.")),
    }
}

/// Button, drop zone and samples; small once a radiograph is open.
#[component]
pub fn OpenPanel() -> impl IntoView {
    let state = expect_context::<State>();
    let input = NodeRef::<Input>::new();
    let (over, set_over) = signal(false);
    let choose = move |_| {
        if let Some(input) = input.get() {
            if let Some(file) = input.files().and_then(|files| files.get(0)) {
                open_file(state, file);
            }
            // So that the same file can be chosen again.
            input.set_value("");
        }
    };
    let open = move || state.picture.with(Option::is_some);
    view! {
        <div
            class="drop-zone"
            class:over=over
            class:small=open
            data-testid="drop-zone"
            on:dragover=move |_| set_over.set(true)
            on:dragleave=move |_| set_over.set(false)
            on:drop=move |_| set_over.set(false)
        >
            <div>
                <p class="call">
                    {move || if open() { "Read another chest X-ray" } else { "Drop a chest X-ray here" }}
                </p>
                <p class="hint">"JPEG or PNG, frontal view. Or paste a picture, or "
                    <label class="button">
                        "choose a file"
                        <input
                            node_ref=input
                            type="file"
                            accept="image/jpeg,image/png,.jpg,.jpeg,.png"
                            data-testid="file-input"
                            on:change=choose
                        />
                    </label>
                </p>
            </div>
            <div class="samples">
                {SAMPLES
                    .into_iter()
                    .enumerate()
                    .map(|(index, (file, label))| view! {
                        <button
                            type="button"
                            data-testid=format!("sample-{index}")
                            title=format!("{label} (NIH ChestX-ray14)")
                            on:click=move |_| spawn_local(open_sample(state, file))
                        >
                            <img src=format!("samples/{file}") alt="" width="72" height="72"/>
                            <span>{label}</span>
                        </button>
                    })
                    .collect_view()}
                <small>"Samples: NIH Clinical Center"</small>
            </div>
        </div>
    }
}

/// What went wrong, and what to do.
#[component]
pub fn Problem() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <Show when=move || state.error.get().is_some()>
            <div class="problem" role="alert" data-testid="error">
                <p>{move || state.error.get()}</p>
                <Show when=move || state.status.get() == Status::Error && state.manifest.get().is_none()>
                    <button type="button" on:click=move |_| state.load_model(state.model.get_untracked())>
                        "Load the model again"
                    </button>
                </Show>
            </div>
        </Show>
    }
}
