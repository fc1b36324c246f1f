//! The words that a card has of any package.

use super::Manifest;

/// A limit of packages of imported weights, until they are measured.
pub const UNMEASURED: &str = "Imported weights: nothing was measured here. Evaluate them on images of your own before you trust a score or a map.";

/// What every card begins with, and all that there is to say of imported weights.
pub fn about(manifest: &Manifest) -> String {
    let training = &manifest.training;
    let mut text = format!("# {}\n\n{}\n\n", manifest.title, manifest.intended_use);
    text += &format!("- **Data**: {}.", training.data);
    match (training.images, training.patients) {
        (Some(images), Some(patients)) => {
            text += &format!(" Trained on {images} images of {patients} patients.");
        }
        (Some(images), None) => {
            text += &format!(" Trained on {images} images of an unknown number of patients.");
        }
        (None, _) => {}
    }
    text += &format!("\n- **Recipe**: {}", training.recipe);
    if let Some(seed) = training.seed {
        text += &format!(
            "; seed {seed}; started {} at commit {}",
            training.date, training.commit
        );
    }
    text += &format!(
        ".\n- **Weights**: {} bytes, {}, SHA-256 `{}`.\n- **Licence**: {}\n- **Attribution**: {}\n\n## Limits\n\n",
        manifest.weights.bytes,
        manifest.weights.dtype,
        manifest.weights.sha256,
        manifest.licence,
        manifest.attribution
    );
    for limit in &manifest.limits {
        text += &format!("- {limit}\n");
    }
    text
}
