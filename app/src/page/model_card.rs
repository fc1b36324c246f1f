//! What the model is and what it is not for.

use leptos::prelude::*;

use super::state::State;

#[component]
pub fn ModelCard() -> impl IntoView {
    let state = expect_context::<State>();
    view! {
        {move || state.manifest.get().map(|manifest| {
            let training = manifest.training.clone();
            let limits = manifest.limits.clone();
            let card = format!("{}/card.md", state.folder().unwrap_or_default());
            view! {
                <details class="card">
                    <summary>{format!("About the model: {}", manifest.title)}</summary>
                    <p>{manifest.intended_use.clone()}</p>
                    <dl>
                        <dt>"Trained on"</dt>
                        <dd>{match (training.images, training.patients) {
                            (Some(images), Some(patients)) => {
                                format!("{} ({images} images of {patients} patients)", training.data)
                            }
                            _ => training.data.clone(),
                        }}</dd>
                        <dt>"Recipe"</dt>
                        <dd>{format!("{}; {}", training.recipe, training.date)}</dd>
                        <dt>"Licence"</dt>
                        <dd>{manifest.licence.clone()}</dd>
                        <dt>"Attribution"</dt>
                        <dd>{manifest.attribution.clone()}</dd>
                    </dl>
                    <ul>{limits.into_iter().map(|limit| view! { <li>{limit}</li> }).collect_view()}</ul>
                    <a href=card target="_blank">"The whole model card"</a>
                </details>
            }
        })}
    }
}
