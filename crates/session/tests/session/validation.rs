//! The model measured on the pictures of the list: when it is asked for, and what becomes of the answer.

use sightline_core::finding::Finding;
use sightline_core::radiograph::{Depth, DepthSource};
use sightline_session::messages::{Answer, Reason, Refusal, Request, ScoredPicture};
use sightline_session::session::{End, Session};

use super::page::*;

fn tables(names: &[&str]) -> Vec<(String, u64)> {
    names.iter().map(|name| ((*name).to_owned(), 7)).collect()
}

/// A page that was given tables and pictures, and has read the first picture.
fn given(names: &[&str], files: &[&str]) -> Page {
    let mut page = Page::loaded();
    page.tell(|session| session.validate(tables(names)));
    let id = page.give(files);
    page.arrives(id, files[0]);
    let (id, _) = page.reading();
    page.answer(read(id, files[0]));
    page
}

fn read_next(page: &mut Page, name: &str) {
    let id = page.row_arrives(name);
    page.answer(read(id, name));
}

/// The requests to measure: their numbers and pictures.
fn asked(page: &Page) -> Vec<(u32, Vec<ScoredPicture>)> {
    let requests = page.requests.iter();
    let asked = requests.filter_map(|request| match request {
        Request::Validate { id, pictures, .. } => Some((*id, pictures.clone())),
        _ => None,
    });
    asked.collect()
}

/// What an engine answers, with another AUC of Edema.
fn validated(id: u32) -> Answer {
    let mut manifest = manifest();
    manifest.findings[Finding::Edema.index()].auc = Some(0.75);
    Answer::Validated {
        id,
        html: "<table></table>".to_owned(),
        manifest: Box::new(manifest),
    }
}

fn auc(page: &Page) -> Option<f64> {
    let manifest = page.session.manifest().expect("a model");
    manifest.findings[Finding::Edema.index()].auc
}

#[test]
fn the_model_is_measured_once_all_pictures_are_read() {
    let mut page = given(&["labels.csv"], &["set/a.png", "set/b.png", "notes.txt"]);
    assert_eq!(
        page.session.validation_said(),
        "1 of 3 read. The figures follow the last."
    );
    assert_eq!(page.session.validation().state(), "waiting");
    read_next(&mut page, "set/b.png");
    assert!(asked(&page).is_empty(), "a picture is left");
    let id = page.row_arrives("notes.txt");
    page.answer(refused_file(id));
    let asked = asked(&page);
    let [(id, pictures)] = asked.as_slice() else {
        panic!("asked {} times", asked.len());
    };
    let files: Vec<&str> = pictures
        .iter()
        .map(|picture| picture.file.as_str())
        .collect();
    assert_eq!(files, ["set/a.png", "set/b.png"]);
    let report = report("set/a.png");
    let scores: Vec<Option<f64>> = report.findings.iter().map(|f| f.probability).collect();
    assert_eq!(pictures[0].probabilities, scores);
    // There can be no boxes.
    assert!(pictures[0].maps.is_empty());
    assert_eq!(page.session.validation().state(), "measuring");
    assert_ne!(auc(&page), Some(0.75));
    page.answer(validated(*id));
    assert_eq!(page.session.validation().state(), "ready");
    let html = page.session.validation().html().expect("figures");
    assert_eq!(html.as_ref(), "<table></table>");
    assert_eq!(auc(&page), Some(0.75));
}

#[test]
fn tables_may_come_after_the_pictures_and_two_of_them_take_the_maps() {
    let mut page = Page::loaded();
    page.open("a.png");
    assert_eq!(page.session.validation_said(), "");
    page.tell(|session| session.validate(tables(&["labels.csv", "boxes.csv"])));
    let asked = asked(&page);
    let [(_, pictures)] = asked.as_slice() else {
        panic!("asked {} times", asked.len());
    };
    assert_eq!(pictures[0].maps.len(), manifest().findings.len());
    // A table alone says what is to be done.
    let mut page = Page::loaded();
    page.tell(|session| session.validate(tables(&["labels.csv"])));
    assert_eq!(
        page.session.validation_said(),
        "Now give the pictures that labels.csv names."
    );
}

#[test]
fn tables_that_cannot_be_measured_with_are_refused_and_others_can_be_given() {
    let mut page = given(&["labels.csv"], &["a.png"]);
    let (id, _) = asked(&page)[0];
    let why = Reason::Tables("No row names a picture".to_owned());
    page.answer(Answer::Refused(Refusal::Tables { id, why }));
    assert_eq!(page.session.validation().state(), "error");
    assert_eq!(page.session.validation_said(), "No row names a picture.");
    // The reading stays as it is.
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    page.tell(|session| session.validate(tables(&["others.csv"])));
    let asked = asked(&page);
    assert_eq!(asked.len(), 2);
    // The answer to the first comes late.
    page.answer(validated(id));
    assert_eq!(page.session.validation().state(), "measuring");
    page.answer(validated(asked[1].0));
    assert_eq!(page.session.validation().state(), "ready");
}

#[test]
fn other_pictures_and_other_models_are_measured_anew() {
    let mut page = given(&["labels.csv"], &["a.png", "b.png"]);
    read_next(&mut page, "b.png");
    let (id, _) = asked(&page)[0];
    page.answer(validated(id));
    let id = page.give(&["c.png"]);
    assert_eq!(page.session.validation().html(), None);
    page.arrives(id, "c.png");
    let (id, _) = page.reading();
    page.answer(read(id, "c.png"));
    assert_eq!(asked(&page)[1].1.len(), 3);
    // With another model everything is read again first.
    page.tell(|session| session.load("two"));
    page.ready(cpu());
    assert_eq!(asked(&page).len(), 2);
    assert_eq!(page.session.validation().state(), "waiting");
    page.tell(Session::clear_list);
    assert_eq!(page.session.validation().state(), "none");
}

#[test]
fn an_engine_that_ends_while_it_measures_is_asked_again() {
    let mut page = given(&["labels.csv"], &["a.png"]);
    assert_eq!(asked(&page).len(), 1);
    page.tell(|session| session.ended(End::Died("no memory".to_owned())));
    page.tell(|session| session.load_again());
    page.ready(cpu());
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    let asked = asked(&page);
    assert_eq!(asked.len(), 2);
    page.answer(validated(asked[1].0));
    assert_eq!(page.session.validation().state(), "ready");
}

#[test]
fn a_picture_that_is_read_in_another_depth_is_measured_anew() {
    let mut page = Page::loaded();
    page.tell(|session| session.validate(tables(&["labels.csv"])));
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    let mut report = report("a.png");
    report.image.depth = Some(Depth {
        bits: 12,
        told_by: DepthSource::Pixels,
        other: Some(16),
    });
    let (id, _) = page.reading();
    page.answer(reading(id, &report));
    assert_eq!(asked(&page).len(), 1);
    page.tell(|session| session.choose_depth(16));
    // Not with the reading before.
    assert_eq!(asked(&page).len(), 1);
    let (id, _) = page.reading();
    page.answer(reading(id, &report));
    assert_eq!(asked(&page).len(), 2);
}
