//! The gate: whether a picture is a frontal chest radiograph like those that a model knows, asked before its scores are shown.
//!
//! First the tags of the file say what they can ([`tags`]), then the picture is looked at ([`detector`]). Tags are often wrong, so a picture
//! that looks right is not stopped by them.

pub mod detector;
mod kind;
pub mod tags;

pub use kind::{Kind, Verdict};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::radiograph::Radiograph;
use crate::radiograph::dicom::Facts;
use detector::Detector;
use tags::Objection;

/// What the gate says of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Judgement {
    pub verdict: Verdict,
    /// What it seems to be instead; `None` where it passes, or nothing could be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// How likely the detector holds it for something else than a frontal chest radiograph, from 0 to 1; `None` where the package has no
    /// detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why, in a sentence or two.
    pub why: String,
}

/// What is known of a picture beside what a model makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub tags: Option<Facts>,
    /// Levels of grey between its dark and its bright parts.
    pub contrast: u8,
}

impl Known {
    pub fn of(radiograph: &Radiograph) -> Self {
        Self {
            tags: radiograph.dicom.clone(),
            contrast: radiograph.contrast(),
        }
    }
}

/// Levels of grey between the dark and the bright parts of a picture, fewer than which show nothing.
const LEAST_CONTRAST: u8 = 8;

impl Judgement {
    /// What tags, name and picture say together. `shares`: what the detector makes of the picture, if the package has one.
    pub fn new(
        detector: Option<&Detector>,
        shares: Option<&[f64]>,
        known: &Known,
        file: &str,
    ) -> Self {
        let objection = tags::objection(known.tags.as_ref(), file);
        let seen = detector.zip(shares).map(|(detector, shares)| {
            let (kind, value) = detector.odd(shares);
            (detector, kind, value)
        });
        let value = seen.map(|(_, _, value)| value);
        if known.contrast < LEAST_CONTRAST {
            return Self {
                verdict: Verdict::Stop,
                kind: Some(Kind::Blank),
                value,
                why: "The picture has next to no contrast: there is nothing in it to be read."
                    .to_owned(),
            };
        }
        let Some((detector, kind, value)) = seen else {
            return Self::by_tags(objection);
        };
        let looks = detector.verdict(kind, value);
        let seen_as = format!(
            "The picture looks like {}: {value:.2} on the detector's scale from 0 to 1.",
            kind.described()
        );
        let (verdict, kind, why) = match (looks, objection) {
            (Verdict::Pass, None) => (Verdict::Pass, None, PASSES.to_owned()),
            (Verdict::Pass, Some(Objection { kind, said })) => {
                // What the detector never learned to tell, it cannot deny.
                let known = detector.kinds.contains(&kind);
                let (verdict, but) = match known {
                    true => (
                        Verdict::Warn,
                        "The picture looks like a frontal chest radiograph; tags are often wrong.",
                    ),
                    false => (
                        Verdict::Stop,
                        "This model's detector cannot tell this kind by the picture.",
                    ),
                };
                (verdict, Some(kind), format!("{said} {but}"))
            }
            (Verdict::Warn, Some(Objection { kind, said })) => {
                (Verdict::Stop, Some(kind), format!("{said} {seen_as}"))
            }
            (Verdict::Stop, Some(Objection { said, .. })) => {
                (Verdict::Stop, Some(kind), format!("{seen_as} {said}"))
            }
            (looks, None) => (looks, Some(kind), seen_as),
        };
        Self {
            verdict,
            kind,
            value: Some(value),
            why,
        }
    }

    fn by_tags(objection: Option<Objection>) -> Self {
        match objection {
            Some(Objection { kind, said }) => Self {
                verdict: Verdict::Stop,
                kind: Some(kind),
                value: None,
                why: said,
            },
            None => Self {
                verdict: Verdict::Warn,
                kind: None,
                value: None,
                why: "This model has no detector of other pictures: whether this is a frontal chest radiograph was not checked.".to_owned(),
            },
        }
    }
}

const PASSES: &str =
    "The picture looks like the frontal chest radiographs that the model was trained on.";

#[cfg(test)]
mod tests {
    use super::*;
    use detector::Measured;

    fn detector() -> Detector {
        Detector {
            kinds: vec![Kind::AnotherBodyPart, Kind::Turned],
            scales: String::new(),
            weights: String::new(),
            bias: vec![0.0; 3],
            warn: 0.3,
            stop: 0.6,
            training: String::new(),
            measured: Measured::default(),
        }
    }

    fn known(body_part: Option<&str>) -> Known {
        let tags = body_part.map(|part| Facts {
            transfer_syntax: String::new(),
            bits_stored: 8,
            signed: false,
            photometric_interpretation: "MONOCHROME2".to_owned(),
            modality: Some("DX".to_owned()),
            body_part: Some(part.to_owned()),
            view: None,
            laterality: None,
            patient_orientation: Vec::new(),
            spacing_mm: None,
            spacing_on_detector: false,
            windows: Vec::new(),
        });
        Known {
            tags,
            contrast: 200,
        }
    }

    fn judged(shares: [f64; 3], known: &Known, file: &str) -> Judgement {
        Judgement::new(Some(&detector()), Some(&shares), known, file)
    }

    const FRONTAL: [f64; 3] = [0.9, 0.05, 0.05];
    const DOUBTFUL: [f64; 3] = [0.6, 0.1, 0.3];
    const TURNED: [f64; 3] = [0.1, 0.1, 0.8];

    #[test]
    fn a_picture_passes_is_warned_of_or_stopped_by_how_odd_it_looks() {
        let cases = [
            (FRONTAL, Verdict::Pass, None),
            (DOUBTFUL, Verdict::Warn, Some(Kind::Turned)),
            (TURNED, Verdict::Stop, Some(Kind::Turned)),
        ];
        for (shares, verdict, kind) in cases {
            let judged = judged(shares, &known(None), "a.png");
            assert_eq!((judged.verdict, judged.kind), (verdict, kind));
            assert!((judged.value.expect("a value") - (1.0 - shares[0])).abs() < 1e-9);
        }
    }

    #[test]
    fn a_frontal_chest_that_is_mirrored_or_of_a_child_is_warned_of_at_most() {
        for kind in Kind::ALL {
            let still_frontal = [Kind::Mirrored, Kind::Child].contains(&kind);
            let expected = match still_frontal {
                true => Verdict::Warn,
                false => Verdict::Stop,
            };
            assert_eq!(detector().verdict(kind, 0.99), expected, "{kind}");
            assert_eq!(detector().verdict(kind, 0.2), Verdict::Pass, "{kind}");
        }
    }

    /// Tags are often wrong: they stop nothing that looks right, where the picture can tell.
    #[test]
    fn tags_warn_of_what_looks_right_and_stop_what_looks_doubtful() {
        let rib = known(Some("RIBCAGE"));
        let right = judged(FRONTAL, &rib, "a.dcm");
        assert_eq!(
            (right.verdict, right.kind),
            (Verdict::Warn, Some(Kind::AnotherBodyPart))
        );
        assert!(right.why.contains("RIBCAGE") && right.why.contains("often wrong"));
        assert_eq!(judged(DOUBTFUL, &rib, "a.dcm").verdict, Verdict::Stop);
        let turned = judged(TURNED, &rib, "a.dcm");
        assert_eq!(
            (turned.verdict, turned.kind),
            (Verdict::Stop, Some(Kind::Turned))
        );
        assert_eq!(
            judged(FRONTAL, &known(Some("CHEST")), "a.dcm").verdict,
            Verdict::Pass
        );
    }

    #[test]
    fn what_the_detector_never_learned_is_stopped_by_name_alone() {
        let lateral = judged(FRONTAL, &known(None), "view2_lateral.jpg");
        assert_eq!(
            (lateral.verdict, lateral.kind),
            (Verdict::Stop, Some(Kind::Lateral))
        );
    }

    #[test]
    fn a_picture_without_contrast_is_blank_whatever_the_detector_says() {
        let flat = Known {
            tags: None,
            contrast: 2,
        };
        let judged = judged(FRONTAL, &flat, "a.png");
        assert_eq!(
            (judged.verdict, judged.kind),
            (Verdict::Stop, Some(Kind::Blank))
        );
    }

    #[test]
    fn without_a_detector_it_is_said_that_nothing_was_checked() {
        let unchecked = Judgement::new(None, None, &known(None), "a.png");
        assert_eq!((unchecked.verdict, unchecked.kind), (Verdict::Warn, None));
        assert!(unchecked.why.contains("not checked"));
        let tagged = Judgement::new(None, None, &known(Some("HAND")), "a.png");
        assert_eq!(
            (tagged.verdict, tagged.kind),
            (Verdict::Stop, Some(Kind::AnotherBodyPart))
        );
    }
}
