//! How far to trust the finding and the map in view: what was measured of the model, and what is measured here, on this picture.

use leptos::prelude::*;
use sightline_core::explain::method::Method;
use sightline_core::package::{FindingCard, LocalisedBy, Maps, Marks, Pointing};
use sightline_core::trust::Trust;
use sightline_core::trust::faithfulness::{Curve, LEVEL, Verdict};
use sightline_core::trust::sanity::Randomised;
use sightline_core::trust::sanity::{Alike, Sanity};
use sightline_session::session::Status;

use super::live::live;
use super::show::Show;
use super::stage::{Size, Stage};
use super::state::State;

/// Said beside how often Grad-CAM hits, of a model that was taught so.
const TAUGHT: &str = "This model was also trained to make Grad-CAM point at boxes that radiologists drew. So its map shows where the finding is \
                      better than it shows what the score depends on.";

/// What was measured of maps against radiologists' boxes.
fn on_boxes(maps: Maps) -> LocalisedBy {
    LocalisedBy {
        maps,
        marks: Marks::Boxes,
    }
}

/// The finding's card in the manifest.
fn card(state: State, index: usize) -> Option<FindingCard> {
    state
        .manifest
        .with(|manifest| manifest.as_ref()?.findings.get(index).cloned())
}

/// What was measured of this model on this finding.
#[component]
pub fn TrustPanel() -> impl IntoView {
    let state = expect_context::<State>();
    let text = move || {
        let finding = state.selected_finding()?;
        let card = card(state, state.selected.get()?)?;
        let evidence = state
            .manifest
            .with(|m| m.as_ref()?.evaluation.as_ref().map(|e| e.set.clone()));
        let auc = match (card.auc, card.auc_ci95, evidence) {
            (Some(auc), Some([low, high]), Some(set)) => format!(
                "Measured on the image set “{set}”: a case with the finding scores higher than a case without it {:.0} times in 100 \
                 (AUC {auc:.2}, 95% interval {low:.2} to {high:.2}; {} cases with it, {} without).",
                auc * 100.0,
                card.positives,
                card.negatives
            ),
            _ => "How well this score separates cases with the finding from cases without it was not measured.".to_owned(),
        };
        let weak = card.auc_ci95.is_some_and(|[low, _]| low < 0.6).then(|| {
            "The interval comes close to chance (0.5): do not rely on this score or its map."
                .to_owned()
        });
        let called = match (finding.probability, finding.operating_point) {
            (Some(p), Some(point)) if p >= point && !finding.called => format!(
                "The score {p:.2} is at or above the operating point {point:.2}. The model calls another finding, so it does not call “{}”.",
                finding.name
            ),
            (Some(p), Some(point)) if p >= point => {
                format!(
                    "The score {p:.2} is at or above the operating point {point:.2}: the model calls this finding."
                )
            }
            (Some(p), Some(point)) => {
                format!(
                    "The score {p:.2} is below the operating point {point:.2}: the model does not call this finding."
                )
            }
            _ => String::new(),
        };
        let maps = match card
            .localisation
            .get(&on_boxes(Maps::By(state.method.get())))
        {
            Some(measured) => format!(
                "The highest point of this model's {} map lies in the radiologist's box in {:.0}% of {} images{}{}.{}",
                state.method.get().title(),
                measured.pointing_hit * 100.0,
                measured.n,
                match measured.pointing_hit_ci95 {
                    Some([low, high]) => format!(
                        " (95% interval {:.0}% to {:.0}%)",
                        100.0 * low,
                        100.0 * high
                    ),
                    None => String::new(),
                },
                match card.localisation.get(&on_boxes(Maps::Centre)) {
                    Some(centre) => format!(
                        "; the middle of the picture lies in the box in {:.0}% of them",
                        centre.pointing_hit * 100.0
                    ),
                    None => String::new(),
                },
                match card.pointing(&on_boxes(Maps::By(state.method.get()))) {
                    Some(Pointing::Unreliable) => format!(
                        " By this measure or by the overlap with the box, these maps are no better than a spot in the middle of the \
                         picture: {} maps of {} are unreliable for this model.",
                        state.method.get().title(),
                        finding.name.name()
                    ),
                    Some(Pointing::Unsettled { p }) => format!(
                        " Whether this is better than the middle cannot be told: there were too few images (p = {p:.2})."
                    ),
                    Some(Pointing::Better { p }) => {
                        format!(
                            " On the same images this is better than the middle (paired test, p = {p:.3})."
                        )
                    }
                    None => String::new(),
                }
            ),
            None => format!(
                "It was not measured on radiologists' boxes whether this model's {} maps point at this finding. A map shows what the \
                 model used, not where the disease is.",
                state.method.get().title()
            ),
        };
        let taught = state
            .manifest
            .with(|m| m.as_ref().is_some_and(|m| m.training.taught_with_boxes));
        let taught = (taught && state.method.get().is_taught_by_boxes()).then(|| TAUGHT.to_owned());
        Some((
            finding.name.name(),
            [Some(called), Some(auc), weak, Some(maps), taught],
        ))
    };
    view! {
        <Show when=move || state.scored.get()>
            <section class="trust" data-testid="trust-panel">
                <h2>"Can I trust this? "<small>{live(move || text().map(|(name, _)| name))}</small></h2>
                <ul>
                    {live(move || text().map(|(_, lines)| lines
                        .into_iter()
                        .flatten()
                        .filter(|line| !line.is_empty())
                        .map(|line| view! { <li>{line}</li> })
                        .collect_view()))}
                </ul>
                <Measured/>
            </section>
        </Show>
    }
}

/// What is measured on this picture, on request: it takes as many passes as some 330 pictures.
#[component]
fn Measured() -> impl IntoView {
    let state = expect_context::<State>();
    let busy = move || state.status.get() != Status::Ready || state.shown_map().is_none();
    view! {
        <h3>"This map, on this picture"</h3>
        <Show when=move || state.branch.get().is_some() && state.method.get() == Method::GradCam>
            <p class="hint">"These figures are of the map of all networks together, not of the map in view."</p>
        </Show>
        <div role="status">
            {live(move || state.trust().map(|trust| view! { <p data-testid="verdict">{verdict(trust.faithfulness.verdict())}</p> }))}
        </div>
        {live(move || state.trust().map_or_else(
            || view! {
                <p class="hint">
                    "Does the score depend on what the map marks? The engine erases what the map marks and scores the picture again."
                </p>
            }
            .into_any(),
            |trust| view! { <Figures trust/> }.into_any(),
        ))}
        <button data-testid="measure" disabled=busy on:click=move |_| state.tell(|session| session.measure())>
            {live(move || if state.trust().is_some() { "Measure again" } else { "Measure this map" })}
        </button>
    }
}

/// The verdict in words.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Rests => {
            "The score rests on what this map marks, more than on other places and more than on the middle of the picture."
        }
        Verdict::NoBetterThanTheMiddle => {
            "What this map marks matters to the score, but a spot about the middle of the picture may matter as much: the map adds little."
        }
        Verdict::NoBetterThanElsewhere => {
            "The same map moved elsewhere may matter as much to the score: do not read this map as a reason for the score."
        }
    }
}

#[component]
fn Figures(trust: Trust) -> impl IntoView {
    let faithful = &trust.faithfulness;
    let (draws, level) = (faithful.options.draws, 100.0 * LEVEL);
    let tested = format!(
        "The map passes if it does better than the same map moved elsewhere ({draws} times, p = {:.2}) and better than spots about \
         the middle ({draws} times, p = {:.2}). The measure is the area under the insertion curve minus the area under \
         the deletion curve. Of random maps, at most {level:.0} in 100 pass.",
        faithful.p_moved(),
        faithful.p_middle()
    );
    let agreement = match trust.agreement {
        Some(agreement) => {
            let order = agreement
                .rank_correlation
                .map_or("not defined".to_owned(), |r| format!("{r:.2}"));
            let share = 100.0 * agreement.top_overlap;
            let meaning = if agreement.top_overlap < 0.4 {
                "they disagree, so rely on neither alone"
            } else {
                "what both mark is more likely to matter"
            };
            let (one, other) = (trust.method, trust.agreement_with.unwrap_or(Method::COMPARED_BEFORE));
            format!(
                "Of the fifth of the picture that each map marks most, {one} and {other} share {share:.0}% (20% by chance): {meaning}. Their rank \
                 correlation is {order}."
            )
        }
        None => {
            "To see whether two methods agree, make the map by another one (Explanation), then measure again."
                .to_owned()
        }
    };
    let elsewhere = match trust.elsewhere {
        Some(elsewhere) => format!(
            "{:.0}% of the evidence lies outside the body and {:.0}% on letters or markers, where no disease can be.",
            100.0 * elsewhere.background,
            100.0 * elsewhere.markers
        ),
        None => "The map has no evidence for the finding.".to_owned(),
    };
    let explained = (trust.method == Method::Lime)
        .then(|| lime_share(&trust))
        .flatten();
    let lines = [
        explained.map(|line| {
            (
                line,
                "https://arxiv.org/abs/1602.04938",
                "Ribeiro et al., 2016",
            )
        }),
        Some((
            agreement,
            "https://arxiv.org/abs/2202.01602",
            "Krishna et al., 2022",
        )),
        Some((
            elsewhere,
            "https://arxiv.org/abs/1807.00431",
            "Zech et al., 2018",
        )),
    ];
    let sanity =
        (!trust.sanity.is_empty()).then(|| view! { <SanityCheck sanity=trust.sanity.clone()/> });
    let (deletion, insertion) = (faithful.deletion.clone(), faithful.insertion.clone());
    view! {
        <p class="hint" data-testid="tested">{tested}</p>
        <div class="curves">
            <CurveFigure
                curve=deletion
                compared_at=faithful.compared_at.clone()
                title="Deletion (erasing)"
                meaning="What the map marks most is erased first. A lower curve is better."
                testid="deletion"
            />
            <CurveFigure
                curve=insertion
                compared_at=faithful.compared_at.clone()
                title="Insertion (revealing)"
                meaning="Starting from a blurred picture, what the map marks most is shown first. A higher curve is better."
                testid="insertion"
            />
        </div>
        <p class="hint">
            "Method: "
            <a href="https://arxiv.org/abs/1806.07421" target="_blank" rel="noreferrer">"Petsiuk et al., RISE (2018)"</a>
            ". The grey band shows the same map moved elsewhere."
        </p>
        {sanity}
        <ul>
            {lines
                .into_iter()
                .flatten()
                .map(|(line, paper, authors)| view! {
                    <li>{line}" ("<a href=paper target="_blank" rel="noreferrer">{authors}</a>")"</li>
                })
                .collect_view()}
        </ul>
    }
}

/// How much of the score LIME's model explains.
fn lime_share(trust: &Trust) -> Option<String> {
    let state = expect_context::<State>();
    let share = state.picture.with(|picture| {
        let report = &picture.as_ref()?.report;
        let index = report
            .findings
            .iter()
            .position(|f| f.name == trust.finding)?;
        Some(
            report
                .explanations
                .lime
                .as_ref()?
                .findings
                .get(index)?
                .as_ref()?
                .r_squared,
        )
    })?;
    let meaning = if share < 0.5 {
        "most of the change comes from regions acting together, so read the map with care"
    } else {
        "the rest comes from regions acting together"
    };
    Some(format!(
        "What each region does by itself explains {:.0}% of how the score changes (R\u{b2} {share:.2}): {meaning}.",
        100.0 * share.max(0.0)
    ))
}

/// The map of the network as it is, and of the same network without what it has learned.
#[component]
fn SanityCheck(sanity: Vec<Sanity>) -> impl IntoView {
    let pictures = sanity.into_iter().map(|sanity| {
        let what = match sanity.randomised {
            Randomised::Classifier => "random classifier",
            Randomised::LastStage => "random classifier and last stage",
        };
        let Alike { alike, of } = sanity.alike();
        let line = match sanity.range() {
            Some([low, median, high]) => {
                let verdict = if alike == 0 {
                    "the map changes".to_owned()
                } else {
                    format!("the map hardly changes in {alike} of them")
                };
                format!("{what}, {of} times: {verdict} (rank correlation {median:.2}, from {low:.2} to {high:.2})")
            }
            None => format!("{what}: nothing to compare, because one of the maps has the same value everywhere"),
        };
        view! {
            <figure data-testid="sanity">
                <Stage
                    label="The map of a network with random weights".to_owned()
                    size=Size::Thumbnail
                    map=Signal::stored(Some(sanity.map))
                />
                <figcaption>{line}</figcaption>
            </figure>
        }
    });
    let pictures = pictures.collect_view();
    view! {
        <p class="hint">
            "Sanity check: a map of what the model has learned must change when parts of the network are replaced by random weights. The first random network of each kind is shown ("
            <a href="https://arxiv.org/abs/1810.03292" target="_blank" rel="noreferrer">"Adebayo et al., 2018"</a>
            "):"
        </p>
        <div class="curves">{pictures}</div>
    }
}

/// A curve over the share of the picture, with the band of the same map laid elsewhere.
#[component]
fn CurveFigure(
    curve: Curve,
    compared_at: Vec<usize>,
    title: &'static str,
    meaning: &'static str,
    testid: &'static str,
) -> impl IntoView {
    let last = (curve.scores.len() - 1) as f64;
    let at = |index: usize, score: f64| {
        format!(
            "{:.1},{:.1}",
            100.0 * index as f64 / last,
            60.0 * (1.0 - score)
        )
    };
    let line: Vec<String> = curve
        .scores
        .iter()
        .enumerate()
        .map(|(i, s)| at(i, *s))
        .collect();
    let band = compared_at.into_iter().zip(curve.moved.scores);
    let low = band.clone().map(|(step, [low, _])| at(step, low));
    let high = band.rev().map(|(step, [_, high])| at(step, high));
    let band: Vec<String> = low.chain(high).collect();
    let [least, mean, most] = curve.moved.area;
    let label = format!(
        "{title}: area {:.2}; the same map moved elsewhere {mean:.2} ({least:.2} to {most:.2}); spots about the middle {:.2}",
        curve.area, curve.middle.area[1]
    );
    view! {
        <figure data-testid=testid data-area=format!("{:.6}", curve.area)>
            <svg viewBox="-1 -2 102 64" role="img" aria-label=label.clone()>
                <rect class="frame" x="0" y="0" width="100" height="60"/>
                <polygon class="band" points=band.join(" ")/>
                <polyline class="line" points=line.join(" ")/>
            </svg>
            <figcaption><strong>{label}</strong>". "{meaning}</figcaption>
        </figure>
    }
}
