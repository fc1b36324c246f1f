//! The reading on one page of A4, by the browser's own printing. The sheet is part of the document and is seen on paper alone.
//!
//! Nothing on it names a patient but what its reader types: the file's name may hold one, so it is not printed.

use js_sys::Date;
use leptos::ev;
use leptos::html::Canvas;
use leptos::prelude::*;
use sightline_core::explain::look::MapKind;
use sightline_core::explain::method::Method;
use sightline_core::package::{FindingCard, Manifest};
use sightline_core::report::FindingReport;
use sightline_session::picture::ReadPicture;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::HtmlCanvasElement;

use super::canvas::{context, paint_picture};
use super::color_bar;
use super::contours;
use super::effect::effect;
use super::lasting;
use super::live::live;
use super::show::Show;
use super::state::State;
use super::{gate, trust};

/// The longer side of a printed picture: 85 mm at 300 dots an inch.
const SIDE: f64 = 1004.0;
/// How tall the colour bar is, in the same dots.
const BAR: u32 = 40;
/// Characters of the model's limits, more than which do not fit beside the rest.
const LIMITS: usize = 1500;

/// What the reader typed, to know the sheet by.
#[derive(Clone, Copy)]
pub struct Reference(RwSignal<String>);

impl Reference {
    /// An empty one, which is emptied whenever another radiograph is shown: it is not that one's.
    pub fn new(state: State) -> Self {
        let text = lasting::signal(RwSignal::new(String::new()));
        effect(move || {
            state.preview.track();
            text.set(String::new());
        });
        Self(text)
    }
}

#[component]
pub fn PrintButton() -> impl IntoView {
    let state = expect_context::<State>();
    let Reference(reference) = expect_context();
    let print = move |_| {
        if window().print().is_err() {
            state.complain("The browser refused to print.");
        }
    };
    view! {
        <button type="button" data-testid="print-report" on:click=print>"Print the report (one page)"</button>
        <label class="reference">
            <small>"Reference (printed as typed)"</small>
            <input
                type="text"
                maxlength="80"
                autocomplete="off"
                data-testid="print-reference"
                prop:value=reference
                on:input=move |event| reference.set(event_target_value(&event))
            />
        </label>
    }
}

/// What is printed, while there are scores.
#[component]
pub fn Sheet() -> impl IntoView {
    let state = expect_context::<State>();
    view! { <Show when=move || state.scored.get()><Printed/></Show> }
}

#[component]
fn Printed() -> impl IntoView {
    let state = expect_context::<State>();
    let Reference(reference) = expect_context();
    let canvases: [NodeRef<Canvas>; 3] = std::array::from_fn(|_| NodeRef::new());
    let [original, map, bar] = canvases;
    // Pictures of 300 dots an inch are painted for the printer alone, and not with every finding that is pointed at.
    let listening = window_event_listener(ev::Custom::<web_sys::Event>::new("beforeprint"), {
        move |_| {
            if let [Some(original), Some(map), Some(bar)] = canvases.map(|c| c.get_untracked())
                && untrack(|| paint(state, &original, &map, &bar)).is_err()
            {
                leptos::logging::error!("the pictures of the sheet cannot be painted");
            }
        }
    });
    on_cleanup(move || listening.remove());

    let date = Memo::new(move |_| {
        state.preview.track();
        today()
    });
    let rows = Memo::new(move |_| {
        let manifest = state.manifest.get();
        state.of_picture(|picture| rows(picture, manifest.as_deref()))
    });
    let facts = Memo::new(move |_| state.of_picture(facts));
    let limits = Memo::new(move |_| state.manifest.with(|m| m.as_deref().map(limits)));
    let gate = move || {
        let gate = state.gate.get()?;
        Some(format!("{}. {}", gate::title(gate.verdict), gate.why))
    };
    let most = move || {
        let kind = state.kind.get();
        state.shown_map().map_or(0.0, |map| kind.most(&map))
    };
    let least = move || match state.kind.get() {
        MapKind::Positive => "0".to_owned(),
        MapKind::Both => format!("-{:.2} (against)", most()),
    };
    view! {
        <section class="sheet" data-testid="print-sheet" aria-label="The report, for printing">
            <div class="apart">
                <h2>"Sightline: what a model sees in a chest X-ray"</h2>
                <p>"Reading of "{date}</p>
            </div>
            <p><strong>"Not a medical device. "</strong>"For research and teaching only: do not use it to diagnose or to decide on treatment."</p>
            <Show when=move || reference.with(|text| !text.trim().is_empty())>
                <p data-testid="printed-reference">"Reference: "<strong translate="no">{reference}</strong></p>
            </Show>
            <div class="beside">
                <figure>
                    <canvas node_ref=original></canvas>
                    <figcaption>"The radiograph."</figcaption>
                </figure>
                <figure>
                    <canvas node_ref=map></canvas>
                    <canvas class="bar" node_ref=bar></canvas>
                    <div class="apart"><span>{live(least)}</span><span>{live(move || state.method.get().unit())}</span><span>{live(move || format!("+{:.2}", most()))}</span></div>
                    <figcaption>{live(move || shown(state))}</figcaption>
                </figure>
            </div>
            <div class="beside">
                <table>
                    <thead><tr>
                        <th scope="col">"Finding"</th><th scope="col">"Score"</th><th scope="col">"Called (from)"</th>
                        <th scope="col">"AUC (95% interval)"</th>
                    </tr></thead>
                    <tbody>
                        {live(move || rows.get().unwrap_or_default().into_iter().map(|(name, values)| view! {
                            <tr><th scope="row">{name}</th>{values.into_iter().map(|value| view! { <td>{value}</td> }).collect_view()}</tr>
                        }).collect_view())}
                    </tbody>
                </table>
                <div>
                    <h3>"Is it a picture for this model?"</h3>
                    <p>{live(gate)}</p>
                    <h3>"Can this map be trusted?"</h3>
                    <p data-testid="printed-trust">{live(move || measured(state))}</p>
                    <h3>"What a score is"</h3>
                    <p>
                        "A score is not a probability of disease. The model calls a finding from its operating point on. The AUC says how often a case \
                         with the finding scores higher than one without it, on the images on which the model was evaluated."
                    </p>
                </div>
            </div>
            <dl>
                {live(move || facts.get().unwrap_or_default().into_iter().map(|(name, value)| view! {
                    <dt>{name}</dt><dd>{value}</dd>
                }).collect_view())}
                <dt>"Limits"</dt><dd lang="en" translate="no">{limits}</dd>
            </dl>
        </section>
    }
}

/// The day and the time, where the reader is.
fn today() -> String {
    let now = Date::new_0();
    format!(
        "{}-{:02}-{:02} {:02}:{:02}",
        now.get_full_year(),
        now.get_month() + 1,
        now.get_date(),
        now.get_hours(),
        now.get_minutes()
    )
}

/// Each finding with its score, whether it is called, and how well its score separates cases.
fn rows(picture: &ReadPicture, manifest: Option<&Manifest>) -> Vec<(&'static str, [String; 3])> {
    let row = |index: usize| {
        let finding = picture.report.findings.get(index)?;
        let card = manifest.and_then(|manifest| manifest.findings.get(index));
        Some((finding.name.name(), values(finding, card)))
    };
    picture.ranking().into_iter().filter_map(row).collect()
}

fn values(finding: &FindingReport, card: Option<&FindingCard>) -> [String; 3] {
    let Some(score) = finding.probability else {
        return ["not trained".to_owned(), String::new(), String::new()];
    };
    let called = if finding.called { "yes" } else { "no" };
    let called = match finding.operating_point {
        Some(point) => format!("{called} ({point:.2})"),
        None => String::new(),
    };
    let auc = match card.map(|card| (card.auc, card.auc_ci95)) {
        Some((Some(auc), Some([low, high]))) => format!("{auc:.2} ({low:.2} to {high:.2})"),
        Some((Some(auc), None)) => format!("{auc:.2}"),
        _ => "not measured".to_owned(),
    };
    [format!("{score:.2}"), called, auc]
}

/// What repeats the reading, and what it was made of.
fn facts(picture: &ReadPicture) -> [(&'static str, String); 5] {
    let report = &picture.report;
    let (image, model) = (&report.image, &report.model);
    [
        (
            "Picture",
            format!("{}. SHA-256 of the file: {}", image.said(), image.sha256),
        ),
        ("Model", format!("{} ({})", model.title, model.name)),
        ("Weights", format!("SHA-256: {}", model.weights_sha256)),
        (
            "Computed",
            format!("{}, on {}", report.software, report.adapter),
        ),
        (
            "To repeat it",
            format!(
                "sightline-trainer explain --model www/models/{} --replay report.json IMAGE (report.json: the report that the page saves)",
                model.name
            ),
        ),
    ]
}

/// The model's limits, as many as fit, and how many more there are.
fn limits(manifest: &Manifest) -> String {
    let mut said = String::new();
    for (index, limit) in manifest.limits.iter().enumerate() {
        if said.len() + limit.len() > LIMITS {
            let more = manifest.limits.len() - index;
            return format!("{said}And {more} more: see the model's card.");
        }
        said = said + limit + " ";
    }
    said
}

/// What the map in view is.
fn shown(state: State) -> String {
    let method = state.method.get();
    let of = state.branch.get().and_then(|index| {
        let branches = state.of_picture(ReadPicture::branches)?;
        branches.into_iter().nth(index)
    });
    let of = of.filter(|_| method == Method::GradCam);
    format!(
        "{}{}: {} {}.",
        method.title(),
        of.map_or(String::new(), |network| format!(" of {network}")),
        method.shows(),
        state.selected_finding().map_or("", |f| f.name.name())
    )
}

/// What was measured of the map in view, on this picture.
fn measured(state: State) -> String {
    let Some(trust) = state.trust() else {
        return "This was not measured on this picture.".to_owned();
    };
    let faithful = &trust.faithfulness;
    let mut said = format!(
        "{} Area under the deletion curve {:.2}, under the insertion curve {:.2}; against the same map moved elsewhere p = {:.2}, against spots \
         about the middle p = {:.2}.",
        trust::verdict(faithful.verdict()),
        faithful.deletion.area,
        faithful.insertion.area,
        faithful.p_moved(),
        faithful.p_middle()
    );
    if let Some(elsewhere) = trust.elsewhere {
        said += &format!(
            " Evidence outside the body {:.0}%, on markers {:.0}%.",
            100.0 * elsewhere.background,
            100.0 * elsewhere.markers
        );
    }
    if let (Some(agreement), Some(other)) = (trust.agreement, trust.agreement_with) {
        said += &format!(
            " Shared with {other}: {:.0}% of the fifth that each map marks most (20% by chance).",
            100.0 * agreement.top_overlap
        );
    }
    if state.branch.get().is_some() && trust.method == Method::GradCam {
        said += " These figures are of the map of all networks together.";
    }
    said
}

fn paint(
    state: State,
    original: &HtmlCanvasElement,
    map: &HtmlCanvasElement,
    bar: &HtmlCanvasElement,
) -> Result<(), JsValue> {
    let Some(preview) = state.preview.get() else {
        return Ok(());
    };
    let small: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    paint_picture(&small, &preview, false);
    enlarge(&small, original)?;
    let look = state.look();
    if let (Some(cells), Some(region)) = (state.shown_map(), state.region.get()) {
        contours::paint_shown(state, &small, &preview, &cells, region)?;
    }
    enlarge(&small, map)?;
    bar.set_width(SIDE as u32);
    bar.set_height(BAR);
    let bar = context(bar).ok_or("no canvas")?;
    for x in 0..SIDE as u32 {
        bar.set_fill_style_str(&color_bar::colour(look, x as f32 / SIDE as f32));
        bar.fill_rect(f64::from(x), 0.0, 1.0, f64::from(BAR));
    }
    Ok(())
}

/// Paints a picture at the printer's size.
fn enlarge(from: &HtmlCanvasElement, to: &HtmlCanvasElement) -> Result<(), JsValue> {
    let (width, height) = (f64::from(from.width()), f64::from(from.height()));
    let scale = SIDE / width.max(height);
    let [width, height] = [width, height].map(|side| (scale * side).round().max(1.0));
    to.set_width(width as u32);
    to.set_height(height as u32);
    let context = context(to).ok_or("no canvas")?;
    context.draw_image_with_html_canvas_element_and_dw_and_dh(from, 0.0, 0.0, width, height)
}
