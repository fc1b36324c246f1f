//! A reading that was kept, beside the one in view.

use std::sync::Arc;

use leptos::html::Canvas;
use leptos::prelude::*;
use sightline_core::finding::Finding;
use sightline_core::radiograph::{GreyImage, resize};
use sightline_core::report::Report;
use sightline_session::compare::{Line, finding_of, is_another, lines};
use sightline_session::picture::ReadPicture;

use super::canvas::{paint_overlay, paint_picture};
use super::effect::effect;
use super::lasting;
use super::live::live;
use super::show::Show;
use super::state::State;

/// The longer side of the pictures.
const SIDE: usize = 384;

/// The button that keeps a reading, and both readings once another is in view.
#[component]
pub fn Compare() -> impl IntoView {
    let state = expect_context::<State>();
    let kept = lasting::signal(RwSignal::new(None::<Arc<ReadPicture>>));
    let pin = move |_| kept.set(state.picture.get_untracked());
    let said = move || {
        kept.with(|kept| {
            let report = &kept.as_ref()?.report;
            Some(format!("Kept: {}.", title(report)))
        })
    };
    let compared = lasting::memo(move |_| {
        kept.with(|kept| {
            let first = &kept.as_ref()?.report;
            let lines = state.of_picture(|picture| {
                let second = &picture.report;
                is_another(first, second).then(|| lines(first, second))
            });
            lines.flatten()
        })
    });
    view! {
        <Show when=move || state.scored.get()>
            <div class="export compare-tools">
                <button type="button" data-testid="compare-pin" on:click=pin>"Keep to compare"</button>
                <Show when=move || kept.with(Option::is_some)>
                    <button type="button" data-testid="compare-forget" on:click=move |_| kept.set(None)>"Forget"</button>
                </Show>
                <span role="status" class="hint">{live(said)}</span>
            </div>
            <Show when=move || compared.with(Option::is_some)>
                <section class="compare" data-testid="compare" aria-label="Two readings side by side">
                    <h2>"Side by side"</h2>
                    <div class="compare-pictures">
                        <Side picture=kept.into() letter="A" testid="compare-canvas-a"/>
                        <Side picture=state.picture.into() letter="B" testid="compare-canvas-b"/>
                    </div>
                    <Table compared/>
                </section>
            </Show>
        </Show>
    }
}

/// A picture with Grad-CAM's map of the selected finding.
#[component]
fn Side(
    picture: Signal<Option<Arc<ReadPicture>>>,
    letter: &'static str,
    testid: &'static str,
) -> impl IntoView {
    let state = expect_context::<State>();
    let canvas = NodeRef::<Canvas>::new();
    // No memo: what reads the picture beside a memo that is made of it may miss that the picture changed (see the viewer).
    let finding = move || state.selected_finding().map(|finding| finding.name);
    effect(move || {
        let (look, opacity) = (state.look(), state.opacity.get());
        let finding = finding();
        if let (Some(canvas), Some(picture)) = (canvas.get(), picture.get()) {
            let image = small(&picture.preview);
            let map = finding.and_then(|finding| finding_of(&picture.report, finding));
            match map.zip(picture.region()) {
                Some((map, region)) => {
                    let cells = &map.grad_cam.cells;
                    paint_overlay(&canvas, &image, cells, region, (look, opacity));
                }
                None => paint_picture(&canvas, &image, false),
            }
        }
    });
    let said = move || {
        let title = picture.with(|picture| Some(title(&picture.as_ref()?.report)));
        format!("{letter}: {}", title.unwrap_or_default())
    };
    let label = move || {
        let finding = finding().map_or("no finding", Finding::name);
        format!("{letter} with a Grad-CAM map of {finding}")
    };
    view! {
        <figure>
            <canvas node_ref=canvas data-testid=testid role="img" aria-label=label></canvas>
            <figcaption>{live(said)}</figcaption>
        </figure>
    }
}

#[component]
fn Table(compared: Memo<Option<Vec<Line>>>) -> impl IntoView {
    let state = expect_context::<State>();
    let selected = Memo::new(move |_| state.selected_finding().map(|finding| finding.name));
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
    let signed =
        |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:+.2}"));
    let rows = move || {
        let lines = compared.get().unwrap_or_default().into_iter().enumerate();
        let rows = lines.map(|(index, line)| {
            let finding = line.finding;
            let difference = line.score_difference();
            view! {
                <tr
                    data-testid=format!("compare-row-{index}")
                    data-difference=difference.map(|difference| format!("{difference:.6}"))
                    class:selected=move || selected.get() == Some(finding)
                >
                    <th scope="row">{finding.name()}</th>
                    <td>{number(line.scores[0])}</td>
                    <td>{number(line.scores[1])}</td>
                    <td>{signed(difference)}</td>
                    <td>{number(line.evidence[0])}</td>
                    <td>{number(line.evidence[1])}</td>
                    <td>{signed(line.evidence_difference())}</td>
                </tr>
            }
        });
        rows.collect_view()
    };
    view! {
        <div class="compare-table" role="region" tabindex="0" aria-label="Scores and evidence of both readings">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Finding"</th>
                        <th scope="col">"Score A"</th>
                        <th scope="col">"Score B"</th>
                        <th scope="col">"B − A"</th>
                        <th scope="col">"Evidence for, A"</th>
                        <th scope="col">"Evidence for, B"</th>
                        <th scope="col">"B − A"</th>
                    </tr>
                </thead>
                <tbody>{live(rows)}</tbody>
            </table>
        </div>
        <p class="hint">
            "Evidence for a finding: the positive cells of Grad-CAM's map together, in logits. Scores and evidence of two models are on scales of their own."
        </p>
    }
}

/// The file and the model of a reading.
fn title(report: &Report) -> String {
    let file = match report.image.file.as_str() {
        "" => "Pasted picture",
        file => file,
    };
    format!("{file}, {}", report.model.title)
}

fn small(image: &GreyImage) -> GreyImage {
    let side = image.width.max(image.height);
    if side <= SIDE {
        return image.clone();
    }
    let scaled = |length: usize| (length * SIDE / side).max(1);
    resize(image, scaled(image.width), scaled(image.height))
}
