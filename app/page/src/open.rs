//! Ways to give the page a radiograph: a button, dropping, pasting, samples.

use leptos::ev;
use leptos::html::Input;
use leptos::prelude::*;
use sightline_session::session::{Remedy, Session};
use wasm_bindgen::JsCast;
use web_sys::{DataTransfer, HtmlInputElement};

use super::folders::{self, FolderButton};
use super::lasting;
use super::live::live;
use super::show::Show;
use super::state::{Source, State};

/// The bundled radiographs: file, and what the source says of it.
const SAMPLES: [(&str, &str); 3] = [
    ("cardiomegaly.jpg", "Cardiomegaly, infiltration"),
    ("effusion.jpg", "Effusion, atelectasis, pneumothorax"),
    ("no-finding.jpg", "No finding"),
];

/// What the button offers to choose, and what it says of it.
const ACCEPTED: &str =
    "image/*,application/dicom,.dcm,.dicom,.jpg,.jpeg,.jls,.png,.tif,.tiff,.bmp,.gif,.webp";
const FORMATS: &str = "DICOM, JPEG, PNG, TIFF, BMP, GIF or WebP, frontal view.";

/// Anything that is dropped or pasted anywhere on the page.
pub fn listen_for_paste_and_drop(state: State) {
    let over = window_event_listener(ev::dragover, |event| event.prevent_default());
    let drop = window_event_listener(ev::drop, move |event| {
        event.prevent_default();
        if let Some(transfer) = event.data_transfer() {
            open(state, &transfer);
        }
    });
    let paste = window_event_listener(ev::paste, move |event| {
        // Text that is pasted into a field is the field's.
        let field = event
            .target()
            .is_some_and(|at| at.has_type::<HtmlInputElement>());
        if let Some(clipboard) = event.clipboard_data().filter(|_| !field) {
            event.prevent_default();
            open(state, &clipboard);
        }
    });
    on_cleanup(move || {
        over.remove();
        drop.remove();
        paste.remove();
    });
}

fn open(state: State, transfer: &DataTransfer) {
    if let Some(sample) = sample(transfer) {
        return state.give(vec![Source::Sample(sample)], Vec::new());
    }
    let given = folders::given(transfer);
    if given.is_empty() {
        return state.complain(said_of_no_file(transfer));
    }
    folders::open(state, given);
}

/// A sample of this page, dragged from its button.
fn sample(transfer: &DataTransfer) -> Option<&'static str> {
    let home = document().base_uri().ok()??;
    let dragged = transfer.get_data("text/uri-list").ok()?;
    let mut files = SAMPLES.into_iter().map(|(file, _)| file);
    files.find(|file| {
        let address = web_sys::Url::new_with_base(&format!("samples/{file}"), &home);
        address.is_ok_and(|address| address.href() == dragged.trim())
    })
}

/// What a reader can do with something that holds no file.
fn said_of_no_file(transfer: &DataTransfer) -> &'static str {
    let data = |kind: &str| transfer.get_data(kind).unwrap_or_default();
    let text = data("text/plain");
    let is_address = |text: &str| {
        let text = text.trim();
        let web = text.starts_with("http://") || text.starts_with("https://");
        web && !text.contains(char::is_whitespace)
    };
    if !data("text/uri-list").is_empty() || is_address(&text) {
        "This is a web address. The page fetches nothing from other places. Open the address, save the picture, and choose its file. \
         Or copy the picture itself and paste it."
    } else if !data("text/html").is_empty() {
        "This is a piece of a web page or document, not a picture. Save the picture in it and choose its file. Or copy the picture \
         itself and paste it."
    } else if !text.is_empty() {
        "This is text, not a picture. Choose the picture's file, or copy the picture itself and paste it."
    } else {
        "This contains no picture and no file. Save the picture, then choose its file."
    }
}

/// Button, drop zone and samples; small once a radiograph is open.
#[component]
pub fn OpenPanel() -> impl IntoView {
    let state = expect_context::<State>();
    let input = NodeRef::<Input>::new();
    let (over, set_over) = signal(false);
    let choose = move |_| state.give(folders::chosen(input), Vec::new());
    let open = move || state.picture.with(Option::is_some);
    // What the source says of a sample would tell a reader who reads first.
    let reads_first = lasting::memo(move |_| state.of_session(Session::reads_first));
    let said = move |index: usize, label: &str| match reads_first.get() {
        true => format!("Sample {}", index + 1),
        false => label.to_owned(),
    };
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
                    {live(move || if open() { "Read another chest X-ray" } else { "Drop chest X-rays here" })}
                </p>
                <p class="hint">
                    <span class="formats">{FORMATS}" Or paste a picture, or "</span>
                    <label class="button">
                        "choose files"
                        <input
                            node_ref=input
                            type="file"
                            multiple
                            accept=ACCEPTED
                            data-testid="file-input"
                            on:change=choose
                        />
                    </label>
                    <FolderButton/>
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
                            title=move || format!("{} (NIH ChestX-ray14)", said(index, label))
                            on:click=move |_| state.give(vec![Source::Sample(file)], Vec::new())
                        >
                            <img src=format!("samples/{file}") alt="" width="72" height="72"/>
                            <span>{live(move || said(index, label))}</span>
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
    let remedy = move || {
        state.remedy.get().map(|remedy| match remedy {
            Remedy::LoadAgain => view! {
                <button type="button" on:click=move |_| state.tell(|session| session.load_again())>
                    "Load the model again"
                </button>
            }
            .into_any(),
            Remedy::ReloadPage => view! {
                <button type="button" on:click=move |_| {
                    // Where the browser refuses, its own button is there.
                    let _ = window().location().reload();
                }>
                    "Reload the page"
                </button>
            }
            .into_any(),
        })
    };
    view! {
        <Show when=move || state.problems.with(|all| !all.is_empty())>
            <div class="problem" role="alert">
                <div data-testid="error">
                    {live(move || state.problems.get().into_iter().map(|why| view! { <p>{why}</p> }).collect_view())}
                </div>
                <div class="remedies">
                    {live(remedy)}
                    <Show when=move || state.complains.get()>
                        <button type="button" data-testid="dismiss" on:click=move |_| state.tell(|session| session.dismiss())>
                            "Close"
                        </button>
                    </Show>
                </div>
            </div>
        </Show>
    }
}
