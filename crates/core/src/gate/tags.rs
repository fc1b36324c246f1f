//! What a file's tags and name say against a frontal chest radiograph.

use super::kind::Kind;
use crate::radiograph::dicom::Facts;
use crate::radiograph::is_lateral;

/// Something that speaks against a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    pub kind: Kind,
    /// A sentence.
    pub said: String,
}

/// Modalities that make no projection radiographs (DICOM PS3.3, C.7.3.1.1.1).
const NO_RADIOGRAPHS: [&str; 17] = [
    "CT", "MR", "US", "NM", "PT", "OP", "OPT", "ES", "XC", "GM", "SM", "OCT", "IVUS", "IVOCT",
    "BDUS", "ECG", "DMS",
];
/// Modalities that make radiographs of something else: breasts and teeth.
const OTHER_RADIOGRAPHS: [&str; 3] = ["MG", "IO", "PX"];
/// How body parts begin that a chest radiograph shows (PS3.16, annex L).
const CHEST: [&str; 4] = ["CHEST", "THORAX", "LUNG", "TORSO"];
/// View positions of lateral pictures (C.8.7.10.1.1.5 and C.8.11.5.1.1).
const LATERAL: [&str; 6] = ["LL", "RL", "LATERAL", "LAT", "LLAT", "RLAT"];

/// The first thing that tags or name say against a picture.
pub fn objection(tags: Option<&Facts>, file: &str) -> Option<Objection> {
    let by_tags = tags.and_then(by_tags);
    let by_name = || {
        (is_lateral(file) == Some(true)).then(|| Objection {
            kind: Kind::Lateral,
            said: "The file's name says that this is a lateral view.".to_owned(),
        })
    };
    by_tags.or_else(by_name)
}

fn by_tags(tags: &Facts) -> Option<Objection> {
    let upper = |text: &Option<String>| text.as_ref().map(|text| text.to_ascii_uppercase());
    let object = |kind, said: String| Some(Objection { kind, said });
    if let Some(modality) = upper(&tags.modality) {
        let said = || format!("The file's tags say that its modality is {modality}.");
        if NO_RADIOGRAPHS.contains(&modality.as_str()) {
            return object(Kind::NotARadiograph, said());
        }
        if OTHER_RADIOGRAPHS.contains(&modality.as_str()) {
            return object(Kind::AnotherBodyPart, said());
        }
    }
    if let Some(part) = upper(&tags.body_part)
        && !CHEST.iter().any(|chest| part.starts_with(chest))
    {
        let said = format!("The file's tags say that the body part is {part}.");
        return object(Kind::AnotherBodyPart, said);
    }
    if let Some(view) = upper(&tags.view)
        && LATERAL.contains(&view.as_str())
    {
        let said = format!("The file's tags say that this is a lateral view ({view}).");
        return object(Kind::Lateral, said);
    }
    // A frontal view has the person's left at the right of the picture, and the feet below (C.7.6.1.1.1).
    match tags.patient_orientation.as_slice() {
        [rows, columns] => {
            let said = |what| {
                format!(
                    "The file's tags say that the picture is {what} (patient orientation {rows}, {columns})."
                )
            };
            match (rows.chars().next(), columns.chars().next()) {
                (Some('L'), Some('F')) => None,
                (Some('R'), Some('F')) => object(Kind::Mirrored, said("mirrored")),
                (Some('A' | 'P'), _) => object(Kind::Lateral, said("a lateral view")),
                (Some('L' | 'R' | 'H' | 'F'), Some(_)) => object(Kind::Turned, said("turned")),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            transfer_syntax: String::new(),
            bits_stored: 12,
            signed: false,
            photometric_interpretation: "MONOCHROME2".to_owned(),
            modality: Some("DX".to_owned()),
            body_part: Some("CHEST".to_owned()),
            view: Some("PA".to_owned()),
            laterality: None,
            patient_orientation: vec!["L".to_owned(), "F".to_owned()],
            spacing_mm: None,
            spacing_on_detector: false,
            windows: Vec::new(),
        }
    }

    #[test]
    fn tags_of_a_frontal_chest_object_to_nothing() {
        assert_eq!(objection(Some(&facts()), "a.dcm"), None);
        let bare = Facts {
            modality: None,
            body_part: None,
            view: None,
            patient_orientation: Vec::new(),
            ..facts()
        };
        assert_eq!(objection(Some(&bare), "a.dcm"), None);
        assert_eq!(objection(None, "frontal.png"), None);
    }

    #[test]
    fn what_tags_and_names_say_is_named() {
        let text = |text: &str| Some(text.to_owned());
        let cases = [
            (
                Facts {
                    modality: text("CT"),
                    ..facts()
                },
                Kind::NotARadiograph,
                "CT",
            ),
            (
                Facts {
                    modality: text("MG"),
                    ..facts()
                },
                Kind::AnotherBodyPart,
                "MG",
            ),
            (
                Facts {
                    body_part: text("Ribcage"),
                    ..facts()
                },
                Kind::AnotherBodyPart,
                "RIBCAGE",
            ),
            (
                Facts {
                    view: text("LL"),
                    ..facts()
                },
                Kind::Lateral,
                "LL",
            ),
            (
                Facts {
                    patient_orientation: vec!["R".to_owned(), "F".to_owned()],
                    ..facts()
                },
                Kind::Mirrored,
                "mirrored",
            ),
            (
                Facts {
                    patient_orientation: vec!["F".to_owned(), "R".to_owned()],
                    ..facts()
                },
                Kind::Turned,
                "turned",
            ),
            (
                Facts {
                    patient_orientation: vec!["A".to_owned(), "F".to_owned()],
                    ..facts()
                },
                Kind::Lateral,
                "lateral",
            ),
        ];
        for (facts, kind, word) in cases {
            let found = objection(Some(&facts), "a.dcm").expect("an objection");
            assert_eq!(found.kind, kind);
            assert!(found.said.contains(word), "{}", found.said);
        }
        let named = objection(None, "view2_lateral.jpg").expect("an objection");
        assert_eq!(named.kind, Kind::Lateral);
    }
}
