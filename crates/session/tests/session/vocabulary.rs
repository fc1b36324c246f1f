//! Packages with findings of their own: lists, tables and the reader's form follow the model that is loaded.

use sightline_core::finding::Finding;
use sightline_core::package::{FindingCard, Manifest};
use sightline_core::report::Report;
use sightline_core::vocabulary::{CHEXPERT, CallRule, TORCHXRAYVISION};
use sightline_session::compare;
use sightline_session::messages::Answer;
use sightline_session::teaching::csv;

use super::page::*;

fn named(name: &str) -> Finding {
    Finding::named(name).expect("a name")
}

/// A model of these findings, of which the first stands alone.
fn model(findings: &[Finding]) -> Manifest {
    let cards = findings.iter().map(|finding| FindingCard {
        operating_point: Some(0.5),
        ..FindingCard::new(*finding, true)
    });
    Manifest {
        findings: cards.collect(),
        rules: Some(vec![CallRule {
            alone: findings[0],
            except: Vec::new(),
        }]),
        ..manifest()
    }
}

fn ready(page: &mut Page, findings: &[Finding]) {
    page.answer(Answer::Ready {
        adapter: cpu(),
        manifest: Box::new(model(findings)),
    });
}

/// A report of these findings, whose scores rise from finding to finding.
fn report_of(file: &str, findings: &[Finding]) -> Report {
    let mut report = report(file);
    let first = report.findings[0].clone();
    let reports = findings.iter().enumerate().map(|(place, finding)| {
        let mut report = first.clone();
        report.name = *finding;
        report.trained = true;
        report.operating_point = Some(0.5);
        report.probability = Some(place as f64 / 100.0);
        report
    });
    report.findings = reports.collect();
    report
}

fn columns(text: &str) -> Vec<String> {
    let header = text.lines().next().expect("a header");
    header.split(',').map(str::to_owned).collect()
}

fn names(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.name()).collect()
}

#[test]
fn lists_and_tables_have_the_findings_of_the_package() {
    let mut page = Page::new();
    assert_eq!(page.session.vocabulary().findings, CHEXPERT);
    ready(&mut page, &TORCHXRAYVISION);
    assert_eq!(page.session.vocabulary().findings, TORCHXRAYVISION);
    let id = page.give(&["p/study1/a.png", "p/study1/b.png"]);
    page.arrives(id, "p/study1/a.png");
    let (id, _) = page.reading();
    page.answer(reading(id, &report_of("p/study1/a.png", &TORCHXRAYVISION)));
    let id = page.row_arrives("p/study1/b.png");
    let mut high = report_of("p/study1/b.png", &TORCHXRAYVISION);
    for finding in &mut high.findings {
        let is_high = ["Atelectasis", "Hernia"].contains(&finding.name.name());
        finding.probability = Some(if is_high { 0.9 } else { 0.1 });
    }
    page.answer(reading(id, &high));

    let list = page.session.worklist();
    let text = list.csv();
    let columns = columns(&text);
    assert_eq!(columns[1..19], names(&TORCHXRAYVISION));
    assert_eq!(columns.len(), 1 + 18 + 3);
    assert!(text.lines().nth(1).expect("a row").contains(",0.170000,"));
    let studies = list.studies();
    let [study] = studies.as_slice() else {
        panic!("{studies:?}");
    };
    assert_eq!(study.maximum.len(), 18);
    // Atelectasis is said to stand alone, and Hernia is called too.
    assert_eq!(study.called, [named("Hernia")]);
    let json = list.json().expect("reports");
    assert!(json.contains("\"Pleural_Thickening\""));

    // Sorted by a finding that the next model does not have, rows are as they were given.
    page.tell(|session| session.sort_rows(Some(named("Hernia"))));
    assert_eq!(page.session.row_order(), [1, 0]);
    page.tell(|session| session.load("two"));
    page.ready(cpu());
    assert_eq!(page.session.vocabulary().findings, CHEXPERT);
    assert_eq!(page.session.worklist().sorted_by(), None);
}

#[test]
fn the_reader_marks_the_findings_of_the_package_and_the_table_names_them() {
    let own = [named("No finding"), named("Nodule, mass"), Finding::Edema];
    let mut page = Page::new();
    ready(&mut page, &own);
    page.tell(|session| session.read_first(true));
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    let (id, _) = page.reading();
    page.answer(reading(id, &report_of("a.png", &own)));
    page.tell(|session| session.mark(own[1], Some(4)));
    assert_eq!(page.session.confidences().of(own[1]), Some(4));
    page.tell(|session| session.commit_reading(1.0));
    let text = csv(page.session.readings());
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "Path,No finding,\"Nodule, mass\",Edema,No finding (model),\"Nodule, mass (model)\",Edema (model),Model,Seconds",
            "own-1,,1,,0.000000,0.010000,0.020000,one,1.0",
        ]
    );

    // A model with other findings adds its columns.
    page.tell(|session| session.load("two"));
    ready(&mut page, &[Finding::Edema, named("Hernia")]);
    let id = page.give(&["b.png"]);
    page.arrives(id, "b.png");
    let (id, _) = page.reading();
    page.answer(reading(
        id,
        &report_of("b.png", &[Finding::Edema, named("Hernia")]),
    ));
    page.tell(|session| session.mark(named("Hernia"), Some(0)));
    page.tell(|session| session.commit_reading(1.0));
    let text = csv(page.session.readings());
    assert_eq!(
        text.lines().last(),
        Some("own-2,,,,0,,,0.000000,0.010000,two,1.0")
    );
}

#[test]
fn two_readings_of_models_with_other_findings_have_a_line_for_each_finding() {
    let first = report_of("a.png", &[Finding::Edema, named("Mass")]);
    let second = report_of("a.png", &[named("Hernia"), Finding::Edema]);
    let lines = compare::lines(&first, &second);
    let found: Vec<&str> = lines.iter().map(|line| line.finding.name()).collect();
    assert_eq!(found, ["Edema", "Mass", "Hernia"]);
    assert_eq!(lines[0].scores, [Some(0.0), Some(0.01)]);
    assert_eq!(lines[1].scores, [Some(0.01), None]);
    assert_eq!(lines[2].scores, [None, Some(0.0)]);
}
