//! The list of radiographs: what is read when, what becomes of each row, and the tables of all.

use sightline_core::finding::Finding;
use sightline_core::gate::{Judgement, Verdict};
use sightline_core::package::Output;
use sightline_core::report::Report;
use sightline_session::compare;
use sightline_session::messages::{Answer, Request};
use sightline_session::session::{End, Session, Status};
use sightline_session::worklist::{MOST_ROWS, RowState};

use super::page::*;

/// A page that was given these files and shows the first.
fn given(names: &[&str]) -> Page {
    let mut page = Page::loaded();
    open_first(&mut page, names);
    page
}

fn open_first(page: &mut Page, names: &[&str]) {
    let id = page.give(names);
    page.arrives(id, names[0]);
    let (id, _) = page.reading();
    page.answer(read(id, names[0]));
}

/// The row that is fetched in the background is read.
fn read_next(page: &mut Page, name: &str) {
    let id = page.row_arrives(name);
    page.answer(read(id, name));
}

fn states(page: &Page) -> Vec<&'static str> {
    let rows = 0..page.session.worklist().rows().len();
    let states = rows.map(|row| page.session.row_state(row).name());
    states.collect()
}

/// Which rows were fetched to be read in the background, in their order.
fn fetched(page: &Page) -> Vec<usize> {
    page.row_fetches.iter().map(|(_, row)| *row).collect()
}

/// The requests to read in the background.
fn in_background(page: &Page) -> usize {
    let requests = page.requests.iter();
    let unkept = |request: &&Request| matches!(request, Request::Read { keep: false, .. });
    requests.filter(unkept).count()
}

/// A report with these scores of Edema and Pneumonia.
fn scored(file: &str, edema: f64, pneumonia: f64) -> Report {
    let mut report = report(file);
    for finding in &mut report.findings {
        finding.trained = true;
        finding.operating_point = Some(0.5);
        finding.probability = match finding.name {
            Finding::Edema => Some(edema),
            Finding::Pneumonia => Some(pneumonia),
            _ => Some(0.1),
        };
    }
    report
}

/// Opens these files with these scores of Edema and Pneumonia: the first is shown, the others are read in the background.
fn all_read(files: &[(&str, f64, f64)]) -> Page {
    let names: Vec<&str> = files.iter().map(|(name, ..)| *name).collect();
    let mut page = Page::loaded();
    let id = page.give(&names);
    page.arrives(id, names[0]);
    for (place, (name, edema, pneumonia)) in files.iter().enumerate() {
        let id = match place {
            0 => page.reading().0,
            _ => page.row_arrives(name),
        };
        page.answer(reading(id, &scored(name, *edema, *pneumonia)));
    }
    page
}

#[test]
fn one_file_is_no_list_and_the_next_one_takes_its_place() {
    let mut page = given(&["a.png"]);
    assert!(!page.session.worklist().is_shown());
    open_first(&mut page, &["b.png"]);
    assert_eq!(page.session.worklist().rows().len(), 1);
    assert!(fetched(&page).is_empty());
    // A list grows by one file too.
    open_first(&mut page, &["c.png", "d.png"]);
    open_first(&mut page, &["e.png"]);
    let names: Vec<&str> = page
        .session
        .worklist()
        .rows()
        .iter()
        .map(|row| row.shown_name())
        .collect();
    assert_eq!(names, ["b.png", "c.png", "d.png", "e.png"]);
    assert_eq!(page.shown().as_deref(), Some("e.png"));
    // The page keeps as many files as there are rows.
    assert_eq!(page.fetches.last().map(|(_, index)| *index), Some(3));
}

#[test]
fn the_other_files_are_read_one_after_another_while_the_first_is_shown() {
    let mut page = given(&["a.png", "b.png", "c.png"]);
    assert_eq!(states(&page), ["read", "reading", "waiting"]);
    read_next(&mut page, "b.png");
    assert_eq!(states(&page), ["read", "read", "reading"]);
    read_next(&mut page, "c.png");
    assert_eq!(states(&page), ["read", "read", "read"]);
    assert_eq!((fetched(&page), in_background(&page)), (vec![1, 2], 2));
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    assert_eq!(page.session.status(), Status::Ready);
}

#[test]
fn what_a_person_asks_for_comes_first_and_the_row_is_read_after_it() {
    let mut page = given(&["a.png", "b.png", "c.png"]);
    let shown = page.reading().0;
    let asked = page.row_arrives("b.png");
    page.tell(Session::measure);
    assert_eq!(states(&page), ["read", "waiting", "waiting"]);
    assert_eq!(page.session.status(), Status::Explaining);
    // Nothing is fetched meanwhile.
    assert_eq!(fetched(&page), [1]);
    page.answer(refused_job(shown));
    assert_eq!(fetched(&page), [1, 1]);
    read_next(&mut page, "b.png");
    assert_eq!(states(&page), ["read", "read", "reading"]);
    // What was on its way for a row that is known changes nothing.
    page.answer(refused_file(asked));
    assert_eq!(states(&page), ["read", "read", "reading"]);
}

#[test]
fn an_answer_that_was_on_its_way_when_a_person_asked_is_taken() {
    let mut page = given(&["a.png", "b.png"]);
    let asked = page.row_arrives("b.png");
    page.tell(Session::measure);
    page.answer(read(asked, "b.png"));
    assert_eq!(states(&page), ["read", "read"]);
    assert_eq!(page.session.status(), Status::Explaining);
    assert_eq!(page.shown().as_deref(), Some("a.png"));
}

#[test]
fn a_file_that_arrives_after_a_person_asked_is_not_sent() {
    let mut page = given(&["a.png", "b.png"]);
    page.tell(Session::measure);
    page.row_arrives("b.png");
    assert_eq!(in_background(&page), 0);
    assert!(matches!(
        page.requests.last(),
        Some(Request::Measure { .. })
    ));
}

#[test]
fn reading_in_the_background_is_stopped_and_goes_on() {
    let mut page = given(&["a.png", "b.png", "c.png"]);
    page.row_arrives("b.png");
    page.tell(Session::halt_list);
    assert_eq!(states(&page), ["read", "waiting", "waiting"]);
    assert!(matches!(page.requests.last(), Some(Request::Cancel)));
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    // A row is opened all the same.
    page.tell(|session| session.open_row(2));
    let (id, _) = *page.fetches.last().expect("it is fetched");
    page.arrives(id, "c.png");
    let (id, _) = page.reading();
    page.answer(read(id, "c.png"));
    assert_eq!(states(&page), ["read", "waiting", "read"]);
    page.tell(Session::resume_list);
    read_next(&mut page, "b.png");
    assert_eq!(states(&page), ["read", "read", "read"]);
}

#[test]
fn what_cannot_be_read_keeps_its_row_with_the_reason() {
    let mut page = Page::loaded();
    let id = page.give(&["notes.txt", "b.png", "c.txt", "d.png"]);
    page.arrives(id, "notes.txt");
    let (id, _) = page.reading();
    page.answer(refused_file(id));
    let (id, index) = *page.fetches.last().expect("the next is fetched");
    assert_eq!(index, 1);
    page.arrives(id, "b.png");
    let (id, _) = page.reading();
    page.answer(read(id, "b.png"));
    // In the background too, by the engine and by the browser.
    let id = page.row_arrives("c.txt");
    page.answer(refused_file(id));
    let (id, _) = *page.row_fetches.last().expect("the next is fetched");
    page.tell(|session| session.row_fetched(id, Err("It is gone.".to_owned())));
    assert_eq!(states(&page), ["refused", "read", "refused", "refused"]);
    let rows = page.session.worklist().rows();
    assert_eq!(rows[2].why(), Some("It cannot be done."));
    assert_eq!(rows[3].why(), Some("It is gone."));
    assert_eq!(page.session.problems(), Vec::<String>::new());
    assert_eq!(page.session.worklist().counts(), (1, 3));
}

#[test]
fn an_engine_that_ends_in_the_background_starts_again_and_loses_no_row() {
    let mut page = given(&["a.png", "deadly.png", "c.png"]);
    let die = |page: &mut Page| {
        page.row_arrives("deadly.png");
        let starts = page.starts;
        page.tell(|session| session.ended(End::Died("a trap".to_owned())));
        assert_eq!(page.starts, starts + 1, "the engine is started again");
        page.ready(cpu());
        // What is shown is read again first.
        let (id, file) = page.reading();
        assert_eq!(file, "a.png");
        page.answer(read(id, "a.png"));
    };
    die(&mut page);
    assert_eq!(states(&page), ["read", "reading", "waiting"]);
    die(&mut page);
    assert_eq!(states(&page), ["read", "refused", "reading"]);
    let why = page.session.worklist().rows()[1].why().map(str::to_owned);
    assert_eq!(
        why.as_deref(),
        Some("The engine ended twice while reading it.")
    );
    read_next(&mut page, "c.png");
    assert_eq!(states(&page), ["read", "refused", "read"]);
    assert_eq!(page.session.status(), Status::Ready);
}

#[test]
fn an_engine_that_ends_on_every_row_is_not_started_for_ever() {
    let names: Vec<String> = (0..20).map(|number| format!("{number}.png")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut page = given(&names);
    let mut ends = 0;
    while page.session.status() == Status::Ready {
        page.row_arrives("x.png");
        page.tell(|session| session.ended(End::Died("a trap".to_owned())));
        ends += 1;
        assert!(ends < 20, "it is started again and again");
        if page.session.status() == Status::Loading {
            page.ready(cpu());
            let (id, _) = page.reading();
            page.answer(read(id, "0.png"));
        }
    }
    assert_eq!(page.session.status(), Status::Error);
    assert_eq!(page.session.worklist().rows().len(), 20);
    assert!(page.session.worklist().is_halted());
}

#[test]
fn an_engine_that_ends_as_a_person_asked_is_not_blamed_on_a_row() {
    let mut page = given(&["a.png", "b.png"]);
    page.row_arrives("b.png");
    page.tell(Session::measure);
    page.tell(|session| session.ended(End::Died("a trap".to_owned())));
    assert_eq!(page.session.status(), Status::Error);
    assert_eq!(states(&page), ["read", "waiting"]);
    page.tell(Session::load_again);
    page.ready(cpu());
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    read_next(&mut page, "b.png");
    assert_eq!(states(&page), ["read", "read"]);
}

#[test]
fn another_model_reads_all_rows_again_and_the_same_one_none() {
    let mut page = given(&["a.png", "b.png"]);
    read_next(&mut page, "b.png");
    page.tell(Session::load_again);
    page.ready(cpu());
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    assert_eq!(
        (states(&page), fetched(&page)),
        (vec!["read", "read"], vec![1])
    );
    page.tell(|session| session.load("two"));
    assert_eq!(states(&page), ["waiting", "waiting"]);
    assert_eq!(page.session.worklist().csv().lines().count(), 1);
    page.ready(cpu());
    assert_eq!(states(&page), ["reading", "waiting"]);
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    read_next(&mut page, "b.png");
    assert_eq!(states(&page), ["read", "read"]);
}

#[test]
fn rows_are_sorted_by_a_finding_and_walked_through_in_that_order() {
    let mut page = all_read(&[("a", 0.2, 0.9), ("b", 0.7, 0.1), ("c", 0.4, 0.4)]);
    let order = |page: &Page| page.session.row_order();
    assert_eq!(order(&page), [0, 1, 2]);
    page.tell(|session| session.sort_rows(Some(Finding::Edema)));
    assert_eq!(order(&page), [1, 2, 0]);
    let opened = |page: &mut Page, step: isize| {
        let before = page.fetches.len();
        page.tell(|session| session.open_next(step));
        let fetch = page.fetches.get(before).copied();
        fetch.map(|(id, index)| {
            page.arrives(id, "x");
            let (id, _) = page.reading();
            page.answer(reading(id, &scored("x", 0.3, 0.3)));
            index
        })
    };
    // Row 0 is shown, and is the last.
    assert_eq!(opened(&mut page, 1), None);
    assert_eq!(opened(&mut page, -1), Some(2));
    assert_eq!(opened(&mut page, -1), Some(1));
    page.tell(|session| session.sort_rows(None));
    assert_eq!(opened(&mut page, 1), Some(2));
    // One that is not read is the last, and one that the gate stopped is behind those that pass.
    page.tell(Session::halt_list);
    open_first(&mut page, &["d"]);
    page.tell(|session| session.sort_rows(Some(Finding::Pneumonia)));
    let mut stopped = scored("e", 0.99, 0.99);
    stopped.gate = Some(Judgement {
        verdict: Verdict::Stop,
        kind: None,
        value: None,
        why: String::new(),
    });
    let id = page.give(&["e", "f"]);
    page.arrives(id, "e");
    let (id, _) = page.reading();
    page.answer(reading(id, &stopped));
    let order = order(&page);
    assert_eq!(order[order.len() - 2..], [4, 5]);
    assert_eq!(page.session.worklist().rows()[4].top(), []);
}

#[test]
fn views_of_a_study_are_grouped_and_have_the_maximum_of_their_scores() {
    let mut page = all_read(&[
        ("p1/study1/view1.jpg", 0.2, 0.9),
        ("p1/study1/view2.jpg", 0.7, 0.3),
        ("p1/study2/view1.jpg", 0.8, 0.8),
    ]);
    let [study] = page
        .session
        .worklist()
        .studies()
        .try_into()
        .expect("one study");
    assert_eq!(study.rows, [0, 1]);
    assert_eq!(study.maximum[Finding::Edema.index()], Some(0.7));
    assert_eq!(study.maximum[Finding::Pneumonia.index()], Some(0.9));
    assert_eq!(study.called, [Finding::Edema, Finding::Pneumonia]);
    // DICOM files of one study are told by its number, whatever their names are.
    let id = page.give(&["x.dcm", "y.dcm"]);
    page.arrives(id, "x.dcm");
    let (first, _) = page.reading();
    let of_study = |id: u32, file: &str, edema: f64| match reading(id, &scored(file, edema, 0.1)) {
        Answer::Read {
            id,
            report,
            preview,
            ..
        } => Answer::Read {
            id,
            report,
            preview,
            study: Some(7),
        },
        other => other,
    };
    page.answer(of_study(first, "x.dcm", 0.3));
    let second = page.row_arrives("y.dcm");
    page.answer(of_study(second, "y.dcm", 0.4));
    let studies = page.session.worklist().studies();
    assert_eq!(studies.len(), 2);
    assert_eq!(studies[1].rows, [3, 4]);
    assert_eq!(studies[1].maximum[Finding::Edema.index()], Some(0.4));
    assert_eq!(studies[1].called, []);

    let json = page.session.worklist().json().expect("JSON");
    let files = r#"{"files":["x.dcm","y.dcm"],"maximum":{"#;
    assert!(
        json.contains(files) && json.contains(r#""Edema":0.7,"#),
        "{json}"
    );
    // A report a line, each of which can be read.
    let reports = json
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('{'));
    let reports = reports.map(|line| Report::parse(line.trim_end_matches(',').as_bytes()));
    let reports: Vec<Report> = reports.map(|report| report.expect("a report")).collect();
    assert_eq!(reports.len(), 5);
    assert_eq!(reports[3].image.file, "x.dcm");
}

#[test]
fn the_table_is_predicts_of_the_rows_that_are_read() {
    let mut page = given(&["a, \"one\".png", "b.txt", "c.png"]);
    let id = page.row_arrives("b.txt");
    page.answer(refused_file(id));
    let mut odd = report("c.png");
    odd.gate = Some(Judgement {
        verdict: Verdict::Warn,
        kind: Some(sightline_core::gate::Kind::Turned),
        value: Some(0.25),
        why: String::new(),
    });
    let id = page.row_arrives("c.png");
    page.answer(reading(id, &odd));
    let text = page.session.worklist().csv();
    let lines: Vec<&str> = text.lines().collect();
    let names = Finding::ALL.map(Finding::name).join(",");
    assert_eq!(lines[0], format!("Path,{names},Gate,GateVerdict,GateKind"));
    assert_eq!(lines.len(), 3);
    // The numbers are the model's own, of the logits 0, 1, 2 and so on, with six decimals.
    let manifest = manifest();
    let scores = Finding::ALL.map(|finding| {
        let place = manifest
            .findings
            .iter()
            .position(|card| card.name == finding);
        let place = place.expect("each finding has a card");
        let score = manifest.probability(Output(place), place as f32);
        score.map_or(String::new(), |score| format!("{score:.6}"))
    });
    let scores = scores.join(",");
    assert!(scores.contains(",,"), "no finding is untrained: {scores}");
    assert!(lines[1].starts_with(&format!("\"a, \"\"one\"\".png\",{scores},")));
    assert_eq!(
        lines[2],
        format!("c.png,{scores},0.250000,warn,{}", "turned")
    );
}

#[test]
fn a_reader_who_reads_first_sees_no_order_by_scores_and_no_row_seen_before_is_recorded() {
    let mut page = all_read(&[("a", 0.2, 0.9), ("b", 0.7, 0.1)]);
    page.tell(|session| session.sort_rows(Some(Finding::Edema)));
    page.tell(|session| session.read_first(true));
    assert!(!page.session.lists_scores());
    assert_eq!(page.session.row_order(), [0, 1]);
    // The list showed its scores before.
    page.tell(|session| session.open_row(1));
    let (id, _) = *page.fetches.last().expect("it is fetched");
    page.arrives(id, "b");
    let (id, _) = page.reading();
    page.answer(read(id, "b"));
    assert!(!page.session.is_unseen() && !page.session.shows_scores());
    // One that is given now was not.
    open_first(&mut page, &["c"]);
    assert!(page.session.is_unseen());
}

#[test]
fn a_list_that_is_cleared_leaves_what_is_shown_and_ends_the_reading_of_others() {
    let mut page = given(&["a.png", "b.png", "c.png"]);
    let id = page.row_arrives("b.png");
    page.tell(Session::clear_list);
    assert!(matches!(page.requests.last(), Some(Request::Cancel)));
    page.answer(read(id, "b.png"));
    assert_eq!(page.session.worklist().rows().len(), 0);
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    assert_eq!(fetched(&page), [1]);
    // It is still there for another model.
    page.tell(|session| session.load("two"));
    page.ready(cpu());
    assert_eq!(page.reading().1, "a.png");
    let (id, _) = page.reading();
    page.answer(refused_file(id));
    assert_eq!(page.session.status(), Status::Error);
}

#[test]
fn a_list_has_an_end_and_the_rest_is_counted() {
    let mut page = Page::loaded();
    let names: Vec<String> = (0..MOST_ROWS + 7).map(|n| format!("{n}.png")).collect();
    page.tell(|session| session.give(names, Vec::new()));
    assert_eq!(page.session.worklist().rows().len(), MOST_ROWS);
    assert!(page.complaint().contains("7 more are left out"));
    let fetches = page.fetches.len();
    page.tell(|session| session.give(vec!["late.png".to_owned()], Vec::new()));
    assert!(page.complaint().contains("1 more"), "{}", page.complaint());
    assert_eq!(page.fetches.len(), fetches);
}

#[test]
fn opening_a_row_while_another_is_on_its_way_shows_the_last() {
    let mut page = given(&["a.png", "b.png", "c.png"]);
    page.tell(|session| session.open_next(1));
    let (slow, _) = *page.fetches.last().expect("b is fetched");
    page.tell(|session| session.open_next(1));
    let (quick, index) = *page.fetches.last().expect("c is fetched");
    assert_eq!(index, 2);
    page.arrives(quick, "c.png");
    page.arrives(slow, "b.png");
    assert_eq!(page.session.row_state(2), RowState::Reading);
    let (id, _) = page.reading();
    page.answer(read(id, "c.png"));
    assert_eq!(page.shown().as_deref(), Some("c.png"));
    assert_eq!(page.session.row_state(2), RowState::Read);
}

#[test]
fn two_readings_differ_by_their_scores_and_by_what_speaks_for_each_finding() {
    let (first, mut second) = (scored("a", 0.2, 0.9), scored("b", 0.7, 0.1));
    assert!(compare::is_another(&first, &second));
    assert!(!compare::is_another(&first, &first.clone()));
    let mut other_model = first.clone();
    other_model.model.weights_sha256 = "another".to_owned();
    assert!(compare::is_another(&first, &other_model));
    for finding in &mut second.findings {
        if finding.name == Finding::Edema {
            // What speaks against it does not count.
            finding.grad_cam.cells.width = 3;
            finding.grad_cam.cells.values = vec![2.0, -5.0, 0.5];
        }
        finding.trained &= finding.name != Finding::Fracture;
    }
    let lines = compare::lines(&first, &second);
    assert_eq!(lines.len(), 14);
    let edema = lines[Finding::Edema.index()];
    assert_eq!(edema.scores, [Some(0.2), Some(0.7)]);
    assert!(
        edema
            .score_difference()
            .is_some_and(|d| (d - 0.5).abs() < 1e-12)
    );
    assert_eq!(edema.evidence, [Some(1.0), Some(2.5)]);
    assert_eq!(edema.evidence_difference(), Some(1.5));
    let fracture = lines[Finding::Fracture.index()];
    assert_eq!(fracture.scores, [Some(0.1), None]);
    assert_eq!(fracture.score_difference(), None);
}
