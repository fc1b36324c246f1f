//! The model card, from the figures of a run and nothing else.

use sightline::package::Manifest;

use crate::evaluate::Report;
use crate::train::Epoch;

/// The card of a trained model as Markdown.
pub fn markdown(manifest: &Manifest, report: &Report, history: &[Epoch]) -> String {
    let mut text = about(manifest);
    text += "\n## Area under the ROC curve\n\nMeasured on the shipped weights; intervals by bootstrap over patients \
             (1,000 draws). The score is the image's; uncertain and blank labels are left out.\n";
    for part in &report.parts {
        text += &format!(
            "\n### {}: {} images of {} patients\n\n| finding | positive | negative | AUC (95%) |\n|---|---:|---:|---|\n",
            part.part, part.count, part.patients
        );
        for finding in &part.findings {
            let auc = match (&finding.auc, finding.trained) {
                (_, false) => "not trained".to_owned(),
                (Some(auc), true) => auc.to_string(),
                (None, true) => "undefined".to_owned(),
            };
            text += &format!(
                "| {} | {} | {} | {auc} |\n",
                finding.name, finding.positives, finding.negatives
            );
        }
        let mean = part
            .mean_of_five
            .map_or("undefined".to_owned(), |mean| mean.to_string());
        text += &format!("| **Mean of the competition five** | | | **{mean}** |\n");
    }
    text += "\n## Training\n\n| epoch | training loss | validation AUC | seconds |\n|---:|---:|---:|---:|\n";
    for epoch in history {
        text += &format!(
            "| {} | {:.4} | {:.4} | {:.0} |\n",
            epoch.epoch, epoch.train_loss, epoch.valid_auc, epoch.seconds
        );
    }
    text
}

/// What every card begins with, and all that there is to say of imported weights.
pub fn about(manifest: &Manifest) -> String {
    let training = &manifest.training;
    let mut text = format!("# {}\n\n{}\n\n", manifest.title, manifest.intended_use);
    text += &format!("- **Data**: {}.", training.data);
    if let (Some(images), Some(patients)) = (training.images, training.patients) {
        text += &format!(" Trained on {images} images of {patients} patients.");
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

const LOCALISATION: &str = "\n## Where its maps point\n";

/// The card with what `localize` recorded in the manifest, in place of what it said of that before.
pub fn with_localisation(card: &str, manifest: &Manifest) -> String {
    let before = card.split(LOCALISATION).next().unwrap_or(card);
    let mut rows = String::new();
    for card in &manifest.findings {
        for (method, measured) in &card.localisation {
            let verdict = match (method.as_str(), card.beats_the_middle(method)) {
                ("center" | "random", _) | (_, None) => "",
                (_, Some(true)) => "better than the middle",
                (_, Some(false)) => "unreliable",
            };
            rows += &format!(
                "| {} | {method} | {} | {:.2} | {:.2} | {verdict} |\n",
                card.name, measured.n, measured.pointing_hit, measured.iou
            );
        }
    }
    if rows.is_empty() {
        return before.to_owned();
    }
    format!(
        "{before}{LOCALISATION}\nAgainst radiologists' boxes. Hit: the map's maximum lies in a box. IoU: of the boxes and the map \
         above Otsu's threshold. `center` is a Gaussian in the middle of every picture and `random` a map drawn at random: \
         what a map must beat to say anything of where. Maps that hit no oftener than the middle (or, where the middle hits nearly \
         always, have no higher IoU) are unreliable.\n\n\
         | finding | map | images | hit | IoU | |\n|---|---|---:|---:|---:|---|\n{rows}"
    )
}
