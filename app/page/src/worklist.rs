//! The list of radiographs that were given together: what is known of each, and the tables of all.

use leptos::html::{Button, Canvas};
use leptos::prelude::*;
use sightline_core::finding::Finding;
use sightline_session::session::Session;
use sightline_session::worklist::{ListState, Row, RowState, Study};
use web_sys::HtmlElement;

use super::canvas::paint_picture;
use super::download::save_text;
use super::effect::effect;
use super::gate;
use super::lasting;
use super::live::live;
use super::show::Show;
use super::state::State;

/// What rows are made of. Cheap to copy.
#[derive(Clone, Copy)]
struct List {
    /// While it is the same, no row changes.
    state: Memo<ListState>,
    scores: Memo<bool>,
    studies: Memo<Vec<Study>>,
    /// The study of each row that is of one with several views, from 1 up; 0 for other rows, and none for those behind the last.
    study_of: Memo<Vec<usize>>,
    /// What each row shows, by its place, and what tells it that this is another. A row does not follow the list, of which each change would ask every
    /// row.
    looks: StoredValue<Vec<(Look, Trigger)>>,
}

/// How far a row is, the number of its last change, and whether it is the one that is shown.
type Look = (RowState, u32, bool);

fn look_of(session: &Session, index: usize) -> Look {
    let list = session.worklist();
    let changed = list.rows().get(index).map_or(0, |row| row.changed);
    let is_open = list.open() == Some(index);
    (session.row_state(index), changed, is_open)
}

impl List {
    /// Tells the rows that look different now.
    fn tell_rows(self, state: State) {
        self.looks.update_value(|looks| {
            state.of_session(|session| {
                for (index, (look, changed)) in looks.iter_mut().enumerate() {
                    let now = look_of(session, index);
                    if *look != now {
                        *look = now;
                        // One that is gone hears nothing.
                        changed.notify();
                    }
                }
            });
        });
    }

    /// What tells a row that it looks different.
    fn changed(self, state: State, index: usize) -> Trigger {
        let changed = Trigger::new();
        let look = untrack(|| state.of_session(|session| look_of(session, index)));
        self.looks.update_value(|looks| {
            looks.resize(looks.len().max(index + 1), (look, changed));
            looks[index] = (look, changed);
        });
        changed
    }

    fn new(state: State) -> Self {
        let list = lasting::memo(move |_| state.of_session(Session::list_state));
        let studies = lasting::memo(move |_| {
            list.track();
            untrack(|| state.of_session(|session| session.worklist().studies()))
        });
        let study_of = lasting::memo(move |_| {
            studies.with(|all| {
                let mut numbers = Vec::new();
                for (study, number) in all.iter().zip(1..) {
                    for row in &study.rows {
                        numbers.resize(numbers.len().max(row + 1), 0);
                        numbers[*row] = number;
                    }
                }
                numbers
            })
        });
        Self {
            state: list,
            scores: lasting::memo(move |_| state.of_session(Session::lists_scores)),
            studies,
            study_of,
            looks: StoredValue::default(),
        }
    }
}

/// The list, where there are several radiographs.
#[component]
pub fn Worklist() -> impl IntoView {
    let state = expect_context::<State>();
    let shown = Memo::new(move |_| state.of_session(|session| session.worklist().is_shown()));
    let list = List::new(state);
    effect(move || {
        list.state.track();
        untrack(|| list.tell_rows(state));
    });
    // Each row once, however often it was shown before another took its place.
    let order = Memo::new(move |_| {
        list.state.track();
        list.scores.track();
        untrack(|| {
            state.of_session(|session| {
                let rows = session.worklist().rows();
                let order = session.row_order().into_iter();
                let order = order.filter_map(|index| Some((index, rows.get(index)?.born)));
                order.collect::<Vec<(usize, u32)>>()
            })
        })
    });
    view! {
        <Show when=move || shown.get()>
            <section class="worklist" data-testid="worklist" aria-label="Worklist">
                <Head list/>
                <Tools list/>
                <ol class="rows" aria-label="Radiographs. n and p open the next and the previous one.">
                    <For each=move || order.get() key=|(_, born)| *born let((index, _))>
                        <RowView index list/>
                    </For>
                </ol>
                <Show when=move || list.scores.get()><Studies list/></Show>
            </section>
        </Show>
    }
}

/// How far it is.
#[component]
fn Head(list: List) -> impl IntoView {
    let state = expect_context::<State>();
    let of_list = move || {
        list.state.track();
        untrack(|| {
            state.of_session(|session| {
                let list = session.worklist();
                let (read, refused) = list.counts();
                (list.rows().len(), read, refused, list.is_halted())
            })
        })
    };
    let counted = Memo::new(move |_| of_list());
    let count = move || {
        let (all, read, refused, _) = counted.get();
        let refused = match refused {
            0 => String::new(),
            some => format!(", {some} cannot be read"),
        };
        format!("{read} of {all} read{refused}")
    };
    let doing = move || {
        let (all, read, refused, halted) = counted.get();
        match (all > read + refused, halted) {
            (false, _) => "All are done.",
            (true, true) => "Reading in the background is stopped.",
            (true, false) => "The others are read in the background.",
        }
    };
    let waits = move || {
        let (all, read, refused, _) = counted.get();
        all > read + refused
    };
    let halted = move || counted.get().3;
    view! {
        <div class="worklist-head">
            <h2>"Worklist"</h2>
            <span data-testid="worklist-progress">{live(count)}</span>
            <progress
                aria-label="Radiographs that are done"
                max=move || counted.get().0.to_string()
                value=move || (counted.get().1 + counted.get().2).to_string()
            ></progress>
            <span role="status">{live(doing)}</span>
            <Show when=move || waits() && !halted()>
                <button type="button" data-testid="worklist-cancel" on:click=move |_| state.tell(Session::halt_list)>
                    "Stop reading"
                </button>
            </Show>
            <Show when=move || waits() && halted()>
                <button type="button" data-testid="worklist-resume" on:click=move |_| state.tell(Session::resume_list)>
                    "Read on"
                </button>
            </Show>
        </div>
    }
}

/// What is done with all rows.
#[component]
fn Tools(list: List) -> impl IntoView {
    let state = expect_context::<State>();
    let save = move |text: Option<String>, kind: &str, name: &str| {
        let saved = text.is_some_and(|text| save_text(&text, kind, name).is_ok());
        if !saved {
            state.complain("The browser refused to save the file.");
        }
    };
    let csv = move |_| {
        let text = untrack(|| state.of_session(|session| session.worklist().csv()));
        save(Some(text), "text/csv", "sightline-worklist.csv");
    };
    let json = move |_| {
        let text = untrack(|| state.of_session(|session| session.worklist().json()));
        save(text, "application/json", "sightline-worklist.json");
    };
    let sort = move |event| {
        let name = event_target_value(&event);
        let mut findings = untrack(|| state.findings()).into_iter();
        let finding = findings.find(|finding| finding.name() == name);
        state.tell(|session| session.sort_rows(finding));
    };
    let findings = Memo::new(move |_| state.findings());
    let sorted_by = move |finding: Option<Finding>| list.state.get().sorted_by == finding;
    let none_read = move || {
        list.state.track();
        untrack(|| state.of_session(|session| session.worklist().counts().0 == 0))
    };
    let no_table = Memo::new(move |_| none_read() || !list.scores.get());
    view! {
        <div class="export">
            <label class="choice">
                "Sort by "
                <select data-testid="worklist-sort" disabled=move || !list.scores.get() on:change=sort>
                    <option value="" selected=move || sorted_by(None)>"the order given"</option>
                    {live(move || findings
                        .get()
                        .into_iter()
                        .map(|finding| view! {
                            <option value=finding.name() selected=move || sorted_by(Some(finding))>{finding.name()}</option>
                        })
                        .collect_view())}
                </select>
            </label>
            <button
                type="button"
                data-testid="worklist-csv"
                title="The radiographs that are read, as the command predict writes them"
                disabled=move || no_table.get()
                on:click=csv
            >
                "Save all that are read (CSV)"
            </button>
            <button type="button" data-testid="worklist-json" disabled=move || no_table.get() on:click=json>
                "Save all that are read (JSON)"
            </button>
            <button type="button" data-testid="worklist-clear" on:click=move |_| state.clear_list()>"Clear the list"</button>
        </div>
    }
}

#[component]
fn RowView(index: usize, list: List) -> impl IntoView {
    let state = expect_context::<State>();
    let canvas = NodeRef::<Canvas>::new();
    let look = list.changed(state, index);
    let looks = move || {
        look.track();
        untrack(|| state.of_session(|session| look_of(session, index)))
    };
    let how = move || looks().0;
    let is_open = move || looks().2;
    fn of_row<T: Default>(state: State, index: usize, what: impl FnOnce(&Row) -> T) -> T {
        untrack(|| {
            state.of_session(|session| {
                let row = session.worklist().rows().get(index);
                row.map(what).unwrap_or_default()
            })
        })
    }
    effect(move || {
        look.track();
        let image = of_row(state, index, |row| row.thumbnail.clone());
        if let (Some(canvas), Some(image)) = (canvas.get(), image) {
            paint_picture(&canvas, &image, false);
        }
    });
    let button = NodeRef::<Button>::new();
    let opened = Memo::new(move |_| is_open());
    effect(move || {
        if let Some(button) = button.get().filter(|_| opened.get()) {
            scroll_to(&button);
        }
    });
    let name = of_row(state, index, |row| row.shown_name().to_owned());
    let file = name.clone();
    let said = move || match how() {
        RowState::Waiting => "Waiting".to_owned(),
        RowState::Reading => "Reading".to_owned(),
        RowState::Refused => of_row(state, index, |row| {
            format!("Not readable: {}", row.why().unwrap_or_default())
        }),
        RowState::Read => of_row(state, index, |row| {
            let gate = row.report().and_then(|report| report.gate.as_ref());
            gate.map_or("Read", |gate| gate::title(gate.verdict))
                .to_owned()
        }),
    };
    let study = move || {
        list.study_of
            .with(|all| all.get(index).copied().filter(|number| *number > 0))
    };
    let top = move || {
        look.track();
        let top = match list.scores.get() {
            true => of_row(state, index, Row::top),
            false => Vec::new(),
        };
        top.into_iter()
            .map(|(finding, score, called)| {
                view! { <span class:called=called>{format!("{finding} {score:.2}")}</span> }
            })
            .collect_view()
    };
    view! {
        <li>
            <button
                node_ref=button
                type="button"
                data-testid=format!("study-{index}")
                data-state=move || how().name()
                data-file=file
                aria-current=move || is_open().then_some("true")
                on:click=move |_| state.tell(|session| session.open_row(index))
            >
                <canvas node_ref=canvas width="1" height="1" aria-hidden="true"></canvas>
                <span class="name" translate="no">{name}</span>
                <span class="said">
                    {live(move || { look.track(); said() })}
                    {live(move || study().map(|number| format!(". Study {number}")))}
                </span>
                <span class="top">{live(top)}</span>
            </button>
        </li>
    }
}

/// Moves the list, and nothing else of the page, until a row of it is in view.
fn scroll_to(row: &HtmlElement) {
    let list = row.closest(".rows").ok().flatten();
    let Some(list) = list.filter(|list| list.client_height() > 0) else {
        return;
    };
    let (top, bottom) = (row.offset_top(), row.offset_top() + row.offset_height());
    let (from, height) = (list.scroll_top(), list.client_height());
    if top < from {
        list.set_scroll_top(top);
    } else if bottom > from + height {
        list.set_scroll_top(bottom - height);
    }
}

/// The maxima of studies of several views.
#[component]
fn Studies(list: List) -> impl IntoView {
    let state = expect_context::<State>();
    let lines = move || {
        let studies = list.studies.get().into_iter().zip(1..);
        let lines = studies.map(|(study, number)| {
            let scores = state.findings().into_iter().zip(study.maximum);
            let called = scores.filter(|(finding, _)| study.called.contains(finding));
            let called = called
                .map(|(finding, score)| format!("{finding} {:.2}", score.unwrap_or_default()));
            let called: Vec<String> = called.collect();
            let called = match called.is_empty() {
                true => "no finding is called".to_owned(),
                false => called.join(", "),
            };
            let views = study.rows.len();
            view! { <li>{format!("Study {number}, {views} views: {called}")}</li> }
        });
        lines.collect_view()
    };
    view! {
        <Show when=move || list.studies.with(|all| !all.is_empty())>
            <h3>"Studies of several views"</h3>
            <p class="hint">"The highest score of its views for each finding that is called. Views that the gate stopped do not count."</p>
            <ul class="studies" tabindex="0" aria-label="Studies of several views" data-testid="worklist-studies">{live(lines)}</ul>
        </Show>
    }
}
