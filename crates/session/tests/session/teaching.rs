//! The teaching mode: nothing of the model is shown before the reader has committed a reading.

use sightline_core::explain::method::Method;
use sightline_core::finding::Finding;
use sightline_core::gate::{Judgement, Verdict};
use sightline_session::messages::Request;
use sightline_session::session::Session;
use sightline_session::teaching::{Confidences, csv};

use super::page::*;

/// A page whose reader reads first.
fn teaching() -> Page {
    let mut page = Page::loaded();
    page.tell(|session| session.read_first(true));
    page
}

/// Opens a case of the library.
fn open_case(page: &mut Page, name: &str) {
    let id = page.give(&[name]);
    page.arrives(id, name);
    page.tell(|session| session.is_case(id, Some(name.to_owned())));
    let (id, _) = page.reading();
    page.answer(read(id, name));
}

fn commit(page: &mut Page) {
    page.tell(|session| session.commit_reading(7.04));
}

/// The cells of the session's table by row, the header left out.
fn rows(page: &Page) -> Vec<Vec<String>> {
    let text = csv(page.session.readings());
    let cells = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(cells).collect()
}

fn paths(page: &Page) -> Vec<String> {
    rows(page).into_iter().map(|row| row[0].clone()).collect()
}

#[test]
fn scores_are_shown_and_maps_made_only_after_the_reading_is_committed() {
    let mut page = teaching();
    page.tell(|session| session.explain_by(Method::Lime));
    let explains = |page: &Page| {
        let mut requests = page.requests.iter();
        requests.any(|request| matches!(request, Request::Explain { .. }))
    };
    page.open("a.png");
    assert!(page.session.picture().is_some());
    assert!(!page.session.shows_scores() && !explains(&page));
    assert_eq!(page.session.committed(), None);
    commit(&mut page);
    assert!(page.session.shows_scores() && explains(&page));
    assert!(page.session.committed().is_some());
}

#[test]
fn each_radiograph_is_read_anew_and_marks_do_not_change_once_they_are_committed() {
    let mut page = teaching();
    open_case(&mut page, "a.jpg");
    page.tell(|session| session.mark(Finding::Edema, Some(3)));
    page.tell(|session| session.mark(Finding::Fracture, Some(2)));
    page.tell(|session| session.mark(Finding::Fracture, None));
    // No place of the scale.
    page.tell(|session| session.mark(Finding::Edema, Some(5)));
    commit(&mut page);
    page.tell(|session| session.mark(Finding::Edema, Some(0)));
    commit(&mut page);
    let [row] = rows(&page).try_into().expect("one reading");
    let edema = 1 + Finding::Edema.index();
    assert_eq!((row[0].as_str(), row[edema].as_str()), ("a.jpg", "0.75"));
    let empty = row[1..15].iter().filter(|cell| cell.is_empty()).count();
    assert_eq!(empty, 13);
    assert_eq!(row.last().map(String::as_str), Some("7.0"));

    open_case(&mut page, "b.jpg");
    assert!(!page.session.shows_scores());
    assert_eq!(page.session.confidences(), &Confidences::default());
    commit(&mut page);
    assert_eq!(paths(&page), ["a.jpg", "b.jpg"]);
}

#[test]
fn another_model_reads_the_same_radiograph_and_leaves_its_marks() {
    let mut page = teaching();
    page.open("a.png");
    page.tell(|session| session.mark(Finding::Edema, Some(4)));
    let study = page.session.to_be_read();
    page.tell(|session| session.load("two"));
    assert_eq!(page.session.to_be_read(), None);
    page.ready(cpu());
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    assert!(!page.session.shows_scores());
    assert_eq!(page.session.to_be_read(), study);
    assert_eq!(page.session.confidences().of(Finding::Edema), Some(4));
    commit(&mut page);
    page.tell(|session| session.load("one"));
    page.ready(cpu());
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    assert!(page.session.shows_scores());
    let rows = rows(&page);
    assert_eq!(rows.len(), 1);
    assert!(rows[0].contains(&"two".to_owned()), "{rows:?}");
}

#[test]
fn what_is_switched_off_before_it_is_committed_shows_scores_and_was_not_read_first() {
    let mut page = teaching();
    page.open("a.png");
    page.tell(|session| session.mark(Finding::Edema, Some(4)));
    page.tell(|session| session.read_first(false));
    assert!(page.session.shows_scores());
    assert_eq!(page.session.readings(), []);
    // On again, the scores are held back; but they were in view.
    page.tell(|session| session.read_first(true));
    assert!(!page.session.shows_scores() && !page.session.is_unseen());
    commit(&mut page);
    assert!(page.session.shows_scores());
    assert_eq!(page.session.readings(), []);
    assert_eq!(page.session.recorded_as(), None);
    // The next radiograph was not.
    page.open("b.png");
    assert!(page.session.is_unseen());
    commit(&mut page);
    assert_eq!(page.session.readings().len(), 1);
    assert_eq!(page.session.recorded_as(), Some("own-1"));
    // What was committed stays so.
    page.tell(|session| session.read_first(false));
    page.tell(|session| session.read_first(true));
    assert!(page.session.shows_scores());
}

#[test]
fn a_case_whose_scores_were_in_view_is_not_read_first_when_it_comes_again() {
    let mut page = Page::loaded();
    open_case(&mut page, "a.jpg");
    page.tell(|session| session.read_first(true));
    open_case(&mut page, "b.jpg");
    commit(&mut page);
    for again in ["a.jpg", "b.jpg"] {
        open_case(&mut page, again);
        assert!(!page.session.shows_scores());
        commit(&mut page);
        assert!(page.session.shows_scores());
    }
    open_case(&mut page, "c.jpg");
    commit(&mut page);
    assert_eq!(paths(&page), ["b.jpg", "c.jpg"]);
}

#[test]
fn names_of_a_persons_own_files_are_in_no_table() {
    let mut page = teaching();
    for name in ["Doe^Jane.dcm", "case.jpg", "Doe^John.dcm"] {
        match name {
            "case.jpg" => open_case(&mut page, name),
            _ => {
                page.open(name);
            }
        }
        commit(&mut page);
    }
    assert_eq!(paths(&page), ["own-1", "case.jpg", "own-2"]);
    assert!(!csv(page.session.readings()).contains("Doe"));
}

#[test]
fn the_table_has_the_models_scores_beside_the_readers_and_none_of_what_was_not_trained() {
    let mut page = teaching();
    page.open("a.png");
    for (finding, confidence) in Finding::ALL.into_iter().zip((0..5u8).cycle()) {
        page.tell(|session| session.mark(finding, Some(confidence)));
    }
    commit(&mut page);
    let text = csv(page.session.readings());
    let header: Vec<&str> = text.lines().next().expect("a header").split(',').collect();
    assert_eq!((header.len(), header[0]), (1 + 14 + 14 + 2, "Path"));
    let rows = rows(&page);
    let report = report("a.png");
    for finding in Finding::ALL {
        let at = |name: &str| header.iter().position(|found| *found == name);
        let own = at(finding.name()).expect("the reader's column");
        let model = at(&format!("{finding} (model)")).expect("the model's column");
        let confidence = (finding.index() % 5) as f64 / 4.0;
        assert_eq!(rows[0][own].parse(), Ok(confidence), "{finding}");
        let expected = report.findings.iter().find(|f| f.name == finding);
        match expected.and_then(|finding| finding.probability) {
            Some(score) => {
                let found: f64 = rows[0][model].parse().expect("a score");
                assert!((found - score).abs() < 1e-6);
            }
            None => assert_eq!(rows[0][model], "", "{finding}"),
        }
    }
}

#[test]
fn of_a_picture_that_the_gate_stopped_the_reader_still_reads_first_and_no_score_is_noted() {
    let mut page = teaching();
    let mut odd = report("turned.png");
    odd.gate = Some(Judgement {
        verdict: Verdict::Stop,
        kind: None,
        value: Some(0.99),
        why: "It looks turned.".to_owned(),
    });
    let id = page.give(&["turned.png"]);
    page.arrives(id, "turned.png");
    let (id, _) = page.reading();
    page.answer(reading(id, &odd));
    page.tell(Session::show_scores);
    assert!(!page.session.shows_scores(), "asked for before the reading");
    commit(&mut page);
    assert!(page.session.shows_scores());

    let id = page.give(&["turned.png"]);
    page.arrives(id, "turned.png");
    let (id, _) = page.reading();
    page.answer(reading(id, &odd));
    commit(&mut page);
    assert!(!page.session.shows_scores());
    assert!(
        page.session.readings()[1]
            .scores
            .iter()
            .all(|(_, score)| score.is_none())
    );
}
