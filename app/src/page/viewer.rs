//! The radiograph, and beside it the same with a map on it.

use leptos::html::Canvas;
use leptos::prelude::*;
use sightline::explain::colormap::Colormap;

use super::canvas::{Look, is_cropped, paint};
use super::export::ExportButtons;
use super::state::State;

/// How many findings are explained at once.
const AT_ONCE: usize = 3;

#[component]
pub fn Viewer() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        <Show when=move || state.picture.with(Option::is_some)>
            <div class="pair">
                <figure>
                    <Picture finding=Signal::derive(|| None) testid="original-canvas"/>
                    <figcaption>{move || file_line(state)}</figcaption>
                </figure>
                <figure>
                    <Picture finding=Signal::derive(move || Some(state.selected.get())) testid="overlay-canvas"/>
                    <figcaption>
                        "Grad-CAM: where the evidence for "
                        <strong>{move || state.selected_finding().map(|f| f.name.name())}</strong>
                        " is"
                        {move || state
                            .selected_finding()
                            .filter(|f| is_cropped(f.grad_cam.region))
                            .map(|_| ". The model sees only the middle of the picture.")}
                    </figcaption>
                </figure>
            </div>
            <ColorBar/>
            <Controls/>
            <TopThree/>
            <ExportButtons/>
        </Show>
    }
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
                let finding = finding.and_then(|index| picture.report.findings.get(index));
                let map = finding.map(|finding| (state.map_of(finding), finding.grad_cam.region));
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
    let most = Memo::new(move |_| {
        state
            .selected_finding()
            .map_or(0.0, |finding| state.map_of(&finding).max())
    });
    view! {
        <div class="color-bar">
            <Show
                when=move || { most.get() > 0.0 }
                fallback=|| view! {
                    <p>"No part of the picture speaks for this finding: its map is empty."</p>
                }
            >
                <span>"0"</span>
                <div class="gradient" style:background=gradient></div>
                <span>{move || format!("+{:.2}", most.get())}</span>
                <small>"logit added by one cell of the model's grid"</small>
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
    let choose_opacity = move |event| {
        if let Ok(percent) = event_target_value(&event).parse::<f32>() {
            state.opacity.set((percent / 100.0).clamp(0.0, 1.0));
        }
    };
    view! {
        <div class="controls">
            <label>
                <span>"Explanation"</span>
                <select data-testid="explain-method">
                    <option value="grad-cam">"Grad-CAM"</option>
                </select>
            </label>
            <Show when=move || !state.branches().is_empty()>
                <label>
                    <span>"Network"</span>
                    <select
                        data-testid="branch"
                        on:change=move |event| state.branch.set(event_target_value(&event).parse().ok())
                    >
                        <option value="" selected=move || state.branch.get().is_none()>"all together"</option>
                        {move || {
                            let names = state.branches().into_iter().enumerate();
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
                    prop:value=move || state.colormap.get().name()
                    on:change=choose_colormap
                >
                    {Colormap::ALL
                        .map(|map| view! { <option value=map.name()>{map.name()}</option> })
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
        let mut order = state.ranking();
        state.picture.with(|picture| {
            order.retain(|index| {
                picture
                    .as_ref()
                    .is_some_and(|p| p.report.findings[*index].trained)
            });
        });
        order.truncate(AT_ONCE);
        order
    });
    view! {
        <div class="top-three">
            <For each=move || top.get() key=|index| *index let:index>
                <button
                    type="button"
                    class:selected=move || state.selected.get() == index
                    on:click=move |_| state.selected.set(index)
                    on:mouseenter=move |_| state.selected.set(index)
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
