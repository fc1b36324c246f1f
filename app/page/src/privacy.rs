//! What the page asked for, and what it keeps on this machine.

use leptos::prelude::*;

use super::fold::Fold;
use super::live::live;
use super::offline::{Kept, Offline};
use super::requests::{Asked, Requests};

#[component]
pub fn PrivacyPanel(offline: Offline, requests: Requests) -> impl IntoView {
    let count = move || requests.all.with(Vec::len);
    let rows = move || requests.all.get().into_iter().enumerate();
    view! {
        <section class="privacy" data-testid="privacy-panel" aria-label="Privacy">
            <h2>{live(move || format!("{} requests since the start, none with data", count()))}</h2>
            <p>
                "This page only asks (GET, without a body), and its policy lets it ask its own server alone. \
                 Pictures and results are in none of these requests."
            </p>
            {live(move || match offline.kept.get() {
                Kept::NotYet => view! { <p>"Not kept on this machine so far."</p> }.into_any(),
                Kept::Whole => view! {
                    <p data-testid="offline-ready">
                        "Kept on this machine: the page, its engine and the model in use. It reads without network from now on."
                    </p>
                }.into_any(),
                Kept::No(why) => view! {
                    <p data-testid="offline-not">{format!("It works, but cannot be kept for use without network: {why}.")}</p>
                }.into_any(),
            })}
            <ul class="remarks" role="status" data-testid="offline-notes">
                <For each=move || requests.notes.get() key=String::clone let:note>
                    <li>{note}</li>
                </For>
            </ul>
            <Fold title="All of them">
            <ol data-testid="requests" tabindex="0" aria-label="Requests">
                <For each=rows key=|(at, asked)| (*at, asked.from) let:row>
                    <Row asked=row.1/>
                </For>
            </ol>
            </Fold>
        </section>
    }
}

#[component]
fn Row(asked: Asked) -> impl IntoView {
    let Asked {
        address,
        by,
        at,
        size,
        from,
    } = asked;
    view! {
        <li data-from=from>
            <code>{address}</code>
            <span>{size.map_or("size not told".to_owned(), |size| format!("{:.1} kB", size / 1000.0))}</span>
            <span>{format!("after {at:.1} s")}</span>
            <span>{format!("by {by}")}</span>
            <span>{from}</span>
        </li>
    }
}
