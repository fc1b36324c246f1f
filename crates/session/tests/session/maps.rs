//! What is said of maps: which are side by side, what they add up to, and what they credit an erased place with.

use sightline_core::explain::fill::Fill;
use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::method::{Explanation, Method, Settings};
use sightline_core::explain::{hirescam, lime};
use sightline_core::package::{Manifest, Output};
use sightline_core::report::{Branch, Report};
use sightline_core::trust::erase::{Erased, Spot};
use sightline_session::messages::Answer;
use sightline_session::picture::ReadPicture;

use super::page::*;

const EDEMA: usize = 5;

/// The picture of a report, as the page has it.
fn picture(report: &Report) -> ReadPicture {
    let mut page = Page::loaded();
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    let (id, _) = page.reading();
    page.answer(reading(id, report));
    let picture = page.session.picture().expect("the picture");
    ReadPicture::clone(picture)
}

#[test]
fn all_called_findings_are_side_by_side_and_at_least_the_three_highest() {
    let mut report = report("a.png");
    let trained = picture(&report).trained();
    assert!(trained.len() > 8, "{trained:?}");
    for finding in &mut report.findings {
        finding.called = false;
    }
    assert_eq!(picture(&report).side_by_side(), trained[..3]);
    // Called ones that are not among the highest come after these.
    for index in [trained[0], trained[5], trained[7]] {
        report.findings[index].called = true;
    }
    let mut shown = trained[..3].to_vec();
    shown.extend([trained[5], trained[7]]);
    assert_eq!(picture(&report).side_by_side(), shown);
    for finding in &mut report.findings {
        finding.called = true;
    }
    assert_eq!(picture(&report).side_by_side(), trained);
}

/// A report whose evidence for Edema is of these cells, by two networks.
fn of_two_networks() -> Report {
    let mut report = report("a.png");
    let finding = &mut report.findings[EDEMA];
    let branch = |network: &str, values: [f32; 2]| Branch {
        network: network.to_owned(),
        cells: HeatMap::new(2, 1, values.into()),
    };
    finding.logit = -0.375;
    finding.probability = Some(0.43);
    finding.grad_cam.bias = -0.875;
    finding.grad_cam.cells = HeatMap::new(2, 1, vec![1.5, -1.0]);
    finding.grad_cam.branches = vec![branch("one", [1.0, -1.5]), branch("two", [0.5, 0.5])];
    report
}

#[test]
fn a_map_says_what_it_adds_up_to_and_none_says_a_false_sum() {
    let mut report = of_two_networks();
    let settings = Settings::default();
    let said = |report: &Report, method: Method, branch: Option<usize>| {
        let account = picture(report).account(EDEMA, method, branch, &settings);
        account.map(|account| account.said())
    };
    let logit = "together -0.375, the logit behind the score 0.43.";
    assert_eq!(
        said(&report, Method::GradCam, None),
        Some(format!(
            "For: +1.500, against: -1.000, bias: -0.875; {logit}"
        ))
    );
    assert_eq!(
        said(&report, Method::GradCam, Some(0)),
        Some(format!(
            "For: +1.000, against: -1.500, the other networks: +1.000, bias: -0.875; {logit}"
        ))
    );
    // Maps that are not there yet.
    for method in [Method::Lime, Method::Hirescam, Method::Occlusion] {
        assert_eq!(said(&report, method, None), None);
    }
    let maps = vec![HeatMap::new(2, 1, vec![0.75, -0.25]); 14];
    let options = hirescam::Options::default();
    report.explain(Explanation::Hirescam(hirescam::Explanation {
        options,
        maps,
    }));
    assert_eq!(
        said(&report, Method::Hirescam, None),
        Some(format!(
            "For: +0.750, against: -0.250, bias: -0.875; {logit}"
        ))
    );
    let Answer::Explained { explanation, .. } = lime(0, &lime::Options::default(), true) else {
        panic!("no explanation");
    };
    report.explain(*explanation);
    assert_eq!(
        said(&report, Method::Lime, None).as_deref(),
        Some(
            "For: +0.500, against: 0.000, with every region hidden: 0.000; together +0.500, the score that LIME's linear model expects."
        )
    );
    // Evidence that does not add up.
    report.findings[EDEMA].grad_cam.bias = 0.0;
    assert_eq!(said(&report, Method::GradCam, None), None);
    assert_eq!(said(&report, Method::Hirescam, None), None);
}

#[test]
fn an_erased_place_is_credited_with_its_cells_and_the_logit_falls_by_what_the_score_tells() {
    let manifest: Manifest = manifest();
    let mut report = of_two_networks();
    let none = picture(&report).audit(EDEMA, &manifest);
    assert_eq!(none, None, "nothing is erased");
    let after = -1.125;
    let mut probabilities = vec![Some(0.5); 14];
    probabilities[EDEMA] = manifest.probability(Output(EDEMA), after);
    // Most of the left cell, and nothing of the right one.
    let spots = vec![Spot {
        x: -0.5,
        y: 0.5,
        radius: 1.0,
    }];
    report.erased = Some(Erased {
        fill: Fill::PictureMean,
        spots,
        probabilities: probabilities.clone(),
    });
    let audit = picture(&report)
        .audit(EDEMA, &manifest)
        .expect("a place is erased");
    assert_eq!(audit.before, -0.375);
    assert!((audit.after + 1.125).abs() < 1e-6, "{}", audit.after);
    // A disc about a place beyond the left border covers the left half but for its corners.
    assert!(audit.credit > 1.3 && audit.credit < 1.5, "{}", audit.credit);
    // A score that tells no logit.
    probabilities[EDEMA] = Some(1.0);
    if let Some(erased) = &mut report.erased {
        erased.probabilities = probabilities;
    }
    assert_eq!(picture(&report).audit(EDEMA, &manifest), None);
}
