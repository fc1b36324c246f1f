//! The model card, from the figures of a run and nothing else.

use sightline::package::Manifest;

use crate::evaluate::Report;
use crate::train::Epoch;

/// The card as Markdown.
pub fn markdown(manifest: &Manifest, report: &Report, history: &[Epoch]) -> String {
    let training = &manifest.training;
    let mut text = format!("# {}\n\n{}\n\n", manifest.title, manifest.intended_use);
    text += &format!(
        "- **Data**: {}. Trained on {} images of {} patients.\n- **Recipe**: {}; seed {}; started {} at commit {}.\n\
         - **Weights**: {} bytes, {}, SHA-256 `{}`.\n- **Licence**: {}\n- **Attribution**: {}\n\n",
        training.data,
        training.images,
        training.patients,
        training.recipe,
        training.seed,
        training.date,
        training.commit,
        manifest.weights.bytes,
        manifest.weights.dtype,
        manifest.weights.sha256,
        manifest.licence,
        manifest.attribution
    );
    text += "## Limits\n\n";
    for limit in &manifest.limits {
        text += &format!("- {limit}\n");
    }
    text += "\n## Area under the ROC curve\n\nMeasured on the shipped weights; intervals by bootstrap over patients \
             (1,000 draws). The score is the image's; uncertain and blank labels are left out.\n";
    for part in &report.parts {
        text += &format!(
            "\n### {}: {} images of {} patients\n\n| finding | positive | negative | AUC (95%) |\n|---|---:|---:|---|\n",
            part.part, part.count, part.patients
        );
        let estimate = |e: &crate::metrics::Estimate| {
            format!("{:.3} ({:.3} to {:.3})", e.value, e.ci95[0], e.ci95[1])
        };
        for finding in &part.findings {
            let auc = match (&finding.auc, finding.trained) {
                (_, false) => "not trained".to_owned(),
                (Some(auc), true) => estimate(auc),
                (None, true) => "undefined".to_owned(),
            };
            text += &format!(
                "| {} | {} | {} | {auc} |\n",
                finding.name, finding.positives, finding.negatives
            );
        }
        let mean = part
            .mean_of_five
            .as_ref()
            .map_or("undefined".to_owned(), estimate);
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
