//! What a card says of the gate.

use sightline::gate::detector::Detector;

pub const TITLE: &str = "\n## Which pictures it is not for\n";

/// The section, with the figures and what they are of.
pub fn section(detector: &Detector) -> String {
    let measured = &detector.measured;
    format!(
        "{TITLE}\nBefore scores are shown, a detector on the network's features looks whether the picture is a frontal chest radiograph. {} \
         Measured on {} frontal radiographs ({}), of which {:.1}% were stopped and {:.1}% warned of, and on {} other pictures: AUC \
         {:.3}. *Named*: called by their kind. A kind that is not in the table was not measured; by its picture it is told by chance at \
         best.\n\n{}",
        detector.training,
        measured.images,
        measured.set,
        100.0 * measured.stopped,
        100.0 * measured.warned,
        measured.odd,
        measured.auc,
        table(detector)
    )
}

/// The figures of each kind, and of frontal radiographs of other sources.
pub fn table(detector: &Detector) -> String {
    let measured = &detector.measured;
    let mut text =
        "| pictures | images | AUC | stopped | warned | named |\n|---|---:|---:|---:|---:|---:|\n"
            .to_owned();
    let percent = |part: f64| format!("{:.1}%", 100.0 * part);
    let mut row = |name: &str, images: usize, auc: &str, stopped: f64, warned: f64, named: &str| {
        let (stopped, warned) = (percent(stopped), percent(warned));
        text += &format!("| {name} | {images} | {auc} | {stopped} | {warned} | {named} |\n");
    };
    let name = format!("frontal radiographs ({})", measured.set);
    row(
        &name,
        measured.images,
        "",
        measured.stopped,
        measured.warned,
        "",
    );
    for (name, of) in &measured.elsewhere {
        let name = format!("frontal radiographs ({name})");
        row(&name, of.images, "", of.stopped, of.warned, "");
    }
    for (kind, of) in &measured.kinds {
        let (auc, named) = (format!("{:.3}", of.auc), percent(of.named));
        row(kind.name(), of.images, &auc, of.stopped, of.warned, &named);
    }
    text
}
