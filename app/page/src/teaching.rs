//! Read first, then look: the reader marks findings before the model's scores are in the document; then both are side by side, with what
//! is known of the case.

use js_sys::Date;
use leptos::html;
use leptos::prelude::*;
use sightline_core::finding::Finding;
use sightline_core::library::Case;
use sightline_session::session::Session;
use sightline_session::teaching::{Confidences, SCALE, csv};

use super::download::save_text;
use super::effect::effect;
use super::live::live;
use super::show::Show;
use super::state::State;

/// The width of the picture where boxes are drawn.
const WIDTH: f32 = 1000.0;

/// The switch of the teaching mode.
#[component]
pub fn Switch() -> impl IntoView {
    let state = expect_context::<State>();
    let on = move || state.of_session(Session::reads_first);
    view! {
        <label class="tick" title="Mark findings before the model's scores are shown">
            <input
                type="checkbox"
                data-testid="reader-mode"
                prop:checked=on
                on:change=move |event| {
                    let on = event_target_checked(&event);
                    state.tell(|session| session.read_first(on));
                }
            />
            "Read first"
        </label>
    }
}

/// The reader's form, then the comparison; and the table of the session.
#[component]
pub fn Teaching() -> impl IntoView {
    let state = expect_context::<State>();
    let to_be_read = Memo::new(move |_| state.of_session(Session::to_be_read));
    let committed = committed(state);
    // Which radiograph appeared, and when.
    let appeared = StoredValue::new((0, 0.0));
    effect(move || {
        // Another model reads the same radiograph: the reader goes on.
        if let Some(study) = to_be_read.get()
            && appeared.with_value(|(known, _)| *known != study)
        {
            appeared.set_value((study, Date::now()));
        }
    });
    let commit = move |_| {
        let since = appeared.with_value(|(_, since)| *since);
        let seconds = (Date::now() - since).max(0.0) / 1000.0;
        state.tell(|session| session.commit_reading(seconds));
    };
    view! {
        <Show when=move || to_be_read.get().is_some()>
            <section class="reading" aria-label="Your reading" data-testid="reading-form">
                <h2>"Your reading"</h2>
                <p class="hint">
                    "How sure are you that each finding is there? "
                    {SCALE.iter().enumerate().map(|(value, said)| format!("{value}: {said}")).collect::<Vec<_>>().join(", ")}
                    ". What you leave at – counts as not read. The model's scores are shown when you commit your reading."
                </p>
                <Marks/>
                <button type="button" class="commit" data-testid="commit-reading" on:click=commit>
                    "Commit the reading and show the scores"
                </button>
            </section>
        </Show>
        <Show when=move || committed.get().is_some()>
            <Comparison/>
        </Show>
        <SavedReadings/>
    }
}

/// A row of choices for each finding.
#[component]
fn Marks() -> impl IntoView {
    let state = expect_context::<State>();
    let confidences = Memo::new(move |_| state.of_session(|session| session.confidences().clone()));
    let choice = move |index: usize, finding: Finding, value: Option<u8>| {
        let (shown, said) = match value {
            Some(value) => (value.to_string(), SCALE[usize::from(value)]),
            None => ("–".to_owned(), "not read"),
        };
        let testid = match value {
            Some(value) => format!("reader-{index}-{value}"),
            None => format!("reader-{index}-none"),
        };
        view! {
            <label title=said>
                <input
                    type="radio"
                    name=format!("reader-{index}")
                    data-testid=testid
                    aria-label=format!("{shown}: {said}")
                    prop:checked=move || confidences.with(|said| said.of(finding)) == value
                    on:change=move |_| state.tell(|session| session.mark(finding, value))
                />
                {shown}
            </label>
        }
    };
    let values = || std::iter::once(None).chain((0..SCALE.len() as u8).map(Some));
    let findings = Memo::new(move |_| state.findings());
    let rows = move || {
        let rows = findings.get().into_iter().enumerate();
        let rows = rows.map(|(index, finding)| {
            view! {
                <fieldset data-testid=format!("reader-{index}")>
                    <legend>{finding.name()}</legend>
                    {values().map(|value| choice(index, finding, value)).collect_view()}
                </fieldset>
            }
        });
        rows.collect_view()
    };
    live(rows)
}

/// Reader, model and, where the radiograph is a case of the library, its labels.
#[component]
fn Comparison() -> impl IntoView {
    let state = expect_context::<State>();
    let (committed, case) = (committed(state), case(state));
    let findings = Memo::new(move |_| state.findings());
    let section = NodeRef::<html::Section>::new();
    // The button that was pressed is gone: the keyboard goes on from here.
    effect(move || {
        if let Some(section) = section.get() {
            // Where it cannot have the focus, nothing else is lost.
            let _ = section.focus();
        }
    });
    let recorded =
        move || match state.of_session(|session| session.recorded_as().map(str::to_owned)) {
            Some(path) => format!("Recorded as {path}."),
            None => "Not recorded: the scores of this radiograph were in view before you read it."
                .to_owned(),
        };
    let model = move |finding: Finding| {
        if !state.scored.get() {
            return (String::new(), false);
        }
        let found = state.of_picture(|picture| {
            let mut findings = picture.report.findings.iter();
            let found = findings.find(|known| known.name == finding);
            found.map(|found| (found.probability, found.called))
        });
        match found.flatten() {
            Some((Some(score), called)) => (format!("{score:.2}"), called),
            _ => ("not trained".to_owned(), false),
        }
    };
    let reader = move |finding: Finding| {
        let value = committed.with(|confidences| confidences.as_ref()?.of(finding));
        value.map_or("not read", |value| SCALE[usize::from(value)])
    };
    let label = move |finding: Finding| {
        case.with(|case| match case.as_ref()?.0.labels.get(&finding) {
            Some(1) => Some("present"),
            Some(_) => Some("absent"),
            None => Some(""),
        })
    };
    let source = move || {
        case.get().map(|(case, licence)| {
            let boxes = match case.boxes.is_empty() {
                true => "No box was drawn on it.",
                false => "The boxes were drawn by a radiologist.",
            };
            format!(
                "{}. The labels were extracted from the radiology report by a program, and may be wrong. {boxes} {licence}.",
                case.source
            )
        })
    };
    view! {
        <section
            node_ref=section
            class="comparison"
            tabindex="-1"
            aria-label="Your reading beside the model"
            data-testid="reading-comparison"
        >
            <h2>"Your reading beside the model"</h2>
            <p class="hint" role="status" data-testid="reading-recorded">{live(recorded)}</p>
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Finding"</th>
                        <th scope="col">"You"</th>
                        <th scope="col">"Model"</th>
                        {live(move || case.with(Option::is_some).then(|| view! { <th scope="col">"Label"</th> }))}
                    </tr>
                </thead>
                <tbody>
                    {live(move || findings
                        .get()
                        .into_iter()
                        .enumerate()
                        .map(|(index, finding)| view! {
                            <tr data-testid=format!("compare-{index}")>
                                <th scope="row">{finding.name()}</th>
                                <td>{live(move || reader(finding))}</td>
                                <td class:called=move || model(finding).1>{live(move || model(finding).0)}</td>
                                {live(move || label(finding).map(|label| view! { <td>{label}</td> }))}
                            </tr>
                        })
                        .collect_view())}
                </tbody>
            </table>
            <p class="hint">"Bold: the model calls the finding. "{live(source)}</p>
        </section>
    }
}

/// What was read first since the page was opened, to be saved.
#[component]
fn SavedReadings() -> impl IntoView {
    let state = expect_context::<State>();
    let count = Memo::new(move |_| state.of_session(|session| session.readings().len()));
    let reads_first = Memo::new(move |_| state.of_session(Session::reads_first));
    let save = move |_| {
        let text = untrack(|| state.of_session(|session| csv(session.readings())));
        if save_text(&text, "text/csv", "sightline-readings.csv").is_err() {
            state.complain("The browser refused to save the file.");
        }
    };
    view! {
        <Show when=move || reads_first.get() || count.get() != 0>
            <div class="export">
                <button type="button" data-testid="reading-csv" disabled=move || count.get() == 0 on:click=save>
                    {live(move || format!("Save the readings (CSV): {}", count.get()))}
                </button>
            </div>
        </Show>
    }
}

/// The boxes that radiologists drew, once the reading is committed.
#[component]
pub fn Boxes(testid: &'static str) -> impl IntoView {
    let state = expect_context::<State>();
    let (committed, case) = (committed(state), case(state));
    let boxes = Memo::new(move |_| match committed.with(Option::is_some) {
        true => case.with(|case| case.as_ref().map(|(case, _)| case.boxes.clone())),
        false => None,
    });
    // Letters keep their shape: a unit is a thousandth of the picture's width.
    let height = move || {
        let aspect = state.preview.with(|image| {
            let image = image.as_ref()?;
            Some(image.height as f32 / image.width as f32)
        });
        WIDTH * aspect.unwrap_or(1.0)
    };
    let names = move || {
        let boxes = boxes.get().unwrap_or_default();
        let names: Vec<&str> = boxes.iter().map(|b| b.finding.name()).collect();
        format!("Boxes that a radiologist drew: {}", names.join(", "))
    };
    let drawn = move || {
        let height = height();
        let boxes = boxes.get().unwrap_or_default().into_iter();
        let boxes = boxes.map(|b| {
            let [left, top] = [b.x * WIDTH, b.y * height];
            // Above the box, or in it at the picture's edge.
            let line = (top - 10.0).max(40.0);
            let [across, down] = [b.w * WIDTH, b.h * height];
            let [x, y, line, width, height] =
                [left, top, line, across, down].map(|length| format!("{length:.1}"));
            view! {
                <rect x=x.clone() y=y width=width height=height/>
                <text x=x y=line>{b.finding.name()}</text>
            }
        });
        boxes.collect_view()
    };
    let any = move || boxes.with(|boxes| boxes.as_ref().is_some_and(|boxes| !boxes.is_empty()));
    view! {
        <Show when=any>
            <svg
                class="boxes"
                viewBox=move || format!("0 0 {WIDTH} {:.1}", height())
                data-testid=testid
                role="img"
                aria-label=names
            >
                {live(drawn)}
            </svg>
        </Show>
    }
}

fn committed(state: State) -> Memo<Option<Confidences>> {
    Memo::new(move |_| state.of_session(|session| session.committed().cloned()))
}

/// The case of the library, or the sample, that the radiograph is, and its licence.
fn case(state: State) -> Memo<Option<(Case, String)>> {
    Memo::new(move |_| {
        let name = state.of_session(|session| session.case().map(str::to_owned))?;
        state.library.with(|library| {
            let library = library.as_ref()?;
            Some((library.case(&name)?.clone(), library.licence.clone()))
        })
    })
}
