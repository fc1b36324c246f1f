//! What a card says of the gate.

use sightline::gate::detector::{Detector, Measured, Part};

pub const TITLE: &str = "\n## Which pictures it is not for\n";

/// The section, with the figures and what they are of.
pub fn section(detector: &Detector) -> String {
    let Measured {
        set, frontal, odd, ..
    } = &detector.measured;
    format!(
        "{TITLE}\nBefore scores are shown, a detector on the network's features looks whether the picture is a frontal chest radiograph. {} \
         Measured on {} frontal radiographs ({set}), of which {} were stopped and {} warned of, and on {} other pictures: AUC {}. \
         *Named*: called by their kind. A kind that is not in the table was not measured; by its picture it is told by chance at best.\n\n{}",
        detector.training,
        frontal.images,
        percent(frontal.stopped),
        percent(frontal.warned),
        odd.images,
        odd.auc
            .map_or("undefined".to_owned(), |auc| format!("{auc:.3}")),
        table(detector)
    )
}

fn percent(part: f64) -> String {
    format!("{:.1}%", 100.0 * part)
}

/// The figures of each kind, and of frontal radiographs of other sources.
pub fn table(detector: &Detector) -> String {
    let measured = &detector.measured;
    let mut text =
        "| pictures | images | AUC | stopped | warned | named |\n|---|---:|---:|---:|---:|---:|\n"
            .to_owned();
    let mut row = |name: &str, part: &Part| {
        text += &format!(
            "| {name} | {} | {} | {} | {} | {} |\n",
            part.images,
            part.auc.map_or(String::new(), |auc| format!("{auc:.3}")),
            percent(part.stopped),
            percent(part.warned),
            part.named.map_or(String::new(), percent)
        );
    };
    let own = (&measured.set, &measured.frontal);
    for (name, part) in std::iter::once(own).chain(&measured.elsewhere) {
        row(&format!("frontal radiographs ({name})"), part);
    }
    for (name, part) in &measured.kinds {
        row(name, part);
    }
    text
}
