use serde_json::Value;
use sightline_core::finding::Finding;

use super::*;
use crate::golden::{json, numbers};

const WHOLE: Region = Region {
    x: 0.0,
    y: 0.0,
    width: 1.0,
    height: 1.0,
};

fn manifest() -> Manifest {
    let shipped = include_bytes!("../../../../www/models/efficientnet-lite0-nih/manifest.json");
    Manifest::parse(shipped).expect("the shipped manifest")
}

/// A picture with this score of Edema, and 0.5 of the other findings that the model was trained on.
fn picture(manifest: &Manifest, file: &str, edema: f64) -> Picture {
    let score = |(place, card): (usize, &sightline_core::package::FindingCard)| {
        let edema = (place == Finding::Edema.index()).then_some(edema);
        card.trained.then_some(edema.unwrap_or(0.5))
    };
    Picture {
        file: file.to_owned(),
        probabilities: manifest.findings.iter().enumerate().map(score).collect(),
        maps: Vec::new(),
        region: WHOLE,
    }
}

fn table(text: &str) -> Given {
    Given {
        name: "labels.csv".to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

fn refused(tables: Vec<Given>, pictures: &[Picture]) -> String {
    let refused = validate(&manifest(), tables, pictures).map(|_| ());
    format!("{:#}", refused.expect_err("nothing to measure"))
}

#[test]
fn golden_figures_of_a_table_and_pictures_are_scikit_learns() {
    let golden = json("metrics/metrics.json");
    let mut measured = 0;
    for case in golden["cases"].as_array().expect("cases") {
        let (labels, scores) = (numbers(&case["y"]), numbers(&case["p"]));
        let one_class = labels.iter().all(|label| *label == labels[0]);
        if case["weight"] != Value::Null || one_class {
            continue;
        }
        measured += 1;
        let manifest = manifest();
        let mut text = "Path,Edema\n".to_owned();
        let mut pictures = Vec::new();
        for (number, (label, score)) in labels.iter().zip(&scores).enumerate() {
            text += &format!("set/{number}.png,{label}\n");
            pictures.push(picture(&manifest, &format!("set/{number}.png"), *score));
        }
        // In another order than the table.
        pictures.reverse();
        let validation = validate(&manifest, vec![table(&text)], &pictures).expect("figures");
        let part = &validation.report.parts[0];
        assert_eq!(part.count, labels.len());
        let edema = &part.findings[Finding::Edema.index()];
        for (ours, key) in [
            (edema.auc.map(|auc| auc.value), "roc_auc"),
            (
                edema.average_precision.map(|p| p.value),
                "average_precision",
            ),
            (edema.brier, "brier"),
            (edema.log_loss, "log_loss"),
            (edema.calibration_error, "ece15_unweighted"),
        ] {
            let expected = case[key].as_f64().expect("a figure");
            let ours = ours.expect("a figure");
            assert!((ours - expected).abs() < 1e-9, "{key}: {ours} {expected}");
        }
        // The page has all digits, and the manifest the same figures.
        let auc = edema.auc.expect("it is defined");
        let html = validation.html();
        let cell = format!(
            "data-figure=\"auc\" data-value=\"{}\">{auc}</td>",
            auc.value
        );
        assert!(html.contains(&cell), "{html}");
        let card = &validation.manifest.findings[Finding::Edema.index()];
        assert_eq!((card.auc, card.auc_ci95), (Some(auc.value), Some(auc.ci95)));
        let evaluation = validation.manifest.evaluation.expect("of which images");
        assert_eq!(evaluation.set, "labels.csv");
        assert!(
            validation
                .manifest
                .limits
                .iter()
                .any(|limit| limit.contains("labels.csv"))
        );
    }
    assert!(measured > 1, "{measured} cases");
}

#[test]
fn what_cannot_be_measured_is_refused_with_what_to_do() {
    let manifest = manifest();
    let pictures = ["a.png", "b.png"].map(|file| picture(&manifest, file, 0.3));
    let is = |text: &str, why: &str| {
        let said = refused(vec![table(text)], &pictures);
        assert!(said.contains(why), "{said}");
    };
    is(
        "Path,Edema\nc.png,1\nd.png,0\n",
        "No row of labels.csv names a picture that was given",
    );
    is(
        "Path,Gout\na.png,1\nb.png,0\n",
        "A column needs a finding's name: No Finding",
    );
    is("Path,Edema\na.png,1\nb.png,1\n", "an AUC needs both");
    is(
        "Path,Edema\na.png,1\nb.png,yes\n",
        "labels.csv: line 3: Edema: \"yes\" is no label",
    );
    is("Name,Edema\na.png,1\n", "there is no column Path");
    let two = vec![
        table("Path,Edema\na.png,1\n"),
        table("Path,Edema\nb.png,0\n"),
    ];
    assert!(refused(two, &pictures).contains("two tables of labels"));
    let boxes = table("Path,Class,X,Y,W,H\na.png,Edema,0,0,1,1\n");
    assert!(refused(vec![boxes], &pictures).contains("There is no table of labels"));
}

#[test]
fn what_is_left_out_and_what_is_undefined_is_said() {
    let manifest = manifest();
    let text = "Path,Frontal/Lateral,Edema,Pneumonia\na.png,Frontal,1,1\nb.png,Frontal,0,1\nc.png,Frontal,0,\nd.png,Lateral,1,\n";
    let files = ["a.png", "b.png", "b.png", "d.png", "<e>.png"];
    let pictures = files.map(|file| picture(&manifest, file, 0.3));
    let validation = validate(&manifest, vec![table(text)], &pictures).expect("figures");
    let part = &validation.report.parts[0];
    assert_eq!((part.count, part.patients), (2, 2));
    let html = validation.html();
    for said in [
        "2 pictures of 2 patients",
        "Undefined: every picture has it.",
        "The table has no label of it.",
        "Pictures that no row names: 1 (first &lt;e&gt;.png).",
        "Pictures that were given twice, and count once: 1.",
        "Rows without a picture, which are left out: 1.",
        "Lateral views, which are left out: 1.",
    ] {
        assert!(html.contains(said), "{said}: {html}");
    }
    // No boxes were given.
    assert!(
        !html.contains("box-hits") && !html.contains("<e>"),
        "{html}"
    );
}

#[test]
fn boxes_are_hit_where_the_map_is_highest() {
    let manifest = manifest();
    let edema = Finding::Edema.index();
    // The upper left quarter is highest.
    let map = HeatMap::new(2, 2, vec![1.0, 0.1, 0.1, 0.1]);
    let pictures = ["a.png", "b.png", "c.png"].map(|file| Picture {
        maps: vec![map.clone(); manifest.findings.len()],
        ..picture(&manifest, file, if file == "c.png" { 0.1 } else { 0.9 })
    });
    let labels = table("Path,Edema\na.png,1\nb.png,1\nc.png,0\n");
    let boxes = Given {
        name: "boxes.csv".to_owned(),
        bytes: b"Path,Class,X,Y,W,H\na.png,Edema,0,0,0.5,0.5\nb.png,Edema,0.5,0.5,0.5,0.5\nb.png,Gout,0,0,1,1\n"
            .to_vec(),
    };
    let validation = validate(&manifest, vec![boxes, labels], &pictures).expect("figures");
    let pointing = validation.pointing.as_ref().expect("boxes");
    let [judged] = pointing.findings.as_slice() else {
        panic!("{} findings", pointing.findings.len());
    };
    assert_eq!((judged.name, judged.n), (Finding::Edema, 2));
    assert_eq!(judged.pointing_hit.value, 0.5);
    let html = validation.html();
    assert!(
        html.contains("data-figure=\"box-hits\" data-value=\"0.5\""),
        "{html}"
    );
    assert!(
        html.contains("no finding of the model are left out: Gout."),
        "{html}"
    );
    let by = LocalisedBy {
        maps: Maps::By(Method::GradCam),
        marks: Marks::Boxes,
    };
    let kept = &validation.manifest.findings[edema].localisation[&by];
    assert_eq!((kept.n, kept.pointing_hit), (2, 0.5));
}
