//! The radiograph, and beside it the same with a map on it.

use leptos::html::{Canvas, Input};
use leptos::prelude::*;
use sightline_core::explain::colormap::Colormap;
use sightline_core::explain::lime::Segmentation;
use sightline_session::picture::{Method, ReadPicture};
use sightline_session::session::{Depths, SAMPLES};

use super::canvas::{Look, is_cropped, paint};
use super::erase::{Easel, EraseTools, FILLS};
use super::export::ExportButtons;
use super::state::State;

/// LIME's regions, and what they are called.
const REGIONS: [(Segmentation, &str); 2] = [
    (Segmentation::Quickshift, "quickshift"),
    (Segmentation::Slic, "SLIC"),
];
/// Of LIME: fewer are explained well by anything.
const FEW_SAMPLES: usize = 20;
/// How many findings are explained at once.
const AT_ONCE: usize = 3;

#[component]
pub fn Viewer() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <Show when=move || state.picture.with(Option::is_some)>
            <div class="pair">
                <figure>
                    <div class="easel">
                        <Picture finding=Signal::derive(|| None) testid="original-canvas"/>
                        <Easel/>
                    </div>
                    <figcaption>{move || file_line(state)}" "<EraseTools/></figcaption>
                </figure>
                <figure>
                    <Picture finding=Signal::derive(move || state.selected.get()) testid="overlay-canvas"/>
                    <figcaption>
                        {move || match state.method.get() {
                            Method::GradCam => "Grad-CAM: where the evidence for ",
                            Method::Lime => "LIME: which regions raise the score of ",
                        }}
                        <strong>{move || state.selected_finding().map(|f| f.name.name())}</strong>
                        {move || match state.method.get() {
                            Method::GradCam => " is".to_owned(),
                            Method::Lime => lime_line(state),
                        }}
                        {move || state
                            .selected_finding()
                            .filter(|f| is_cropped(f.grad_cam.region))
                            .map(|_| ". The model sees only the middle of the picture.")}
                    </figcaption>
                </figure>
            </div>
            <Notices/>
            <ColorBar/>
            <Controls/>
            <TopThree/>
            <ExportButtons/>
        </Show>
    }
}

/// How far LIME is and how well it explains the score.
fn lime_line(state: State) -> String {
    state.picture.with(|picture| {
        let options = state.lime.get();
        let lime = picture.as_ref().and_then(|p| p.lime(&options));
        let finding = lime.and_then(|lime| lime.findings.get(state.selected.get()?)?.as_ref());
        let (Some(lime), Some(finding)) = (lime, finding) else {
            return ". The first samples are being scored.".to_owned();
        };
        let so_far = if lime.stable {
            format!(
                "stable after {} samples (the highest scores' maps are)",
                lime.samples
            )
        } else {
            format!("after {} samples, not stable yet", lime.samples)
        };
        let strongest = finding.coefficients.iter().zip(&finding.margins);
        let strongest = strongest.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        let said = match strongest {
            Some((coefficient, _)) if *coefficient == 0.0 => {
                "No region changes the score.".to_owned()
            }
            Some((coefficient, margin)) if lime.samples >= FEW_SAMPLES => format!(
                "Its {} regions explain {:.0}% of how the score changes (R\u{b2} {:.2}); the strongest {} it by {:.3} \u{b1} {margin:.3}.",
                lime.segments.count,
                100.0 * finding.r_squared.max(0.0),
                finding.r_squared,
                if *coefficient > 0.0 { "raises" } else { "lowers" },
                coefficient.abs(),
            ),
            _ => String::new(),
        };
        format!(": {so_far}. {said}")
    })
}

fn file_line(state: State) -> Option<String> {
    state.picture.with(|picture| {
        let image = &picture.as_ref()?.report.image;
        let name = if image.file.is_empty() {
            "Pasted picture"
        } else {
            &image.file
        };
        Some(format!(
            "{name}, {} x {} pixels, {} bit",
            image.width, image.height, image.bits
        ))
    })
}

/// The radiograph, with the map of a finding if one is given.
#[component]
fn Picture(finding: Signal<Option<usize>>, testid: &'static str) -> impl IntoView {
    let state = expect_context::<State>();
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move |_| {
        let look = Look {
            colormap: state.colormap.get(),
            opacity: state.opacity.get(),
        };
        let finding = finding.get();
        state.picture.with(|picture| {
            if let (Some(canvas), Some(picture)) = (canvas.get(), picture) {
                let map = finding.and_then(|index| {
                    let region = picture.report.findings.get(index)?.grad_cam.region;
                    Some((state.map_of(index)?, region))
                });
                let map = map.as_ref();
                paint(
                    &canvas,
                    &picture.preview,
                    map.map(|(cells, region)| (cells, *region, look)),
                );
            }
        });
    });
    let label = move || match finding.get() {
        None => "The radiograph".to_owned(),
        Some(index) => state.picture.with(|picture| {
            let name = picture
                .as_ref()
                .map(|p| p.report.findings[index].name.name());
            format!(
                "The radiograph with the evidence for {}",
                name.unwrap_or_default()
            )
        }),
    };
    view! { <canvas node_ref=canvas data-testid=testid role="img" aria-label=label></canvas> }
}

/// What is to be said of the file that is shown, a sentence or two each: other files that were given with it, and the like.
#[component]
fn Notices() -> impl IntoView {
    let state = expect_context::<State>();
    let lines = move || {
        state
            .notices
            .get()
            .into_iter()
            .map(|line| view! { <li>{line}</li> })
    };
    view! {
        <Show when=move || state.notices.with(|all| !all.is_empty())>
            <div class="notices">
                <ul data-testid="notices" role="status">{move || lines().collect_view()}</ul>
                {move || state.depths.get().map(|depths| view! { <DepthChoice depths/> })}
            </div>
        </Show>
    }
}

/// Where a file does not say how many bits of its samples are used: both readings.
#[component]
fn DepthChoice(depths: Depths) -> impl IntoView {
    let state = expect_context::<State>();
    let [most, fewer] = {
        let [a, b] = depths.offered();
        [a.max(b), a.min(b)]
    };
    let options = [fewer, most].map(|bits| {
        let how = if bits == most { "darker" } else { "brighter" };
        view! {
            <option value=bits.to_string() selected={bits == depths.bits()}>{format!("{bits} bits: {how}")}</option>
        }
    });
    let choose = move |event| {
        if let Ok(bits) = event_target_value(&event).parse() {
            state.tell(|session| session.choose_depth(bits));
        }
    };
    view! {
        <label class="choice">
            "The file does not say how many bits of its samples are used. Read it as "
            <select data-testid="depth" on:change=choose>{options.to_vec()}</select>
        </label>
    }
}

/// What the colours mean, in logits.
#[component]
fn ColorBar() -> impl IntoView {
    let state = expect_context::<State>();
    let gradient = move || {
        let map = state.colormap.get();
        let stops: Vec<String> = (0..=16)
            .map(|i| {
                let [r, g, b] = map.rgb(i as f32 / 16.0);
                format!("rgb({r},{g},{b})")
            })
            .collect();
        format!("linear-gradient(to right, {})", stops.join(","))
    };
    let most = Memo::new(move |_| state.shown_map().map_or(0.0, |map| map.max()));
    view! {
        <div class="color-bar">
            <Show
                when=move || { most.get() > 0.0 }
                fallback=move || view! {
                    <p>{move || match state.shown_map() {
                        Some(_) => "No part of the picture speaks for this finding: its map is empty.",
                        None => "The map is on its way.",
                    }}</p>
                }
            >
                <span>"0"</span>
                <div class="gradient" style:background=gradient></div>
                <span>{move || format!("+{:.2}", most.get())}</span>
                <small>{move || match state.method.get() {
                    Method::GradCam => "logit added by one cell of the model's grid",
                    Method::Lime => "added to the score by showing one region",
                }}</small>
            </Show>
        </div>
    }
}

#[component]
fn Controls() -> impl IntoView {
    let state = expect_context::<State>();
    let choose_colormap = move |event| {
        if let Some(map) = Colormap::from_name(&event_target_value(&event)) {
            state.colormap.set(map);
        }
    };
    let choose_method = move |event| {
        let name = event_target_value(&event);
        if let Some(method) = Method::ALL.into_iter().find(|m| m.name() == name) {
            state.tell(|session| session.explain_by(method));
        }
    };
    let samples = NodeRef::<Input>::new();
    let choose_samples = move |event| {
        if let Ok(samples) = event_target_value(&event).parse::<usize>() {
            state.tell(|session| session.choose_lime(|lime| lime.samples = samples));
        }
        // What is no number, or out of bounds, changed nothing that would show in the field.
        if let Some(field) = samples.get_untracked() {
            field.set_value(&state.lime.get_untracked().samples.to_string());
        }
    };
    let choose_stop = move |event| {
        let until_stable = event_target_checked(&event);
        state.tell(|session| session.choose_lime(|lime| lime.until_stable = until_stable));
    };
    let choose_regions = move |event| {
        let name = event_target_value(&event);
        if let Some((segmentation, _)) = REGIONS.into_iter().find(|(_, n)| *n == name) {
            state.tell(|session| session.choose_lime(|lime| lime.segmentation = segmentation));
        }
    };
    let choose_fill = move |event| {
        let name = event_target_value(&event);
        if let Some((fill, _)) = FILLS.into_iter().find(|(_, n)| *n == name) {
            state.tell(|session| session.choose_lime(|lime| lime.fill = fill));
        }
    };
    let branches = move || state.of_picture(ReadPicture::branches).unwrap_or_default();
    let choose_opacity = move |event| {
        if let Ok(percent) = event_target_value(&event).parse::<f32>() {
            state.opacity.set((percent / 100.0).clamp(0.0, 1.0));
        }
    };
    view! {
        <div class="controls">
            <label>
                <span>"Explanation"</span>
                <select
                    data-testid="explain-method"
                    on:change=choose_method
                >
                    {Method::ALL
                        .map(|method| view! { <option value=method.name() prop:selected=move || state.method.get() == method>{method.title()}</option> })
                        .collect_view()}
                </select>
            </label>
            <label>
                <span>"LIME samples"</span>
                <input
                    node_ref=samples
                    type="number" min=*SAMPLES.start() max=*SAMPLES.end() step="50"
                    data-testid="lime-samples"
                    prop:value=move || state.lime.get().samples.to_string()
                    on:change=choose_samples
                />
            </label>
            <Show when=move || state.method.get() == Method::Lime>
                <label class="tick" title="As soon as more samples no longer change the order of the regions">
                    <input
                        type="checkbox"
                        data-testid="lime-until-stable"
                        prop:checked=move || state.lime.get().until_stable
                        on:change=choose_stop
                    />
                    <span>"Stop when stable"</span>
                </label>
                <label>
                    <span>"Regions"</span>
                    <select
                        data-testid="lime-regions"
                        on:change=choose_regions
                    >
                        {REGIONS.map(|(segmentation, name)| view! {
                            <option value=name prop:selected=move || state.lime.get().segmentation == segmentation>{name}</option>
                        }).collect_view()}
                    </select>
                </label>
                <label>
                    <span>"Hidden by"</span>
                    <select
                        data-testid="lime-fill"
                        on:change=choose_fill
                    >
                        {FILLS.map(|(fill, name)| view! {
                            <option value=name prop:selected=move || state.lime.get().fill == fill>{name}</option>
                        }).collect_view()}
                    </select>
                </label>
            </Show>
            <Show when=move || state.method.get() == Method::GradCam && !branches().is_empty()>
                <label>
                    <span>"Network"</span>
                    <select
                        data-testid="branch"
                        on:change=move |event| state.branch.set(event_target_value(&event).parse().ok())
                    >
                        <option value="" selected=move || state.branch.get().is_none()>"all together"</option>
                        {move || {
                            let names = branches().into_iter().enumerate();
                            names
                                .map(|(index, name)| view! {
                                    <option value=index.to_string()>{name}</option>
                                })
                                .collect_view()
                        }}
                    </select>
                </label>
            </Show>
            <label>
                <span>"Opacity"</span>
                <input
                    type="range" min="0" max="100" step="1"
                    data-testid="opacity"
                    prop:value=move || (state.opacity.get() * 100.0).round().to_string()
                    on:input=choose_opacity
                />
            </label>
            <label>
                <span>"Colours"</span>
                <select
                    data-testid="colormap"
                    on:change=choose_colormap
                >
                    {Colormap::ALL
                        .map(|map| view! { <option value=map.name() prop:selected=move || state.colormap.get() == map>{map.name()}</option> })
                        .collect_view()}
                </select>
            </label>
        </div>
    }
}

/// The maps of the highest scores side by side.
#[component]
fn TopThree() -> impl IntoView {
    let state = expect_context::<State>();
    let top = Memo::new(move |_| {
        let mut order = state.of_picture(ReadPicture::trained).unwrap_or_default();
        order.truncate(AT_ONCE);
        order
    });
    view! {
        <div class="top-three">
            <For each=move || top.get() key=|index| *index let:index>
                <button
                    type="button"
                    class:selected=move || state.selected.get() == Some(index)
                    on:click=move |_| state.tell(|session| session.select(index))
                    on:mouseenter=move |_| state.tell(|session| session.select(index))
                >
                    <Picture finding=Signal::derive(move || Some(index)) testid="top-canvas"/>
                    <span>{move || state.picture.with(|p| {
                        p.as_ref().map(|p| p.report.findings[index].name.name())
                    })}</span>
                </button>
            </For>
        </div>
    }
}
